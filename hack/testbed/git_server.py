"""Git's smart HTTP protocol on loopback, by git's own `http-backend`, with the manners of different hosts.

async with GitServer(directory) as server:
    repo = server.create("team/app")
    repo.commit({"a.yaml": "…"})
    … server.url("team/app") …
    assert server.count(repository="team/app", service=Service.LS_REFS) == 1
"""

import asyncio
import base64
import contextlib
import os
import re
import signal
import ssl
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from hack.controlplane.certificates import KeyPair
from hack.testbed.git_repo import GitRepo, isolated_environment

CHUNK = 65_536
SECONDS = 60.0
REPOSITORY_PATH = re.compile(
    r"^/(?P<repository>.+?)(?:\.git)?/(?:info/refs|git-upload-pack|git-receive-pack|HEAD|objects/.*)$"
)


class Service(StrEnum):
    """What a request was for, whichever protocol version it spoke."""

    ADVERTISEMENT = "advertisement"
    LS_REFS = "ls-refs"
    FETCH = "fetch"
    PUSH = "push"
    OTHER = "other"


@dataclass
class GitRequest:
    """One request, as it was answered."""

    repository: str
    service: Service
    method: str
    path: str
    protocol: str
    user_agent: str
    status: int = 0
    received: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Manners:
    """What a server insists on and what it ignores."""

    basic: tuple[str, str] | None = None
    """User and password that are asked for."""
    bearer: str | None = None
    """Token that is asked for; with `basic` as well, either will do."""
    protocol_v2: bool = True
    """False: `Git-Protocol` is ignored, every client gets the first protocol."""
    require_multi_ack: bool = False
    """A want without the capability `multi_ack` is answered with 400, as Azure DevOps does."""
    push: bool = False
    """Whether pushes are taken."""


AZURE_DEVOPS = Manners(basic=("any", "personal-access-token"), protocol_v2=False, require_multi_ack=True)


class GitServer:
    """Serves the repositories below a directory; counts every request.

    With `tls`, over HTTPS; with `client_authority`, only to clients whose certificate that CA has signed.
    """

    def __init__(
        self,
        directory: Path,
        manners: Manners = Manners(),
        *,
        tls: KeyPair | None = None,
        client_authority: Path | None = None,
    ) -> None:
        self.manners = manners
        self.requests: list[GitRequest] = []
        self._directory = directory
        self._tls = _server_context(tls, client_authority) if tls else None
        self._exit = contextlib.AsyncExitStack()
        self._port = 0

    async def __aenter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
        await runner.setup()
        self._exit.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self._port = runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    @property
    def address(self) -> str:
        """The server's URL without a path."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def url(self, repository: str) -> str:
        return f"{self.address}/{repository}"

    def create(self, repository: str, branch: str = "main") -> GitRepo:
        """A new, empty repository, reachable at `url(repository)` with and without `.git`."""
        repo = GitRepo(self._directory / f"{repository}.git", branch)
        repo.git("config", "uploadpack.allowFilter", "true")
        repo.git("config", "uploadpack.allowAnySHA1InWant", "true")
        return repo

    def count(self, *, repository: str | None = None, service: Service | None = None) -> int:
        """How many answered requests there were, of one repository or service or of all."""
        return len(
            [
                request
                for request in self.requests
                if repository in {None, request.repository} and service in {None, request.service}
            ]
        )

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = Body(request)
        await body.read_first()
        record = self._record(request, body)
        self.requests.append(record)
        refusal = self._refusal(request, record, body)
        if refusal is not None:
            record.status = refusal.status
            return refusal
        return await _Backend(self._environment(request, record), record).serve(request, body)

    def _record(self, request: web.Request, body: "Body") -> GitRequest:
        match = REPOSITORY_PATH.match(request.path)
        return GitRequest(
            repository=match["repository"] if match else request.path.strip("/"),
            service=_service(request, body.first),
            method=request.method,
            path=request.path_qs,
            protocol=request.headers.get("Git-Protocol", "") if self.manners.protocol_v2 else "",
            user_agent=request.headers.get("User-Agent", ""),
        )

    def _refusal(self, request: web.Request, record: GitRequest, body: "Body") -> web.Response | None:
        if not self._is_authorized(request.headers.get("Authorization", "")):
            scheme = 'Basic realm="git"' if self.manners.basic or not self.manners.bearer else "Bearer"
            return web.Response(status=401, headers={"WWW-Authenticate": scheme}, text="authentication required\n")
        is_push = record.service is Service.PUSH or request.query.get("service") == "git-receive-pack"
        if is_push and not self.manners.push:
            return web.Response(status=403, text="this server takes no pushes\n")
        wants = record.service is Service.FETCH and not body.first[4:].startswith(b"command=")
        if self.manners.require_multi_ack and wants and b"multi_ack" not in body.first:
            return web.Response(status=400, text="the capability multi_ack is required\n")
        return None

    def _is_authorized(self, header: str) -> bool:
        accepted = []
        if self.manners.basic is not None:
            accepted.append("Basic " + base64.b64encode(":".join(self.manners.basic).encode()).decode())
        if self.manners.bearer is not None:
            accepted.append(f"Bearer {self.manners.bearer}")
        return not accepted or header in accepted

    def _environment(self, request: web.Request, record: GitRequest) -> dict[str, str]:
        path = request.path
        if not (self._directory / record.repository).is_dir():  # asked for without its suffix
            path = path.replace(f"/{record.repository}/", f"/{record.repository}.git/", 1)
        return {
            **isolated_environment(self._directory),
            "GIT_PROJECT_ROOT": str(self._directory),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": path,
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_GIT_PROTOCOL": record.protocol,
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_USER": "test" if self.manners.push else "",
        }


class Body:
    """A request's body, of which the first bytes are looked at before it goes on its way."""

    def __init__(self, request: web.Request) -> None:
        self._content = request.content
        self.first = b""

    async def read_first(self) -> None:
        """Reads enough to see what is wanted: the capabilities stand in the first line."""
        while len(self.first) < 1024 and not self._content.at_eof():
            chunk = await self._content.readany()
            self.first += chunk

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.first
        async for chunk in self._content.iter_chunked(CHUNK):
            yield chunk


