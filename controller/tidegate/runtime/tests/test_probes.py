"""/healthz, /readyz and /metrics over loopback HTTP."""

import asyncio
import socket

import aiohttp
import pytest
from aiohttp import web

from tidegate.runtime import probes
from tidegate.runtime.probes import BadAddress
from tidegate.runtime.testing import loop as loops

ANYWHERE = "127.0.0.1:0"


async def get(address: str, path: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}{path}") as response:
        return response.status, await response.text(), response.headers["Content-Type"]


async def test_healthz_answers():
    async with probes.listening(probes.probes(lambda: False), ANYWHERE) as address:
        assert (await get(address, "/healthz"))[:2] == (200, "ok")


async def test_readyz_answers_once_ready():
    ready = False
    async with probes.listening(probes.probes(lambda: ready), ANYWHERE) as address:
        assert (await get(address, "/readyz"))[0] == 503
        ready = True
        assert (await get(address, "/readyz"))[0] == 200


async def test_metrics_are_in_prometheus_text_format():
    async with probes.listening(probes.metrics_page(), ANYWHERE) as address:
        status, text, content_type = await get(address, "/metrics")

    assert (status, content_type.split(";")[0]) == (200, "text/plain")
    assert "# TYPE gotk_reconcile_duration_seconds histogram" in text
    assert "# TYPE rest_client_requests_total counter" in text


async def test_other_paths_are_not_there():
    async with probes.listening(probes.metrics_page(), ANYWHERE) as address:
        assert (await get(address, "/"))[0] == 404


@pytest.mark.parametrize("address", ["", "8080", "127.0.0.1", "127.0.0.1:port", "127.0.0.1:99999", "192.0.2.1:8080"])
async def test_bad_address_is_told(address: str):
    with pytest.raises(BadAddress, match="cannot listen"):
        async with probes.listening(web.Application(), address):
            pass


async def test_taken_address_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BadAddress):
            async with probes.listening(web.Application(), f"127.0.0.1:{taken.getsockname()[1]}"):
                pass


@pytest.fixture
def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("address", "place"),
    [(":8080", (None, 8080)), ("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:9440", ("::1", 9440)), ("a.b:1", ("a.b", 1))],
)
def test_address_without_a_host_is_every_interface(address: str, place: tuple[str | None, int]):
    assert probes.split_address(address) == place


async def test_serve_serves_until_cancelled(free_port: int):
    address = f"127.0.0.1:{free_port}"
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(probes.serve(probes.probes(lambda: True), address))
        await loops.settle()
        assert (await get(address, "/healthz"))[0] == 200
        serving.cancel()

    with pytest.raises(aiohttp.ClientConnectorError):
        await get(address, "/healthz")
