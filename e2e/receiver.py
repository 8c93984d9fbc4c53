"""Stands in for notification-controller: takes what controllers post and keeps it."""

from types import TracebackType
from typing import Any, Self

from aiohttp import web

from e2e import waiting
from hack.controlplane.api import JsonObject


class EventReceiver:
    """Listens on loopback; `async with`."""

    def __init__(self) -> None:
        self.posted: list[JsonObject] = []
        app = web.Application()
        app.router.add_post("/", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    def about(self, namespace: str, kind: str, reason: str = "") -> list[JsonObject]:
        """What was posted about objects of a kind in a namespace."""
        return [
            event
            for event in self.posted
            if (event["involvedObject"]["namespace"], event["involvedObject"]["kind"]) == (namespace, kind)
            and reason in ("", event["reason"])
        ]

    async def until(self, namespace: str, kind: str, reason: str, seconds: float = 10.0) -> JsonObject:
        """The first event of this sort, waited for."""
        await waiting.until(lambda: bool(self.about(namespace, kind, reason)), f"{reason} of {kind} posted", seconds)
        return self.about(namespace, kind, reason)[0]

    async def _take(self, request: web.Request) -> web.Response:
        body: Any = await request.json()
        self.posted.append(body)
        return web.Response(status=202)
