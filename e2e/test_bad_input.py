"""What people get wrong: the condition names the file or the object and the cause, and what was good stays."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from e2e import manifests
from e2e.manifests import a_config_map, a_deployment, a_kustomization_file, as_yaml
from e2e.tenant import (
    KUSTOMIZATION,
    SOURCE,
    Tenant,
    applied,
    condition,
    conditions,
    inventory,
    is_ready,
    revision,
)
from hack.controlplane import ports
from hack.controlplane.api import JsonObject
from hack.testbed.controller import Controllers
from hack.testbed.git_server import GitServer, Manners

Setup = Callable[[Tenant], Awaitable[None]]
GOOD = {"app/a.yaml": as_yaml(a_config_map("a", k="good")), "app/b.yaml": as_yaml(a_config_map("b", k="good"))}
BETTER = {"app/a.yaml": as_yaml(a_config_map("a", k="better"))}


async def nobody_listens(tenant: Tenant) -> None:
    (port,) = ports.free(1)
    await tenant.follow(url=f"http://127.0.0.1:{port}/app")


async def no_such_repository(tenant: Tenant) -> None:
    await tenant.follow(url=tenant.url("elsewhere"))


async def empty_repository(tenant: Tenant) -> None:
    tenant.repository()
    await tenant.follow()


async def missing_branch(tenant: Tenant) -> None:
    tenant.repository({"a": "1"})
    await tenant.follow(ref={"branch": "nowhere"})


async def no_version_in_range(tenant: Tenant) -> None:
    tenant.repository({"a": "1"})
    await tenant.follow(ref={"semver": ">=7.0.0"})


async def missing_secret(tenant: Tenant) -> None:
    tenant.repository({"a": "1"})
    await tenant.follow(secretRef={"name": "lost"})


async def two_kinds_of_credentials(tenant: Tenant) -> None:
    tenant.repository({"a": "1"})
    await tenant.create(manifests.a_secret("both", username="me", password="p", bearerToken="t"))
    await tenant.follow(secretRef={"name": "both"})


@pytest.mark.parametrize(
    ("setup", "reason", "cause"),
    [
        pytest.param(nobody_listens, "GitOperationFailed", "127.0.0.1", id="unreachable"),
        pytest.param(no_such_repository, "GitOperationFailed", "not found", id="no-repository"),
        pytest.param(empty_repository, "EmptyGitRepository", "empty", id="empty"),
        pytest.param(missing_branch, "GitOperationFailed", "refs/heads/nowhere", id="no-branch"),
        pytest.param(no_version_in_range, "GitOperationFailed", "no match found for semver: >=7.0.0", id="no-version"),
        pytest.param(missing_secret, "AuthenticationFailed", 'secrets "lost" not found', id="no-secret"),
        pytest.param(two_kinds_of_credentials, "AuthenticationFailed", "bearerToken", id="two-credentials"),
    ],
)
async def test_a_source_that_cannot_be_had_says_why(setup: Setup, reason: str, cause: str, tenant: Tenant) -> None:
    await setup(tenant)

    found = await tenant.until_failed(SOURCE, "app", reason, cause)
    assert [entry[:3] for entry in conditions(found)] == [
        ("Reconciling", "True", "ProgressingWithRetry"),
        ("Ready", "False", reason),
        ("FetchFailed", "True", reason),
    ]
    assert condition(found, "FetchFailed")["message"] == condition(found, "Ready")["message"]
    assert found["status"]["observedGeneration"] == -1
    assert (await tenant.until_event(SOURCE, "app", reason, cause))["type"] == "Warning"


async def test_an_unauthorised_repository_says_so_and_heals_with_its_secret(tenant: Tenant, tmp_path: Path) -> None:
    password = secrets.token_hex(8)
    async with GitServer(tmp_path / "git", Manners(basic=("me", password))) as server:
        repo = server.create("app")
        repo.commit({"a": "1"})
        await tenant.create(manifests.a_secret("login", username="me", password="wr0ng-and-secret"))
        await tenant.follow(url=server.url("app"), secretRef={"name": "login"})
        await tenant.until_failed(SOURCE, "app", "GitOperationFailed", "auth")
        events = await tenant.events(SOURCE, "app")
        assert "wr0ng-and-secret" not in f"{events}{await tenant.get(SOURCE, 'app')}{tenant.said(500)}"

        await tenant.change("Secret", "login", {"stringData": {"password": password}})
        await tenant.request(SOURCE, "app")
        await tenant.until_ready(SOURCE, "app", revision(repo))


async def test_g5_a_url_that_can_never_work_stalls(tenant: Tenant) -> None:
    await tenant.follow(url="http://me:pass-word@127.0.0.1/app")

    found = await tenant.until_failed(SOURCE, "app", "URLInvalid")
    assert condition(found, "Stalled")["status"] == "True"
    assert condition(found, "Reconciling")["status"] == ""
    assert found["status"]["observedGeneration"] == 1
    assert "pass-word" not in str(found["status"])


BROKEN_YAML = "kind: ConfigMap\n  data: {\n"
BROKEN_NAME = as_yaml(a_config_map("Not_A_Name"))
NO_SELECTOR = as_yaml({**a_deployment("web"), "spec": {"replicas": 1}})
UNKNOWN_KIND = as_yaml(manifests.an_object("example.com/v1", "Unheard", "of"))
NAMELESS = as_yaml({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {}})
LOST_FILE = a_kustomization_file("a.yaml", "lost.yaml")
UNKNOWN_FIELD = as_yaml({**a_config_map("c"), "dta": {"k": "1"}})
FROM_LOST = {"substituteFrom": [{"kind": "Secret", "name": "lost"}]}
LOST_SOURCE = {"kind": "GitRepository", "name": "lost"}
OUTSIDE = a_kustomization_file("a.yaml", "../../../../etc")


@pytest.mark.parametrize(
    ("files", "reason", "causes"),
    [
        pytest.param({"app/c.yaml": BROKEN_YAML}, "BuildFailed", ["c.yaml"], id="yaml"),
        pytest.param({"app/c.yaml": NAMELESS}, "BuildFailed", ["name"], id="k9-nameless"),
        pytest.param({"app/kustomization.yaml": LOST_FILE}, "BuildFailed", ["lost.yaml"], id="lost-file"),
        pytest.param({"app/kustomization.yaml": OUTSIDE}, "BuildFailed", ["etc"], id="k2-outside"),
        pytest.param({"app/c.yaml": BROKEN_NAME}, "ReconciliationFailed", ["Not_A_Name", "Invalid"], id="name"),
        pytest.param({"app/c.yaml": NO_SELECTOR}, "ReconciliationFailed", ["Deployment/", "/web"], id="rejected"),
        pytest.param({"app/c.yaml": UNKNOWN_FIELD}, "ReconciliationFailed", ["ConfigMap/", "dta"], id="field"),
        pytest.param({"app/c.yaml": UNKNOWN_KIND}, "ReconciliationFailed", ["Unheard/", "no matches"], id="kind"),
    ],
)
async def test_a_bad_commit_changes_nothing_and_names_what_is_bad(
    files: dict[str, str], reason: str, causes: list[str], tenant: Tenant
) -> None:
    repo = await tenant.deploy(GOOD, path="./app")
    good = await tenant.get(KUSTOMIZATION, "all")

    at = await tenant.push(repo, {**BETTER, **files})
    found = await tenant.until_failed(KUSTOMIZATION, "all", reason)
    message = condition(found, "Ready")["message"]
    assert [cause for cause in causes if cause not in message] == []
    assert (applied(found), found["status"]["lastAttemptedRevision"]) == (applied(good), at)
    assert inventory(good) <= inventory(found)
    assert condition(found, "Reconciling")["reason"] == "ProgressingWithRetry"
    assert (await tenant.data("a"), await tenant.data("b")) == ({"k": "good"}, {"k": "good"})
    assert is_ready(await tenant.get(SOURCE, "app"))
    assert (await tenant.until_event(KUSTOMIZATION, "all", reason, causes[0]))["type"] == "Warning"

    await tenant.push(repo, remove=list(files))
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    assert await tenant.data("a") == {"k": "better"}


@pytest.mark.parametrize(
    ("spec", "reason", "cause"),
    [
        pytest.param({"path": "./nowhere"}, "ArtifactFailed", "nowhere", id="k15-no-path"),
        pytest.param({"path": "../../.."}, "ArtifactFailed", "..", id="k1-path-outside"),
        pytest.param({"postBuild": FROM_LOST}, "BuildFailed", "Secret not found", id="no-secret"),
        pytest.param({"postBuild": {"substitute": {"x": "1"}}}, "BuildFailed", '"wanted"', id="k10-no-variable"),
        pytest.param({"postBuild": {"substitute": {"a-b": "1"}}}, "BuildFailed", "a-b", id="bad-variable"),
        pytest.param({"components": ["../lost"]}, "BuildFailed", "lost", id="no-component"),
        pytest.param({"sourceRef": LOST_SOURCE}, "ArtifactFailed", "GitRepository/", id="no-source"),
        pytest.param({"sourceRef": {**LOST_SOURCE, "kind": "Bucket"}}, "ArtifactFailed", "Bucket", id="no-kind"),
    ],
)
async def test_a_bad_spec_prunes_nothing_and_says_why(
    spec: JsonObject, reason: str, cause: str, tenant: Tenant
) -> None:
    files = {"app/a.yaml": as_yaml(a_config_map("a", k="good", later="${wanted}"))}
    repo = await tenant.deploy(files, path="./app")

    original = (await tenant.get(KUSTOMIZATION, "all"))["spec"]
    await tenant.set_spec(KUSTOMIZATION, "all", **spec)
    await tenant.until_failed(KUSTOMIZATION, "all", reason, cause)
    assert await tenant.data("a") == {"k": "good", "later": "${wanted}"}
    assert (await tenant.until_event(KUSTOMIZATION, "all", reason, cause))["type"] == "Warning"
    await tenant.set_spec(KUSTOMIZATION, "all", **{field: original.get(field) for field in spec})
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))


async def test_k15_a_path_that_is_gone_prunes_nothing(tenant: Tenant) -> None:
    repo = await tenant.deploy(GOOD, path="./app")

    await tenant.push(repo, {"other/c.yaml": "kind: X"}, remove=["app"])
    await tenant.until_failed(KUSTOMIZATION, "all", "ArtifactFailed", "app")
    assert await tenant.names("ConfigMap") == {"a", "b"}


async def test_k15_an_emptied_repository_prunes_nothing(tenant: Tenant) -> None:
    repo = await tenant.deploy(GOOD, path="./app")
    before = await tenant.get(SOURCE, "app")

    repo.delete_branch("main")
    await tenant.request(SOURCE, "app")
    found = await tenant.until_failed(SOURCE, "app", "EmptyGitRepository")
    assert applied(found) == applied(before)
    await tenant.reconcile(KUSTOMIZATION, "all")
    assert await tenant.names("ConfigMap") == {"a", "b"}


async def test_k15_a_deleted_source_prunes_nothing(tenant: Tenant) -> None:
    repo = await tenant.deploy(GOOD, path="./app")

    await tenant.delete(SOURCE, "app")
    await tenant.until_gone(SOURCE, "app")
    await tenant.request(KUSTOMIZATION, "all")
    await tenant.until_failed(KUSTOMIZATION, "all", "ArtifactFailed", f"GitRepository/{tenant.namespace}/app")
    assert await tenant.names("ConfigMap") == {"a", "b"}
    await tenant.follow()
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))


async def test_k15_a_lost_artifact_is_waited_for_and_prunes_nothing(tenant: Tenant) -> None:
    repo = await tenant.deploy(GOOD, path="./app")
    artifact = (await tenant.get(SOURCE, "app"))["status"]["artifact"]
    lost = {
        **artifact,
        "path": artifact["path"].replace(repo.resolve("main"), "0" * 40),
        "url": artifact["url"].replace(repo.resolve("main"), "0" * 40),
        "revision": f"main@sha1:{'0' * 40}",
        "digest": f"sha256:{'0' * 64}",
    }

    await tenant.api.merge(f"{tenant.path(SOURCE, 'app')}/status", {"status": {"artifact": lost}})
    found = await tenant.until_failed(KUSTOMIZATION, "all", "ArtifactFailed", "artifact not found")
    assert await tenant.names("ConfigMap") == {"a", "b"}
    assert inventory(found) == {f"{tenant.namespace}_a__ConfigMap", f"{tenant.namespace}_b__ConfigMap"}
    assert not [event for event in await tenant.events(KUSTOMIZATION, "all") if event["type"] == "Warning"]
    # Its source sees that it promises what it does not have, and puts that right in one pass.
    await tenant.request(SOURCE, "app")
    await tenant.until_ready(SOURCE, "app", revision(repo))
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))


async def test_n12_an_artifact_that_is_not_what_its_status_says_is_not_used(tenant: Tenant) -> None:
    repo = await tenant.deploy(GOOD, path="./app")
    digest = f"sha256:{'0' * 64}"

    await tenant.api.merge(f"{tenant.path(SOURCE, 'app')}/status", {"status": {"artifact": {"digest": digest}}})
    await tenant.until_failed(KUSTOMIZATION, "all", "ArtifactFailed", "digest")
    assert await tenant.names("ConfigMap") == {"a", "b"}
    await tenant.request(SOURCE, "app")
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))


async def test_k15_a_directory_emptied_on_purpose_prunes_and_says_how_many(tenant: Tenant) -> None:
    repo = await tenant.deploy(GOOD, path="./app")

    await tenant.push(repo, {"app/kustomization.yaml": a_kustomization_file()}, remove=["app/a.yaml", "app/b.yaml"])
    found = await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    assert await tenant.names("ConfigMap") == set()
    assert inventory(found) == set()
    event = await tenant.until_event(KUSTOMIZATION, "all", text=" deleted")
    assert event["message"].count(" deleted") == 2


async def test_a_first_install_records_what_it_did_before_it_was_stopped(tenant: Tenant) -> None:
    repo = tenant.repository({"a.yaml": as_yaml(a_config_map("a")), "web.yaml": NO_SELECTOR})
    await tenant.follow()
    await tenant.kustomization()

    found = await tenant.until_failed(KUSTOMIZATION, "all", "ReconciliationFailed", "/web apply failed")
    assert await tenant.names("ConfigMap") == {"a"}
    assert f"{tenant.namespace}_a__ConfigMap" in inventory(found)
    await tenant.push(repo, {"b.yaml": as_yaml(a_config_map("b"))}, remove=["a.yaml", "web.yaml"])
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    assert await tenant.names("ConfigMap") == {"b"}


async def test_k9_every_bad_object_is_listed(tenant: Tenant) -> None:
    repo = await tenant.deploy(GOOD, path="./app")

    bad = [as_yaml({**a_deployment(name), "spec": {"replicas": 1}}) for name in ("web", "api")]
    await tenant.push(repo, {"app/c.yaml": "---\n".join(bad)})
    found = await tenant.until_failed(KUSTOMIZATION, "all", "ReconciliationFailed")
    message = condition(found, "Ready")["message"]
    assert f"Deployment/{tenant.namespace}/web dry-run failed (Invalid)" in message
    assert f"Deployment/{tenant.namespace}/api dry-run failed (Invalid)" in message


async def test_k12_a_rejected_secret_keeps_its_values(tenant: Tenant, controllers: Controllers) -> None:
    repo = await tenant.deploy(GOOD, path="./app")
    number = secrets.randbelow(10**12) + 10**12
    secret = manifests.an_object("v1", "Secret", "login", stringData={"pin": number})

    await tenant.push(repo, {"app/login.yaml": as_yaml(secret)})
    found = await tenant.until_failed(KUSTOMIZATION, "all", "ReconciliationFailed", "login")
    event = await tenant.until_event(KUSTOMIZATION, "all", "ReconciliationFailed", "login")
    assert str(number) not in f"{found['status']}{event}{controllers.said(200)}"
