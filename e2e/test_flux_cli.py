"""The real flux binary on our objects: it must not notice that nobody from Flux is there."""

import json
from pathlib import Path

import pytest

from e2e.flux import Flux, FluxFailed
from e2e.manifests import a_config_map, a_deployment, as_yaml
from e2e.tenant import KUSTOMIZATION, SOURCE, Tenant, condition, revision

FILES = {"app/a.yaml": as_yaml(a_config_map("a", k="1")), "app/web.yaml": as_yaml(a_deployment("web"))}
MORE = {"app/a.yaml": as_yaml(a_config_map("a", k="2"))}


async def test_create_get_export_and_delete(tenant: Tenant, flux_cli: Flux) -> None:
    repo = tenant.repository(FILES)
    source = ["app", f"--url={tenant.url()}", "--branch=main", "--interval=1h"]
    said = await flux_cli("create", "source", "git", *source, namespace=tenant.namespace)
    assert f"fetched revision: {revision(repo)}" in said
    applier = ["all", "--source=GitRepository/app", "--path=./app", "--prune", "--wait", "--interval=1h"]
    target = f"--target-namespace={tenant.namespace}"
    said = await flux_cli("create", "kustomization", *applier, target, namespace=tenant.namespace)
    assert f"applied revision {revision(repo)}" in said.lower()

    short = f"main@sha1:{repo.resolve('main')[:8]}"
    (row,) = await flux_cli.rows("get", "sources", "git", namespace=tenant.namespace)
    assert (row["NAME"], row["REVISION"], row["SUSPENDED"], row["READY"]) == ("app", short, "False", "True")
    assert row["MESSAGE"] == f"stored artifact for revision '{short}'"
    (row,) = await flux_cli.rows("get", "kustomizations", namespace=tenant.namespace)
    assert (row["NAME"], row["REVISION"], row["SUSPENDED"], row["READY"]) == ("all", short, "False", "True")
    assert row["MESSAGE"] == f"Applied revision: {short}"
    exported = await flux_cli("export", "kustomization", "all", namespace=tenant.namespace)
    assert "kind: Kustomization" in exported
    assert "status:" not in exported

    await flux_cli("delete", "kustomization", "all", "--silent", namespace=tenant.namespace)
    await flux_cli("delete", "source", "git", "app", "--silent", namespace=tenant.namespace)
    await tenant.until_gone(SOURCE, "app")
    assert await tenant.names("ConfigMap") == set()


async def test_reconcile_with_source_brings_the_newest_commit(tenant: Tenant, flux_cli: Flux) -> None:
    repo = await tenant.deploy(FILES, path="./app")
    repo.commit(MORE)

    said = await flux_cli("reconcile", "kustomization", "all", "--with-source", namespace=tenant.namespace)
    assert f"fetched revision {revision(repo)}" in said
    assert f"applied revision {revision(repo)}" in said
    assert await tenant.data("a") == {"k": "2"}
    said = await flux_cli("reconcile", "source", "git", "app", namespace=tenant.namespace)
    assert f"fetched revision {revision(repo)}" in said


async def test_reconcile_tells_a_stalled_object_as_it_is(tenant: Tenant, flux_cli: Flux) -> None:
    await tenant.follow(url="http://me:secret@127.0.0.1/app")
    found = await tenant.until_failed(SOURCE, "app", "URLInvalid")

    with pytest.raises(FluxFailed) as failure:
        await flux_cli("reconcile", "source", "git", "app", namespace=tenant.namespace)
    assert condition(found, "Ready")["message"] in str(failure.value)


async def test_suspend_stops_and_resume_goes_on(tenant: Tenant, flux_cli: Flux) -> None:
    repo = await tenant.deploy(FILES, path="./app")
    assert "suspended" in await flux_cli("suspend", "kustomization", "all", namespace=tenant.namespace)
    assert "suspended" in await flux_cli("suspend", "source", "git", "app", namespace=tenant.namespace)
    (row,) = await flux_cli.rows("get", "kustomizations", namespace=tenant.namespace)
    assert (row["SUSPENDED"], row["READY"]) == ("True", "True")
    with pytest.raises(FluxFailed, match="suspended"):
        await flux_cli("reconcile", "kustomization", "all", namespace=tenant.namespace)

    repo.commit(MORE)
    said = await flux_cli("resume", "source", "git", "app", namespace=tenant.namespace)
    assert f"fetched revision {revision(repo)}" in said
    said = await flux_cli("resume", "kustomization", "all", namespace=tenant.namespace)
    assert f"applied revision {revision(repo)}" in said.lower()
    assert await tenant.data("a") == {"k": "2"}


