"""Small HTTP listeners: /healthz and /readyz on one address, /metrics on another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from tidegate.runtime import metrics
from tidegate.runtime.errors import TidegateError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BadAddress(TidegateError):
    """An address to listen on is not `host:port` or cannot be bound."""


def split_address(address: str) -> tuple[str | None, int]:
    """Host and port of Go's form of an address; ":8080" is every interface (None). Raises: BadAddress."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        raise BadAddress(f"cannot listen on {address!r}: it is not host:port")
    return host.strip("[]") or None, int(port)


@asynccontextmanager
async def listening(app: web.Application, address: str) -> AsyncIterator[str]:
    """Serve `app` on `address` (Go's form: ":8080" is every interface) inside; yields the bound `host:port`.

    Raises: BadAddress.
    """
    host, port = split_address(address)
    # Handlers are cancelled when their client goes away, and shutdown does not wait for slow ones.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=5.0)
    await runner.setup()
    try:
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
        except (OSError, OverflowError) as error:
            raise BadAddress(f"cannot listen on {address!r}: {error}") from error
        bound = runner.addresses[0]
        yield f"{bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()


def probes(ready: Callable[[], bool]) -> web.Application:
    """/healthz answers while the loop runs; /readyz once `ready()`."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_request: web.Request) -> web.Response:
        return web.Response(text="ok") if ready() else web.Response(status=503, text="caches are not synced")

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    return app


def metrics_page() -> web.Application:
    """/metrics in the Prometheus text format."""

    async def page(_request: web.Request) -> web.Response:
        body, content_type = metrics.render()
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application()
    app.router.add_get("/metrics", page)
    return app


async def serve(app: web.Application, address: str) -> None:
    """Serve `app` until cancelled. Raises: BadAddress."""
    async with listening(app, address):
        await asyncio.Event().wait()
