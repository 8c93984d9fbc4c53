"""Kustomization: every field of its spec that this version serves, on real objects, woken by events alone."""

import time

from e2e import manifests
from e2e.manifests import a_config_map, a_deployment, a_kustomization_file, as_yaml
from e2e.tenant import (
    KUSTOMIZATION,
    SOURCE,
    Tenant,
    condition,
    conditions,
    inventory,
    is_ready,
    revision,
)
from hack.controlplane.api import JsonObject

NEVER_READY = "--never-ready"
THREE_REPLICAS = '[{"op": "replace", "path": "/spec/replicas", "value": 3}]'


def version_of(found: JsonObject) -> int:
    return int(found["metadata"]["resourceVersion"])


async def test_an_applied_directory_reads_as_under_flux(tenant: Tenant) -> None:
    repo = await tenant.deploy({"a.yaml": as_yaml(a_config_map("a", k="1"), a_deployment("web"))}, wait=True)

    found = await tenant.get(KUSTOMIZATION, "all")
    status, at = found["status"], revision(repo)
    ready, healthy = conditions(found)
    assert ready == ("Ready", "True", "ReconciliationSucceeded", f"Applied revision: {at}")
    assert healthy[:3] == ("Healthy", "True", "Succeeded")
    assert healthy[3].startswith("Health check passed in ")
    assert status["lastAppliedRevision"] == status["lastAttemptedRevision"] == at
    assert {entry["id"]: entry["v"] for entry in status["inventory"]["entries"]} == {
        f"{tenant.namespace}_a__ConfigMap": "v1",
        f"{tenant.namespace}_web_apps_Deployment": "v1",
    }
    newest = status["history"][0]
    assert (newest["lastReconciledStatus"], newest["totalReconciliations"]) == ("ReconciliationSucceeded", 1)
    assert newest["metadata"]["revision"] == at
    assert found["metadata"]["finalizers"] == ["finalizers.fluxcd.io"]
    labels = (await tenant.get("ConfigMap", "a"))["metadata"]["labels"]
    assert labels["kustomize.toolkit.fluxcd.io/name"] == "all"
    assert labels["kustomize.toolkit.fluxcd.io/namespace"] == tenant.namespace
    applied = await tenant.until_event(KUSTOMIZATION, "all", text=" created")
    assert set(applied["message"].split("\n")) == {
        f"ConfigMap/{tenant.namespace}/a created",
        f"Deployment/{tenant.namespace}/web created",
    }
    await tenant.until_event(KUSTOMIZATION, "all", "ReconciliationSucceeded", "Reconciliation finished in ")


async def test_the_spec_shapes_what_is_built(tenant: Tenant) -> None:
    files = {
        "base/web.yaml": as_yaml(a_deployment("web", "example/app:1")),
        "base/kustomization.yaml": a_kustomization_file("web.yaml"),
        "prod/kustomization.yaml": a_kustomization_file("../base"),
        "debug/kustomization.yaml": as_yaml(
            {
                "apiVersion": "kustomize.config.k8s.io/v1alpha1",
                "kind": "Component",
                "configMapGenerator": [{"name": "debug", "literals": ["on=yes"]}],
                "generatorOptions": {"disableNameSuffixHash": True},
            }
        ),
    }
    await tenant.deploy(
        files,
        path="./prod",
        namePrefix="blue-",
        nameSuffix="-v1",
        images=[{"name": "example/app", "newName": "mirror/app", "newTag": "2"}],
        patches=[
            {"patch": '[{"op": "replace", "path": "/spec/replicas", "value": 3}]', "target": {"kind": "Deployment"}}
        ],
        components=["../debug"],
        commonMetadata={"labels": {"team": "blue"}, "annotations": {"cost": "7"}},
    )

    web = await tenant.get("Deployment", "blue-web-v1")
    assert web["spec"]["replicas"] == 3
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "mirror/app:2"
    assert web["metadata"]["labels"]["team"] == "blue"
    assert web["metadata"]["annotations"]["cost"] == "7"
    assert await tenant.data("blue-debug-v1") == {"on": "yes"}


