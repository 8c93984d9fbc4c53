"""The proxy between a real client and a small real server: what passes, what goes wrong, who sees it."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from hack.controlplane.certificates import Authority
from hack.testbed import faults
from hack.testbed.fault_proxy import Dropped, Exchange, FaultProxy
from hack.testbed.faults import Close, Cut, Delay, End, Lose, Silence

LOST = (aiohttp.ClientError, ConnectionError)


class Upstream:
    """Echoes what it gets; `/stream` writes a chunk for each item that the test gives it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.headers: dict[str, str] = {}
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self.address = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append((request.method, request.raw_path, body))
        self.headers = dict(request.headers)
        if request.path == "/stream":
            return await self._stream(request)
        if request.path == "/gzip":
            return web.Response(body=gzip.compress(b"packed"), headers={"Content-Encoding": "gzip"})
        return web.Response(status=201, body=b"0123456789" * 10, headers={"X-Mark": "kept", "Location": "/elsewhere"})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while chunk := await self.chunks.get():
            await response.write(chunk)
        return response


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    server = Upstream()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
async def proxy(upstream: Upstream) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(upstream.address) as running:
        yield running


@pytest.fixture
async def client(proxy: FaultProxy) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(proxy.address, timeout=timeout, auto_decompress=False) as session:
        yield session


async def status(client: aiohttp.ClientSession, path: str = "/a", method: str = "GET") -> int:
    async with client.request(method, path) as response:
        await response.read()
        return response.status


async def test_a_request_and_its_answer_pass_as_they_are(client: aiohttp.ClientSession, upstream: Upstream) -> None:
    path = "/a%2Fb/c?x=1&y=%20z"
    async with client.put(path, data=b"body", headers={"X-Own": "1"}, allow_redirects=False) as response:
        body = await response.read()

    assert upstream.seen == [("PUT", path, b"body")]
    assert upstream.headers["X-Own"] == "1"
    assert "Accept-Encoding" in upstream.headers  # the client's own
    assert (response.status, response.headers["X-Mark"], response.headers["Location"]) == (201, "kept", "/elsewhere")
    assert body == b"0123456789" * 10
    assert response.headers["Content-Length"] == "100"


async def test_a_chunked_body_passes(client: aiohttp.ClientSession, upstream: Upstream) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with client.post("/a", data=parts()):
        pass

    assert upstream.seen[0][2] == b"onetwo"


async def test_compressed_content_is_not_unpacked(client: aiohttp.ClientSession) -> None:
    async with client.get("/gzip") as response:
        body = await response.read()

    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == b"packed"


async def test_a_stream_passes_piece_by_piece(client: aiohttp.ClientSession, upstream: Upstream) -> None:
    async with client.get("/stream") as response:
        upstream.chunks.put_nowait(b"first")
        assert await response.content.readany() == b"first"
        upstream.chunks.put_nowait(b"second")
        assert await response.content.readany() == b"second"


async def test_only_the_described_requests_are_answered_with_a_fault(
    client: aiohttp.ClientSession, proxy: FaultProxy, upstream: Upstream
) -> None:
    with proxy.having(faults.gone(), method="GET", path="^/pods", query={"watch": "true"}, skip=1, times=1) as rule:
        asked = ["/pods?watch=true", "/pods?watch=true", "/pods", "/nodes?watch=true", "/pods?watch=true"]
        statuses = [await status(client, path) for path in asked]

    assert statuses == [201, 410, 201, 201, 201]
    assert rule.hits == 1
    assert len(upstream.seen) == 4
    assert await status(client, "/pods?watch=true") == 201


async def test_429_carries_the_time_to_wait(client: aiohttp.ClientSession, proxy: FaultProxy) -> None:
    proxy.add(faults.too_many_requests(7))
    async with client.get("/a") as response:
        body = await response.json()

    assert (response.status, response.headers["Retry-After"]) == (429, "7")
    assert (body["kind"], body["code"]) == ("Status", 429)


async def test_a_delay_holds_a_request_back_and_lets_other_faults_through(
    client: aiohttp.ClientSession, proxy: FaultProxy
) -> None:
    proxy.add(Delay(0.05))
    proxy.add(faults.unavailable())
    loop = asyncio.get_running_loop()
    began = loop.time()

    assert await status(client) == 503
    assert loop.time() - began >= 0.05


async def test_f3_a_stream_that_ends_at_once_ends_properly(client: aiohttp.ClientSession, proxy: FaultProxy) -> None:
    proxy.add(Cut(0, End.COMPLETE))
    async with client.get("/a") as response:
        assert (response.status, await response.read()) == (201, b"")


