"""Objects that exist before we come: whose they are is found out before anything of them is changed."""

import asyncio
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from e2e import counting
from e2e.manifests import a_config_map, a_deployment, as_yaml
from e2e.tenant import KUSTOMIZATION, Tenant, inventory, revision
from hack.controlplane import builds
from hack.controlplane.api import JsonObject
from hack.controlplane.cluster import ControlPlane
from hack.testbed.audit import AuditLog


async def kubectl(plane: ControlPlane, *words: str, stdin: str) -> None:
    """As a person would, with all that kubectl leaves behind."""
    argv = [str(builds.kubectl()), "--kubeconfig", str(plane.admin), *words]
    await asyncio.to_thread(subprocess.run, argv, input=stdin.encode(), check=True, timeout=30, capture_output=True)


def managers(found: JsonObject) -> set[tuple[str, str]]:
    """Who set its fields, and how."""
    entries = found["metadata"]["managedFields"]
    return {(entry["manager"], entry["operation"]) for entry in entries if not entry.get("subresource")}


def annotated(obj: JsonObject, **notes: str) -> JsonObject:
    named = {f"kustomize.toolkit.fluxcd.io/{name}": value for name, value in notes.items()}
    return {**obj, "metadata": {**obj["metadata"], "annotations": named}}


async def test_what_kubectl_applied_becomes_ours_with_every_field(
    installed: ControlPlane, tenant: Tenant, tmp_path: Path
) -> None:
    before = as_yaml(a_config_map("a", k="1", old="goes"), a_deployment("web", replicas=3))
    await kubectl(installed, "apply", "--namespace", tenant.namespace, "-f", "-", stdin=before)
    uid = (await tenant.get("Deployment", "web"))["metadata"]["uid"]

    wanted = a_deployment("web")
    del wanted["spec"]["replicas"]
    await tenant.deploy({"a.yaml": as_yaml(a_config_map("a", k="2"), wanted)})
    found, web = await tenant.get("ConfigMap", "a"), await tenant.get("Deployment", "web")
    assert found["data"] == {"k": "2"}
    assert managers(found) == {("kustomize-controller", "Apply")}
    assert "kubectl.kubernetes.io/last-applied-configuration" not in found["metadata"].get("annotations", {})
    # What Git does not say any more is the API server's default again.
    assert web["spec"]["replicas"] == 1
    assert web["metadata"]["uid"] == uid


async def test_what_kubectl_adds_later_is_drift(installed: ControlPlane, tenant: Tenant) -> None:
    await tenant.deploy({"a.yaml": as_yaml(a_config_map("a", k="1"))})

    await kubectl(
        installed, "patch", "--namespace", tenant.namespace, "configmap", "a", "-p", '{"data": {"more": "2"}}', stdin=""
    )
    await tenant.until_data("a", k="1")


async def test_f43_an_object_goes_to_whoever_asked_for_it_last_and_both_say_so(
    tenant: Tenant, audit_log: AuditLog
) -> None:
    files = {"one/a.yaml": as_yaml(a_config_map("a", k="one")), "two/a.yaml": as_yaml(a_config_map("a", k="two"))}
    repo = tenant.repository(files)
    await tenant.follow()
    await tenant.kustomization("one", path="./one")
    await tenant.until_ready(KUSTOMIZATION, "one", revision(repo))
    begin = await counting.until_quiet(audit_log)

    await tenant.kustomization("two", path="./two")
    await tenant.until_ready(KUSTOMIZATION, "two", revision(repo))
    lost = f"ConfigMap/{tenant.namespace}/a skipped (now managed by Kustomization/{tenant.namespace}/two)"
    won = f"ConfigMap/{tenant.namespace}/a configured (taken over from Kustomization/{tenant.namespace}/one)"
    await tenant.until_event(KUSTOMIZATION, "one", text=lost)
    await tenant.until_event(KUSTOMIZATION, "two", text=won)
    await tenant.reconcile(KUSTOMIZATION, "one")
    await tenant.reconcile(KUSTOMIZATION, "two")
    assert await tenant.data("a") == {"k": "two"}
    written = [
        entry
        for entry in counting.of_tenant(audit_log.since(begin), tenant).entries
        if entry.is_write and entry.resource == "configmaps" and entry.code < 300
    ]
    assert len(written) == 1

    # Who lost it does not take it along, and gets it back by asking for something new.
    await tenant.push(repo, {"one/a.yaml": as_yaml(a_config_map("a", k="one again"))})
    await tenant.until_data("a", k="one again")
    await tenant.delete(KUSTOMIZATION, "two")
    await tenant.until_gone(KUSTOMIZATION, "two")
    assert await tenant.data("a") == {"k": "one again"}


