"""One source object of any kind, and all that reconciles it, on the fake API server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.runtime.cache import Cache
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Reconciler, Turn
from tidegate.runtime.queue import Held
from tidegate.runtime.resources import SECRETS, Resource, resource_of
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.source import conditions
from tidegate.source.pipeline import Pipeline
from tidegate.source.storage import Storage
from tidegate.toolkit.attempt import Tools
from tidegate.toolkit.events import Recorder
from tidegate.toolkit.status import StatusWriter
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.source.v1.source import Source

KEY = ObjectKey("flux-system", "app")
Build = Callable[[Pipeline, "One", Tools], Reconciler]


class Events(Recorder):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def event(self, _obj: object, _severity: object, reason: str, message: str, _metadata: object = None) -> None:
        self.told.append((reason, message))


class One(Cache[Any]):
    """A cache of what it is given."""

    def __init__(self) -> None:
        self.one: Any = None

    def find(self, _key: ObjectKey) -> Any:
        return self.one


@dataclass
class Desk:
    """The object as the server has it, and turns of it."""

    kind: type[Source]
    server: FakeAPIServer
    reconciler: Reconciler
    storage: Storage
    events: Events
    cache: One

    @property
    def resource(self) -> Resource:
        return resource_of(self.kind)

    async def turn(self) -> JsonObject:
        """One turn; the status after it."""
        self.cache.one = codec.decode(self.kind, self.server.store.get(self.resource, KEY))
        async with asyncio.TaskGroup() as group:
            await self.reconciler.reconcile(Turn(Held(KEY), asyncio.Semaphore(1), group))
        return self.status

    @property
    def status(self) -> JsonObject:
        found: JsonObject = self.server.store.get(self.resource, KEY).get("status") or {}
        return found

    def said(self, kind: str = "Ready") -> str:
        """A condition as a line."""
        item = next(item for item in self.status["conditions"] if item["type"] == kind)
        return f"{item['status']} {item['reason']}: {item['message']}"

    def change(self, **spec: Any) -> None:
        """What a user does: a new generation."""

        def changed(live: JsonObject) -> JsonObject:
            generation = live["metadata"].get("generation", 1) + 1
            metadata = {**live["metadata"], "generation": generation}
            return {**live, "metadata": metadata, "spec": {**live["spec"], **spec}}

        self.server.store.update(self.resource, KEY, changed)

    def files(self) -> list[str]:
        """The names of what is stored of the object."""
        folder = self.storage.root / self.kind.KIND.lower() / KEY.namespace / KEY.name
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@asynccontextmanager
async def a_desk(kind: type[Source], root: Path, build: Build, **spec: Any) -> AsyncIterator[Desk]:
    resource = resource_of(kind)
    server = FakeAPIServer([resource, SECRETS])
    metadata = {"name": KEY.name, "namespace": KEY.namespace, "finalizers": ["finalizers.fluxcd.io"]}
    server.store.create(resource, {"metadata": metadata, "spec": {"interval": "1m", **spec}})
    events, cache = Events(), One()
    storage = Storage(root / "storage", "artifacts.example.com")
    storage.prepare()
    async with server.running(), server.client() as client:
        tools = Tools(_writer(client, resource), events)
        yield Desk(kind, server, build(Pipeline(client, storage, 0), cache, tools), storage, events, cache)


def _writer(client: Client, resource: Resource) -> StatusWriter:
    return StatusWriter(client, resource, "test", conditions.OWNED, lambda _obj: None)
