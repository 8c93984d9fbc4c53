"""Packet lines: the frames that everything in Git's protocol travels in. Decoded as they come, within their bound."""

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from enum import Enum

from tidegate.adapters.git_errors import ProtocolViolated

LONGEST = 65_520

DATA_BAND = 1
PROGRESS_BAND = 2
ERROR_BAND = 3


class Mark(Enum):
    """The frames without content."""

    FLUSH = b"0000"
    DELIMITER = b"0001"
    END = b"0002"


_MARKS = {mark.value: mark for mark in Mark}

Packet = bytes | Mark


def encode(*packets: str | bytes | Mark) -> bytes:
    """`packets` as they go over the wire."""
    return b"".join(packet.value if isinstance(packet, Mark) else _frame(packet) for packet in packets)


class Decoder:
    """Bytes in, packets out; keeps at most one unfinished packet."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> Iterator[Packet]:
        """The packets that `piece` completes.

        Raises:
            ProtocolViolated: no packet begins where one should.
        """
        self._buffer += piece
        position = 0
        while (size := self._size(position)) is not None and len(self._buffer) >= position + max(size, 4):
            if size < 4:
                yield _MARKS[bytes(self._buffer[position : position + 4])]
                position += 4
            else:
                yield bytes(self._buffer[position + 4 : position + size])
                position += size
        del self._buffer[:position]

    def require_complete(self) -> None:
        """
        Raises:
            ProtocolViolated: the bytes ended inside a packet.
        """
        if self._buffer:
            raise ProtocolViolated("the server ended in the middle of a packet")

    def _size(self, position: int) -> int | None:
        """How long the packet at `position` says it is, 0 to 2 for a mark, None before that is known."""
        head = bytes(self._buffer[position : position + 4])
        if len(head) < 4:
            return None
        if head in _MARKS:
            return int(head)
        try:
            size = int(head, 16) if head.isalnum() else -1
        except ValueError:
            size = -1
        if not 4 <= size <= LONGEST:
            raise ProtocolViolated("the server sent a malformed packet line")
        return size


async def decode(pieces: AsyncIterable[bytes]) -> AsyncIterator[Packet]:
    """The packets in `pieces`, which must end with the last.

    Raises:
        ProtocolViolated: they do not hold packets.
    """
    decoder = Decoder()
    async for piece in pieces:
        for packet in decoder.feed(piece):
            yield packet
    decoder.require_complete()


def _frame(content: str | bytes) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return b"%04x" % (len(raw) + 4) + raw
