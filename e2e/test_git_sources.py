"""GitRepository: whatever a reference can mean, however a server wants to be asked, at the price of what is new."""

import hashlib
import io
import secrets
import tarfile
import time
from pathlib import Path

import aiohttp
import pytest

from e2e import manifests
from e2e.receiver import EventReceiver
from e2e.tenant import SOURCE, Tenant, applied, conditions, is_ready, revision
from hack.controlplane.api import JsonObject
from hack.controlplane.cluster import ControlPlane
from hack.testbed import git_server as git_servers
from hack.testbed.git_server import GitServer, Manners, Service


async def served(found: JsonObject) -> bytes:
    """The artifact, as its consumers get it."""
    async with aiohttp.ClientSession() as session, session.get(found["status"]["artifact"]["url"]) as response:
        assert response.status == 200
        return await response.read()


def unpacked(artifact: bytes) -> dict[str, bytes]:
    """The files in an artifact."""
    with tarfile.open(fileobj=io.BytesIO(artifact), mode="r:gz") as tar:
        members = [(member.name.removeprefix("./"), tar.extractfile(member)) for member in tar if member.isfile()]
        return {name: file.read() for name, file in members if file is not None}


async def test_a_branch_is_served_as_flux_would_serve_it(tenant: Tenant, receiver: EventReceiver) -> None:
    repo = tenant.repository({"a.yaml": "a: 1\n", "deep/b.txt": "b", ".gitignore": "*.log\n", "logo.png": "png"})
    await tenant.follow()

    found = await tenant.until_ready(SOURCE, "app")
    at, commit = revision(repo), repo.resolve("main")
    stored = f"stored artifact for revision '{at}'"
    assert conditions(found) == [
        ("Ready", "True", "Succeeded", stored),
        ("ArtifactInStorage", "True", "Succeeded", stored),
    ]
    artifact = found["status"]["artifact"]
    assert artifact["revision"] == at
    assert artifact["path"] == f"gitrepository/{tenant.namespace}/app/{commit}.tar.gz"
    assert artifact["url"].endswith("/" + artifact["path"])
    content = await served(found)
    assert artifact["digest"] == "sha256:" + hashlib.sha256(content).hexdigest()
    assert artifact["size"] == len(content)
    assert unpacked(content) == {"a.yaml": b"a: 1\n", "deep/b.txt": b"b"}
    event = await tenant.until_event(SOURCE, "app", "NewArtifact")
    assert event["message"] == "stored artifact for commit 'first'"
    posted = await receiver.until(tenant.namespace, SOURCE, "NewArtifact")
    assert posted["metadata"] == {
        "source.toolkit.fluxcd.io/revision": at,
        "source.toolkit.fluxcd.io/digest": artifact["digest"],
    }


async def test_every_way_to_name_a_revision_finds_it(tenant: Tenant) -> None:
    repo = tenant.repository()
    first, second = (repo.commit({"n": number}) for number in "12")
    repo.create_branch("stable", first)
    repo.tag("v1.0.0", first)
    repo.tag("v1.1.0", second, message="annotated: the commit behind it counts")
    last = repo.commit({"n": "3"})
    repo.create_branch("master", last)
    repo.tag("v2.0.0-rc.1", last)
    wanted = {
        "no-ref": (None, f"master@sha1:{last}"),
        "branch": ({"branch": "stable"}, f"stable@sha1:{first}"),
        "tag": ({"tag": "v1.0.0"}, f"v1.0.0@sha1:{first}"),
        "annotated-tag": ({"tag": "v1.1.0"}, f"v1.1.0@sha1:{second}"),
        "semver": ({"semver": ">=1.0.0"}, f"v1.1.0@sha1:{second}"),
        "semver-with-candidates": ({"semver": ">=1.0.0-0"}, f"v2.0.0-rc.1@sha1:{last}"),
        "name": ({"name": "refs/heads/stable"}, f"refs/heads/stable@sha1:{first}"),
        "commit": ({"commit": second}, f"sha1:{second}"),
        "commit-on-branch": ({"branch": "main", "commit": second}, f"main@sha1:{second}"),
        "tag-wins": ({"branch": "main", "semver": ">=1.0.0", "tag": "v1.0.0"}, f"v1.0.0@sha1:{first}"),
    }
    for name, (ref, _) in wanted.items():
        await tenant.follow(name, url=tenant.url(), ref=ref)

    found = {name: await tenant.until_ready(SOURCE, name) for name in wanted}
    assert {name: applied(obj) for name, obj in found.items()} == {name: at for name, (_, at) in wanted.items()}


