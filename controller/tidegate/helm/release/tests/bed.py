"""A release engine on the API server for tests, with a renderer that renders what it is told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tidegate.adapters import yaml
from tidegate.adapters.chart_jobs import Crd, Hook, Rendered, RenderRequest
from tidegate.adapters.chart_renderer import RenderError
from tidegate.engine import ownership
from tidegate.engine.members import Members
from tidegate.engine.ownership import Migration, Owner
from tidegate.helm.release.engine import Releases, Session
from tidegate.helm.release.model import Desired, Options, ReleaseKey
from tidegate.helm.release.record import Record
from tidegate.helm.release.sightings import Sightings
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn
from tidegate.runtime.queue import Held
from tidegate.runtime.resources import CONFIG_MAPS, NAMESPACES, PODS, SECRETS, Resource
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

KEY = ReleaseKey("web", "apps", "flux-system")
OWNER = Owner(ownership.HELM_GROUP, "flux-system", "web")
JOBS = Resource("batch", "v1", "Job", "jobs", namespaced=True)
DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments", namespaced=True)
CRDS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
EVENTS = Resource("", "v1", "Event", "events", namespaced=True)
RESOURCES = [NAMESPACES, SECRETS, CONFIG_MAPS, PODS, EVENTS, JOBS, DEPLOYMENTS, CRDS]


@dataclass
class Chart:
    """What is rendered."""

    manifest: str = ""
    hooks: list[Hook] = field(default_factory=list)
    notes: str = ""
    crds: list[Crd] = field(default_factory=list)

    def rendered(self) -> Rendered:
        chart = {"metadata": {"name": "web", "version": "1.0.0"}}
        return Rendered(manifest=self.manifest, hooks=self.hooks, notes=self.notes, crds=self.crds, chart=chart)


@dataclass
class FakeRenderer:
    """Renders `chart`, or fails as it is told, whatever it is asked."""

    failure: RenderError | None = None
    chart: Chart = field(default_factory=Chart)
    requests: list[RenderRequest] = field(default_factory=list)

    async def render(self, request: RenderRequest) -> Rendered:
        self.requests.append(request)
        if self.failure is not None:
            raise self.failure
        return self.chart.rendered()


@dataclass
class Bed:
    """One process with a release engine. `told` is what the reconciler was told of records."""

    server: FakeAPIServer
    client: Client
    members: Members
    sightings: Sightings
    group: asyncio.TaskGroup
    renderer: FakeRenderer
    told: list[tuple[int, str]] = field(default_factory=list)

    def session(self, **options: Any) -> Session:
        """A session in a turn of its own."""
        return self.session_of(self.turn(), **options)

    def session_of(self, turn: Turn, **options: Any) -> Session:
        chosen = Options(uid="uid-1", generation=1, **options)
        return Releases(self.members, self.sightings, self.renderer, "pod-1").session(
            KEY, OWNER, self.client, turn, chosen
        )

    def turn(self) -> Turn:
        slots = asyncio.Semaphore(1)
        slots._value = 0
        return Turn(Held(ObjectKey("flux-system", "web")), slots, self.group)

    async def on_stored(self, record: Record) -> None:
        self.told.append((record.version, record.info.status))

    async def install(self, chart: Chart, **options: Any) -> Record:
        self.renderer.chart = chart
        return await self.session(**options).install(desired(), self.on_stored)

    async def upgrade(self, chart: Chart, **options: Any) -> Record:
        self.renderer.chart = chart
        session = self.session(**options)
        newest = await session.newest()
        assert newest is not None
        return await session.upgrade(desired(), newest.record, self.on_stored)

    async def resume(self, **options: Any) -> Record:
        session = self.session(**options)
        newest = await session.newest()
        assert newest is not None
        return await session.resume(newest, self.on_stored)

    def names(self, resource: Resource) -> list[str]:
        """The names of all objects of a kind."""
        return [obj["metadata"]["name"] for obj in self.server.store.items(resource)]

    def get(self, resource: Resource, name: str, namespace: str = KEY.namespace) -> JsonObject:
        return self.server.store.get(resource, ObjectKey(namespace, name))

    async def statuses(self) -> list[tuple[int, str]]:
        """Version and status of all revisions, newest first, as their labels say."""
        return [(one.version, str(one.status)) for one in await self.session().history()]

    async def finish_jobs(self, failing: Sequence[str] = ()) -> None:
        """Be the job controller: until cancelled, each job ends as soon as it is created."""
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self.server.store.watchers.add(queue)
        while True:
            event = await queue.get()
            if event is not None and event.resource == JOBS and event.type == "ADDED":
                end_job(self.server, event.obj, failed=event.obj["metadata"]["name"] in failing)


@asynccontextmanager
async def ending_jobs(process: Bed, failing: Sequence[str] = ()) -> AsyncIterator[None]:
    """Inside, jobs end as soon as they are created."""
    task = process.group.create_task(process.finish_jobs(failing))
    try:
        yield
    finally:
        task.cancel()


def end_job(server: FakeAPIServer, job: JsonObject, *, failed: bool = False) -> None:
    condition = {"type": "Failed" if failed else "Complete", "status": "True"}
    if failed:
        condition |= {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
    status = {"conditions": [condition], "startTime": "2026-01-01T00:00:00Z"}
    server.store.update(JOBS, ObjectKey.of(job), lambda live: {**live, "status": status})


@asynccontextmanager
async def a_process(server: FakeAPIServer) -> AsyncIterator[Bed]:
    """One life of a controller: what it knows of members ends with it."""
    async with server.client() as client:
        group_name, migration = ownership.HELM_GROUP, Migration("helm-controller")
        members = Members(client.transport, group_name, migration, lambda *_: None)
        async with asyncio.TaskGroup() as group:
            sightings = Sightings(client.transport)
            running = [group.create_task(members.run()), group.create_task(sightings.cache.run())]
            await sightings.cache.synced.wait()
            try:
                yield Bed(server, client, members, sightings, group, FakeRenderer())
            finally:
                for task in running:
                    task.cancel()


def desired(**values: Any) -> Desired:
    return Desired(b"chart", "web", "1.0.0", values, "sha256:inputs")


def a_config_map(name: str, **data: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def a_job(name: str) -> JsonObject:
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {}}


def manifest(*objects: JsonObject) -> str:
    return "".join(f"---\n# Source: web/templates/x.yaml\n{yaml.dump(obj)}" for obj in objects)


def a_hook(
    name: str, *events: str, weight: int = 0, policies: Sequence[str] = (), obj: JsonObject | None = None
) -> Hook:
    """A hook that is a Job, or `obj`."""
    obj = obj or a_job(name)
    return Hook(
        name=name,
        kind=str(obj["kind"]),
        path=f"web/templates/{name}.yaml",
        manifest=yaml.dump(obj),
        events=list(events),
        weight=weight,
        delete_policies=list(policies),
        output_log_policies=[],
    )