async def test_tree_shows_what_was_applied(tenant: Tenant, flux_cli: Flux) -> None:
    inner = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "inner"},
        "spec": {
            "interval": "1h",
            "prune": True,
            "path": "./app",
            "targetNamespace": tenant.namespace,
            "sourceRef": {"kind": "GitRepository", "name": "app"},
        },
    }
    repo = await tenant.deploy({**FILES, "outer/inner.yaml": as_yaml(inner)}, path="./outer")
    await tenant.until_ready(KUSTOMIZATION, "inner", revision(repo))

    said = await flux_cli("tree", "kustomization", "all", namespace=tenant.namespace)
    lines = [line.strip("│├└─ ") for line in said.splitlines() if line.strip()]
    assert lines == [
        f"Kustomization/{tenant.namespace}/all",
        f"Kustomization/{tenant.namespace}/inner",
        f"ConfigMap/{tenant.namespace}/a",
        f"Deployment/{tenant.namespace}/web",
    ]
    tree = json.loads(await flux_cli("tree", "kustomization", "inner", "-o", "json", namespace=tenant.namespace))
    assert [entry["resource"]["Name"] for entry in tree["resources"]] == ["a", "web"]


async def test_trace_finds_the_commit_behind_an_object(tenant: Tenant, flux_cli: Flux) -> None:
    repo = await tenant.deploy(FILES, path="./app")

    said = await flux_cli("trace", "deployment", "web", namespace=tenant.namespace)
    facts = [tuple(part.strip() for part in line.split(":", 1)) for line in said.splitlines() if ":" in line]
    for fact in (
        ("Object", "Deployment/web"),
        ("Kustomization", "all"),
        ("Path", "./app"),
        ("GitRepository", "app"),
        ("URL", tenant.url()),
        ("Revision", revision(repo)),
    ):
        assert fact in facts, said


async def test_events_of_an_applier_and_its_source(tenant: Tenant, flux_cli: Flux) -> None:
    await tenant.deploy(FILES, path="./app")
    await tenant.until_event(KUSTOMIZATION, "all", text="Reconciliation finished")

    rows = await flux_cli.rows("events", "--for=Kustomization/all", namespace=tenant.namespace)
    told = {(row["OBJECT"].lower(), row["TYPE"], row["REASON"]) for row in rows}
    assert ("gitrepository/app", "Normal", "NewArtifact") in told
    assert ("kustomization/all", "Normal", "ReconciliationSucceeded") in told
    assert any(f"Deployment/{tenant.namespace}/web created" in row["MESSAGE"] for row in rows)


async def test_get_all_stats_and_check_know_their_way(tenant: Tenant, flux_cli: Flux) -> None:
    await tenant.deploy(FILES, path="./app")

    everything = await flux_cli("get", "all", namespace=tenant.namespace)
    assert "gitrepository/app" in everything
    assert "kustomization/all" in everything
    stats = await flux_cli.rows("stats", namespace=tenant.namespace)
    running = {row["RECONCILERS"]: row["RUNNING"] for row in stats}
    assert (running["GitRepository"], running["Kustomization"]) == ("1", "1")
    deployments = "/apis/apps/v1/namespaces/flux-system/deployments"
    for name in ("source-controller", "kustomize-controller"):
        await tenant.api.until(
            f"{deployments}/{name}", lambda found: bool((found or {})["status"].get("readyReplicas"))
        )
    assert "all checks passed" in await flux_cli("check")


async def test_diff_finds_a_cluster_in_order(tenant: Tenant, flux_cli: Flux, tmp_path: Path) -> None:
    await tenant.deploy(FILES, path="./app")
    for name, content in FILES.items():
        (tmp_path / Path(name).name).write_text(content)

    said = await flux_cli("diff", "kustomization", "all", f"--path={tmp_path}", namespace=tenant.namespace)
    assert "drifted" not in said
