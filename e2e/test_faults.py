"""What goes wrong between the parts: slower, perhaps, but nothing is lost and nobody is alarmed."""

import time
from pathlib import Path

import pytest

from e2e import counting, manifests, waiting
from e2e.manifests import a_config_map, a_deployment, as_yaml
from e2e.shards import controllers_of, proxied
from e2e.tenant import KUSTOMIZATION, SOURCE, Tenant, applied, condition, inventory, revision
from hack.controlplane.api import JsonObject, Refused
from hack.controlplane.cluster import ControlPlane
from hack.testbed import faults
from hack.testbed.audit import AuditLog
from hack.testbed.controller import SEPARATE
from hack.testbed.fault_proxy import FaultProxy
from hack.testbed.faults import Cut, End, Fault, Lose, Silence

FILES = {
    "a.yaml": as_yaml(a_config_map("a", k="1"), a_config_map("b", k="1")),
    "web.yaml": as_yaml(a_deployment("web")),
}
CHANGED = {"a.yaml": as_yaml(a_config_map("a", k="2"), a_config_map("b", k="1"))}
WATCHES = {"watch": "true"}
MEMBERS = {**WATCHES, "labelSelector": "kustomize.toolkit.fluxcd.io/name"}


async def warnings(tenant: Tenant) -> list[str]:
    """What was said to users about failures."""
    events = [*await tenant.events(KUSTOMIZATION, "all"), *await tenant.events(SOURCE, "app")]
    return [f"{event['reason']}: {event['message']}" for event in events if event["type"] == "Warning"]


async def test_f1_a_dead_api_server_delays_and_loses_nothing(installed: ControlPlane, tenant: Tenant) -> None:
    repo = tenant.repository(FILES)
    await tenant.follow(interval="1s")
    await tenant.kustomization()
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))

    installed.kill_apiserver()
    repo.commit(CHANGED)
    polls = len(tenant.git.requests)
    await waiting.until(lambda: len(tenant.git.requests) >= polls + 2, "the commit seen, and nobody to tell")
    await installed.start_apiserver()
    # Watches are back within ten seconds, and so are retries that had grown meanwhile.
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo), seconds=30)
    assert await tenant.data("a") == {"k": "2"}
    await tenant.delete("ConfigMap", "b")
    await tenant.until_data("b", k="1")
    assert await warnings(tenant) == []


async def test_f2_what_changed_behind_an_expired_watch_is_found(
    shard: Tenant, installed: ControlPlane, tmp_path: Path
) -> None:
    async with proxied(shard, installed, tmp_path) as (_, proxy):
        repo = await shard.deploy(FILES)
        rules = [proxy.add(faults.gone(), query=MEMBERS, path=f"/{kind}$") for kind in ("configmaps", "deployments")]
        proxy.reset_connections(query=MEMBERS)
        await waiting.until(lambda: all(rule.hits for rule in rules), "watches refused")

        await shard.delete("ConfigMap", "b")
        await shard.change("Deployment", "web", {"spec": {"replicas": 4}})
        hits = [rule.hits for rule in rules]
        # Whatever was listed before that has expired: no event tells of it any more.
        await waiting.until(lambda: all(rule.hits > before for rule, before in zip(rules, hits, strict=True)), "again")
        for rule in rules:
            proxy.remove(rule)
        await shard.until_data("b", k="1")
        await shard.until("Deployment", "web", lambda found: found["spec"]["replicas"] == 1)
        await shard.push(repo, CHANGED)
        await shard.until_ready(KUSTOMIZATION, "all", revision(repo))
        assert await shard.data("a") == {"k": "2"}
    assert await warnings(shard) == []


