import asyncio
import os
import socket
from datetime import timedelta

import pytest
from aiohttp import web

from hack.testbed.git_server import Service
from tidegate.adapters import git_packets
from tidegate.adapters.git_auth import GitAuth
from tidegate.adapters.git_errors import (
    BoundExceeded,
    CorruptRepository,
    ProtocolViolated,
    ReferenceNotFound,
    RemoteRefused,
    RemoteTimedOut,
)
from tidegate.adapters.git_limits import GitLimits
from tidegate.adapters.git_packets import Mark
from tidegate.adapters.git_remote import GitRemote
from tidegate.adapters.git_remotes import GitRemotes
from tidegate.adapters.tests.fetching import MAIN, OTHER, SOON, fetch_main, names_of
from tidegate.runtime import threads


async def test_a_copy_that_is_damaged_while_in_use_is_fetched_anew_without_anybody(server, remotes, tmp_path):
    server.create("app").commit({"a": "1", "b/c": "2"})
    remote = remotes.remote(server.url("app"))
    oid = await fetch_main(remote)
    server.requests.clear()
    for file in (tmp_path / "git").rglob("pack-*"):
        file.unlink()

    assert await names_of(remote, oid, tmp_path / "out") == [".", "a", "b", "b/c"]
    assert server.count(service=Service.FETCH) == 1
    for file in (tmp_path / "git").rglob("pack-*"):
        file.unlink()
    assert (await remote.read_commit(oid)).oid == oid


async def test_a_copy_that_does_not_fit_what_the_server_builds_on_is_fetched_anew(server, remotes, tmp_path):
    repo = server.create("app")
    repo.commit({"a": "x\n" * 3_000})
    remote = remotes.remote(server.url("app"))
    await fetch_main(remote)
    for file in (tmp_path / "git").rglob("pack-*"):
        file.unlink()
    repo.commit({"a": "x\n" * 3_000 + "y"})

    oid = await fetch_main(remote)

    assert await names_of(remote, oid, tmp_path / "out") == [".", "a"]


async def test_a_commit_that_was_never_fetched_is_an_error(server, remotes, tmp_path):
    server.create("app").commit({"a": "1"})
    remote = remotes.remote(server.url("app"))
    await fetch_main(remote)

    with pytest.raises(CorruptRepository):
        await remote.read_commit(OTHER)


def advertisement(*capabilities: str) -> web.Response:
    body = git_packets.encode("version 2", "agent=x", "ls-refs", "fetch=shallow", *capabilities, Mark.FLUSH)
    return web.Response(body=body, content_type="application/x-git-upload-pack-advertisement")


def result(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/x-git-upload-pack-result")


def pack_answer(pack: bytes) -> bytes:
    pieces = [b"\x01" + pack[at : at + 60_000] for at in range(0, len(pack), 60_000)]
    return git_packets.encode("packfile\n", *pieces, Mark.FLUSH)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(pack_answer(b""), ProtocolViolated, id="nothing"),
        pytest.param(pack_answer(b"PACK" + bytes(100)), ProtocolViolated, id="no-pack"),
        pytest.param(git_packets.encode("packfile\n", b"\x03you shall not\x1b pass"), RemoteRefused, id="error-band"),
        pytest.param(git_packets.encode("ERR access denied\n"), RemoteRefused, id="error-line"),
        pytest.param(git_packets.encode(f"ERR upload-pack: not our ref {OTHER}"), ReferenceNotFound, id="not-ours"),
        pytest.param(b"fffe" + bytes(70_000), ProtocolViolated, id="oversize-packet"),
        pytest.param(b"0123abc", ProtocolViolated, id="truncated-packet"),
        pytest.param(pack_answer(os.urandom(300_000)), BoundExceeded, id="pack-beyond-bound"),
        pytest.param(git_packets.encode(*[b"\x02still counting"] * 20_000), BoundExceeded, id="endless-progress"),
    ],
)
async def test_g7_hostile_answers_are_refused_and_leave_nothing(serve, tmp_path, answer, error):
    async def handler(request: web.Request) -> web.Response:
        return advertisement() if request.method == "GET" else result(answer)

    async with GitRemotes(tmp_path / "git", GitLimits(pack_size=200_000)) as remotes:
        remote = remotes.remote(await serve(handler) + "/app")
        with pytest.raises(error) as refused:
            await remote.fetch(MAIN, OTHER, SOON)

    assert str(refused.value).isprintable()
    assert [file.name for file in (tmp_path / "git").rglob("*") if file.suffix in (".pack", ".lock", ".tmp")] == []


