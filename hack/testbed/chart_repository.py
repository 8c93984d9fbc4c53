"""A plain HTTP Helm repository on loopback: an index as helm writes it, and the charts that were pushed.

async with ChartRepository() as repository:
    repository.push(Chart("app", "1.0.0"))
    repository.requests        # what was asked for: method, path and status of each
"""

import hashlib
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml
from aiohttp import web

from hack.testbed import charts
from hack.testbed.charts import Chart


@dataclass(frozen=True)
class Asked:
    """A request that was answered."""

    path: str
    status: int


class ChartRepository:
    """Serves without credentials, or to a user name and password alone."""

    path = "/charts"

    def __init__(self, username: str = "", password: str = "") -> None:
        self._credentials = aiohttp.encode_basic_auth(username, password) if username else ""
        self._archives: dict[str, bytes] = {}
        self._entries: dict[str, list[dict[str, Any]]] = {}
        self._runner: web.AppRunner | None = None
        self._port = 0
        self.requests: list[Asked] = []

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get(f"{self.path}/{{path:.*}}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def address(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """For spec.url of a HelmRepository."""
        return f"{self.address}{self.path}"

    def push(self, chart: Chart) -> None:
        """Publish a version; it is in the index from now on."""
        self.push_archive(charts.package(chart))

    def push_archive(self, archive: bytes) -> None:
        """The same with an archive that somebody else has packed."""
        head = charts.head_of(archive)
        name, file = head["name"], f"{head['name']}-{head['version']}.tgz"
        self._archives[file] = archive
        digest = hashlib.sha256(archive).hexdigest()
        entry = {**head, "created": "2026-11-01T00:00:00Z", "digest": digest, "urls": [file]}
        others = [one for one in self._entries.get(name, []) if one["version"] != head["version"]]
        self._entries[name] = [entry, *others]

    def serve(self, file: str, content: bytes) -> None:
        """Any content under a name: an archive that is not what the index says."""
        self._archives[file] = content

    def count(self, path: str | None = None, status: int | None = None) -> int:
        """How many requests there were: of one file, answered in one way, or all."""
        return len([one for one in self.requests if path in {None, one.path} and status in {None, one.status}])

    def index(self) -> bytes:
        """index.yaml as it is now."""
        head = {"apiVersion": "v1", "entries": self._entries, "generated": "2026-11-01T00:00:00Z"}
        return yaml.safe_dump(head, sort_keys=True).encode()

    async def _serve(self, request: web.Request) -> web.Response:
        response = self._answer(request)
        self.requests.append(Asked(request.match_info["path"], response.status))
        return response

    def _answer(self, request: web.Request) -> web.Response:
        if self._credentials and request.headers.get("Authorization") != self._credentials:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="charts"'})
        path = request.match_info["path"]
        content = self.index() if path == "index.yaml" else self._archives.get(path)
        if content is None:
            return web.Response(status=404)
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=content, headers={"ETag": etag})
