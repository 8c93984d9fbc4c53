import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from aiohttp import web

from hack.testbed.git_server import AZURE_DEVOPS, Manners, Service
from tidegate.adapters import git_packets, versions
from tidegate.adapters.git_auth import GitAuth
from tidegate.adapters.git_errors import (
    EmptyRepository,
    ReferenceNotFound,
    UnsupportedRepository,
)
from tidegate.adapters.git_packets import Mark
from tidegate.adapters.git_remotes import GitRemotes
from tidegate.adapters.tests.fetching import MAIN, OTHER, SOON, fetch_main, names_of
from tidegate.runtime import threads


async def test_references_are_listed_with_head_and_peeled_tags(server, remotes):
    repo = server.create("app")
    oid = repo.commit({"a": "1"})
    tag = repo.tag("v1", message="one")

    refs = await remotes.remote(server.url("app")).list_refs(SOON)

    assert refs.head == MAIN
    assert refs.oids == {"HEAD": oid, MAIN: oid, "refs/tags/v1": tag}
    assert refs.find_commit("refs/tags/v1") == oid


async def test_a_second_question_is_one_request(server, remotes):
    server.create("app").commit({"a": "1"})
    remote = remotes.remote(server.url("app"))
    await remote.list_refs(SOON)
    server.requests.clear()

    await remote.list_refs(SOON)

    assert [request.service for request in server.requests] == [Service.LS_REFS]


async def test_only_names_that_somebody_wants_are_asked_for(server, remotes):
    repo = server.create("app")
    repo.commit({"a": "1"})
    repo.create_branch("other")
    repo.git("update-ref", "refs/pull/1/head", "main")
    remote = remotes.remote(server.url("app"))

    assert set((await remote.list_refs(SOON, [MAIN])).oids) == {"HEAD", MAIN}
    assert set((await remote.list_refs(SOON, ["refs/pull/1/head"])).oids) == {"HEAD", MAIN, "refs/pull/1/head"}
    assert len((await remote.list_refs(SOON, [])).oids) == 4


async def test_many_who_ask_at_once_share_one_question(server, remotes):
    server.create("app").commit({"a": "1"})
    remote = remotes.remote(server.url("app"))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(remote.list_refs(SOON, [MAIN])) for _ in range(20)]

    assert len({id(task.result()) for task in tasks}) == 1
    assert server.count(service=Service.LS_REFS) == 1


async def test_who_asks_while_a_question_is_under_way_gets_a_fresh_answer(serve, remotes):
    answers = ["a" * 40, "b" * 40]
    asked, answer = asyncio.Event(), asyncio.Event()
    questions: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        if request.method == "GET":
            return advertisement()
        questions.append(answers[len(questions)])
        asked.set()
        await answer.wait()
        return result(git_packets.encode(f"{questions[-1]} {MAIN}", Mark.FLUSH))

    remote = remotes.remote(await serve(handler) + "/app")
    async with asyncio.TaskGroup() as group:
        first = group.create_task(remote.list_refs(SOON))
        await asked.wait()
        late = [group.create_task(remote.list_refs(SOON)) for _ in range(3)]
        answer.set()

    assert first.result().oids == {MAIN: "a" * 40}
    assert [task.result().oids for task in late] == [{MAIN: "b" * 40}] * 3
    assert len(questions) == 2


async def test_the_last_answer_is_known_to_all(server, remotes):
    server.create("app").commit({"a": "1"})
    remote = remotes.remote(server.url("app"))
    assert remote.known_refs() is None

    refs = await remote.list_refs(SOON)

    known = remote.known_refs()
    assert known is not None
    assert known[0] is refs
    assert known[1] <= asyncio.get_running_loop().time()


async def test_g11_an_empty_repository_is_its_own_error(server, remotes):
    server.create("app")
    remote = remotes.remote(server.url("app"))

    with pytest.raises(EmptyRepository):
        await remote.list_refs(SOON, [MAIN])
    server.manners = Manners(protocol_v2=False)
    with pytest.raises(EmptyRepository):
        await remotes.remote(server.url("app") + ".git").list_refs(SOON)


