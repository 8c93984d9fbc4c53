"""Servers on loopback for the Git tests: real ones, and ones that answer whatever a test says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from hack.controlplane.certificates import Authority
from hack.testbed.git_server import GitServer
from tidegate.adapters.git_remotes import GitRemotes

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[..., Awaitable[str]]


class PatientServer(GitServer):
    """Lets git end by itself when a client hangs up, which aborted clients do here on purpose."""

    def __init__(self, directory: Path, group: asyncio.TaskGroup) -> None:
        super().__init__(directory)
        self._group = group

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        return await asyncio.shield(self._group.create_task(super()._answer(request)))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    async with asyncio.TaskGroup() as group, PatientServer(tmp_path / "served", group) as running:
        yield running


@pytest.fixture
async def remotes(tmp_path: Path) -> AsyncIterator[GitRemotes]:
    async with GitRemotes(tmp_path / "git") as opened:
        yield opened


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a server that answers every request with a handler; the result is its address."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler, tls: ssl.SSLContext | None = None) -> str:
            app = web.Application(client_max_size=0)
            app.router.add_route("*", "/{path:.*}", handler)
            runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
            return f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"

        yield start


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