class _Backend:
    """One run of `git http-backend`, a CGI program."""

    def __init__(self, environment: dict[str, str], record: GitRequest) -> None:
        self._environment = environment
        self._record = record

    async def serve(self, request: web.Request, body: Body) -> web.StreamResponse:
        starting = asyncio.create_task(self._start())
        try:
            process = await asyncio.shield(starting)
            async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
                tasks.create_task(self._feed(process, body))
                answer = tasks.create_task(self._relay(process, request))
        finally:
            await _until_done(asyncio.create_task(_end(starting)))
        return answer.result()

    async def _start(self) -> Process:
        return await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=self._environment,
            start_new_session=True,
        )

    async def _feed(self, process: Process, body: Body) -> None:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            async for chunk in body.chunks():
                self._record.received += len(chunk)
                process.stdin.write(chunk)
                await process.stdin.drain()
        process.stdin.close()

    async def _relay(self, process: Process, request: web.Request) -> web.StreamResponse:
        assert process.stdout is not None
        head = await process.stdout.readuntil(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
        self._record.status = int(headers.pop("Status", "200").split()[0])
        response = web.StreamResponse(status=self._record.status, headers=headers)
        with contextlib.suppress(ConnectionResetError):  # the client has gone, which is its right
            await response.prepare(request)
            while chunk := await process.stdout.read(CHUNK):
                self._record.sent += len(chunk)
                await response.write(chunk)
            await response.write_eof()
        return response


async def _until_done(task: "asyncio.Task[None]") -> None:
    """To the end, also when a client that goes away and a server that stops both cancel the request."""
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    task.result()


async def _end(starting: "asyncio.Task[Process]") -> None:
    """Ends a backend and the programs that it started, and reads what they still said: their pipe closes only then."""
    process = await starting
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.stdout is not None
    while await process.stdout.read(CHUNK):
        pass
    await process.wait()


def _service(request: web.Request, first: bytes) -> Service:
    if request.path.endswith("/info/refs"):
        return Service.ADVERTISEMENT
    if request.path.endswith("/git-receive-pack"):
        return Service.PUSH
    if request.path.endswith("/git-upload-pack"):
        return Service.LS_REFS if first[4:].startswith(b"command=ls-refs") else Service.FETCH
    return Service.OTHER


def _server_context(tls: KeyPair, client_authority: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls.certificate, tls.key)
    if client_authority is not None:
        context.load_verify_locations(client_authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
