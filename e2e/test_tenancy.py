"""Whose rights count, and who may refer to whom."""

from pathlib import Path

import pytest

from e2e import manifests
from e2e.accounts import allow
from e2e.manifests import a_config_map, as_yaml
from e2e.shards import controllers_of
from e2e.tenant import KUSTOMIZATION, SOURCE, Tenant, condition, revision
from hack.controlplane.cluster import ControlPlane
from hack.testbed.audit import AuditLog


async def test_k13_a_service_account_may_do_what_it_may_and_no_more(tenant: Tenant, audit_log: AuditLog) -> None:
    begin = audit_log.mark()
    repo = tenant.repository({"a.yaml": as_yaml(a_config_map("a", k="1"))})
    await tenant.create(manifests.an_object("v1", "ServiceAccount", "deployer"))
    await tenant.follow()
    await tenant.kustomization(serviceAccountName="deployer", retryInterval="1s")
    user = f"system:serviceaccount:{tenant.namespace}:deployer"
    await tenant.until_failed(KUSTOMIZATION, "all", "ReconciliationFailed", f'User "{user}" cannot')
    assert await tenant.names("ConfigMap") == set()

    await allow(tenant, "deployer", "configmaps")
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    await tenant.delete(KUSTOMIZATION, "all")
    await tenant.until_gone(KUSTOMIZATION, "all")

    assert await tenant.names("ConfigMap") == set()
    writes = [
        entry
        for entry in audit_log.since(begin).entries
        if (entry.namespace, entry.resource, entry.name) == (tenant.namespace, "configmaps", "a") and entry.is_write
    ]
    assert {entry.verb for entry in writes} == {"patch", "delete"}
    assert {entry.acting_as for entry in writes} == {user}


async def test_f12_a_missing_service_account_does_not_hold_a_deletion(tenant: Tenant) -> None:
    await tenant.create(manifests.an_object("v1", "ServiceAccount", "deployer"))
    await allow(tenant, "deployer", "configmaps")
    await tenant.deploy({"a.yaml": as_yaml(a_config_map("a"))}, serviceAccountName="deployer")
    await tenant.delete("ServiceAccount", "deployer")

    await tenant.delete(KUSTOMIZATION, "all")
    await tenant.until_gone(KUSTOMIZATION, "all")
    assert await tenant.names("ConfigMap") == {"a"}


@pytest.mark.parametrize("account", [pytest.param(None, id="controller"), pytest.param("deployer", id="account")])
async def test_f12_a_deleted_namespace_takes_everything_along(account: str | None, tenant: Tenant) -> None:
    async with Tenant(tenant.api, tenant.git, tenant.said) as team:
        await team.create(manifests.an_object("v1", "ServiceAccount", "deployer"))
        await allow(team, "deployer", "configmaps")
        await team.deploy({"a.yaml": as_yaml(a_config_map("a"))}, serviceAccountName=account)

        namespace = f"/api/v1/namespaces/{team.namespace}"
        await team.api.delete(namespace)
        await team.api.until(namespace, lambda found: found is None, seconds=30)
        await team.api.create("/api/v1/namespaces", {"metadata": {"name": team.namespace}})


async def test_k13_who_names_no_account_has_the_rights_of_the_default_one(
    shard: Tenant, installed: ControlPlane, tmp_path: Path
) -> None:
    await shard.create(manifests.an_object("v1", "ServiceAccount", "default-deployer"))
    async with controllers_of(shard, installed, tmp_path, flags=["--default-service-account=default-deployer"]):
        repo = shard.repository({"a.yaml": as_yaml(a_config_map("a"))})
        await shard.follow()
        await shard.kustomization(retryInterval="1s")
        user = f"system:serviceaccount:{shard.namespace}:default-deployer"
        await shard.until_failed(KUSTOMIZATION, "all", "ReconciliationFailed", f'User "{user}" cannot')
        assert await shard.names("ConfigMap") == set()

        await allow(shard, "default-deployer", "configmaps")
        await shard.until_ready(KUSTOMIZATION, "all", revision(repo))


async def test_k14_other_namespaces_are_out_of_reach_where_that_is_forbidden(
    tenant: Tenant, shard: Tenant, installed: ControlPlane, tmp_path: Path
) -> None:
    repo = tenant.repository({"a.yaml": as_yaml(a_config_map("a"))})
    await tenant.follow()
    await tenant.until_ready(SOURCE, "app")
    theirs = {"kind": "GitRepository", "name": "app", "namespace": tenant.namespace}
    async with controllers_of(shard, installed, tmp_path, flags=["--no-cross-namespace-refs"]):
        await shard.kustomization(sourceRef=theirs)
        found = await shard.until_failed(KUSTOMIZATION, "all", "AccessDenied", f"GitRepository/{tenant.namespace}/app")
        assert condition(found, "Stalled")["status"] == "True"
        assert await shard.names("ConfigMap") == set()
        assert (await shard.until_event(KUSTOMIZATION, "all", "AccessDenied"))["type"] == "Warning"

    await tenant.kustomization("free", sourceRef=theirs)
    await tenant.until_ready(KUSTOMIZATION, "free", revision(repo))