async def test_variables_come_from_objects_and_the_spec_wins(tenant: Tenant) -> None:
    await tenant.create(a_config_map("settings", region="north", size="small"))
    await tenant.create(manifests.a_secret("login", password="pass:word"))
    template = a_config_map("out", region="${region}", size="${size}", login="${password}", zone="${zone:=a}")
    exempt = a_config_map("exempt", raw="${region}")
    exempt["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}
    await tenant.deploy(
        {"out.yaml": as_yaml(template, exempt)},
        postBuild={
            "substitute": {"size": "large"},
            "substituteFrom": [
                {"kind": "ConfigMap", "name": "settings"},
                {"kind": "Secret", "name": "login"},
                {"kind": "Secret", "name": "absent", "optional": True},
            ],
        },
    )

    assert await tenant.data("out") == {"region": "north", "size": "large", "login": "pass:word", "zone": "a"}
    assert await tenant.data("exempt") == {"raw": "${region}"}


async def test_f15_a_changed_variable_is_applied_when_it_changes(tenant: Tenant) -> None:
    settings = a_config_map("settings", region="north")
    settings["metadata"]["labels"] = {"reconcile.fluxcd.io/watch": "Enabled"}
    await tenant.create(settings)
    await tenant.deploy(
        {"out.yaml": as_yaml(a_config_map("out", region="${region}"))},
        postBuild={"substituteFrom": [{"kind": "ConfigMap", "name": "settings"}]},
    )

    await tenant.change("ConfigMap", "settings", {"data": {"region": "south"}})
    await tenant.until_data("out", region="south")


async def test_what_leaves_the_repository_leaves_the_cluster_unless_it_may_stay(tenant: Tenant) -> None:
    kept = a_config_map("kept")
    kept["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
    repo = await tenant.deploy(
        {"a.yaml": as_yaml(a_config_map("a")), "b.yaml": as_yaml(a_config_map("b")), "c.yaml": as_yaml(kept)}
    )

    await tenant.push(repo, remove=["b.yaml", "c.yaml"])
    found = await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    assert await tenant.names("ConfigMap") == {"a", "kept"}
    assert inventory(found) == {f"{tenant.namespace}_a__ConfigMap"}
    event = await tenant.until_event(KUSTOMIZATION, "all", text=" deleted")
    assert event["message"] == f"ConfigMap/{tenant.namespace}/b deleted"


async def test_nothing_is_pruned_where_that_is_not_wanted(tenant: Tenant) -> None:
    repo = await tenant.deploy(
        {"a.yaml": as_yaml(a_config_map("a")), "b.yaml": as_yaml(a_config_map("b"))}, prune=False
    )

    await tenant.push(repo, remove=["b.yaml"])
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    await tenant.delete(KUSTOMIZATION, "all")
    await tenant.until_gone(KUSTOMIZATION, "all")
    assert await tenant.names("ConfigMap") == {"a", "b"}


async def test_an_unhealthy_object_is_named_with_its_cause(tenant: Tenant) -> None:
    tenant.repository({"web.yaml": as_yaml(a_deployment("web", "example/app:1", "serve", NEVER_READY))})
    await tenant.follow()
    await tenant.kustomization(wait=True, timeout="2s")

    found = await tenant.until_failed(KUSTOMIZATION, "all", "HealthCheckFailed", f"Deployment/{tenant.namespace}/web")
    assert condition(found, "Healthy")["status"] == "False"
    assert condition(found, "Healthy")["message"] == condition(found, "Ready")["message"]
    assert condition(found, "Ready")["message"].startswith("health check failed after 2")
    assert "timeout waiting for" in condition(found, "Ready")["message"]
    assert inventory(found) == {f"{tenant.namespace}_web_apps_Deployment"}
    event = await tenant.until_event(KUSTOMIZATION, "all", "HealthCheckFailed")
    assert event["type"] == "Warning"


async def test_f41_a_new_revision_ends_a_wait_for_the_old_one(tenant: Tenant) -> None:
    repo = tenant.repository({"web.yaml": as_yaml(a_deployment("web", "example/app:1", "serve", NEVER_READY))})
    await tenant.follow()
    await tenant.kustomization(wait=True, timeout="5m")
    # Progress is written as soon as the wait lasts.
    busy = await tenant.until(
        KUSTOMIZATION, "all", lambda obj: "health checks" in condition(obj, "Reconciling")["message"]
    )
    assert condition(busy, "Reconciling")["reason"] == "Progressing"
    assert condition(busy, "Ready")["status"] == "Unknown"

    began = time.monotonic()
    await tenant.push(repo, {"web.yaml": as_yaml(a_deployment("web", "example/app:2"))})
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    assert time.monotonic() - began < 5


async def test_waits_do_not_hold_up_anybody_else(tenant: Tenant) -> None:
    repo = tenant.repository(
        {
            "bad/web.yaml": as_yaml(a_deployment("web", "example/app:1", "serve", NEVER_READY)),
            "good/a.yaml": as_yaml(a_config_map("a")),
        }
    )
    await tenant.follow()
    await tenant.until_ready(SOURCE, "app")
    for number in range(8):  # more than there are workers
        await tenant.kustomization(f"bad-{number}", path="./bad", namePrefix=f"n{number}-", wait=True, timeout="5m")
    for number in range(8):
        await tenant.until(KUSTOMIZATION, f"bad-{number}", lambda obj: bool(inventory_of(obj)))

    began = time.monotonic()
    await tenant.kustomization("good", path="./good", wait=True)
    await tenant.until_ready(KUSTOMIZATION, "good", revision(repo))
    assert time.monotonic() - began < 5


def inventory_of(found: JsonObject) -> set[str]:
    return inventory(found) if "status" in found else set()


async def test_listed_objects_are_waited_for_whoever_made_them(tenant: Tenant) -> None:
    repo = tenant.repository({"a.yaml": as_yaml(a_config_map("a"))})
    await tenant.create(a_deployment("other", "example/app:1", "serve", "--ready-after=2s"))
    await tenant.follow()
    check = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other", "namespace": tenant.namespace}
    await tenant.kustomization(healthChecks=[check], timeout="1m")

    found = await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    assert condition(found, "Healthy")["status"] == "True"
    assert (await tenant.get("Deployment", "other"))["status"]["readyReplicas"] == 1


async def test_a_chain_of_three_is_ready_in_its_order_without_a_pause(tenant: Tenant) -> None:
    repo = tenant.repository({f"{name}/{name}.yaml": as_yaml(a_config_map(name)) for name in ("a", "b", "c")})
    await tenant.follow()
    await tenant.until_ready(SOURCE, "app")
    await tenant.kustomization("c", path="./c", dependsOn=[{"name": "b"}])
    await tenant.kustomization("b", path="./b", dependsOn=[{"name": "a"}])
    await tenant.until_failed(KUSTOMIZATION, "c", "DependencyNotReady", f"'{tenant.namespace}/b' is not ready")

    began = time.monotonic()
    await tenant.kustomization("a", path="./a")
    for name in "abc":
        await tenant.until_ready(KUSTOMIZATION, name, revision(repo))
    # --requeue-dependency, for which Flux would have slept, is 30 s.
    assert time.monotonic() - began < 5
    made = [await tenant.get("ConfigMap", name) for name in "abc"]
    assert sorted(made, key=version_of) == made


async def test_k16_a_circle_of_dependencies_is_named_and_stops_nobody_else(tenant: Tenant) -> None:
    repo = tenant.repository({"a.yaml": as_yaml(a_config_map("a"))})
    await tenant.follow()
    for name, before in (("one", "two"), ("two", "one"), ("own", "own"), ("lost", "nowhere")):
        await tenant.kustomization(name, dependsOn=[{"name": before}])
    await tenant.kustomization("free")

    await tenant.until_ready(KUSTOMIZATION, "free", revision(repo))
    for name, text in (("one", "cycle"), ("two", "cycle"), ("own", "cycle"), ("lost", "not found")):
        found = await tenant.until_failed(KUSTOMIZATION, name, "DependencyNotReady", text)
        assert text in condition(found, "Reconciling")["message"]
        assert not [event for event in await tenant.events(KUSTOMIZATION, name) if event["type"] == "Warning"]


async def test_a_suspended_kustomization_is_left_alone_and_catches_up(tenant: Tenant) -> None:
    repo = await tenant.deploy({"a.yaml": as_yaml(a_config_map("a", k="1"))})
    await tenant.set_spec(KUSTOMIZATION, "all", suspend=True)
    before = await tenant.get(KUSTOMIZATION, "all")

    await tenant.push(repo, {"a.yaml": as_yaml(a_config_map("a", k="2"))})
    await tenant.until_ready(SOURCE, "app", revision(repo))
    await tenant.change("ConfigMap", "a", {"data": {"k": "by hand"}})
    await tenant.kustomization("canary", namePrefix="canary-")
    await tenant.until_ready(KUSTOMIZATION, "canary", revision(repo))
    assert await tenant.data("a") == {"k": "by hand"}
    assert version_of(await tenant.get(KUSTOMIZATION, "all")) == version_of(before)
    await tenant.set_spec(KUSTOMIZATION, "all", suspend=False)
    await tenant.until_data("a", k="2")


async def test_a_suspended_kustomization_leaves_its_objects_behind(tenant: Tenant) -> None:
    await tenant.deploy({"a.yaml": as_yaml(a_config_map("a"))})
    await tenant.set_spec(KUSTOMIZATION, "all", suspend=True)

    await tenant.delete(KUSTOMIZATION, "all")
    await tenant.until_gone(KUSTOMIZATION, "all")
    assert await tenant.names("ConfigMap") == {"a"}


async def test_deletion_takes_the_objects_along(tenant: Tenant) -> None:
    await tenant.deploy({"a.yaml": as_yaml(a_config_map("a"), a_deployment("web"))})

    await tenant.delete(KUSTOMIZATION, "all")
    await tenant.until_gone(KUSTOMIZATION, "all")
    assert await tenant.names("ConfigMap") == set()
    await tenant.until_gone("Deployment", "web")


async def test_orphans_stay(tenant: Tenant) -> None:
    await tenant.deploy({"a.yaml": as_yaml(a_config_map("a"))}, deletionPolicy="Orphan")

    await tenant.delete(KUSTOMIZATION, "all")
    await tenant.until_gone(KUSTOMIZATION, "all")
    assert await tenant.names("ConfigMap") == {"a"}


async def test_termination_is_waited_for_where_that_is_wanted(tenant: Tenant) -> None:
    await tenant.deploy({"a.yaml": as_yaml(a_config_map("a"))}, deletionPolicy="WaitForTermination", timeout="1m")
    await tenant.change("ConfigMap", "a", {"metadata": {"finalizers": ["example.com/slow"]}})

    await tenant.delete(KUSTOMIZATION, "all")
    await tenant.until("ConfigMap", "a", lambda found: "deletionTimestamp" in found["metadata"])
    assert await tenant.find(KUSTOMIZATION, "all") is not None
    await tenant.change("ConfigMap", "a", {"metadata": {"finalizers": None}})
    await tenant.until_gone(KUSTOMIZATION, "all")


async def test_a_kind_and_an_object_of_it_come_in_one_commit_and_come_back(tenant: Tenant) -> None:
    group = f"{tenant.namespace}.example.com"
    gizmo = manifests.an_object(f"{group}/v1", "Gizmo", "first", spec={"size": 1})
    repo = await tenant.deploy({"all.yaml": as_yaml(gizmo, manifests.a_definition("Gizmo", group))}, wait=True)
    definition = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gizmos.{group}"
    path = f"/apis/{group}/v1/namespaces/{tenant.namespace}/gizmos/first"

    def is_as_wanted(found: JsonObject | None) -> bool:
        return (found or {}).get("spec") == {"size": 1}

    assert is_as_wanted(await tenant.api.get(path))
    await tenant.api.merge(path, {"spec": {"size": 9}})
    await tenant.api.until(path, is_as_wanted)
    uid = (await tenant.api.get(definition))["metadata"]["uid"]
    await tenant.api.delete(definition)
    await tenant.api.until(definition, lambda found: found is not None and found["metadata"]["uid"] != uid)
    await tenant.api.until(path, is_as_wanted)
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))

    await tenant.push(repo, {"all.yaml": as_yaml(a_config_map("a"))})
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    await tenant.api.until(definition, lambda found: found is None)


