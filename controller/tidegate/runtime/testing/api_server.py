"""A Kubernetes API server for tests, over loopback HTTP: small enough to read, and it can be told to misbehave."""

import asyncio
import json
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tidegate.runtime import transport
from tidegate.runtime.client import Client
from tidegate.runtime.credentials import Cluster
from tidegate.runtime.discovery import Discovery
from tidegate.runtime.resources import Resource
from tidegate.runtime.testing.store import Event, Refusal, Store, merge
from tidegate.runtime.transport import Connections, Transport
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Place:
    """What the path of a request names; an empty name stands for the collection."""

    resource: Resource
    key: ObjectKey
    subresource: str


class FakeAPIServer:
    """Serves `resources` from `store`; `running()` starts it.

    `asked` are the requests so far. Each of `faults` is given one request, in order, before it is served, and may
    answer it instead. `stale` are groups that discovery shows as not answering.
    """

    def __init__(self, resources: Sequence[Resource]) -> None:
        self.store = Store()
        self.resources = list(resources)
        self.asked: list[Asked] = []
        self.faults: deque[Fault] = deque()
        self.stale: set[str] = set()
        self.url = ""
        self._pages: dict[str, tuple[int, list[JsonObject]]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FakeAPIServer"]:
        """Serve on a free port of 127.0.0.1 inside."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = "http://{}:{}".format(*runner.addresses[0])
            yield self
        finally:
            self.end_watches()
            await runner.cleanup()

    @asynccontextmanager
    async def client(self, user_agent: str = "test") -> AsyncIterator[Client]:
        """A client of this server."""
        async with Connections(Cluster(self.url, None, _nobody)) as connections:
            spoken = Transport(connections, user_agent)
            yield Client(spoken, Discovery(spoken))

    def count(self, method: str, part: str = "") -> int:
        """How many requests there were with this method and `part` in their path and query."""
        return sum(one.method == method and part in f"{one.path}?{one.query}" for one in self.asked)

    def end_watches(self) -> None:
        """End all watches, as a server does when their time is over."""
        for watcher in list(self.store.watchers):
            watcher.put_nowait(None)

    def bookmark(self) -> None:
        """Send a bookmark on all watches."""
        for watcher in self.store.watchers:
            watcher.put_nowait(Event(self.store.version, "BOOKMARK", self.resources[0], {}))

    def expire(self) -> None:
        """Forget history and half-read lists: old versions and continue tokens are answered 410."""
        self.store.compact()
        self._pages.clear()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read() or "null")
        self.asked.append(Asked(request.method, request.path, dict(request.query), dict(request.headers), body))
        if self.faults and (answer := await self.faults.popleft()(request)) is not None:
            return answer
        try:
            if request.path == "/version":
                return web.json_response({"major": "1", "minor": "37", "gitVersion": "v1.37.0"})
            if request.path in ("/api", "/apis"):
                return web.json_response(self._discover(request.path == "/api"))
            return await self._answer(request, self._find(request.path), body)
        except Refusal as refusal:
            return web.json_response(refusal.status(), status=refusal.code)

    async def _answer(self, request: web.Request, place: Place, body: JsonObject | None) -> web.StreamResponse:
        resource, key, partial = place.resource, place.key, "PartialObjectMetadata" in request.headers["Accept"]
        dry_run = "dryRun" in request.query
        match request.method:
            case "GET" if request.query.get("watch") == "true":
                return await self._watch(request, place, partial=partial)
            case "GET":
                found = (
                    _shown(self.store.get(resource, key), partial=partial)
                    if key.name
                    else self._list(request, place, partial=partial)
                )
                return web.json_response(found)
            case "POST":
                return web.json_response(self.store.create(resource, body or {}), status=201)
            case "PATCH" if request.content_type == transport.APPLY_PATCH:
                return self._apply(place, body or {}, request.query["fieldManager"], dry_run=dry_run)
            case "PATCH":
                change = _status_change(body) if place.subresource == "status" else _main_change(body or {})
                return web.json_response(self.store.update(resource, key, change, dry_run=dry_run))
            case "DELETE":
                return web.json_response(self.store.delete(resource, key, (body or {}).get("preconditions")))
            case _:
                raise Refusal(405, "MethodNotAllowed", request.method)

    def _apply(self, place: Place, body: JsonObject, manager: str, *, dry_run: bool) -> web.StreamResponse:
        before = len(self.store.items(place.resource))
        applied = self.store.apply(place.resource, body, manager, dry_run=dry_run)
        return web.json_response(applied, status=201 if len(self.store.items(place.resource)) > before else 200)

    def _list(self, request: web.Request, place: Place, *, partial: bool) -> JsonObject:
        token = request.query.get("continue")
        if token is not None and token not in self._pages:
            raise Refusal(410, "Expired", "The provided continue parameter is too old")
        version, items = self._pages.pop(token) if token else (self.store.version, self._selected(request, place))
        limit = int(request.query.get("limit", "0")) or len(items)
        metadata = {"resourceVersion": str(version)}
        if items[limit:]:
            metadata["continue"] = str(uuid.uuid4())
            self._pages[metadata["continue"]] = version, items[limit:]
        kind = "PartialObjectMetadataList" if partial else f"{place.resource.kind}List"
        return {"kind": kind, "metadata": metadata, "items": [_shown(one, partial=partial) for one in items[:limit]]}

    def _selected(self, request: web.Request, place: Place) -> list[JsonObject]:
        found = self.store.items(place.resource, place.key.namespace)
        return [obj for obj in found if _is_selected(request, obj)]

    async def _watch(self, request: web.Request, place: Place, *, partial: bool) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        since = int(request.query["resourceVersion"])
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        for missed in self.store.history:
            if missed.version > since:
                queue.put_nowait(missed)
        self.store.watchers.add(queue)
        try:
            await response.prepare(request)
            if since < self.store.compacted:
                refusal = Refusal(410, "Expired", f"too old resource version: {since} ({self.store.compacted})")
                await response.write(_line("ERROR", refusal.status()))
                return response
            while (event := await queue.get()) is not None:
                if event.type == "BOOKMARK":
                    await response.write(_line(event.type, {"metadata": {"resourceVersion": str(event.version)}}))
                elif event.resource == place.resource and self._concerns(request, place, event):
                    await response.write(_line(event.type, _shown(event.obj, partial=partial)))
        finally:
            self.store.watchers.discard(queue)
        return response

    def _concerns(self, request: web.Request, place: Place, event: Event) -> bool:
        namespace = event.obj["metadata"].get("namespace")
        return place.key.namespace in ("", namespace) and _is_selected(request, event.obj)

    def _find(self, path: str) -> Place:
        root, *parts = path.strip("/").split("/")
        group = parts.pop(0) if root == "apis" else ""
        version, *parts = parts
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2 and parts[2] != "status":
            namespace, parts = parts[1], parts[2:]
        plural, name, subresource, *_ = [*parts, "", ""]
        for resource in self.resources:
            if (resource.group, resource.version, resource.plural) == (group, version, plural):
                return Place(resource, ObjectKey(namespace, name), subresource)
        raise Refusal(404, "NotFound", "the server could not find the requested resource")

    def _discover(self, core: bool) -> JsonObject:  # noqa: FBT001
        groups: dict[str, dict[str, list[Resource]]] = {}
        for resource in self.resources:
            if (resource.group == "") == core:
                groups.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
        items = [
            {"metadata": {"name": group}, "versions": [self._version(group, *version) for version in versions.items()]}
            for group, versions in groups.items()
        ]
        return {"kind": "APIGroupDiscoveryList", "items": items}

    def _version(self, group: str, version: str, resources: Sequence[Resource]) -> JsonObject:
        if group in self.stale:
            return {"version": version, "freshness": "Stale"}
        served = [
            {
                "resource": one.plural,
                "responseKind": {"group": one.group, "version": one.version, "kind": one.kind},
                "scope": "Namespaced" if one.namespaced else "Cluster",
                "verbs": sorted(one.verbs),
            }
            for one in resources
        ]
        return {"version": version, "freshness": "Current", "resources": served}


async def _nobody() -> str:
    return ""


def _main_change(patch: JsonObject) -> Callable[[JsonObject], JsonObject]:
    return lambda live: merge(live, {name: value for name, value in patch.items() if name != "status"})


def _status_change(patch: JsonObject | None) -> Callable[[JsonObject], JsonObject]:
    """Of the metadata only what guards the write counts."""
    patch = patch or {}
    guards = {n: v for n, v in (patch.get("metadata") or {}).items() if n in ("resourceVersion", "uid")}
    return lambda live: merge(live, {"metadata": guards, "status": patch.get("status", {})})


def _shown(obj: JsonObject, *, partial: bool) -> JsonObject:
    return {**{"kind": "PartialObjectMetadata"}, "metadata": obj["metadata"]} if partial else obj


def _is_selected(request: web.Request, obj: JsonObject) -> bool:
    labels = obj["metadata"].get("labels") or {}
    for term in filter(None, request.query.get("labelSelector", "").split(",")):
        name, is_equality, value = term.partition("=")
        if name not in labels or (is_equality and labels[name] != value):
            return False
    field, _, wanted = request.query.get("fieldSelector", "").partition("=")
    return field != "metadata.name" or obj["metadata"]["name"] == wanted


def _line(kind: str, obj: JsonObject) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"
