"""Builds the controllers that a command names and runs them under one Manager."""

import argparse
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import ModuleType

import tidegate
from tidegate.helm import main as helm
from tidegate.kustomize import main as kustomize
from tidegate.runtime import credentials, logs
from tidegate.runtime.discovery import Discovery
from tidegate.runtime.manager import Manager
from tidegate.runtime.transport import Connections, Transport
from tidegate.source import main as source
from tidegate.toolkit import flags as flag_sets
from tidegate.toolkit.flags import FlagSet
from tidegate.toolkit.program import Program, runtime_namespace

_MODULES: dict[str, ModuleType] = {source.NAME: source, kustomize.NAME: kustomize, helm.NAME: helm}

PROGRAMS = {
    "run": "all controllers in one process (demo, edge clusters, tests)",
    source.NAME: "fetch sources and serve them as artifacts",
    kustomize.NAME: "apply Kustomizations",
    helm.NAME: "release HelmReleases",
}


async def run(name: str, argv: Sequence[str]) -> None:
    """Run the controllers of command `name` until stopped.

    Raises: BadFlag before anything starts; an exception group of what ended them.
    """
    flags = parse(name, argv)
    logs.configure(flags.log_encoding, flags.log_level)
    async with AsyncExitStack() as stack:
        cluster = await credentials.load(flags.kubeconfig or None)
        connections = await stack.enter_async_context(Connections(cluster))
        discovery = Discovery(Transport(connections, f"tidegate/v{tidegate.__version__}"))
        units = []
        for module in _modules(name):
            program = Program(module.NAME, tidegate.__version__, flags, connections, discovery, runtime_namespace())
            units.append(await module.build(program, stack))
        await Manager(units, flags.metrics_addr, flags.health_addr).run()


def parse(name: str, argv: Sequence[str]) -> argparse.Namespace:
    """The flags of command `name`. Raises: BadFlag."""
    modules = _modules(name)
    flags = FlagSet(f"tidegate {name}", PROGRAMS[name])
    # Flux's default differs between controllers; one process has one number.
    flag_sets.define_common(flags, modules[0].CONCURRENT if len(modules) == 1 else 4)
    for module in modules:
        module.define_flags(flags)
    values = flags.parse(argv)
    flag_sets.check_common(values)
    return values


def _modules(name: str) -> list[ModuleType]:
    return list(_MODULES.values()) if name == "run" else [_MODULES[name]]
