"""What releases cost the API server, by its own audit log; and that they cost nothing while nothing happens."""

import asyncio

import pytest

from e2e import counting
from e2e.releases import Shop
from e2e.tenant import CHART, HELM_REPOSITORY, RELEASE
from hack.testbed import audit
from hack.testbed.audit import AuditLog, Kind, Mark
from hack.testbed.charts import Chart

V1, V2 = Chart("app", "1.0.0"), Chart("app", "2.0.0")
IDLE_SECONDS = 60.0
OBJECTS, HOOKS = 3, 2
RECORDS = 3 + HOOKS
"""Writes of a release's Secret: pending, each hook before it runs, their end, and what became of the release."""


async def test_an_install_and_an_upgrade_cost_what_they_must(shop: Shop, audit_log: AuditLog) -> None:
    await shop.open(V1, V2)
    begin = await counting.until_quiet(audit_log)

    await shop.install()
    installed = await counting.until_quiet(audit_log)
    await shop.move("app", "2.0.0")
    await shop.until_released("app", "2.0.0")
    end = await counting.until_quiet(audit_log)
    print("\nan install\n" + _table(audit_log, shop, begin, installed))
    print("\nan upgrade\n" + _table(audit_log, shop, installed, end))
    install = _writes(audit_log, shop, begin, installed)
    assert _sum(install, "secrets") <= RECORDS
    assert _sum(install, "deployments", "services", "configmaps") == OBJECTS
    upgrade = _writes(audit_log, shop, installed, end)
    assert _sum(upgrade, "secrets") <= RECORDS + 1  # the one before is superseded
    assert _sum(upgrade, "deployments", "services", "configmaps") <= OBJECTS


async def test_a_forced_no_op_writes_its_token_and_nothing_else(shop: Shop, audit_log: AuditLog) -> None:
    await shop.open(V1)
    await shop.install()
    begin = await counting.until_quiet(audit_log)

    chart = f"{shop.tenant.namespace}-app"
    for kind, name in ((HELM_REPOSITORY, "charts"), (CHART, chart), (RELEASE, "app")):
        await shop.tenant.reconcile(kind, name)
    await counting.until_quiet(audit_log)
    window = counting.of_tenant(audit_log.since(begin), shop.tenant)
    asked = {(kind.verb, kind.resource): count for kind, count in window.writes(counting.CONTROLLERS).items()}
    assert asked == {("patch", f"{plural}/status"): 1 for plural in ("helmrepositories", "helmcharts", "helmreleases")}


@pytest.mark.timeout(240)
async def test_nothing_is_asked_while_nothing_happens(shop: Shop, audit_log: AuditLog) -> None:
    await shop.open(V1, interval="10s")
    await shop.install(interval="10s")
    begin = await counting.until_quiet(audit_log, 3.0)
    looks = shop.repository.count("index.yaml")

    await asyncio.sleep(IDLE_SECONDS)
    asked = audit_log.since(begin).requests(counting.CONTROLLERS, watches=False)
    assert asked == {}, audit.as_table(asked)
    # The repository was looked at all the time, and nobody but it was bothered.
    assert shop.repository.count("index.yaml") >= looks + 4
    assert shop.repository.count("index.yaml", 200) == 1


def _writes(log: AuditLog, shop: Shop, begin: Mark, end: Mark) -> dict[Kind, int]:
    return dict(counting.of_tenant(log.since(begin, end), shop.tenant).writes(counting.CONTROLLERS))


def _table(log: AuditLog, shop: Shop, begin: Mark, end: Mark) -> str:
    window = counting.of_tenant(log.since(begin, end), shop.tenant)
    return audit.as_table(window.requests(counting.CONTROLLERS, watches=False))


def _sum(counts: dict[Kind, int], *resources: str) -> int:
    return sum(count for kind, count in counts.items() if kind.resource in resources)
