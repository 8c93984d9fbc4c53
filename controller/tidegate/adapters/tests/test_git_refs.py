from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters import git_packets, git_refs
from tidegate.adapters.git_errors import BoundExceeded, GitError, ProtocolViolated, RemoteRefused, UnsupportedRepository
from tidegate.adapters.git_packets import Mark, Packet
from tidegate.adapters.git_refs import Refs, Server

A, B, C = "a" * 40, "b" * 40, "c" * 40


async def packets(*items: str | bytes | Mark) -> AsyncIterator[Packet]:
    for item in items:
        yield item.encode() if isinstance(item, str) else item


async def advertisement(*items: str | bytes | Mark, most: int = 100) -> Server:
    return await git_refs.read_advertisement(packets(*items), most)


async def listing(*lines: str | bytes, most: int = 100) -> Refs:
    return await git_refs.read_refs(packets(*lines, Mark.FLUSH), (), most)


async def test_version_2_tells_capabilities_only():
    server = await advertisement(
        "# service=git-upload-pack\n", Mark.FLUSH, "version 2\n", "agent=git/2", "ls-refs=unborn",
        "fetch=shallow wait-for-done", "object-format=sha1\n", Mark.FLUSH,
    )  # fmt: skip

    assert server.version == 2
    assert server.refs is None
    assert server.has("fetch.shallow")
    assert not server.has("fetch.filter")


@pytest.mark.parametrize("preface", [[], ["version 1\n"], ["# service=git-upload-pack\n", Mark.FLUSH]])
async def test_first_protocols_tell_references_at_once(preface):
    server = await advertisement(
        *preface,
        f"{A} HEAD\0multi_ack shallow symref=HEAD:refs/heads/main agent=x\n",
        f"{A} refs/heads/main\n",
        f"{B} refs/tags/v1\n",
        f"{C} refs/tags/v1^{{}}\n",
        f"shallow {A}\n",
        Mark.FLUSH,
    )

    assert server.version == 0
    assert server.has("multi_ack")
    assert server.refs == Refs(
        "refs/heads/main", {"HEAD": A, "refs/heads/main": A, "refs/tags/v1": B}, {"refs/tags/v1": C}
    )


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([f"{'0' * 40} capabilities^{{}}\0agent=x\n", Mark.FLUSH], id="capabilities-only"),
        pytest.param([Mark.FLUSH], id="nothing"),
        pytest.param([], id="not-even-an-end"),
    ],
)
async def test_g11_an_empty_repository_has_no_references(items):
    server = await advertisement(*items)

    assert server.refs == Refs()


async def test_listed_references_have_their_commits_and_head():
    refs = await listing(
        f"{A} HEAD symref-target:refs/heads/main\n",
        f"{A} refs/heads/main\n",
        f"{B} refs/tags/v1 peeled:{C}\n",
        "unborn HEAD symref-target:refs/heads/x",
    )

    assert refs.head == "refs/heads/main"
    assert refs.find_commit("refs/heads/main") == A
    assert refs.find_commit("refs/tags/v1") == C
    assert refs.find_commit("refs/tags/v1^{}") == C
    assert refs.find_commit("refs/heads/other") is None


def test_refs_know_what_they_were_asked_for():
    assert Refs(prefixes=("HEAD", "refs/heads/")).covers("refs/heads/main")
    assert not Refs(prefixes=("refs/heads/main",)).covers("refs/heads/")
    assert Refs().covers("refs/pull/1/head")


def test_a_request_names_its_prefixes_and_only_capabilities_that_the_server_has():
    server = Server(2, {"agent": "x", "ls-refs": ""})

    request = git_refs.request_refs(server, ["refs/heads/main"])

    assert request == git_packets.encode(
        "command=ls-refs", "agent=tidegate", Mark.DELIMITER, "peel", "symrefs", "ref-prefix refs/heads/main", Mark.FLUSH
    )


NAMES = [
    "refs/heads/../../etc/passwd",
    "/refs/heads/main",
    "refs/heads//main",
    "refs/heads/main/",
    "refs/heads/main.lock",
    "refs/heads/a.lock/b",
    "refs/heads/.main",
    "refs/heads/main.",
    "refs/heads/a\x07b",
    "refs/heads/a\x7fb",
    "refs/heads/a~1",
    "refs/heads/a^b",
    "refs/heads/a:b",
    "refs/heads/a?b",
    "refs/heads/a*",
    "refs/heads/a[b",
    "refs/heads/a\\b",
    "refs/heads/a@{1}",
    "refs",
    "refs/",
    "main",
    "-main",
    "FETCH_HEAD",
    "HEAD/x",
]


@pytest.mark.parametrize("name", NAMES)
async def test_g3_references_with_unsafe_names_are_refused(name):
    with pytest.raises(ProtocolViolated) as refused:
        await listing(f"{A} {name}")
    with pytest.raises(ProtocolViolated):
        await advertisement(f"{A} {name}\0agent=x\n", Mark.FLUSH)

    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", ["refs/heads/-x", "refs/heads/é", "refs/pull/1/head", "refs/heads/a@b", "refs/x.y/z"])
async def test_odd_but_safe_names_are_taken(name):
    assert (await listing(f"{A} {name}")).oids == {name: A}


async def test_g3_the_target_of_head_is_checked_too():
    with pytest.raises(ProtocolViolated):
        await listing(f"{A} HEAD symref-target:../x")


async def test_names_that_are_not_utf8_are_carried_through():
    assert list((await listing(A.encode() + b" refs/heads/\xff")).oids) == ["refs/heads/\udcff"]


async def test_g7_more_references_than_the_bound_are_refused():
    with pytest.raises(BoundExceeded, match="3 references"):
        await listing(*(f"{A} refs/heads/{at}" for at in range(4)), most=3)
    with pytest.raises(BoundExceeded, match="3 references"):
        await advertisement(f"{A} HEAD\0x\n", *(f"{A} refs/heads/{at}\n" for at in range(4)), Mark.FLUSH, most=3)


async def test_g11_sha256_repositories_are_refused_by_name():
    with pytest.raises(UnsupportedRepository, match="SHA-256"):
        await advertisement("version 2", "object-format=sha256", Mark.FLUSH)
    with pytest.raises(UnsupportedRepository, match="SHA-256"):
        await advertisement(f"{'a' * 64} HEAD\0object-format=sha256\n", Mark.FLUSH)


async def test_a_servers_own_words_are_passed_on_readably():
    with pytest.raises(RemoteRefused) as refused:
        await advertisement("ERR repository moved\x1b[31m\n")

    assert str(refused.value) == "repository moved [31m"


@pytest.mark.parametrize("lines", [["x"], [f"{A}"], ["zz refs/heads/a"], [f"{A[:39]} refs/heads/a"], [Mark.DELIMITER]])
async def test_malformed_lists_are_refused(lines):
    with pytest.raises(ProtocolViolated):
        await listing(*lines)


async def test_a_list_without_end_is_refused():
    with pytest.raises(ProtocolViolated, match="no end"):
        await git_refs.read_refs(packets(f"{A} refs/heads/a"), (), 10)


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(list(Mark))), max_size=5))
async def test_p3_any_packets_are_an_answer_or_refused(items):
    for read in (advertisement, listing):
        try:
            await read(*items)
        except GitError:
            continue