async def test_g11_a_deleted_branch_is_missing_and_not_an_empty_repository(server, remotes):
    repo = server.create("app")
    repo.commit({"a": "1"}, branch="other")
    remote = remotes.remote(server.url("app"))

    refs = await remote.list_refs(SOON, [MAIN])

    assert refs.find_commit(MAIN) is None
    assert refs.covers(MAIN)


@pytest.mark.parametrize("is_v2", [True, False])
async def test_g11_a_sha256_repository_is_refused_by_name(server, remotes, tmp_path, is_v2):
    server.create("app")
    await threads.run(make_sha256_repository, tmp_path / "served/sha.git")
    server.manners = Manners(protocol_v2=is_v2)

    with pytest.raises(UnsupportedRepository, match="SHA-256"):
        await remotes.remote(server.url("sha")).list_refs(SOON)


def make_sha256_repository(path: Path) -> None:
    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=path, env=who, capture_output=True, check=True, text=True
        ).stdout.strip()

    path.mkdir()
    who = {f"GIT_{role}_{fact}": "a@b" for role in ("AUTHOR", "COMMITTER") for fact in ("NAME", "EMAIL")} | os.environ
    git("init", "-q", "--bare", "--object-format=sha256", ".")
    git("update-ref", MAIN, git("commit-tree", "-m", "x", git("hash-object", "-t", "tree", "-w", "/dev/null")))


async def test_a_server_that_changed_its_protocol_is_asked_anew(server, remotes):
    server.create("app").commit({"a": "1"})
    remote = remotes.remote(server.url("app"))
    await remote.list_refs(SOON)

    server.manners = Manners(protocol_v2=False)

    assert MAIN in (await remote.list_refs(SOON)).oids


def advertisement(*capabilities: str) -> web.Response:
    body = git_packets.encode("version 2", "agent=x", "ls-refs", "fetch=shallow", *capabilities, Mark.FLUSH)
    return web.Response(body=body, content_type="application/x-git-upload-pack-advertisement")


