"""`python -m hack.controlplane`: the builds and the control plane, for people."""

import argparse
import asyncio
import signal
import sys
import time

from hack.controlplane import builds, catalogue, progress, toolchain
from hack.controlplane.cluster import ControlPlane
from hack.controlplane.processes import ProcessDied

EXPECTED_FAILURES = (LookupError, OSError, ProcessDied, progress.CommandFailed, toolchain.NoToolchain)


def main() -> int:
    """Runs one command; its exit code."""
    options = _parser().parse_args()
    try:
        match options.command:
            case "build":
                builds.ensure(options.names or catalogue.BY_NAME)
            case "path":
                print(builds.path(options.name))
            case "up":
                builds.ensure(catalogue.CONTROL_PLANE)
                asyncio.run(_up())
    except KeyboardInterrupt:
        return 130
    except EXPECTED_FAILURES as failure:
        progress.console.print(str(failure), style="red", markup=False)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hack.controlplane", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="build what is missing in the cache: all, or what is named")
    build.add_argument("names", nargs="*", metavar="NAME", help=", ".join(catalogue.BY_NAME))
    path = commands.add_parser("path", help="print the path of one binary, built if need be")
    path.add_argument("name", choices=catalogue.BY_NAME)
    commands.add_parser("up", help="start a control plane on loopback, until Ctrl-C")
    return parser


async def _up() -> None:
    began = time.monotonic()
    own_task = asyncio.current_task()
    assert own_task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, own_task.cancel)
    try:
        async with ControlPlane() as plane:
            _say_how_to_use(plane, time.monotonic() - began)
            while True:
                plane.check()
                await asyncio.sleep(1)
    except asyncio.CancelledError:
        progress.console.print("[green]✓[/] stopped, nothing is left")


def _say_how_to_use(plane: ControlPlane, seconds: float) -> None:
    version = catalogue.BY_NAME["kube-apiserver"].version
    say = progress.console.print
    say(f"[green]✓[/] Kubernetes {version} at {plane.server} [dim]in {seconds:.1f} s[/]\n\nIn another terminal:\n")
    say(f"    export KUBECONFIG={plane.admin}")
    say(f"    {builds.kubectl()} get nodes\n")
    say(f"Every request is a line in {plane.audit_log}")
    say("Ctrl-C stops it and removes everything.")


if __name__ == "__main__":
    sys.exit(main())
