"""Packs: asked for, received, and looked through before any library sees them.

A pack of a few bytes can describe objects of any size. `scan` inflates everything once, in pieces, and lets only
packs through whose objects, as sent and as built from their deltas, are within bounds.
"""

import hashlib
import threading
import zlib
from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from tidegate.adapters import bounds, git_packets, git_refs
from tidegate.adapters.git_errors import BoundExceeded, ProtocolViolated, ReferenceNotFound, RemoteRefused
from tidegate.adapters.git_limits import GitLimits
from tidegate.adapters.git_packets import Mark, Packet
from tidegate.adapters.git_refs import Server
from tidegate.adapters.redaction import readable

_HASH_SIZE = 20
_PIECE = 1 << 16
_OUTPUT = 1 << 20
_OFFSET_DELTA = 6
_REFERENCE_DELTA = 7
_KINDS = frozenset((1, 2, 3, 4, _OFFSET_DELTA, _REFERENCE_DELTA))


@dataclass(frozen=True)
class PackRequest:
    """What to ask for: `shallow` are those of `haves` whose parents are not here; `depth` 0 means all history."""

    wants: tuple[str, ...]
    haves: tuple[str, ...] = ()
    shallow: tuple[str, ...] = ()
    depth: int = 1


def can_want(server: Server, oid: str) -> bool:
    """Whether the server will send any object by its name, and not only what its references point at."""
    if server.version == 2:
        return True
    tips = server.refs.oids.values() if server.refs else ()
    return oid in tips or any(server.has(f"allow-{which}-sha1-in-want") for which in ("tip", "reachable", "any"))


def encode_request(server: Server, request: PackRequest) -> bytes:
    """The one request that brings the pack: what we have is known beforehand, so nothing is negotiated."""
    return _encode_v2(server, request) if server.version == 2 else _encode_classic(server, request)


def _encode_v2(server: Server, request: PackRequest) -> bytes:
    arguments = ["thin-pack", "no-progress", "ofs-delta"]
    if request.depth and server.has("fetch.shallow"):
        arguments += [f"shallow {oid}" for oid in request.shallow]
        arguments.append(f"deepen {request.depth}")
    arguments += [f"want {oid}" for oid in request.wants]
    arguments += [f"have {oid}" for oid in request.haves]
    head = ["command=fetch", *git_refs.common_capabilities(server)]
    return git_packets.encode(*head, Mark.DELIMITER, *arguments, "done", Mark.FLUSH)


def _encode_classic(server: Server, request: PackRequest) -> bytes:
    # Azure DevOps answers 400 to a client that does not offer multi_ack.
    wished = ("multi_ack_detailed", "side-band-64k", "thin-pack", "ofs-delta", "no-progress", "shallow")
    ours = [name for name in wished if server.has(name)]
    if "multi_ack_detailed" not in ours and server.has("multi_ack"):
        ours.insert(0, "multi_ack")
    if "side-band-64k" not in ours and server.has("side-band"):
        ours.append("side-band")
    if server.has("agent"):
        ours.append(f"agent={git_refs.AGENT}")
    first, *others = request.wants
    lines: list[str | Mark] = [f"want {first} {' '.join(ours)}\n", *(f"want {oid}\n" for oid in others)]
    if request.depth and server.has("shallow"):
        lines += [f"shallow {oid}\n" for oid in request.shallow]
        lines.append(f"deepen {request.depth}\n")
    lines.append(Mark.FLUSH)
    lines += [f"have {oid}\n" for oid in request.haves]
    return git_packets.encode(*lines, "done\n")


async def read_answer(
    packets: AsyncIterator[Packet], write: Callable[[bytes], Awaitable[None]], most: int
) -> tuple[str, ...]:
    """Give the bytes of the pack to `write`; the result are the commits whose parents the server left out.

    Both protocol versions put lines first and then bands; which lines, differs, and only the shallow ones matter.

    Raises:
        RemoteRefused, ReferenceNotFound, ProtocolViolated, BoundExceeded.
    """
    shallow: list[str] = []
    received = 0
    async for packet in packets:
        received += 4 if isinstance(packet, Mark) else len(packet)
        if received > most:
            raise BoundExceeded(f"{most} bytes in one pack")
        if isinstance(packet, Mark) or not packet:
            continue
        if packet[0] == git_packets.DATA_BAND:
            await write(packet[1:])
        elif packet[0] == git_packets.ERROR_BAND:
            raise RemoteRefused(readable(packet[1:]))
        elif packet[0] != git_packets.PROGRESS_BAND:
            _read_line(packet, shallow)
    return tuple(shallow)


def _read_line(packet: bytes, shallow: list[str]) -> None:
    try:
        line = git_refs.check_line(packet)
    except RemoteRefused as error:
        if "not our ref" in str(error):
            raise ReferenceNotFound(str(error).rpartition(" ")[2], str(error)) from error
        raise
    if line.startswith(b"shallow "):
        oid = line.removeprefix(b"shallow ").decode("ascii", "replace")
        if not git_refs.is_oid(oid) or len(shallow) >= 10_000:
            raise ProtocolViolated("the server sent malformed shallow lines")
        shallow.append(oid)


