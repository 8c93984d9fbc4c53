"""A reverse proxy before any HTTP server: passes everything on as it comes, except what a test wants to go wrong.

    async with FaultProxy(plane.server, authority=plane.authority.certificate) as proxy:
        config = plane.kubeconfig("admin", server=proxy.address)
        with proxy.having(faults.gone(), query={"watch": "true"}, times=1) as rule:
            …
        assert rule.hits == 1

Hooks see requests before and after they are passed on: `proxy.observe(hook, method="PATCH")` is how a test kills
a process exactly between two writes.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from hack.controlplane.certificates import KeyPair
from hack.testbed.faults import Answer, Close, Cut, Delay, End, Fault, Lose, Match, MatchFields, Silence

HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
BODY_LIMIT = 64 * 1024 * 1024
LINGER_ZERO = struct.pack("ii", 1, 0)


class Phase(StrEnum):
    BEFORE = "before"
    """The server has not heard of the request."""
    AFTER = "after"
    """The server has answered; the client has not heard of it."""


@dataclass(frozen=True)
class Exchange:
    """One request on its way, as a hook sees it."""

    n: int
    """The how manyth it is that the hook sees, from 1; the same in both phases."""
    phase: Phase
    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    status: int = 0
    """The server's answer, after."""


class Dropped(Exception):
    """Raised by a hook: the connection is reset here. Before: the server never hears of the request."""


Hook = Callable[[Exchange], Awaitable[None]]


@dataclass
class Rule:
    """A fault that is in force, and how often it has struck."""

    fault: Fault
    match: Match
    seen: int = 0
    hits: int = 0


@dataclass
class _Observer:
    hook: Hook
    match: Match
    seen: int = 0


@dataclass
class _Passing:
    """A request while it is under way: who looks at it, and what has been read of it."""

    request: web.Request
    observers: list[tuple[_Observer, int]] = field(default_factory=list)
    body: bytes = b""

    def exchange(self, n: int, phase: Phase, status: int = 0) -> Exchange:
        asked = self.request
        return Exchange(n, phase, asked.method, asked.path, asked.query, self.body, status)


