"""Controllers of one test's own, which it may kill: they serve one shard, as Flux's convention has it."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from e2e.tenant import SHARD, Tenant
from hack.controlplane.cluster import ControlPlane
from hack.testbed.controller import TOGETHER, Controllers
from hack.testbed.fault_proxy import FaultProxy

ACCOUNTS = "system:serviceaccount:flux-system:"


def controllers_of(
    tenant: Tenant,
    plane: ControlPlane,
    directory: Path,
    layout: Sequence[str] = TOGETHER,
    *,
    server: str | None = None,
    flags: Iterable[str] = (),
) -> Controllers:
    """Controllers for the tenant's shard, not started yet; `server` is a proxy before the API server.

    Each of several acts as its own service account, with the rights of config/rbac; one for all acts as administrator.
    """
    directory.mkdir(exist_ok=True)
    accounts = dict.fromkeys(layout, "admin") if layout == TOGETHER else {name: ACCOUNTS + name for name in layout}
    kubeconfigs = {}
    for program, account in accounts.items():
        # A colon in the name of a kubeconfig would make two of it.
        kubeconfigs[program] = directory / f"{program}.kubeconfig"
        kubeconfigs[program].write_bytes(plane.kubeconfig(account, server).read_bytes())
    selector = f"--watch-label-selector={SHARD}={tenant.shard}"
    controllers = Controllers(kubeconfigs, directory, layout, {program: [selector, *flags] for program in layout})
    tenant.said = controllers.said
    return controllers


@asynccontextmanager
async def proxied(
    tenant: Tenant, plane: ControlPlane, directory: Path, layout: Sequence[str] = TOGETHER
) -> AsyncIterator[tuple[Controllers, FaultProxy]]:
    """Controllers for the tenant's shard that run, and reach the API server through a proxy."""
    async with (
        FaultProxy(plane.server, authority=plane.authority.certificate) as proxy,
        controllers_of(tenant, plane, directory, layout, server=proxy.address) as controllers,
    ):
        yield controllers, proxy