@pytest.mark.parametrize("end", [End.RESET, End.CLOSE])
async def test_f34_an_answer_is_cut_after_so_many_bytes(
    end: End, client: aiohttp.ClientSession, proxy: FaultProxy
) -> None:
    proxy.add(Cut(25, end))
    async with client.get("/a") as response:
        assert await response.content.readexactly(25) == b"0123456789012345678901234"
        with pytest.raises(LOST):
            await response.read()


async def test_close_at_once_never_reaches_the_server(
    client: aiohttp.ClientSession, proxy: FaultProxy, upstream: Upstream
) -> None:
    with proxy.having(Close()) as rule, pytest.raises(LOST):
        await status(client, method="POST")

    assert upstream.seen == []
    assert rule.hits == 1


async def test_f6_a_lost_answer_has_reached_the_server(
    client: aiohttp.ClientSession, proxy: FaultProxy, upstream: Upstream
) -> None:
    with proxy.having(Lose()), pytest.raises(LOST):
        await status(client, method="POST")

    assert len(upstream.seen) == 1


async def test_f4_silence_answers_nothing_and_ends_nothing(
    client: aiohttp.ClientSession, proxy: FaultProxy, upstream: Upstream
) -> None:
    proxy.add(Silence(), path="^/quiet")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await status(client, "/quiet")
    assert upstream.seen == []
    assert await status(client, "/other") == 201


async def test_f4_a_running_stream_falls_silent_and_stays_so(
    client: aiohttp.ClientSession, proxy: FaultProxy, upstream: Upstream
) -> None:
    async with client.get("/stream") as response:
        upstream.chunks.put_nowait(b"heard")
        assert await response.content.readany() == b"heard"
        with proxy.having(Silence(), path="/stream"):
            upstream.chunks.put_nowait(b"unheard")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await response.content.readany()


async def test_running_requests_can_be_reset(
    client: aiohttp.ClientSession, proxy: FaultProxy, upstream: Upstream
) -> None:
    async with client.get("/stream") as response:
        upstream.chunks.put_nowait(b"begun")
        await response.content.readany()

        assert proxy.reset_connections(path="/other") == 0
        assert proxy.reset_connections(path="/stream") == 1
        with pytest.raises(LOST):
            await response.read()


async def test_a_hook_sees_a_request_before_and_after_the_server(
    client: aiohttp.ClientSession, proxy: FaultProxy, upstream: Upstream
) -> None:
    seen: list[tuple[int, str, bytes, int, int]] = []

    async def hook(exchange: Exchange) -> None:
        seen.append((exchange.n, exchange.phase, exchange.body, exchange.status, len(upstream.seen)))

    proxy.observe(hook, method="PATCH")
    await status(client)
    for body in (b"one", b"two"):
        async with client.patch("/a", data=body):
            pass

    assert seen == [
        (1, "before", b"one", 0, 1),
        (1, "after", b"one", 201, 2),
        (2, "before", b"two", 0, 2),
        (2, "after", b"two", 201, 3),
    ]
    assert [entry[2] for entry in upstream.seen] == [b"", b"one", b"two"]


@pytest.mark.parametrize(("phase", "reached"), [("before", 0), ("after", 1)])
async def test_a_hook_can_drop_a_request_on_either_side(
    phase: str, reached: int, client: aiohttp.ClientSession, proxy: FaultProxy, upstream: Upstream
) -> None:
    async def hook(exchange: Exchange) -> None:
        if exchange.phase == phase:
            raise Dropped

    proxy.observe(hook)
    with pytest.raises(LOST):
        await status(client, method="POST")

    assert len(upstream.seen) == reached


async def test_a_server_that_is_gone_looks_gone() -> None:
    async with FaultProxy("http://127.0.0.1:1") as proxy, aiohttp.ClientSession(proxy.address) as client:
        with pytest.raises(LOST):
            await status(client)


async def test_tls_on_both_sides(tmp_path: Path, upstream: Upstream) -> None:
    authority = Authority(tmp_path)
    async with (
        FaultProxy(upstream.address, tls=authority.issue_server("inner")) as inner,
        FaultProxy(inner.address, authority=authority.certificate) as outer,
        aiohttp.ClientSession(outer.address) as client,
    ):
        assert inner.address.startswith("https:")
        assert await status(client) == 201


async def test_it_ends_with_requests_under_way(upstream: Upstream) -> None:
    async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as tasks:
        async with FaultProxy(upstream.address) as proxy:
            proxy.add(Silence(), path="/quiet")
            quiet = tasks.create_task(is_lost(client, f"{proxy.address}/quiet"))
            running = await client.get(f"{proxy.address}/stream")
        with pytest.raises(LOST):
            await running.read()

    assert quiet.result()


async def is_lost(client: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with client.get(url):
            return False
    except LOST:
        return True