class FaultProxy:
    """Stands before `upstream`. Plain HTTP towards the client, or HTTPS with `tls`; both towards the server."""

    def __init__(self, upstream: str, *, authority: Path | None = None, tls: KeyPair | None = None) -> None:
        self._upstream = upstream.rstrip("/")
        self._client_tls = ssl.create_default_context(cafile=authority) if authority else None
        self._server_tls = _server_context(tls) if tls else None
        self._exit = contextlib.AsyncExitStack()
        self._port = 0
        self._session: aiohttp.ClientSession | None = None
        self._rules: list[Rule] = []
        self._observers: list[_Observer] = []
        self._running: dict[int, web.Request] = {}  # requests compare as mappings do: only ids tell them apart

    async def __aenter__(self) -> Self:
        # As it comes, as it goes: no header added, nothing unpacked, no redirect followed, no cookie kept.
        self._session = await self._exit.enter_async_context(
            aiohttp.ClientSession(
                auto_decompress=False,
                connector=aiohttp.TCPConnector(ssl=self._client_tls or True, limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        )
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1, auto_decompress=False
        )
        await runner.setup()
        self._exit.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._server_tls).start()
        self._port = runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.reset_connections()
        await self._exit.aclose()

    @property
    def address(self) -> str:
        """The proxy's own URL."""
        return f"{'https' if self._server_tls else 'http'}://127.0.0.1:{self._port}"

    def add(self, fault: Fault, **match: Unpack[MatchFields]) -> Rule:
        """From now on this happens to the requests that faults.Match of these fields describes."""
        rule = Rule(fault, Match(**match))
        self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """The fault is over; what has fallen silent stays so."""
        self._rules.remove(rule)

    @contextlib.contextmanager
    def having(self, fault: Fault, **match: Unpack[MatchFields]) -> Iterator[Rule]:
        """The fault is in force inside the block."""
        rule = self.add(fault, **match)
        try:
            yield rule
        finally:
            self.remove(rule)

    def observe(self, hook: Hook, **match: Unpack[MatchFields]) -> None:
        """The hook is awaited before and after each request that is described; meanwhile the request waits."""
        self._observers.append(_Observer(hook, Match(**match)))

    def reset_connections(self, **match: Unpack[MatchFields]) -> int:
        """Resets every connection with a request under way, watches above all; returns how many there were."""
        wanted = Match(**match)
        struck = [request for request in self._running.values() if wanted.describes(*_facts(request))]
        for request in struck:
            _reset(request)
        return len(struck)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._running[id(request)] = request
        try:
            return await self._go_wrong_or_pass(request)
        except (Dropped, aiohttp.ClientError, ConnectionError):
            # Also when the server is gone: to the client that looks as it would without us.
            _reset(request)
            return await _forever()
        finally:
            del self._running[id(request)]

    async def _go_wrong_or_pass(self, request: web.Request) -> web.StreamResponse:
        faults = self._struck_by(request)
        for fault in faults:
            if isinstance(fault, Delay):
                await asyncio.sleep(fault.seconds)
        match next((fault for fault in faults if not isinstance(fault, Delay)), None):
            case Silence():
                return await _forever()
            case Close():
                assert request.transport is not None
                request.transport.close()
                return await _forever()
            case Answer(status, body, headers):
                await request.read()
                return web.Response(status=status, body=body, headers=headers)
            case Lose():
                return await self._pass(request, None, lose=True)
            case Cut() as cut:
                return await self._pass(request, cut)
            case None:
                return await self._pass(request, None)

    def _struck_by(self, request: web.Request) -> list[Fault]:
        struck = []
        for rule in self._rules:
            if rule.match.describes(*_facts(request)):
                rule.seen += 1
                if rule.match.means(rule.seen):
                    rule.hits += 1
                    struck.append(rule.fault)
        return struck

    async def _pass(self, request: web.Request, cut: Cut | None, *, lose: bool = False) -> web.StreamResponse:
        passing = await self._show_before(request)
        assert self._session is not None
        async with self._session.request(
            request.method,
            URL(self._upstream + request.raw_path, encoded=True),
            headers=_passed_on(request.headers),
            data=passing.body if passing.observers else _body(request),
            allow_redirects=False,
        ) as answer:
            for observer, n in passing.observers:
                await observer.hook(passing.exchange(n, Phase.AFTER, answer.status))
            if lose:
                raise Dropped
            return await self._return(request, answer, cut)

    async def _show_before(self, request: web.Request) -> _Passing:
        passing = _Passing(request)
        for observer in self._observers:
            if observer.match.describes(*_facts(request)):
                observer.seen += 1
                if observer.match.means(observer.seen):
                    passing.observers.append((observer, observer.seen))
        if passing.observers:
            passing.body = await request.read()
        for observer, n in passing.observers:
            await observer.hook(passing.exchange(n, Phase.BEFORE))
        return passing

    async def _return(
        self, request: web.Request, answer: aiohttp.ClientResponse, cut: Cut | None
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_passed_on(answer.headers))
        is_complete_cut = cut is not None and cut.end is End.COMPLETE
        if is_complete_cut:
            response.headers.pop("Content-Length", None)
        await response.prepare(request)
        left = cut.after if cut else None
        while left != 0:
            chunk = (await answer.content.readany())[:left]
            if not chunk:
                break
            if self._is_silenced(request):
                return await _forever()
            await response.write(chunk)
            left = left - len(chunk) if left is not None else None
        if cut is not None and not is_complete_cut:
            return await _break_off(request, cut.end)
        await response.write_eof()
        return response

    def _is_silenced(self, request: web.Request) -> bool:
        for rule in self._rules:
            if isinstance(rule.fault, Silence) and rule.match.describes(*_facts(request)):
                rule.hits += 1
                return True
        return False


def _facts(request: web.Request) -> tuple[str, str, Mapping[str, str]]:
    return request.method, request.path, request.query


def _passed_on(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP)


def _body(request: web.Request) -> aiohttp.StreamReader | None:
    return request.content if request.can_read_body else None


def _reset(request: web.Request) -> None:
    """Ends the connection with RST: lingering for zero seconds is how TCP is told to."""
    transport = request.transport
    if transport is None:
        return
    own: socket.socket | None = transport.get_extra_info("socket")
    if own is not None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    transport.abort()


async def _break_off(request: web.Request, end: End) -> web.StreamResponse:
    if end is End.RESET:
        # What was written must be out first: a reset takes back what is still in our buffers.
        await asyncio.sleep(0.01)
        _reset(request)
    elif request.transport is not None:
        request.transport.close()
    return await _forever()


async def _forever() -> web.StreamResponse:
    """Waits for the client to go: then the handler is cancelled."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def _server_context(tls: KeyPair) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls.certificate, tls.key)
    return context
