import hashlib
import threading
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hack.testbed.git_repo import GitRepo
from tidegate.adapters import git_packets, git_packs
from tidegate.adapters.bounds import Stopped
from tidegate.adapters.git_errors import BoundExceeded, GitError, ProtocolViolated
from tidegate.adapters.git_limits import LIMITS, GitLimits
from tidegate.adapters.git_packets import Mark
from tidegate.adapters.git_packs import PackRequest
from tidegate.adapters.git_refs import Refs, Server

A, B, C = "a" * 40, "b" * 40, "c" * 40
BLOB, OFFSET_DELTA, REFERENCE_DELTA = 3, 6, 7


def number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def entry(kind: int, content: bytes, size: int | None = None, base: bytes = b"") -> bytes:
    """One object of a pack; `size` is what it says, `base` what stands before the content of a delta."""
    said = len(content) if size is None else size
    head, said = [kind << 4 | said & 15], said >> 4
    while said:
        head[-1] |= 0x80
        head.append(said & 0x7F)
        said >>= 7
    return bytes(head) + base + zlib.compress(content)


def pack_of(*entries: bytes, count: int | None = None) -> bytes:
    body = b"PACK\0\0\0\x02" + (len(entries) if count is None else count).to_bytes(4) + b"".join(entries)
    return body + hashlib.sha1(body).digest()


def delta(result: int, base: int = 5) -> bytes:
    return number(base) + number(result) + b"\x90\x05"


def scan(pack: bytes, limits: GitLimits = LIMITS) -> int:
    return git_packs.scan(memoryview(pack), limits, threading.Event())


def test_packs_of_git_pass(tmp_path: Path):
    repo = GitRepo(tmp_path / "repo")
    for at in range(20):
        repo.commit({"a": "line\n" * 500 + str(at), f"d{at}/b": bytes(range(256)) * 40, "empty": ""})
    repo.git("repack", "-adq", "--depth=50")
    (pack,) = (tmp_path / "repo/objects/pack").glob("*.pack")

    assert scan(pack.read_bytes()) == int(repo.git("count-objects", "-v").split("in-pack: ")[1].split()[0])


BASE = entry(BLOB, b"hello")


@pytest.mark.parametrize(
    ("pack", "error"),
    [
        pytest.param(pack_of(entry(BLOB, b"x", size=1 << 40)), BoundExceeded, id="object-says-a-tebibyte"),
        pytest.param(pack_of(entry(BLOB, b"x", size=1 << 200)), BoundExceeded, id="size-without-end"),
        pytest.param(pack_of(BASE, entry(6, delta(10 << 30), base=bytes([len(BASE)]))), BoundExceeded, id="delta-bomb"),
        pytest.param(pack_of(entry(7, delta(10 << 30), base=bytes(20))), BoundExceeded, id="delta-bomb-on-any-base"),
        pytest.param(pack_of(entry(BLOB, b"x"), count=10**9), BoundExceeded, id="count"),
        pytest.param(pack_of(entry(BLOB, bytes(1 << 20), size=5)), ProtocolViolated, id="longer-than-it-says"),
        pytest.param(pack_of(entry(BLOB, b"x", size=9)), ProtocolViolated, id="shorter-than-it-says"),
        pytest.param(pack_of(entry(6, delta(5), base=b"\x01")), ProtocolViolated, id="base-is-no-object"),
        pytest.param(pack_of(entry(6, delta(5), base=b"\x00")), ProtocolViolated, id="base-is-itself"),
        pytest.param(pack_of(entry(6, delta(5), base=b"\xff" * 9 + b"\x7f")), ProtocolViolated, id="base-far-away"),
        pytest.param(pack_of(entry(7, b"\xff" * 40, base=bytes(20))), ProtocolViolated, id="malformed-delta"),
        pytest.param(pack_of(entry(5, b"x")), ProtocolViolated, id="unknown-kind"),
        pytest.param(pack_of(BASE, b"more", count=1), ProtocolViolated, id="bytes-after-the-last"),
        pytest.param(pack_of(BASE, count=2), ProtocolViolated, id="fewer-than-it-says"),
        pytest.param(pack_of(b"\x35not zlib"), ProtocolViolated, id="damaged"),
        pytest.param(pack_of(BASE)[:-1] + b"x", ProtocolViolated, id="wrong-checksum"),
        pytest.param(b"KCAP" + pack_of(BASE)[4:], ProtocolViolated, id="no-pack"),
        pytest.param(b"", ProtocolViolated, id="nothing"),
    ],
)
def test_g7_hostile_packs_are_refused(pack, error):
    with pytest.raises(error):
        scan(pack)