async def test_a_namespace_of_the_set_comes_back_with_all_that_was_in_it(tenant: Tenant) -> None:
    name = f"{tenant.namespace}-inner"
    inside = a_config_map("a", k="1")
    inside["metadata"]["namespace"] = name
    files = {"all.yaml": as_yaml(inside, manifests.an_object("v1", "Namespace", name))}
    repo = await tenant.deploy(files, targetNamespace=None)
    uid = (await tenant.api.get(f"/api/v1/namespaces/{name}"))["metadata"]["uid"]

    await tenant.api.delete(f"/api/v1/namespaces/{name}")
    path = f"/api/v1/namespaces/{name}"
    await tenant.api.until(path, lambda found: found is not None and found["metadata"]["uid"] != uid, seconds=30)
    await tenant.api.until(f"{path}/configmaps/a", lambda found: found is not None)
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))


async def test_an_object_that_is_slow_to_go_comes_back_when_it_has_gone(tenant: Tenant) -> None:
    repo = await tenant.deploy({"a.yaml": as_yaml(a_config_map("a", k="1"))})
    before = await tenant.change("ConfigMap", "a", {"metadata": {"finalizers": ["example.com/slow"]}})

    await tenant.delete("ConfigMap", "a")
    await tenant.reconcile(KUSTOMIZATION, "all")
    await tenant.change("ConfigMap", "a", {"metadata": {"finalizers": None}})
    uid = before["metadata"]["uid"]
    await tenant.until("ConfigMap", "a", lambda found: found["metadata"]["uid"] != uid)
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))


