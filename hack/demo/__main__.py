"""`python -m hack.demo`: the demo, for people and for CI.

KEEP=1        stays up at the end and tells how to use kubectl and flux against it
SEPARATE=1    each controller is a process of its own
SPEED=slow    waits for Enter after each act (on a terminal)
"""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass

from rich.markup import escape

from hack.controlplane import builds, catalogue, external, progress, toolchain
from hack.controlplane.api import Refused
from hack.controlplane.processes import ProcessDied
from hack.demo import story
from hack.demo.stage import evidence, finale
from hack.demo.stage.config import KubectlFailed
from hack.demo.stage.narrator import Narrator
from hack.demo.stage.setting import Setting
from hack.demo.stage.view import NotAsExpected
from hack.testbed.git_repo import GitFailed

OK, FAILED, INTERRUPTED = 0, 1, 130
FAILURES = (NotAsExpected, ProcessDied, Refused, KubectlFailed, GitFailed, LookupError, OSError, TimeoutError)
BUILD_FAILURES = (LookupError, OSError, progress.CommandFailed, toolchain.NoToolchain)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CHECK_SECONDS = 1.0


@dataclass(frozen=True)
class Options:
    """What the environment asks for."""

    keep: bool
    separate: bool
    slow: bool


def main() -> int:
    """Plays the story; the exit code."""
    options = Options(_is_set("KEEP"), _is_set("SEPARATE"), os.environ.get("SPEED") == "slow")
    narrator = Narrator()
    narrator.title("Tidegate, from the first commit to a killed controller", _below(options))
    try:
        builds.ensure([*catalogue.CONTROL_PLANE, "registry", "helm"])
        return asyncio.run(Demo(options, narrator).run())
    except KeyboardInterrupt:
        return INTERRUPTED
    except BUILD_FAILURES as failure:
        narrator.failed(str(failure))
        return FAILED


class Demo:
    """One performance."""

    def __init__(self, options: Options, narrator: Narrator) -> None:
        self._options = options
        self._narrator = narrator
        self._interrupted = False

    async def run(self) -> int:
        """From the first process to the last; the exit code. Signals end it in good order."""
        own_task = asyncio.current_task()
        assert own_task is not None

        def interrupt() -> None:
            self._interrupted = True
            own_task.cancel()

        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, interrupt)
        try:
            return await self._perform()
        except (asyncio.CancelledError, *FAILURES) as end:
            if self._interrupted:  # what fails then, fails because of that
                self._narrator.plain("\nstopped; nothing is left behind")
                return INTERRUPTED
            if isinstance(end, asyncio.CancelledError):
                raise
            self._narrator.failed(str(end))
            return FAILED

    async def _perform(self) -> int:
        async with Setting(self._narrator, separate=self._options.separate) as stage:
            code = await self._play(stage)
            if self._options.keep:
                finale.show_how_to_use(stage)
                await _until_something_ends(stage)
        self._narrator.plain()
        self._narrator.done("all processes have ended, the temporary directory is removed")
        return code

    async def _play(self, stage: Setting) -> int:
        try:
            for act in story.STORY:
                await act(stage)
                await self._pause()
        except FAILURES as failure:
            if self._interrupted:
                raise
            self._narrator.failed(str(failure))
            self._narrator.plain(await evidence.collect(stage.view, stage.api, stage.controllers))
            return FAILED
        finale.show(stage)
        return OK

    async def _pause(self) -> None:
        if not (self._options.slow and sys.stdin.isatty()):
            return
        self._narrator.say("[bold]Enter[/] goes on")
        pressed = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin.fileno(), pressed.set)
        try:
            await pressed.wait()
        finally:
            loop.remove_reader(sys.stdin.fileno())
        sys.stdin.readline()


async def _until_something_ends(stage: Setting) -> None:
    while True:
        stage.check()
        await asyncio.sleep(CHECK_SECONDS)


def _is_set(name: str) -> bool:
    return os.environ.get(name, "") not in {"", "0", "false", "no"}


def _below(options: Options) -> str:
    layout = "each controller in a process of its own" if options.separate else "all controllers in one process"
    lines = [
        "A real etcd, API server and scheduler, pods played by kwok, a real Git server and OCI registry; "
        f"{layout}; all on loopback."
    ]
    if external.find() is not None:
        lines.append(f"{external.VARIABLE} is not used: the demo kills and plays, and does so on a cluster of its own.")
    return escape("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