def test_g7_long_chains_of_deltas_are_refused():
    entries = [BASE]
    for _ in range(5):
        entries.append(entry(6, delta(5), base=bytes([len(entries[-1])])))

    assert scan(pack_of(*entries), GitLimits(delta_depth=5)) == 6
    with pytest.raises(BoundExceeded, match="4 deltas"):
        scan(pack_of(*entries), GitLimits(delta_depth=4))


def test_g7_a_bomb_within_the_bound_costs_no_memory():
    pack = pack_of(*[entry(BLOB, bytes(64 << 20))])

    tracemalloc.start()
    began = time.process_time()
    try:
        assert scan(pack) == 1
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_g7_truncated_packs_are_refused(cut):
    pack = pack_of(BASE, entry(BLOB, b"y" * 100), entry(6, delta(5), base=bytes([30])))

    with pytest.raises(ProtocolViolated):
        scan(pack[:-cut])


def test_nobody_waiting_ends_the_scan():
    stop = threading.Event()
    stop.set()

    with pytest.raises(Stopped):
        git_packs.scan(memoryview(pack_of(BASE)), GitLimits(), stop)


@given(st.binary(max_size=80), st.integers(0, 5))
def test_p3_any_bytes_are_a_pack_or_refused(body, count):
    for pack in (body, pack_of(body, count=count)):
        try:
            scan(pack)
        except GitError:
            continue


def test_a_version_2_request_names_what_we_have():
    server = Server(2, {"fetch": "shallow", "object-format": "sha1"})

    assert git_packs.encode_request(server, PackRequest((A,), (B,), (B,))) == git_packets.encode(
        "command=fetch", "object-format=sha1", Mark.DELIMITER, "thin-pack", "no-progress", "ofs-delta",
        f"shallow {B}", "deepen 1", f"want {A}", f"have {B}", "done", Mark.FLUSH,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        pytest.param(["multi_ack"], "multi_ack", id="azure-devops"),
        pytest.param(["multi_ack", "multi_ack_detailed"], "multi_ack_detailed", id="detailed"),
        pytest.param(["side-band", "ofs-delta"], "ofs-delta side-band", id="old-bands"),
        pytest.param(["side-band", "side-band-64k"], "side-band-64k", id="wide-bands"),
    ],
)
def test_a_classic_request_takes_what_the_server_has(offered, expected):
    server = Server(0, dict.fromkeys(offered, ""), Refs())

    request = git_packs.encode_request(server, PackRequest((A, C), (B,), (B,)))

    assert request == git_packets.encode(f"want {A} {expected}\n", f"want {C}\n", Mark.FLUSH, f"have {B}\n", "done\n")


def test_a_classic_request_is_shallow_only_where_the_server_can_be():
    server = Server(0, {"shallow": ""}, Refs())

    request = git_packs.encode_request(server, PackRequest((A,), (B,), (B,)))

    assert git_packets.encode(f"shallow {B}\n", "deepen 1\n", Mark.FLUSH, f"have {B}\n", "done\n") in request


@pytest.mark.parametrize(
    ("server", "allowed"),
    [
        (Server(2, {}), True),
        (Server(0, {}, Refs(oids={"refs/heads/x": A})), True),
        (Server(0, {}, Refs(oids={"refs/heads/x": B})), False),
        (Server(0, {"allow-tip-sha1-in-want": ""}, Refs()), True),
        (Server(0, {"allow-reachable-sha1-in-want": ""}, Refs()), True),
    ],
)
def test_whether_a_commit_may_be_asked_for_by_its_name(server, allowed):
    assert git_packs.can_want(server, A) is allowed
