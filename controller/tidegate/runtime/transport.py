"""THE door to the API server: bytes out, bytes in, under one identity.

Every identity (a user agent, an impersonated account) is a set of headers over the same two connection pools: one for
requests, one for watches, which hold a socket each. An answer of 429 or a connection that the server had closed before
it answered is tried again here; everything else is the caller's to judge.
"""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from tidegate.runtime import clock, errors, metrics
from tidegate.runtime.credentials import Cluster

CONNECTIONS = 32
REQUEST_LIMIT_S = 30.0
TRIES = 5
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
JSON = "application/json"
PARTIAL_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True)
class Request:
    """One request to the API server; `path` starts with a slash, `body` is JSON of `content_type`."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = JSON
    accept: str = JSON


class Connections:
    """The sockets to one API server, shared by all identities; an async context manager."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._stack = contextlib.AsyncExitStack()
        self.requests: aiohttp.ClientSession
        self.watches: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self.requests = await self._stack.enter_async_context(self._session(CONNECTIONS))
        self.watches = await self._stack.enter_async_context(self._session(0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _session(self, limit: int) -> aiohttp.ClientSession:
        tls = self.cluster.tls if self.cluster.tls is not None else True
        connector = aiohttp.TCPConnector(limit=limit, ssl=tls, keepalive_timeout=60.0)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0)
        return aiohttp.ClientSession(
            self.cluster.server, connector=connector, timeout=timeout, trust_env=False, proxy=self.cluster.proxy
        )


@dataclass(frozen=True)
class Transport:
    """Requests under one identity."""

    connections: Connections
    user_agent: str
    impersonate: str = ""

    def acting_as(self, user: str) -> "Transport":
        """The same connections, with every request made as `user` ("" for the controller itself)."""
        return replace(self, impersonate=user)

    async def request(self, request: Request, limit: timedelta = timedelta(seconds=REQUEST_LIMIT_S)) -> bytes:
        """Send `request` and return the body of a 2xx answer.

        Raises: an ApiError for any other answer, Unreachable for none.
        """
        for attempt in range(1, TRIES + 1):
            try:
                async with asyncio.timeout(limit.total_seconds()):
                    return await self._once(request)
            except (errors.TooManyRequests, errors.ServerError) as error:
                # A server that has too much to do, or has only just started, says when to come again.
                is_invited = error.retry_after is not None or isinstance(error, errors.TooManyRequests)
                if attempt == TRIES or not is_invited:
                    raise
                await clock.pause(timedelta(seconds=min(error.retry_after or 1.0, 30.0)))
            except TimeoutError as error:
                raise errors.Unreachable(f"no answer from the API server within {limit}") from error
            except (aiohttp.ClientError, OSError) as error:
                # A kept-alive connection that the server closed meanwhile. What we write is idempotent (DESIGN §7), but
                # for POST: its outcome is unknown and stays so (F6).
                if not _was_closed(error) or attempt >= 3 or request.method == "POST":
                    raise errors.Unreachable(f"cannot reach the API server: {error}") from error
        raise AssertionError("unreachable")

    async def _once(self, request: Request) -> bytes:
        session = self.connections.requests
        async with session.request(
            request.method,
            request.path,
            params=request.query,
            data=msgspec.json.encode(request.body) if request.body is not None else None,
            headers=await self._headers(request),
            allow_redirects=False,
        ) as response:
            body = await response.read()
            metrics.REST_REQUESTS.labels(code=str(response.status), method=request.method).inc()
            if response.status >= 300:
                raise failure(response.status, body, response.headers.get("Retry-After"))
            return body

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a stream; inside, iterate its lines (without the newline) until the server ends it.

        Raises: an ApiError when the server refuses, Unreachable when there is no answer in time. Errors while
        iterating are Unreachable.
        """
        session = self.connections.watches
        try:
            async with asyncio.timeout(REQUEST_LIMIT_S):
                response = await session.request(
                    request.method,
                    request.path,
                    params=request.query,
                    headers=await self._headers(request),
                    allow_redirects=False,
                )
                if response.status >= 300:
                    async with response:
                        body = await response.read()
                    raise failure(response.status, body, response.headers.get("Retry-After"))
        except TimeoutError as error:
            raise errors.Unreachable("no answer from the API server to a watch") from error
        except (aiohttp.ClientError, OSError) as error:
            raise errors.Unreachable(f"cannot reach the API server: {error}") from error
        try:
            yield _lines(response)
        finally:
            response.close()

    async def _headers(self, request: Request) -> dict[str, str]:
        headers = {"User-Agent": self.user_agent, "Accept": request.accept}
        authorization = await self.connections.cluster.authorization()
        if authorization:
            headers["Authorization"] = authorization
        if self.impersonate:
            headers["Impersonate-User"] = self.impersonate
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        return headers


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The lines of a streamed body; aiohttp's own reader limits a line to 64 KiB, and an object may be larger."""
    pending: list[bytes] = []
    try:
        async for chunk in response.content.iter_any():
            *complete, rest = chunk.split(b"\n")
            for line in complete:
                yield b"".join([*pending, line])
                pending.clear()
            if rest:
                pending.append(rest)
    except (aiohttp.ClientError, OSError) as error:
        raise errors.Unreachable(f"the watch broke: {error}") from error


def _was_closed(error: Exception) -> bool:
    """Whether a connection ended that had been there, as opposed to one that could not be made."""
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | ConnectionError):
        return not isinstance(error, ConnectionRefusedError)
    return isinstance(error, aiohttp.ClientOSError) and error.errno in (errno.ECONNRESET, errno.EPIPE)


def failure(code: int, body: bytes, retry_after: str | None) -> errors.ApiError:
    """The error for a failed answer, whether or not its body is a Status object."""
    try:
        status = msgspec.json.decode(body)
    except msgspec.DecodeError:
        status = None
    if not isinstance(status, dict):
        text = body[:256].decode(errors="replace").strip()
        status = {"message": f"HTTP {code}: {text}" if text else f"HTTP {code}"}
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    return errors.from_status(code, status, seconds)
