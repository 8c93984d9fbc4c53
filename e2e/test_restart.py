"""A crash is no failure and a restart no event: what was begun is ended, what was missed is found, the rest stays."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from e2e import counting, manifests, waiting
from e2e.manifests import a_config_map, a_deployment, a_service, as_yaml
from e2e.shards import controllers_of, proxied
from e2e.tenant import KUSTOMIZATION, SOURCE, Tenant, conditions, inventory, is_ready, revision
from hack.controlplane.api import JsonObject
from hack.controlplane.cluster import ControlPlane
from hack.testbed.audit import AuditLog
from hack.testbed.controller import SEPARATE, Controllers
from hack.testbed.fault_proxy import Dropped, Exchange, FaultProxy, Phase

NAMES = [f"cm-{number}" for number in range(6)]
FIRST = {
    **{f"{name}.yaml": as_yaml(a_config_map(name, k="1")) for name in NAMES},
    "web.yaml": as_yaml(a_deployment("web", "example/app:1"), a_service("web")),
}
SECOND = {
    "cm-0.yaml": as_yaml(a_config_map("cm-0", k="2")),
    "new.yaml": as_yaml(a_config_map("new")),
    "web.yaml": as_yaml(a_deployment("web", "example/app:2"), a_service("web")),
}
REMOVED = ["cm-3.yaml", "cm-4.yaml", "cm-5.yaml"]


@dataclass(frozen=True)
class Point:
    """The moment at which the controllers are killed: the nth such write, before or after the server hears of it."""

    method: str
    path: str
    n: int
    phase: Phase
    says: bytes = b""
    """What the body has to hold."""


async def outcome(tenant: Tenant) -> Any:
    """All that a pass leaves behind, without times, ids and the tenant's own name."""
    found = await tenant.get(KUSTOMIZATION, "all")
    newest = found["status"]["history"][0]
    left = {
        "conditions": [entry[:3] for entry in conditions(found)],
        "inventory": sorted(inventory(found)),
        "revision": found["status"]["lastAppliedRevision"],
        "newest": [newest["lastReconciledStatus"], newest["totalReconciliations"]],
    }
    for kind in ("ConfigMap", "Deployment", "Service"):
        for name in sorted(await tenant.names(kind)):
            left[f"{kind}/{name}"] = _content(await tenant.get(kind, name))
    return json.loads(json.dumps(left).replace(tenant.namespace, "NAMESPACE"))


def _content(obj: JsonObject) -> JsonObject:
    metadata = obj["metadata"]
    spec = {name: value for name, value in obj.get("spec", {}).items() if not name.startswith("clusterIP")}
    managers = [(entry["manager"], entry["operation"]) for entry in metadata["managedFields"]]
    # The generation counts the writes that changed something: a rollout too many would show.
    return {
        "spec": spec,
        "data": obj.get("data"),
        "labels": metadata["labels"],
        "generation": metadata.get("generation"),
        "managers": sorted(manager for manager in managers if manager[0] != "kube-controller-manager"),
    }


@asynccontextmanager
async def killing(controllers: Controllers, proxy: FaultProxy, point: Point) -> AsyncIterator[asyncio.Event]:
    """At the end of the block whoever applies has been killed at this point, as the event says, and started again."""
    killed = asyncio.Event()
    writes: list[int] = []

    async def kill(exchange: Exchange) -> None:
        if "dryRun" in exchange.query or killed.is_set() or point.says not in exchange.body:
            return
        if exchange.phase is Phase.BEFORE:
            writes.append(exchange.n)
        if len(writes) >= point.n and (exchange.n, exchange.phase) == (writes[point.n - 1], point.phase):
            controllers.kustomize.kill()
            killed.set()
            raise Dropped

    proxy.observe(kill, method=point.method, path=point.path)
    yield killed
    await waiting.until(killed.is_set, f"{point} reached")
    await controllers.start()


async def run_undisturbed(tenant: Tenant, *, upgraded: bool) -> Any:
    repo = await tenant.deploy(FIRST, wait=True)
    if upgraded:
        await tenant.push(repo, SECOND, REMOVED)
        await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    return await outcome(tenant)


