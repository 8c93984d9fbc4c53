"""The control plane that e2e tests run on: our own, or the one that TIDEGATE_KUBECONFIG names. Never anyone's context.

Async tests and fixtures here share one event loop for the session: servers that live as long run in the tests' loop.
"""

import secrets
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from e2e.flux import Flux
from e2e.receiver import EventReceiver
from e2e.releases import Shop
from e2e.shards import ACCOUNTS
from e2e.tenant import SHARD, Tenant
from hack.controlplane import builds, catalogue, external
from hack.controlplane.api import Api
from hack.controlplane.cluster import ControlPlane
from hack.controlplane.external import ExternalCluster
from hack.testbed.audit import AuditLog
from hack.testbed.chart_repository import ChartRepository
from hack.testbed.controller import Controllers
from hack.testbed.git_server import GitServer
from hack.testbed.helm import Helm
from hack.testbed.registry import Registry

HERE = Path(__file__).parent
SECONDS = 180
CONFIG = HERE.parent / "config" / "default"
USERS = {
    "tenant": ("tenants",),
    # As the controllers' pods are known in a cluster: what they may do is what config/rbac gives them.
    f"{ACCOUNTS}source-controller": ("system:serviceaccounts", "system:authenticated"),
    f"{ACCOUNTS}kustomize-controller": ("system:serviceaccounts", "system:authenticated"),
    f"{ACCOUNTS}helm-controller": ("system:serviceaccounts", "system:authenticated"),
}
BUILDS = {
    "control_plane": catalogue.CONTROL_PLANE,
    "registry": ("registry",),
    "private_registry": ("registry",),
    "helm": ("helm",),
    "helm_cli": ("helm",),
    "helm_on_cluster": ("helm",),
    "flux": ("flux",),
}
"""What has to be built before a test that uses a fixture."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts every async test of this directory into the session's event loop, and gives each more time than a unit test.

    The first one starts the control plane, and a slow machine is no failure.
    """
    needed = {name: programs for name, programs in BUILDS.items() if name != "control_plane" or not external.find()}
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        if pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS))
        for fixture in set(getattr(item, "fixturenames", ())) & set(needed):
            item.add_marker(pytest.mark.builds(*needed[fixture]))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def control_plane() -> AsyncIterator[ControlPlane | ExternalCluster]:
    """Any cluster; its `admin` is the kubeconfig to use."""
    named = external.find()
    if named is not None:
        yield named
        return
    async with ControlPlane(USERS) as plane:
        yield plane


@pytest.fixture(scope="session")
def own_control_plane(control_plane: ControlPlane | ExternalCluster) -> ControlPlane:
    """A control plane that is ours: users, API server and audit log are at the test's command. Else it is skipped."""
    if isinstance(control_plane, ExternalCluster):
        pytest.skip(f"{external.VARIABLE} names a cluster whose audit log and programs are not ours")
    return control_plane


@pytest.fixture(scope="session")
def audit_log(own_control_plane: ControlPlane) -> AuditLog:
    """What the API server was asked. Skipped where the cluster is not ours: its audit log cannot be read."""
    return AuditLog(own_control_plane.audit_log)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def git_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GitServer]:
    """A Git server without credentials; tests make their own repositories on it."""
    async with GitServer(tmp_path_factory.mktemp("git")) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def registry(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Registry]:
    """An OCI registry over plain HTTP without credentials."""
    async with Registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def chart_repository() -> AsyncIterator[ChartRepository]:
    """A plain HTTP Helm repository of this test's own."""
    async with ChartRepository() as server:
        yield server


@pytest.fixture(scope="session")
def helm() -> Path:
    """The helm command, the reference for everything about releases."""
    return builds.path("helm")


@pytest.fixture(scope="session")
def helm_cli(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """The helm command where no cluster is needed."""
    return Helm(helm, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def helm_on_cluster(helm: Path, installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """The helm command on a cluster with everything installed, as its administrator."""
    return Helm(helm, tmp_path_factory.mktemp("helm"), installed.admin)


@pytest_asyncio.fixture(loop_scope="session")
async def shop(tenant: Tenant, chart_repository: ChartRepository) -> Shop:
    """A tenant with a chart repository."""
    return Shop(tenant, chart_repository)


@pytest_asyncio.fixture(loop_scope="session")
async def sharded_shop(shard: Tenant, chart_repository: ChartRepository) -> Shop:
    """The same with controllers of the test's own."""
    return Shop(shard, chart_repository)


@pytest.fixture(scope="session")
def flux() -> Path:
    """The flux command, that shall work on ours as on Flux's own."""
    return builds.path("flux")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def api(own_control_plane: ControlPlane) -> AsyncIterator[Api]:
    """The API as its administrator sees it."""
    async with own_control_plane.api() as entered:
        yield entered


@pytest.fixture(scope="session")
def installed(own_control_plane: ControlPlane) -> ControlPlane:
    """A control plane with all that config/default brings, installed as the README says."""
    kubectl = [str(builds.kubectl()), "--kubeconfig", str(own_control_plane.admin)]
    subprocess.run([*kubectl, "apply", "--server-side", "-k", str(CONFIG)], check=True, timeout=60, capture_output=True)
    subprocess.run(
        [*kubectl, "wait", "--for=condition=Established", "crd", "--all"], check=True, timeout=60, capture_output=True
    )
    return own_control_plane


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def receiver() -> AsyncIterator[EventReceiver]:
    """Stands where notification-controller would."""
    async with EventReceiver() as entered:
        yield entered


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def controllers(
    installed: ControlPlane, receiver: EventReceiver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Controllers]:
    """`tidegate run` for all tests that do not stop it; objects with a shard are not for it."""
    flags = {"run": [f"--watch-label-selector=!{SHARD}", f"--events-addr={receiver.address}"]}
    directory = tmp_path_factory.mktemp("controllers")
    async with Controllers(installed.kubeconfig(), directory, flags=flags) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def tenant(api: Api, git_server: GitServer, controllers: Controllers) -> AsyncIterator[Tenant]:
    """A namespace of this test's own, served by the controllers that all tests share."""
    controllers.check()
    async with Tenant(api, git_server, controllers.said) as entered:
        yield entered
    controllers.check()


@pytest_asyncio.fixture(loop_scope="session")
async def shard(api: Api, git_server: GitServer, installed: ControlPlane) -> AsyncIterator[Tenant]:
    """A namespace that the shared controllers leave alone: the test brings its own, see e2e.shards."""
    async with Tenant(api, git_server, lambda _lines: "", shard=secrets.token_hex(4)) as entered:
        yield entered


@pytest.fixture(scope="session")
def flux_cli(flux: Path, installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Flux:
    """The flux command on a cluster with everything installed, as its administrator."""
    return Flux(flux, installed.admin, tmp_path_factory.mktemp("flux"))