def result(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/x-git-upload-pack-result")


@pytest.mark.parametrize(
    ("manners", "auth"),
    [
        pytest.param(Manners(), GitAuth(), id="version-2"),
        pytest.param(Manners(protocol_v2=False), GitAuth(), id="version-0"),
        pytest.param(AZURE_DEVOPS, GitAuth("any", "personal-access-token"), id="azure-devops"),
        pytest.param(Manners(bearer="t0ken", protocol_v2=False), GitAuth(bearer_token="t0ken"), id="bearer"),
    ],
)
async def test_a_commit_costs_one_small_request(server, remotes, tmp_path, manners, auth):
    server.manners = manners
    repo = server.create("app")
    repo.commit({f"d{at}/f": os.urandom(500) for at in range(200)} | {"big": "line\n" * 20_000})
    remote = remotes.remote(server.url("app"), auth)
    await fetch_main(remote)
    second = repo.commit({"big": "line\n" * 20_000 + "more\n"})
    assert (await remote.list_refs(SOON, [MAIN])).oids[MAIN] == second
    server.requests.clear()

    await remote.fetch(MAIN, second, SOON)

    assert [request.service for request in server.requests] == [Service.FETCH]
    assert server.requests[0].sent < 8_000
    assert len(await names_of(remote, second, tmp_path / "out")) == 402


async def test_what_is_here_is_not_fetched_again_not_even_by_a_new_process(server, tmp_path):
    server.create("app").commit({"a": "1"})
    async with GitRemotes(tmp_path / "git") as remotes:
        oid = await fetch_main(remotes.remote(server.url("app")))
    server.requests.clear()

    async with GitRemotes(tmp_path / "git") as remotes:
        remote = remotes.remote(server.url("app"))
        await remote.fetch(MAIN, oid, SOON)
        await remote.fetch("refs/heads/same", oid, SOON)
        assert (await remote.read_commit(oid)).subject == "change"

    assert server.requests == []


async def test_many_who_fetch_the_same_commit_at_once_cost_one_fetch(server, remotes):
    oid = server.create("app").commit({"a": "1"})
    remote = remotes.remote(server.url("app"))

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(remote.fetch(MAIN, oid, SOON))

    assert server.count(service=Service.FETCH) == 1


@pytest.mark.parametrize("is_v2", [True, False])
async def test_g11_a_forced_push_is_followed(server, remotes, tmp_path, is_v2):
    server.manners = Manners(protocol_v2=is_v2)
    repo = server.create("app")
    first = repo.commit({"a": "1"})
    remote = remotes.remote(server.url("app"))
    await fetch_main(remote)

    rewritten = repo.rewrite({"b": "2"})
    assert await fetch_main(remote) == rewritten
    assert await names_of(remote, rewritten, tmp_path / "1") == [".", "b"]
    repo.reset(first)
    assert await fetch_main(remote) == first
    assert await names_of(remote, first, tmp_path / "2") == [".", "a"]


async def test_g11_a_moved_tag_is_followed(server, remotes):
    repo = server.create("app")
    repo.commit({"a": "1"})
    repo.tag("v1", message="one")
    remote = remotes.remote(server.url("app"))
    before = (await remote.list_refs(SOON)).find_commit("refs/tags/v1")
    assert before is not None
    await remote.fetch("refs/tags/v1", before, SOON)

    moved = repo.commit({"a": "2"})
    repo.tag("v1", message="again")
    after = (await remote.list_refs(SOON)).find_commit("refs/tags/v1")
    await remote.fetch("refs/tags/v1", moved, SOON)

    assert after == moved
    assert (await remote.read_commit(moved)).oid == moved


@pytest.mark.parametrize("is_v2", [True, False])
async def test_annotated_and_semver_tags_are_fetched(server, remotes, is_v2):
    server.manners = Manners(protocol_v2=is_v2)
    repo = server.create("app")
    for version in ("1.0.0", "1.2.0", "2.0.0-rc.1"):
        repo.commit({"a": version})
        repo.tag(version, message=version)
    repo.git("config", "--unset", "uploadpack.allowAnySHA1InWant")
    remote = remotes.remote(server.url("app"))

    refs = await remote.list_refs(SOON, ["refs/tags/"])
    tag = versions.select_version(">=1.0.0", (name.removeprefix("refs/tags/") for name in refs.oids))
    commit = refs.find_commit(f"refs/tags/{tag}")
    assert commit is not None
    await remote.fetch(f"refs/tags/{tag}", commit, SOON)

    assert tag == "1.2.0"
    assert (await remote.read_commit(commit)).tree == repo.resolve("1.2.0^{tree}")


@pytest.mark.parametrize(
    ("manners", "may_any"),
    [
        pytest.param(Manners(), True, id="version-2"),
        pytest.param(Manners(protocol_v2=False), True, id="version-0-any-commit"),
        pytest.param(Manners(protocol_v2=False), False, id="version-0-whole-history"),
    ],
)
@pytest.mark.parametrize("ref_name", ["", MAIN])
async def test_an_old_commit_is_found_by_its_name(server, remotes, tmp_path, manners, may_any, ref_name):
    server.manners = manners
    repo = server.create("app")
    old = repo.commit({"a": "old"})
    for at in range(5):
        repo.commit({"a": str(at)})
    if not may_any:
        repo.git("config", "--unset", "uploadpack.allowAnySHA1InWant")
    remote = remotes.remote(server.url("app"))
    await fetch_main(remote)

    await remote.fetch(ref_name, old, SOON)

    assert await names_of(remote, old, tmp_path / "out") == [".", "a"]


@pytest.mark.parametrize("is_v2", [True, False])
@pytest.mark.parametrize("oid", [OTHER, "no-oid", "--upload-pack=x"])
async def test_a_commit_that_is_nowhere_is_its_own_error(server, remotes, is_v2, oid):
    server.manners = Manners(protocol_v2=is_v2)
    server.create("app").commit({"a": "1"})

    with pytest.raises(ReferenceNotFound):
        await remotes.remote(server.url("app")).fetch("", oid, SOON)