SUCCEEDED = b"ReconciliationSucceeded"
APPLY, STATUS = r"/namespaces/.*/(configmaps|services|deployments)/[a-z]", r"/kustomizations/all/status$"


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(Point("PATCH", APPLY, 1, Phase.BEFORE), id="before-the-first-write"),
        pytest.param(Point("PATCH", APPLY, 4, Phase.AFTER), id="in-the-middle"),
        pytest.param(Point("PATCH", STATUS, 1, Phase.BEFORE, b'"inventory"'), id="before-the-inventory-is-recorded"),
        pytest.param(Point("PATCH", STATUS, 1, Phase.BEFORE, SUCCEEDED), id="before-the-outcome-is-written"),
        pytest.param(Point("PATCH", STATUS, 1, Phase.AFTER, SUCCEEDED), id="after-the-outcome-is-written"),
    ],
)
async def test_f18_an_install_killed_anywhere_ends_as_if_nothing_had_happened(
    point: Point, tenant: Tenant, shard: Tenant, installed: ControlPlane, tmp_path: Path
) -> None:
    undisturbed = await run_undisturbed(tenant, upgraded=False)

    async with proxied(shard, installed, tmp_path) as (controllers, proxy):
        repo = shard.repository(FIRST)
        async with killing(controllers, proxy, point):
            await shard.follow()
            await shard.kustomization(wait=True)
        await shard.until_ready(KUSTOMIZATION, "all", revision(repo))
        assert await outcome(shard) == undisturbed


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(Point("PATCH", APPLY, 2, Phase.AFTER), id="among-the-applies"),
        pytest.param(Point("DELETE", r"/configmaps/", 1, Phase.AFTER), id="among-the-deletes"),
    ],
)
async def test_f18_an_upgrade_killed_anywhere_ends_as_if_nothing_had_happened(
    point: Point, tenant: Tenant, shard: Tenant, installed: ControlPlane, tmp_path: Path
) -> None:
    undisturbed = await run_undisturbed(tenant, upgraded=True)

    async with proxied(shard, installed, tmp_path) as (controllers, proxy):
        repo = await shard.deploy(FIRST, wait=True)
        async with killing(controllers, proxy, point):
            await shard.push(repo, SECOND, REMOVED)
        await shard.until_ready(KUSTOMIZATION, "all", revision(repo))
        assert await outcome(shard) == undisturbed


async def test_f18_what_a_killed_install_made_and_git_has_no_more_is_no_orphan(
    shard: Tenant, installed: ControlPlane, tmp_path: Path
) -> None:
    async with proxied(shard, installed, tmp_path, SEPARATE) as (controllers, proxy):
        repo = shard.repository(FIRST)
        async with killing(controllers, proxy, Point("PATCH", APPLY, 7, Phase.AFTER)) as killed:
            await shard.follow()
            await shard.kustomization()
            await waiting.until(killed.is_set, "killed")
            made = await shard.names("ConfigMap")
            # When it comes back, nothing but its own record tells of the first commit.
            at = await shard.push(repo, {"last.yaml": as_yaml(a_config_map("last"))}, remove=list(FIRST))
            await shard.until_ready(SOURCE, "app", at)
        await shard.until_ready(KUSTOMIZATION, "all", at)
        assert len(made) >= 5
        assert await shard.names("ConfigMap") == {"last"}
        assert await shard.names("Service") == set()


async def test_what_happened_while_nobody_looked_is_found_after_the_start(
    shard: Tenant, installed: ControlPlane, tmp_path: Path
) -> None:
    files = {
        "a.yaml": as_yaml(a_config_map("edited", k="1"), a_config_map("deleted", k="1")),
        "b.yaml": as_yaml(a_config_map("filled", password="${password}"), a_deployment("web")),
    }
    await shard.create(manifests.a_secret("login", password="old"))
    controllers = controllers_of(shard, installed, tmp_path)
    async with controllers:
        repo = await shard.deploy(files, postBuild={"substituteFrom": [{"kind": "Secret", "name": "login"}]})

    await shard.change("ConfigMap", "edited", {"data": {"k": "by hand"}})
    await shard.delete("ConfigMap", "deleted")
    await shard.change("Deployment", "web", {"spec": {"replicas": 7}})
    await shard.change("Secret", "login", {"stringData": {"password": "new"}})
    async with controllers:
        await shard.until_data("edited", k="1")
        await shard.until_data("deleted", k="1")
        await shard.until_data("filled", password="new")
        await shard.until("Deployment", "web", lambda found: found["spec"]["replicas"] == 1)
        await shard.until_ready(KUSTOMIZATION, "all", revision(repo))