async def test_g10_a_silent_server_costs_its_own_time_only(server, serve, remotes):
    server.create("app").commit({"a": "1"})
    forever = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        if request.method == "GET":
            return advertisement()
        await forever.wait()
        raise AssertionError

    address = await serve(handler)
    remote = remotes.remote(address + "/app")
    began = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as group:
        silent = [group.create_task(times_out(remote, at)) for at in range(12)]
        # More than the pool has threads: if one of them were held, this could not be done meanwhile.
        await asyncio.wait_for(fetch_main(remotes.remote(server.url("app"))), 2)
        assert not any(task.done() for task in silent)

    assert asyncio.get_running_loop().time() - began < 3


async def times_out(remote: GitRemote, at: int) -> None:
    span = timedelta(seconds=0.8)
    with pytest.raises(RemoteTimedOut, match=r"took longer than 0\.8s"):
        await (remote.fetch(MAIN, OTHER, span) if at % 2 else remote.list_refs(span))


async def test_g10_a_server_that_drips_is_cut_off_and_the_next_pass_is_normal(serve, server, tmp_path, remotes):
    repo = server.create("app")
    oid = repo.commit({"a": "1"})
    drips = [True]

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return advertisement()
        response = web.StreamResponse(headers={"Content-Type": "application/x-git-upload-pack-result"})
        await response.prepare(request)
        while drips[0]:
            await response.write(git_packets.encode(b"\x02."))
            await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.05)
        return response

    remote = remotes.remote(await serve(handler) + "/app")
    with pytest.raises(RemoteTimedOut):
        await remote.fetch(MAIN, oid, timedelta(seconds=0.3))
    drips[0] = False

    with pytest.raises(ProtocolViolated):
        await remote.fetch(MAIN, oid, SOON)
    assert await threads.run(lambda: 1) == 1


async def test_g10_a_silent_socket_is_given_up_after_the_bound(tmp_path):
    # The kernel takes the connection, and nobody ever says a word.
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    limits = GitLimits(connect=timedelta(seconds=0.2), silence=timedelta(seconds=0.2))
    async with GitRemotes(tmp_path / "git", limits) as remotes:
        for scheme in ("http", "https"):
            with pytest.raises(RemoteTimedOut, match="did not answer in time"):
                await remotes.remote(f"{scheme}://127.0.0.1:{port}/app").list_refs(SOON)
    listener.close()


@pytest.mark.parametrize("turns", [1, 10, 30, 60, 100, 200])
async def test_p9_cancelling_at_any_step_leaves_nothing_behind(server, remotes, tmp_path, turns):
    repo = server.create("app")
    oid = repo.commit({f"f{at}": os.urandom(2_000) for at in range(100)})
    remote = remotes.remote(server.url("app"))

    async def work() -> None:
        await remote.fetch(MAIN, oid, SOON)
        await remote.write_archive(oid, tmp_path / "out")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(work())
        for _ in range(turns):
            await turn()
        task.cancel()

    left = [file.name for file in (tmp_path / "git").rglob("*") if file.name.startswith(("pack_", "tmp", "."))]
    assert left == []
    assert remote.is_idle
    assert (tmp_path / "out").exists() is (task.done() and not task.cancelled())
    (tmp_path / "out").unlink(missing_ok=True)
    await work()


async def turn() -> None:
    """Let everything that is ready go one step."""
    ready = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.0005, ready.set_result, None)
    await ready


async def test_secrets_that_a_server_echoes_are_masked(serve, remotes):
    async def handler(request: web.Request) -> web.Response:
        body = git_packets.encode(f"ERR who is {request.headers['Authorization']} hunter2hunter2")
        return web.Response(body=body, content_type="application/x-git-upload-pack-advertisement")

    remote = remotes.remote(await serve(handler) + "/app", GitAuth("user", "hunter2hunter2"))
    with pytest.raises(RemoteRefused) as refused:
        await remote.list_refs(SOON)

    assert str(refused.value) == "who is Basic ***** *****"