async def test_f3_watches_that_end_at_once_do_not_spin_and_hide_nothing(
    shard: Tenant, installed: ControlPlane, tmp_path: Path
) -> None:
    async with proxied(shard, installed, tmp_path) as (_, proxy):
        repo = await shard.deploy(FILES)
        with proxy.having(Cut(after=0, end=End.COMPLETE), query=WATCHES) as rule:
            began = time.monotonic()
            proxy.reset_connections(query=WATCHES)
            await shard.push(repo, CHANGED)
            await shard.until_ready(KUSTOMIZATION, "all", revision(repo), seconds=40)
            lasted = time.monotonic() - began
        # Some ten watches, each with growing pauses.
        assert rule.hits < 60 + 40 * lasted
        await shard.delete("ConfigMap", "b")
        await shard.until_data("b", k="1")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Lose(), id="f6-answer-lost"),
        pytest.param(faults.too_many_requests(), id="f5-too-many-requests"),
        pytest.param(faults.unavailable(), id="unavailable"),
    ],
)
@pytest.mark.parametrize("target", ["/configmaps/a$", "/kustomizations/all/status$", "/gitrepositories/app/status$"])
async def test_a_write_that_went_wrong_once_is_done_once(
    fault: Fault, target: str, shard: Tenant, installed: ControlPlane, tmp_path: Path
) -> None:
    async with proxied(shard, installed, tmp_path) as (_, proxy):
        repo = shard.repository(FILES)
        with proxy.having(fault, method="PATCH", path=target, times=1) as rule:
            await shard.follow()
            await shard.kustomization(retryInterval="1s")
            await shard.until_ready(KUSTOMIZATION, "all", revision(repo))
            assert rule.hits == 1
    found = await shard.get(KUSTOMIZATION, "all")
    assert inventory(found) == {
        f"{shard.namespace}_a__ConfigMap",
        f"{shard.namespace}_b__ConfigMap",
        f"{shard.namespace}_web_apps_Deployment",
    }
    assert (await shard.get("Deployment", "web"))["metadata"]["generation"] == 1


async def test_f37_a_git_server_that_fails_is_asked_again_until_it_answers(tenant: Tenant) -> None:
    async with FaultProxy(tenant.git.address) as proxy:
        repo = tenant.repository(FILES)
        await tenant.follow(url=tenant.url().replace(tenant.git.address, proxy.address), interval="1s")
        await tenant.kustomization()
        before = await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))

        with proxy.having(faults.unavailable()):
            repo.commit(CHANGED)
            found = await tenant.until_failed(SOURCE, "app", "GitOperationFailed", "503")
            assert applied(found) == applied(before)
            assert condition(await tenant.get(KUSTOMIZATION, "all"), "Ready")["status"] == "True"
        await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
        assert await tenant.data("a") == {"k": "2"}
        await tenant.delete(SOURCE, "app")
        await tenant.until_gone(SOURCE, "app")


async def test_g10_a_silent_git_server_costs_its_own_timeout(tenant: Tenant) -> None:
    async with FaultProxy(tenant.git.address) as proxy:
        repo = tenant.repository(FILES)
        silent = [f"silent-{number}" for number in range(6)]
        url = tenant.url().replace(tenant.git.address, proxy.address)
        with proxy.having(Silence()):
            for name in silent:
                await tenant.follow(name, url=url, timeout="2s")
            await tenant.follow()
            await tenant.until_ready(SOURCE, "app", revision(repo), seconds=8)
            for name in silent:
                await tenant.until_failed(SOURCE, name, "GitOperationFailed", "2s")
        for name in silent:
            await tenant.request(SOURCE, name)
            await tenant.until_ready(SOURCE, name, revision(repo))


async def test_f46_a_status_edited_by_hand_is_no_order(tenant: Tenant) -> None:
    repo = await tenant.deploy(FILES)
    await tenant.create(a_config_map("theirs", k="1"))
    entries = (await tenant.get(KUSTOMIZATION, "all"))["status"]["inventory"]["entries"]
    foreign = [{"id": f"{tenant.namespace}_theirs__ConfigMap", "v": "v1"}, {"id": "_default__Namespace", "v": "v1"}]
    body = {"status": {"inventory": {"entries": [*entries, *foreign, {"id": "nonsense", "v": ""}]}}}
    await tenant.api.merge(f"{tenant.path(KUSTOMIZATION, 'all')}/status", body)
    path = {"status": {"artifact": {"path": "../../../etc/passwd"}}}
    await tenant.api.merge(f"{tenant.path(SOURCE, 'app')}/status", path)

    await tenant.push(repo, CHANGED)
    found = await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    assert await tenant.data("theirs") == {"k": "1"}
    assert "deletionTimestamp" not in (await tenant.api.get("/api/v1/namespaces/default"))["metadata"]
    assert inventory(found) == {entry["id"] for entry in entries}