@pytest.mark.parametrize(
    ("manners", "secret"),
    [
        pytest.param(Manners(basic=("me", "s3cret")), {"username": "me", "password": "s3cret"}, id="basic"),
        pytest.param(Manners(bearer="t0ken"), {"bearerToken": "t0ken"}, id="bearer"),
        pytest.param(
            git_servers.AZURE_DEVOPS, {"username": "any", "password": "personal-access-token"}, id="azure-devops"
        ),
        pytest.param(Manners(protocol_v2=False), None, id="first-protocol"),
    ],
)
async def test_a_server_gets_what_it_asks_for(
    manners: Manners, secret: dict[str, str] | None, tenant: Tenant, tmp_path: Path
) -> None:
    async with GitServer(tmp_path / "git", manners) as server:
        repo = server.create("app")
        repo.commit({"a": "1"})
        if secret:
            await tenant.create(manifests.a_secret("login", **secret))
        await tenant.follow(url=server.url("app"), secretRef={"name": "login"} if secret else None)
        await tenant.until_ready(SOURCE, "app", revision(repo))

        await tenant.push(repo, {"a": "2"})
        await tenant.until_ready(SOURCE, "app", revision(repo))


async def test_https_trusts_the_authority_in_the_secret(
    own_control_plane: ControlPlane, tenant: Tenant, tmp_path: Path
) -> None:
    authority = own_control_plane.authority
    async with GitServer(tmp_path / "git", tls=authority.issue_server(f"git-{secrets.token_hex(2)}")) as server:
        repo = server.create("app")
        repo.commit({"a": "1"})
        await tenant.follow(url=server.url("app"), secretRef={"name": "authority"})
        await tenant.until_failed(SOURCE, "app", "AuthenticationFailed", "authority")

        await tenant.create(manifests.a_secret("authority", **{"ca.crt": authority.certificate.read_text()}))
        await tenant.request(SOURCE, "app")
        await tenant.until_ready(SOURCE, "app", revision(repo))


async def test_a_commit_costs_what_is_new_in_it(tenant: Tenant, git_server: GitServer) -> None:
    noise = {f"noise/{number}": secrets.token_bytes(100_000) for number in range(10)}
    repo = tenant.repository({"a": "1", **noise})
    await tenant.follow()
    await tenant.until_ready(SOURCE, "app", revision(repo))
    begin = len(git_server.requests)

    at = await tenant.push(repo, {"a": "2"})
    found = await tenant.until_ready(SOURCE, "app", at)
    assert unpacked(await served(found))["a"] == b"2"
    assert sum(request.sent for request in git_server.requests[begin:]) < 5_000


async def test_g11_a_force_push_is_followed(tenant: Tenant) -> None:
    repo = tenant.repository({"a": "1"})
    await tenant.follow()
    await tenant.until_ready(SOURCE, "app", revision(repo))

    repo.rewrite({"b": "2"})
    await tenant.request(SOURCE, "app")
    found = await tenant.until_ready(SOURCE, "app", revision(repo))
    assert unpacked(await served(found)) == {"b": b"2"}


async def test_a_changed_reference_or_address_is_followed_at_once(tenant: Tenant) -> None:
    repo = tenant.repository({"a": "1"})
    tenant.repository({"b": "2"}, "other")
    await tenant.follow()
    before = await tenant.until_ready(SOURCE, "app", revision(repo))

    repo.create_branch("stable")
    await tenant.set_spec(SOURCE, "app", ref={"branch": "stable"})
    found = await tenant.until_ready(SOURCE, "app", revision(repo, "stable"))
    assert found["status"]["artifact"]["digest"] == before["status"]["artifact"]["digest"]
    await tenant.set_spec(SOURCE, "app", url=tenant.url("other"), ref={"branch": "main"})
    found = await tenant.until(SOURCE, "app", lambda obj: is_ready(obj) and obj["status"]["observedGeneration"] == 3)
    assert unpacked(await served(found)) == {"b": b"2"}