def scan(pack: memoryview, limits: GitLimits, stop: threading.Event) -> int:
    """Look through the whole of `pack`; the result is the number of its objects. Blocks: belongs into a thread.

    Raises:
        ProtocolViolated: it is no complete pack.
        BoundExceeded: an object, or a delta's result, or a chain of deltas, is too large.
        Stopped: `stop` was set.
    """
    if len(pack) < 12 + _HASH_SIZE or bytes(pack[:4]) != b"PACK" or int.from_bytes(pack[4:8]) not in (2, 3):
        raise ProtocolViolated("the server sent no pack")
    if hashlib.sha1(pack[:-_HASH_SIZE], usedforsecurity=False).digest() != bytes(pack[-_HASH_SIZE:]):
        raise ProtocolViolated("the server sent a pack with a wrong checksum: it is damaged or truncated")
    count = int.from_bytes(pack[8:12])
    if count > limits.objects:
        raise BoundExceeded(f"{limits.objects} objects in one pack")
    scanner = _Scanner(pack[:-_HASH_SIZE], limits)
    for _ in range(count):
        bounds.require_wanted(stop)
        scanner.pass_object()
    if not scanner.is_at_end:
        raise ProtocolViolated("the server sent a pack with more bytes than objects")
    return count


class _Scanner:
    def __init__(self, pack: memoryview, limits: GitLimits) -> None:
        self._pack = pack
        self._limits = limits
        self._position = 12
        self._starts = array("Q")
        self._depths = array("H")

    @property
    def is_at_end(self) -> bool:
        return self._position == len(self._pack)

    def pass_object(self) -> None:
        start = self._position
        kind, size = self._head()
        if kind not in _KINDS:
            raise ProtocolViolated("the server sent a pack with an object of unknown kind")
        self._require_size(size)
        depth = self._depth(start, kind)
        begin = self._inflate(size)
        if kind in (_OFFSET_DELTA, _REFERENCE_DELTA):
            self._require_size(_delta_result(begin))
        self._starts.append(start)
        self._depths.append(depth)

    def _head(self) -> tuple[int, int]:
        byte = self._byte()
        kind, size, shift = (byte >> 4) & 7, byte & 15, 4
        while byte & 0x80:
            byte = self._byte()
            size |= (byte & 0x7F) << shift
            shift += 7
            self._require_size(size)
        return kind, size

    def _depth(self, start: int, kind: int) -> int:
        """How many deltas stand on one another; a base named by its hash may be anywhere, and counts as one."""
        if kind == _REFERENCE_DELTA:
            self._position += _HASH_SIZE
            return 1
        if kind != _OFFSET_DELTA:
            return 0
        base = start - self._offset()
        index = bisect_left(self._starts, base)
        if index == len(self._starts) or self._starts[index] != base:
            raise ProtocolViolated("the server sent a delta whose base is no object of the pack")
        depth = self._depths[index] + 1
        if depth > self._limits.delta_depth:
            raise BoundExceeded(f"{self._limits.delta_depth} deltas on one another")
        return depth

    def _offset(self) -> int:
        byte = self._byte()
        offset = byte & 0x7F
        while byte & 0x80:
            byte = self._byte()
            offset = ((offset + 1) << 7) | (byte & 0x7F)
            if offset > len(self._pack):
                raise ProtocolViolated("the server sent a delta whose base is no object of the pack")
        return offset

    def _inflate(self, size: int) -> bytes:
        """Pass the zlib stream of `size` bytes at the position; the result are its first few bytes."""
        inflate = zlib.decompressobj()
        begin, left = b"", size
        # A stream is rarely longer than what it holds: feeding no more than that spares copying what follows it.
        portion = min(size + 64, _PIECE)
        while not inflate.eof:
            piece = inflate.unconsumed_tail or self._pack[self._position : self._position + portion]
            if not inflate.unconsumed_tail:
                self._position += len(piece)
            if not len(piece):
                raise ProtocolViolated("the server sent a truncated pack")
            try:
                output = inflate.decompress(piece, min(left + 1, _OUTPUT))
            except zlib.error as error:
                raise ProtocolViolated("the server sent a pack with a damaged object") from error
            left -= len(output)
            begin = begin or output[:32]
            if left < 0:
                raise ProtocolViolated("the server sent an object that is longer than it says")
        if left:
            raise ProtocolViolated("the server sent an object that is shorter than it says")
        self._position -= len(inflate.unused_data)
        return begin

    def _byte(self) -> int:
        if self._position >= len(self._pack):
            raise ProtocolViolated("the server sent a truncated pack")
        self._position += 1
        return self._pack[self._position - 1]

    def _require_size(self, size: int) -> None:
        if size > self._limits.object_size:
            raise BoundExceeded(f"{self._limits.object_size} bytes in one object")


def _delta_result(begin: bytes) -> int:
    """The size of what a delta makes: the second number at its begin."""
    numbers, number, shift = [], 0, 0
    for byte in begin:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number, shift = 0, 0
            if len(numbers) == 2:
                return numbers[1]
    raise ProtocolViolated("the server sent a malformed delta")
