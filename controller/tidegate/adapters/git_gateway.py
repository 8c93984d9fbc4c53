"""Where libgit2 gets its packs: from us, over loopback, and never from a server.

pygit2 can take in a pack only by fetching it. So a pack that was received, bounded and looked through already is
offered once under a random path of a `git://` address of this machine, and libgit2 fetches that: it sees no server, no
credential and no network that could be slow.
"""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import IO, Self

from tidegate.adapters import git_packets
from tidegate.adapters.git_errors import ProtocolViolated
from tidegate.adapters.git_objects import INCOMING
from tidegate.adapters.git_packets import Mark, Packet
from tidegate.runtime import clock

_PIECE = 1 << 18
_LONGEST_TALK = timedelta(minutes=30)
_CAPABILITIES = "thin-pack ofs-delta shallow agent=tidegate"


@dataclass(frozen=True)
class Offer:
    """A pack that brings `oid`; `shallow` are the commits in it whose parents are not."""

    oid: str
    shallow: tuple[str, ...]
    pack: IO[bytes]


class Gateway:
    """Serves offers on 127.0.0.1, each once, to whom knows its path; an async context manager."""

    def __init__(self) -> None:
        self._offers: dict[str, Offer] = {}
        self._stack = AsyncExitStack()
        self._port = 0
        self._talks: set[asyncio.StreamWriter] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def __aenter__(self) -> Self:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        await self._stack.enter_async_context(server)
        self._port = server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        for writer in self._talks:
            writer.transport.abort()
        await self._quiet.wait()

    @contextmanager
    def offer(self, offer: Offer) -> Iterator[str]:
        """The address that `offer` can be fetched from while inside."""
        token = secrets.token_urlsafe(32)
        self._offers[token] = offer
        try:
            yield f"git://127.0.0.1:{self._port}/{token}"
        finally:
            self._offers.pop(token, None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._talks.add(writer)
        self._quiet.clear()
        try:
            with suppress(OSError, EOFError, ProtocolViolated, TimeoutError):
                async with clock.limit(_LONGEST_TALK):
                    await self._talk(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()
            self._talks.discard(writer)
            if not self._talks:
                self._quiet.set()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A server's side of protocol v0 over a socket, for a client that wants the one thing there is."""
        greeting = await _read(reader)
        offer = self._offers.pop(_path(greeting), None)
        if offer is None:
            return
        writer.write(git_packets.encode(f"{offer.oid} {INCOMING}\0{_CAPABILITIES}\n", Mark.FLUSH))
        deepens = False
        while (packet := await _read(reader)) != b"done\n":
            if packet is Mark.FLUSH and deepens:
                writer.write(git_packets.encode(*(f"shallow {oid}" for oid in offer.shallow), Mark.FLUSH))
                deepens = False
            elif packet is Mark.FLUSH:
                writer.write(git_packets.encode("NAK\n"))
            else:
                deepens = deepens or (isinstance(packet, bytes) and packet.startswith(b"deepen "))
        writer.write(git_packets.encode("NAK\n"))
        # Without side-band, which was not offered, the pack follows as it is. It is on local disk or in memory, and the
        # pool's threads may all be waiting for it: it is read here.
        while piece := offer.pack.read(_PIECE):
            writer.write(piece)
            await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Packet:
    """The next packet.

    Raises:
        ProtocolViolated, EOFError.
    """
    head = await reader.readexactly(4)
    if head in (Mark.FLUSH.value, Mark.DELIMITER.value):
        return Mark(head)
    try:
        size = int(head, 16)
    except ValueError as error:
        raise ProtocolViolated("no packet") from error
    if not 4 < size <= git_packets.LONGEST:
        raise ProtocolViolated("no packet")
    return await reader.readexactly(size - 4)


def _path(greeting: Packet) -> str:
    """The path in "git-upload-pack /PATH\\0host=…"."""
    if isinstance(greeting, Mark):
        return ""
    command, _, rest = greeting.partition(b" /")
    return rest.partition(b"\0")[0].decode("ascii", "replace") if command == b"git-upload-pack" else ""