async def test_a_restart_with_everything_in_order_writes_nothing(
    shard: Tenant, installed: ControlPlane, tmp_path: Path, audit_log: AuditLog
) -> None:
    controllers = controllers_of(shard, installed, tmp_path)
    async with controllers:
        await shard.deploy(FIRST, wait=True)
    requests = len(shard.git.requests)
    before = await versions(shard)
    begin = await counting.until_quiet(audit_log)

    async with controllers:
        await shard.until(KUSTOMIZATION, "all", lambda _: rehearsed(audit_log, begin, shard) >= len(NAMES) + 2)
        await counting.until_quiet(audit_log)
        window = counting.of_tenant(audit_log.since(begin), shard)
    assert window.writes(counting.CONTROLLERS) == {}
    assert await versions(shard) == before
    fetched = [request for request in shard.git.requests[requests:] if request.service == "fetch"]
    assert fetched == []


def rehearsed(log: AuditLog, begin: Any, tenant: Tenant) -> int:
    requests = counting.of_tenant(log.since(begin), tenant).requests(counting.CONTROLLERS)
    return sum(count for kind, count in requests.items() if kind.dry_run)


async def versions(tenant: Tenant) -> Mapping[str, str]:
    """Which versions the tenant's own objects have: a write would show."""
    objects = [await tenant.get(KUSTOMIZATION, "all"), await tenant.get(SOURCE, "app")]
    objects += [await tenant.get("ConfigMap", name) for name in NAMES]
    return {f"{obj['kind']}/{obj['metadata']['name']}": obj["metadata"]["resourceVersion"] for obj in objects}


async def test_f44_what_flux_applied_is_taken_over_without_a_rollout(
    shard: Tenant, installed: ControlPlane, tmp_path: Path, audit_log: AuditLog
) -> None:
    controllers = controllers_of(shard, installed, tmp_path)
    async with controllers:
        repo = await shard.deploy(FIRST, wait=True)
    history = (await shard.get(KUSTOMIZATION, "all"))["status"]["history"]
    for entry in history:  # what Flux does not write
        del entry["metadata"]["tidegate.dev/inputs"]
    await shard.api.merge(f"{shard.path(KUSTOMIZATION, 'all')}/status", {"status": {"history": history}})
    begin = await counting.until_quiet(audit_log)

    async with controllers:
        await shard.until(KUSTOMIZATION, "all", lambda _: rehearsed(audit_log, begin, shard) >= len(NAMES) + 2)
        await shard.until_ready(KUSTOMIZATION, "all", revision(repo))
        await counting.until_quiet(audit_log)
    writes = counting.of_tenant(audit_log.since(begin), shard).writes(counting.CONTROLLERS)
    assert {kind.resource for kind in writes} <= {"kustomizations/status", "events"}


async def test_f27_a_lost_volume_is_filled_again_and_nobody_notices(
    shard: Tenant, installed: ControlPlane, tmp_path: Path
) -> None:
    controllers = controllers_of(shard, installed, tmp_path)
    async with controllers:
        await shard.deploy(FIRST)
        before = await shard.get(SOURCE, "app")
    shutil.rmtree(controllers.source.storage)
    applied = await shard.get(KUSTOMIZATION, "all")

    async with controllers:
        await until_served(before["status"]["artifact"]["url"])
        found = await shard.until_ready(SOURCE, "app")
        assert found["status"]["artifact"]["digest"] == before["status"]["artifact"]["digest"]
        after = await shard.reconcile(KUSTOMIZATION, "all")
    assert is_ready(after)
    assert after["status"]["conditions"] == applied["status"]["conditions"]
    assert not [event for event in await shard.events(KUSTOMIZATION, "all") if event["type"] == "Warning"]


async def until_served(url: str) -> None:
    """Waits until the artifact server has it."""
    async with aiohttp.ClientSession() as session:

        async def is_served() -> bool:
            try:
                async with session.get(url) as response:
                    return response.status == 200
            except aiohttp.ClientConnectionError:
                return False

        await waiting.until(is_served, f"{url} served")
