"""Starts the event loop. THE door to uvloop."""

import asyncio
import socket
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


class _Loop(uvloop.Loop):
    """uvloop, but a socket handed over to a transport has one owner.

    libuv closes the descriptor of a transport, and the socket object that it came from closes the same number once more
    when it is collected after a connection that broke while it was being made (MagicStack/uvloop#738, still so in
    0.23.0 for TLS). By then the number may be another connection's, which is cut, or written to in its place.
    """

    async def create_connection(self, *args: Any, sock: socket.socket | None = None, **kwargs: Any) -> Any:
        """As asyncio's; `sock` is detached in the end, whatever the end is."""
        try:
            return await super().create_connection(*args, sock=sock, **kwargs)
        finally:
            if sock is not None:
                sock.detach()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on uvloop."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)
