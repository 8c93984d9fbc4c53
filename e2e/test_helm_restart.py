"""kill -9 at four points of an install and of an upgrade: the release ends as specified, in one revision (O1, F16).

A proxy before the API server holds the moment: the controller dies before or after the server hears of a request.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e import manifests, waiting
from e2e.releases import Shop
from e2e.shards import proxied
from e2e.tenant import RELEASE
from hack.controlplane.cluster import ControlPlane
from hack.testbed.charts import Chart
from hack.testbed.controller import SEPARATE, TOGETHER, Controllers
from hack.testbed.fault_proxy import Dropped, Exchange, FaultProxy, Phase

V1, V2 = Chart("app", "1.0.0"), Chart("app", "2.0.0")
RECORDS = r"/secrets(/sh\.helm\.release\.v1\.app\.v[0-9]+)?$"
OBJECTS = r"/namespaces/.*/(configmaps|services|deployments)/app$"


@dataclass(frozen=True)
class Point:
    """The moment: the nth such write since the test armed it, before or after the server hears of it."""

    path: str
    n: int
    phase: Phase
    says: bytes = b""
    """What the body has to hold."""


PENDING = Point(RECORDS, 1, Phase.AFTER)
HALF_APPLIED = Point(OBJECTS, 2, Phase.AFTER)
AFTER_A_HOOK = Point(RECORDS, 3, Phase.BEFORE)
BEFORE_DEPLOYED = Point(RECORDS, 1, Phase.BEFORE, b'"status":"deployed"')
POINTS = [
    pytest.param(PENDING, TOGETHER, id="pending-record-written"),
    pytest.param(AFTER_A_HOOK, TOGETHER, id="after-a-hook"),
    pytest.param(HALF_APPLIED, TOGETHER, id="half-applied"),
    pytest.param(HALF_APPLIED, SEPARATE, id="half-applied-by-a-process-of-its-own"),
    pytest.param(BEFORE_DEPLOYED, TOGETHER, id="before-the-deployed-record"),
]


@asynccontextmanager
async def killing(controllers: Controllers, proxy: FaultProxy, point: Point) -> AsyncIterator[None]:
    """At the end of the block the one that releases has been killed at this point, and started again."""
    done: list[bool] = []
    writes: list[int] = []

    async def kill(exchange: Exchange) -> None:
        if done or exchange.method == "GET" or "dryRun" in exchange.query or point.says not in exchange.body:
            return
        if exchange.phase is Phase.BEFORE:
            writes.append(exchange.n)
        if len(writes) >= point.n and (exchange.n, exchange.phase) == (writes[point.n - 1], point.phase):
            controllers.helm.kill()
            done.append(True)
            raise Dropped

    proxy.observe(kill, path=point.path)
    yield
    await waiting.until(lambda: bool(done), f"{point.path} reached")
    await controllers.start()


async def outcome(shop: Shop) -> Any:
    """What is left, without times: records, conditions, counters, the objects' generations."""
    found = await shop.tenant.get(RELEASE, "app")
    status = found["status"]
    deployment = await shop.tenant.get("Deployment", "app")
    return {
        "records": [(record["version"], record["info"]["status"]) for record in await shop.records()],
        "failures": [status.get(name, 0) for name in ("failures", "installFailures", "upgradeFailures")],
        "history": [(one["version"], one["status"]) for one in status["history"]],
        "ready": [entry["reason"] for entry in status["conditions"] if entry["type"] == "Ready"],
        "generation": deployment["metadata"]["generation"],
        "image": deployment["spec"]["template"]["spec"]["containers"][0]["image"],
        "color": await shop.tenant.data("app"),
        "uninstalled": [e for e in await shop.tenant.events(RELEASE, "app") if "ninstall" in e["reason"]],
    }


@pytest.mark.parametrize(("point", "layout"), POINTS)
async def test_f16_a_killed_install_ends_as_one_deployed_revision(
    point: Point, layout: Sequence[str], sharded_shop: Shop, installed: ControlPlane, tmp_path: Path
) -> None:
    async with proxied(sharded_shop.tenant, installed, tmp_path, layout) as (controllers, proxy):
        await sharded_shop.open(V1)
        async with killing(controllers, proxy, point):
            await sharded_shop.tenant.create(manifests.a_helm_release("app", "1.0.0"))
        await sharded_shop.until_released("app", "1.0.0")
        left = await outcome(sharded_shop)
    assert left == {
        "records": [(1, "deployed")],
        "failures": [0, 0, 0],
        "history": [(1, "deployed")],
        "ready": ["InstallSucceeded"],
        "generation": 1,
        "image": "registry.example.com/app:1.0.0",
        "color": {"color": "blue"},
        "uninstalled": [],
    }


@pytest.mark.parametrize(("point", "layout"), POINTS)
async def test_f16_a_killed_upgrade_ends_as_one_deployed_revision(
    point: Point, layout: Sequence[str], sharded_shop: Shop, installed: ControlPlane, tmp_path: Path
) -> None:
    async with proxied(sharded_shop.tenant, installed, tmp_path, layout) as (controllers, proxy):
        await sharded_shop.open(V1, V2)
        await sharded_shop.install()
        async with killing(controllers, proxy, point):
            await sharded_shop.move("app", "2.0.0", values={"color": "green"})
        await sharded_shop.until_released("app", "2.0.0")
        left = await outcome(sharded_shop)
    assert left == {
        "records": [(1, "superseded"), (2, "deployed")],
        "failures": [0, 0, 0],
        "history": [(2, "deployed"), (1, "superseded")],
        "ready": ["UpgradeSucceeded"],
        "generation": 2,
        "image": "registry.example.com/app:2.0.0",
        "color": {"color": "green"},
        "uninstalled": [],
    }