async def test_f43_whoever_undoes_every_repair_meets_a_pause(tenant: Tenant, audit_log: AuditLog) -> None:
    repo = await tenant.deploy({"a.yaml": as_yaml(a_config_map("a", k="ours"))})
    begin, until = audit_log.mark(), time.monotonic() + 3

    while time.monotonic() < until:
        if await tenant.data("a") == {"k": "ours"}:
            await tenant.change("ConfigMap", "a", {"data": {"k": "theirs"}})
        await asyncio.sleep(0.02)
    window = counting.of_tenant(audit_log.since(begin), tenant)
    repairs = window.writes(counting.CONTROLLERS)
    assert 2 <= sum(count for kind, count in repairs.items() if kind.resource == "configmaps") <= 8

    # What is new is applied all the same.
    await tenant.push(repo, {"a.yaml": as_yaml(a_config_map("a", k="new"))})
    await tenant.until_data("a", k="new")


@pytest.mark.parametrize("value", ["disabled", "Disabled"])
async def test_an_object_that_opted_out_is_left_alone(value: str, tenant: Tenant) -> None:
    theirs = annotated(a_config_map("a", k="theirs"), reconcile=value)
    before = await tenant.create(theirs)

    repo = await tenant.deploy({"a.yaml": as_yaml(a_config_map("a", k="ours"), a_config_map("b"))})
    after = await tenant.get("ConfigMap", "a")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert after["data"] == {"k": "theirs"}
    await tenant.push(repo, {"a.yaml": as_yaml(a_config_map("b"))})
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    assert await tenant.data("a") == {"k": "theirs"}


async def test_an_object_may_opt_out_later_and_come_back(tenant: Tenant) -> None:
    await tenant.deploy({"a.yaml": as_yaml(a_config_map("a", k="ours"))})
    opted: dict[str, Any] = {"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}}}
    await tenant.change("ConfigMap", "a", {**opted, "data": {"k": "theirs"}})
    await tenant.reconcile(KUSTOMIZATION, "all")
    assert await tenant.data("a") == {"k": "theirs"}

    opted["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/reconcile"] = None
    await tenant.change("ConfigMap", "a", opted)
    await tenant.until_data("a", k="ours")


async def test_if_not_present_makes_an_object_once(tenant: Tenant) -> None:
    await tenant.create(a_config_map("there", k="theirs"))
    desired = [annotated(a_config_map(name, k="ours"), ssa="IfNotPresent") for name in ("there", "new")]

    repo = await tenant.deploy({"a.yaml": as_yaml(*desired)})
    assert await tenant.data("there") == {"k": "theirs"}
    await tenant.change("ConfigMap", "new", {"data": {"k": "theirs now"}})
    await tenant.push(repo, {"a.yaml": as_yaml(*desired, a_config_map("more"))})
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    assert await tenant.data("new") == {"k": "theirs now"}


async def test_merge_leaves_others_their_fields(installed: ControlPlane, tenant: Tenant) -> None:
    theirs = as_yaml(a_config_map("a", k="1", more="theirs"))
    await kubectl(installed, "apply", "--namespace", tenant.namespace, "-f", "-", stdin=theirs)

    await tenant.deploy({"a.yaml": as_yaml(annotated(a_config_map("a", k="2"), ssa="Merge"))})
    assert await tenant.data("a") == {"k": "2", "more": "theirs"}


async def test_an_ignored_object_is_neither_made_nor_missed(tenant: Tenant) -> None:
    desired = annotated(a_config_map("a"), ssa="Ignore")

    repo = await tenant.deploy({"a.yaml": as_yaml(desired, a_config_map("b"))})
    assert await tenant.names("ConfigMap") == {"b"}
    assert f"{tenant.namespace}_b__ConfigMap" in inventory(await tenant.get(KUSTOMIZATION, "all"))
    await tenant.push(repo, {"a.yaml": as_yaml(a_config_map("a"))})
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    assert await tenant.names("ConfigMap") == {"a"}
