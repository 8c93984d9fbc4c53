"""Clones and fetches with the real git client; refusals with a plain HTTP client."""

import asyncio
import os
import random
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from hack.controlplane.certificates import Authority
from hack.testbed.git_repo import GitRepo, isolated_environment
from hack.testbed.git_server import AZURE_DEVOPS, GitServer, Manners, Service

UPLOAD_PACK = {"Content-Type": "application/x-git-upload-pack-request"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    async with GitServer(tmp_path / "served") as running:
        yield running


async def git(cwd: Path, *words: str, check: bool = True, **settings: str) -> str:
    """The real client, in a thread: the server runs in this loop."""
    done = await asyncio.to_thread(
        subprocess.run,
        ["git", *words],
        cwd=cwd,
        env={**isolated_environment(cwd), **settings},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout + done.stderr


async def test_a_clone_has_the_committed_files(server: GitServer, tmp_path: Path) -> None:
    repo = server.create("team/app")
    commit = repo.commit({"deploy/a.yaml": "kind: ConfigMap\n"})

    await git(tmp_path, "clone", "--quiet", server.url("team/app"), "clone")

    assert (tmp_path / "clone/deploy/a.yaml").read_text() == "kind: ConfigMap\n"
    assert (await git(tmp_path / "clone", "rev-parse", "HEAD")).strip() == commit


async def test_the_suffix_git_is_optional_and_counted_as_the_same_repository(server: GitServer, tmp_path: Path) -> None:
    server.create("app").commit({"a": "1"})

    for url in (server.url("app"), server.url("app") + ".git"):
        await git(tmp_path, "ls-remote", url)

    assert server.count(repository="app", service=Service.LS_REFS) == 2


async def test_a_poll_in_protocol_2_is_one_ls_refs_and_no_fetch(server: GitServer, tmp_path: Path) -> None:
    server.create("app").commit({"a": "1"})

    await git(tmp_path, "ls-remote", server.url("app"), "refs/heads/main")

    assert [request.service for request in server.requests] == [Service.ADVERTISEMENT, Service.LS_REFS]
    assert server.requests[1].protocol == "version=2"


async def test_a_server_that_ignores_the_protocol_header_speaks_the_first_version(tmp_path: Path) -> None:
    async with GitServer(tmp_path / "served", Manners(protocol_v2=False)) as server:
        server.create("app").commit({"a": "1"})

        await git(tmp_path, "clone", "--quiet", server.url("app"), "clone")

        assert [request.service for request in server.requests] == [Service.ADVERTISEMENT, Service.FETCH]


async def test_a_shallow_fetch_of_one_commit_sends_little(server: GitServer, tmp_path: Path) -> None:
    repo = server.create("app")
    repo.commit({f"{number}.bin": bytes([number % 251, number // 251]) * 1000 for number in range(400)})
    await git(tmp_path, "clone", "--quiet", "--depth=1", server.url("app"), "clone")
    server.requests.clear()

    repo.commit({"1.bin": "changed"})
    await git(tmp_path / "clone", "fetch", "--quiet", "--depth=1", "origin", "main")

    fetched = [request for request in server.requests if request.service is Service.FETCH]
    assert 0 < sum(request.sent for request in fetched) < 20_000


async def test_a_compressed_request_is_understood(server: GitServer, tmp_path: Path) -> None:
    repo = server.create("app")
    repo.commit({"a": "1"})
    clone = GitRepo(tmp_path / "clone")
    # So many commits to compare that the client compresses its request.
    history = [f"commit refs/heads/topic\ncommitter t <t@example.com> {number} +0000\ndata 0\n" for number in range(60)]
    clone.git("fast-import", "--quiet", stdin="".join(history).encode())
    wanted = repo.commit({"a": "new"})

    said = await git(clone.directory, "fetch", server.url("app"), "main", GIT_CURL_VERBOSE="1")

    assert "content-encoding: gzip" in said.lower()
    assert clone.resolve("FETCH_HEAD") == wanted


@pytest.mark.parametrize(
    ("manners", "accepted"),
    [
        pytest.param(Manners(basic=("user", "secret")), aiohttp.encode_basic_auth("user", "secret"), id="basic"),
        pytest.param(Manners(bearer="token"), "Bearer token", id="bearer"),
    ],
)
async def test_only_the_right_credentials_are_let_in(manners: Manners, accepted: str, tmp_path: Path) -> None:
    async with GitServer(tmp_path / "served", manners) as server, aiohttp.ClientSession() as session:
        server.create("app").commit({"a": "1"})
        statuses = []
        for header in ({}, {"Authorization": "Basic d3Jvbmc6d3Jvbmc="}, {"Authorization": accepted}):
            url = f"{server.url('app')}/info/refs?service=git-upload-pack"
            async with session.get(url, headers=header) as response:
                statuses.append(response.status)

    assert statuses == [401, 401, 200]


async def test_azure_devops_refuses_a_want_without_multi_ack(tmp_path: Path) -> None:
    async with GitServer(tmp_path / "served", AZURE_DEVOPS) as server, aiohttp.ClientSession() as session:
        commit = server.create("app").commit({"a": "1"})
        headers = {"Authorization": aiohttp.encode_basic_auth(*AZURE_DEVOPS.basic or ()), **UPLOAD_PACK}
        statuses = []
        for capabilities in ("side-band-64k", "multi_ack_detailed side-band-64k"):
            line = f"want {commit} {capabilities}\n"
            body = f"{len(line) + 4:04x}{line}00000009done\n"
            async with session.post(f"{server.url('app')}/git-upload-pack", data=body, headers=headers) as response:
                statuses.append(response.status)

    assert statuses == [400, 200]


async def test_the_git_client_clones_from_azure_devops(tmp_path: Path) -> None:
    async with GitServer(tmp_path / "served", AZURE_DEVOPS) as server:
        server.create("app").commit({"a": "1"})
        url = server.url("app").replace("//", "//any:personal-access-token@")

        await git(tmp_path, "clone", "--quiet", url, "clone")

    assert (tmp_path / "clone/a").read_text() == "1"


async def test_tls_with_a_private_authority_and_client_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    client = authority.issue_client("client")
    served, trusted = tmp_path / "served", str(authority.certificate)
    async with GitServer(served, tls=authority.issue_server("git"), client_authority=authority.certificate) as server:
        server.create("app").commit({"a": "1"})
        stranger = await git(tmp_path, "ls-remote", server.url("app"), check=False, GIT_SSL_CAINFO=trusted)
        known = await git(
            tmp_path, "ls-remote", server.url("app"),
            GIT_SSL_CAINFO=trusted, GIT_SSL_CERT=str(client.certificate), GIT_SSL_KEY=str(client.key),
        )  # fmt: skip

    assert "refs/heads/main" not in stranger
    assert "refs/heads/main" in known


async def test_a_push_is_taken_only_where_it_is_allowed(server: GitServer, tmp_path: Path) -> None:
    repo = server.create("app")
    first = repo.commit({"a": "1"})
    await git(tmp_path, "clone", "--quiet", server.url("app"), "clone")
    author = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    await git(tmp_path / "clone", *author, "commit", "--quiet", "--allow-empty", "-m", "pushed")

    refused = await git(tmp_path / "clone", "push", "--quiet", "origin", "main", check=False)
    head_after_refusal = repo.resolve("main")
    server.manners = Manners(push=True)
    await git(tmp_path / "clone", "push", "--quiet", "origin", "main")

    assert "403" in refused
    assert head_after_refusal == first
    assert repo.git("log", "-1", "--format=%s", "main").strip() == "pushed"


async def test_an_unknown_repository_is_not_found(server: GitServer, tmp_path: Path) -> None:
    said = await git(tmp_path, "ls-remote", server.url("nothing"), check=False)

    assert "not found" in said
    assert server.requests[0].status == 404


async def test_a_client_that_goes_away_in_mid_answer_leaves_no_program_behind(server: GitServer) -> None:
    repo = server.create("app")
    commit = repo.commit({"big": random.Random(1).randbytes(8_000_000)})
    line = f"want {commit} side-band-64k\n"
    async with aiohttp.ClientSession() as session:
        body = f"{len(line) + 4:04x}{line}00000009done\n"
        response = await session.post(f"{server.url('app')}/git-upload-pack", data=body, headers=UPLOAD_PACK)
        await response.content.readany()
        running = sessions(parent=os.getpid())
        response.close()

    assert running
    async with asyncio.timeout(5):
        while running & sessions():
            await asyncio.sleep(0.01)


def sessions(parent: int | None = None) -> set[str]:
    """The sessions that processes belong to, all or the children of one; each backend has a session of its own."""
    listed = subprocess.run(["ps", "-eo", "ppid=,sess=,stat="], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in listed.splitlines())
    own = str(os.getsid(0))
    return {row[1] for row in rows if row[1] != own and row[2] != "Z" and parent in {None, int(row[0])}}