async def test_a_stolen_label_comes_back(tenant: Tenant) -> None:
    await tenant.deploy({"a.yaml": as_yaml(a_config_map("a", k="1"))})
    label = "kustomize.toolkit.fluxcd.io/name"

    await tenant.change("ConfigMap", "a", {"metadata": {"labels": {label: None}}, "data": {"k": "2"}})
    await tenant.until("ConfigMap", "a", lambda found: found["metadata"]["labels"].get(label) == "all")
    await tenant.until_data("a", k="1")


async def test_a_job_that_failed_ends_the_wait_early(tenant: Tenant) -> None:
    container = {"name": "main", "image": "example/app:1", "command": ["sh", "-c", "exit 3"]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    job = manifests.an_object("batch/v1", "Job", "once", spec={"backoffLimit": 0, "template": template})
    tenant.repository({"job.yaml": as_yaml(job)})
    await tenant.follow()
    began = time.monotonic()

    await tenant.kustomization(wait=True, timeout="5m")
    found = await tenant.until_failed(KUSTOMIZATION, "all", "HealthCheckFailed", f"Job/{tenant.namespace}/once")
    assert "failed early due to stalled resources" in condition(found, "Ready")["message"]
    assert time.monotonic() - began < 10


async def test_what_cannot_change_is_made_anew_only_by_force(tenant: Tenant) -> None:
    fixed = {**a_config_map("fixed", k="1"), "immutable": True}
    repo = await tenant.deploy({"a.yaml": as_yaml(fixed)})
    before = await tenant.get("ConfigMap", "fixed")

    await tenant.push(repo, {"a.yaml": as_yaml({**fixed, "data": {"k": "2"}})})
    await tenant.until_failed(KUSTOMIZATION, "all", "ReconciliationFailed", f"ConfigMap/{tenant.namespace}/fixed")
    assert await tenant.data("fixed") == {"k": "1"}
    await tenant.set_spec(KUSTOMIZATION, "all", force=True)
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    after = await tenant.get("ConfigMap", "fixed")
    assert after["data"] == {"k": "2"}
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


async def test_a_rollout_restart_is_no_drift(tenant: Tenant) -> None:
    await tenant.deploy({"web.yaml": as_yaml(a_deployment("web"))})
    note = {"kubectl.kubernetes.io/restartedAt": "2026-11-23T00:00:00Z"}
    path = f"{tenant.path('Deployment', 'web')}?fieldManager=kubectl-rollout"

    await tenant.api.merge(path, {"spec": {"template": {"metadata": {"annotations": note}}}})
    await tenant.reconcile(KUSTOMIZATION, "all")
    web = await tenant.get("Deployment", "web")
    assert web["spec"]["template"]["metadata"]["annotations"] == note


async def test_drift_is_put_back_when_it_happens(tenant: Tenant) -> None:
    await tenant.deploy({"a.yaml": as_yaml(a_config_map("a", k="1"), a_deployment("web", replicas=2))})

    began = time.monotonic()
    await tenant.change("ConfigMap", "a", {"data": {"k": "by hand", "more": "stays"}})
    await tenant.change("Deployment", "web", {"spec": {"replicas": 5}})
    await tenant.until("Deployment", "web", lambda found: found["spec"]["replicas"] == 2)
    # What nobody wants from Git is nobody's drift.
    await tenant.until_data("a", k="1", more="stays")
    await tenant.delete("ConfigMap", "a")
    await tenant.until_data("a", k="1")
    assert time.monotonic() - began < 6
    assert is_ready(await tenant.get(KUSTOMIZATION, "all"))
