"""A registry for tests: what it answers is a dictionary of paths; what it was asked is kept."""

import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from aiohttp import web

from tidegate.adapters.oci import OciLimits, OciUrl, Registries, RegistryAuth, Repository
from tidegate.adapters.oci_manifests import OCI_MANIFEST

SOON = timedelta(seconds=20)
USER = RegistryAuth(username="user", password="hunter2hunter2", insecure=True)
NOBODY = RegistryAuth(insecure=True)
CONTENT = b"the bytes of a layer"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def digest(content: bytes) -> str:
    """The digest of `content`."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def descriptor(content: bytes = CONTENT, **more: object) -> dict[str, Any]:
    """A descriptor of `content`, as JSON has it."""
    return {"mediaType": "application/x", "digest": digest(content), "size": len(content), **more}


def manifest(**more: object) -> bytes:
    """A manifest with one layer."""
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(b"{}"), "layers": [descriptor()]}
    return json.dumps(document | more).encode()


class Registry:
    """A server on a port of its own; `answers` by path, 404 for the rest."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[web.Request] = []
        self.port = 0
        self.scheme = "http"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def serve(self, path: str, body: bytes, content_type: str = "application/json", **headers: str) -> None:
        """Answer `body` below /v2/org/app/."""

        async def answer(_: web.Request) -> web.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(body=body, headers={"Content-Type": content_type, **named})

        self.answers[f"/v2/org/app/{path}"] = answer

    def redirect(self, path: str, location: str) -> None:
        """Redirect below /v2/org/app/."""

        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": location})

        self.answers[f"/v2/org/app/{path}"] = answer

    def protect(self, challenge: str, *accepted: str) -> None:
        """Let nobody in without one of the `accepted` headers."""
        before = dict(self.answers)

        def guard(inner: Answer) -> Answer:
            async def answer(request: web.Request) -> web.StreamResponse:
                if request.headers.get("Authorization") in accepted:
                    return await inner(request)
                return web.Response(status=401, headers={"WWW-Authenticate": challenge})

            return answer

        self.answers = {path: guard(inner) for path, inner in before.items()}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Whatever is asked."""
        self.asked.append(request)
        answer = self.answers.get(request.path)
        return await answer(request) if answer else web.Response(status=404)


@asynccontextmanager
async def running(tls: ssl.SSLContext | None = None) -> AsyncIterator[Registry]:
    """A registry that runs."""
    registry = Registry()
    registry.scheme = "https" if tls else "http"
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", registry.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        registry.port = runner.addresses[0][1]
        yield registry
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened(
    registry: Registry, auth: RegistryAuth = NOBODY, limits: OciLimits | None = None, patience: timedelta = SOON
) -> AsyncIterator[Repository]:
    """The repository org/app of `registry`."""
    async with Registries(limits) as registries:
        yield registries.repository(OciUrl(f"127.0.0.1:{registry.port}", "org/app"), auth, patience)
