"""The loop that programs run on: what it does otherwise than uvloop, which every connection of aiohttp goes through."""

import asyncio
import contextlib
import socket
import ssl
import struct

import pytest

from tidegate.runtime import loop


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


async def connected(server: socket.socket) -> socket.socket:
    client = socket.socket()
    client.settimeout(0)
    await asyncio.get_running_loop().sock_connect(client, server.getsockname())
    return client


def test_a_socket_handed_over_belongs_to_its_transport_alone() -> None:
    async def main() -> tuple[int, bytes]:
        with listening() as server:
            client = await connected(server)
            transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=client)
            peer, _ = server.accept()
            with contextlib.closing(transport), peer:
                transport.write(b"hello")
                return client.fileno(), await asyncio.to_thread(peer.recv, 5)

    assert loop.run(main()) == (-1, b"hello")


@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "silent"])
def test_a_handshake_that_fails_leaves_no_socket_to_close_twice(*, is_reset: bool) -> None:
    async def main() -> int:
        with listening() as server:
            client = await connected(server)
            peer, _ = server.accept()
            with peer:
                if is_reset:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    peer.close()
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(0.05):
                        await asyncio.get_running_loop().create_connection(
                            asyncio.Protocol, sock=client, ssl=ssl.create_default_context(), server_hostname="localhost"
                        )
            return client.fileno()

    assert loop.run(main()) == -1