async def test_f10_what_may_not_be_deleted_stays_on_record_and_goes_later(tenant: Tenant) -> None:
    repo = await tenant.deploy(FILES, retryInterval="1s")
    policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    name = f"keep-{tenant.namespace}"
    await deny_deletes(tenant, policies, name)
    try:
        await tenant.push(repo, {"a.yaml": as_yaml(a_config_map("a", k="1"))})
        found = await tenant.until_failed(KUSTOMIZATION, "all", "PruneFailed", f"ConfigMap/{tenant.namespace}/b")
        assert "not today" in condition(found, "Ready")["message"]
        assert f"{tenant.namespace}_b__ConfigMap" in inventory(found)
        assert await tenant.names("ConfigMap") == {"a", "b", "probe"}
    finally:
        await tenant.api.delete(f"{policies}/{name}")
    found = await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    assert await tenant.names("ConfigMap") == {"a", "probe"}
    assert f"{tenant.namespace}_b__ConfigMap" not in inventory(found)


async def deny_deletes(tenant: Tenant, policies: str, name: str) -> None:
    """From its return on, no ConfigMap of the tenant can be deleted."""
    rule: JsonObject = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["configmaps"]}
    here = {"matchLabels": {"kubernetes.io/metadata.name": tenant.namespace}}
    spec = {
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": here},
        "validations": [{"expression": "false", "message": "not today"}],
    }
    kind = "admissionregistration.k8s.io/v1"
    await tenant.api.create(policies, manifests.an_object(kind, "ValidatingAdmissionPolicy", name, spec=spec))
    binding = {"policyName": name, "validationActions": ["Deny"]}
    body = manifests.an_object(kind, "ValidatingAdmissionPolicyBinding", name, spec=binding)
    await tenant.api.create(policies.replace("policies", "policybindings"), body)
    await tenant.create(a_config_map("probe"))

    async def is_denied() -> bool:
        try:
            await tenant.api.request("DELETE", f"{tenant.path('ConfigMap', 'probe')}?dryRun=All")
        except Refused as refusal:
            return "not today" in str(refusal)
        return False

    await waiting.until(is_denied, "the policy in force")


async def test_a_second_controller_takes_over_when_the_first_goes(
    shard: Tenant, installed: ControlPlane, tmp_path: Path, audit_log: AuditLog
) -> None:
    flags = ["--enable-leader-election", "--leader-election-retry-period=500ms"]
    first = controllers_of(shard, installed, tmp_path / "first", SEPARATE, flags=flags)
    second = controllers_of(shard, installed, tmp_path / "second", SEPARATE, flags=flags)
    async with first:
        repo = await shard.deploy(FILES)
        async with second:
            begin = await counting.until_quiet(audit_log)
            await shard.push(repo, CHANGED)
            await shard.until_ready(KUSTOMIZATION, "all", revision(repo))
            writes = audit_log.since(begin).entries
            assert len([one for one in writes if one.is_write and (one.resource, one.name) == ("configmaps", "a")]) == 1
            leases = "/apis/coordination.k8s.io/v1/namespaces/flux-system/leases"
            before = await holders(shard, leases)

            await first.terminate()
            await shard.push(repo, {"new.yaml": as_yaml(a_config_map("new", k="1"))})
            await shard.until_data("new", k="1")

            async def is_taken_over() -> bool:
                after = await holders(shard, leases)
                return after.keys() == before.keys() and all(before[name] != after[name] for name in before)

            await waiting.until(is_taken_over, "every Lease taken over")
    # As Flux names them: a shard has Leases of its own.
    assert {name.rpartition("-")[0] for name in before} == {f"{name}-leader-election" for name in SEPARATE}


async def holders(tenant: Tenant, leases: str) -> dict[str, str]:
    items = (await tenant.api.get(leases))["items"]
    return {item["metadata"]["name"]: item["spec"]["holderIdentity"] for item in items}
