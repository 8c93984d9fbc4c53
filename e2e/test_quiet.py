"""What the controllers ask of the API server, by its own audit log."""

import asyncio

import pytest

from e2e import counting
from e2e.manifests import a_config_map, a_deployment, a_service, as_yaml
from e2e.tenant import KUSTOMIZATION, SOURCE, Tenant, revision
from hack.testbed import audit
from hack.testbed.audit import AuditLog
from hack.testbed.git_server import GitServer, Service

IDLE_SECONDS = 60.0
FOUR_OBJECTS = {
    "a.yaml": as_yaml(a_config_map("a", k="1"), a_config_map("b", k="1")),
    "web.yaml": as_yaml(a_deployment("web"), a_service("web")),
}


async def test_an_install_costs_what_it_must(tenant: Tenant, audit_log: AuditLog) -> None:
    await tenant.deploy({"other.yaml": as_yaml(a_config_map("other"), a_deployment("x"), a_service("x"))})
    await counting.until_quiet(audit_log)
    begin = audit_log.mark()

    repo = tenant.repository(FOUR_OBJECTS, "more")
    await tenant.follow("more")
    source = {"kind": "GitRepository", "name": "more"}
    await tenant.kustomization("more", sourceRef=source)
    await tenant.until_ready(KUSTOMIZATION, "more", revision(repo))
    await counting.until_quiet(audit_log)
    window = counting.of_tenant(audit_log.since(begin), tenant)
    requests = window.requests(counting.CONTROLLERS, watches=False)
    writes = window.writes(counting.CONTROLLERS)
    print(audit.as_table(requests))
    assert writes.total() <= 13, audit.as_table(writes)
    assert requests.total() <= 13, audit.as_table(requests)


async def test_a_forced_no_op_writes_its_token_and_nothing_else(tenant: Tenant, audit_log: AuditLog) -> None:
    await tenant.deploy(FOUR_OBJECTS, wait=True)
    begin = await counting.until_quiet(audit_log)

    await tenant.reconcile(SOURCE, "app")
    await tenant.reconcile(KUSTOMIZATION, "all")
    await counting.until_quiet(audit_log)
    window = counting.of_tenant(audit_log.since(begin), tenant)
    asked = {(kind.verb, kind.resource): count for kind, count in window.requests(counting.CONTROLLERS).items()}
    assert asked == {("patch", "gitrepositories/status"): 1, ("patch", "kustomizations/status"): 1}


@pytest.mark.timeout(240)
async def test_nothing_is_asked_while_nothing_happens(
    tenant: Tenant, audit_log: AuditLog, git_server: GitServer
) -> None:
    repo = await tenant.deploy(FOUR_OBJECTS, wait=True, interval="10s")
    await tenant.follow("polled", url=tenant.url(), interval="5s")
    await tenant.until_ready(SOURCE, "polled", revision(repo))
    begin = await counting.until_quiet(audit_log, 3.0)
    polls = git_server.count(repository=f"{tenant.namespace}/app", service=Service.LS_REFS)

    await asyncio.sleep(IDLE_SECONDS)
    asked = audit_log.since(begin).requests(counting.CONTROLLERS, watches=False)
    assert asked == {}, audit.as_table(asked)
    # Git was looked at all the time, and nobody but Git was bothered with it.
    assert git_server.count(repository=f"{tenant.namespace}/app", service=Service.LS_REFS) >= polls + 9