async def test_a_url_is_asked_once_an_interval_however_many_follow_it(tenant: Tenant, git_server: GitServer) -> None:
    repo = tenant.repository({"a": "1"})
    names = [f"app-{number}" for number in range(5)]
    for name in names:
        await tenant.follow(name, url=tenant.url(), interval="1s")
    for name in names:
        await tenant.until_ready(SOURCE, name)

    def polls() -> int:
        return git_server.count(repository=f"{tenant.namespace}/app", service=Service.LS_REFS)

    begin, began = polls(), time.monotonic()
    await tenant.until(SOURCE, names[0], lambda _: polls() >= begin + 3)
    # Five that ask for themselves would have needed much less.
    assert time.monotonic() - began > 1.5
    repo.commit({"a": "2"})
    for name in names:
        await tenant.until_ready(SOURCE, name, revision(repo))


async def test_nothing_new_means_nothing_done(tenant: Tenant) -> None:
    repo = tenant.repository({"a": "1"})
    await tenant.follow()
    before = await tenant.until_ready(SOURCE, "app", revision(repo))

    after = await tenant.reconcile(SOURCE, "app")
    assert after["status"]["artifact"] == before["status"]["artifact"]
    assert after["status"]["conditions"] == before["status"]["conditions"]
    assert len(await tenant.events(SOURCE, "app")) == 1


async def test_ignored_files_stay_out_and_the_spec_has_the_last_word(tenant: Tenant) -> None:
    tenant.repository({".sourceignore": "*.md\n", "README.md": "x", "docs/a.md": "x", "keep.yaml": "k", "logo.png": ""})
    await tenant.follow()
    found = await tenant.until_ready(SOURCE, "app")
    # One pattern of our own switches Flux's defaults off: the picture is in.
    assert set(unpacked(await served(found))) == {".sourceignore", "keep.yaml", "logo.png"}

    before = found["status"]["artifact"]["digest"]
    await tenant.set_spec(SOURCE, "app", ignore="!README.md\n*.png\n")
    found = await tenant.until(
        SOURCE, "app", lambda obj: is_ready(obj) and obj["status"]["artifact"]["digest"] != before
    )
    assert set(unpacked(await served(found))) == {".sourceignore", "README.md", "keep.yaml"}
    assert found["status"]["observedIgnore"] == "!README.md\n*.png\n"


async def test_a_suspended_source_is_served_and_not_asked(tenant: Tenant, git_server: GitServer) -> None:
    repo = tenant.repository({"a": "1"})
    await tenant.follow(interval="1s")
    before = await tenant.until_ready(SOURCE, "app", revision(repo))
    await tenant.set_spec(SOURCE, "app", suspend=True)
    await tenant.follow("other", url=tenant.url(), interval="1s")
    await tenant.until_ready(SOURCE, "other", revision(repo))

    repo.commit({"a": "2"})
    await tenant.until_ready(SOURCE, "other", revision(repo))
    assert applied(await tenant.get(SOURCE, "app")) == applied(before)
    assert unpacked(await served(before)) == {"a": b"1"}
    await tenant.set_spec(SOURCE, "app", suspend=False)
    await tenant.until_ready(SOURCE, "app", revision(repo))


async def test_the_artifact_goes_with_its_object(tenant: Tenant) -> None:
    tenant.repository({"a": "1"})
    await tenant.follow()
    found = await tenant.until_ready(SOURCE, "app")

    await tenant.delete(SOURCE, "app")
    await tenant.until_gone(SOURCE, "app")
    async with aiohttp.ClientSession() as session, session.get(found["status"]["artifact"]["url"]) as response:
        assert response.status == 404


async def test_g11_a_deleted_branch_keeps_the_last_good_artifact(tenant: Tenant) -> None:
    repo = tenant.repository({"a": "1"})
    good = repo.resolve("main")
    await tenant.follow()
    before = await tenant.until_ready(SOURCE, "app", revision(repo))

    repo.create_branch("elsewhere")
    repo.delete_branch("main")
    await tenant.request(SOURCE, "app")
    found = await tenant.until_failed(SOURCE, "app", "GitOperationFailed", "refs/heads/main")
    assert found["status"]["artifact"] == before["status"]["artifact"]
    assert unpacked(await served(found)) == {"a": b"1"}
    repo.create_branch("main", good)
    await tenant.request(SOURCE, "app")
    await tenant.until_ready(SOURCE, "app", revision(repo))
