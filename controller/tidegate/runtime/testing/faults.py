"""Ways in which a FakeAPIServer can misbehave: put them into its `faults`, one for each request to come."""

import asyncio

from aiohttp import web

from tidegate.runtime.testing.api_server import Fault
from tidegate.runtime.testing.store import Refusal


async def serve(_request: web.Request) -> None:
    """No fault: this request is served as always."""


async def reset(request: web.Request) -> web.StreamResponse:
    """The connection is cut before an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def reset_after_serving(request: web.Request) -> web.StreamResponse:
    """An answer is begun, and the connection is cut in the middle of it."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"{")
    return await reset(request)


async def hang(_request: web.Request) -> web.StreamResponse:
    """No answer, ever."""
    await asyncio.Event().wait()
    return web.Response()


async def close_at_once(_request: web.Request) -> web.StreamResponse:
    """200, and an empty body."""
    return web.Response()


def refuse(code: int, reason: str = "", retry_after: str = "", message: str = "refused") -> Fault:
    """Answer with a failure."""

    async def fault(_request: web.Request) -> web.StreamResponse:
        headers = {"Retry-After": retry_after} if retry_after else {}
        return web.json_response(Refusal(code, reason, message).status(), status=code, headers=headers)

    return fault


def send(*chunks: bytes) -> Fault:
    """200, and these bytes, chunk by chunk."""

    async def fault(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        return response

    return fault
