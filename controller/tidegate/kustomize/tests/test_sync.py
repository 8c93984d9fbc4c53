"""A pass keeps what it knows: whatever ends it, nothing is forgotten that is still in the cluster."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from aiohttp import web

from tidegate.engine import ownership, waits
from tidegate.engine.identity import ObjectId
from tidegate.engine.members import Members
from tidegate.engine.ownership import Migration
from tidegate.kustomize.build import Built
from tidegate.kustomize.parts import Parts, Settings
from tidegate.kustomize.reconciler import KustomizationReconciler
from tidegate.kustomize.sync import Sync, Wanted
from tidegate.kustomize.variables import Variables
from tidegate.runtime import clock
from tidegate.runtime.cache import Cache
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn
from tidegate.runtime.queue import Held
from tidegate.runtime.resources import CONFIG_MAPS, NAMESPACES, Resource, resource_of
from tidegate.runtime.testing import faults
from tidegate.runtime.testing import loop as loops
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.runtime.testing.store import merge
from tidegate.toolkit.attempt import Attempt, Tools
from tidegate.toolkit.events import Recorder
from tidegate.toolkit.outcomes import Policy
from tidegate.toolkit.sources import Source, SourceStatus
from tidegate.toolkit.status import StatusWriter
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.kustomize.v1.kustomization import Kustomization
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.objects import ObjectKey

KUSTOMIZATIONS = resource_of(Kustomization)
KEY = ObjectKey("flux-system", "app")
THINGS = Resource("example.com", "v1", "Thing", "things", namespaced=True)
THING = ObjectId("apps", "one", THINGS.group, THINGS.kind)
WAITING = {"spec": {"wait": True}, "metadata": {"finalizers": ["finalizers.fluxcd.io"]}}
ARTIFACT = Artifact(
    path="a", url="http://a", revision="main@sha1:1", digest="sha256:1", last_update_time=clock.utc_now()
)


class Objects:
    """Stands for the builder: these objects, whatever the artifact."""

    def __init__(self, *objects: JsonObject) -> None:
        self.objects = list(objects)

    async def build(self, *_args: object) -> Built:
        return Built(self.objects)

    async def substitute(self, *_args: object) -> list[JsonObject]:
        return self.objects


def a_config_map(name: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "apps"}, "data": {}}


def entries(server: FakeAPIServer) -> list[str]:
    status = server.store.get(KUSTOMIZATIONS, KEY).get("status") or {}
    return [entry["id"] for entry in (status.get("inventory") or {}).get("entries", [])]


@asynccontextmanager
async def a_cluster() -> AsyncIterator[tuple[FakeAPIServer, Client]]:
    server = FakeAPIServer([NAMESPACES, CONFIG_MAPS, KUSTOMIZATIONS, THINGS])
    source = {"kind": "GitRepository", "name": "app"}
    server.store.create(
        KUSTOMIZATIONS,
        {
            "metadata": {"name": KEY.name, "namespace": KEY.namespace},
            "spec": {"interval": "10m", "prune": True, "sourceRef": source},
        },
    )
    async with server.running(), server.client() as client:
        yield server, client


def parts_of(client: Client, members: Members, builder: Any) -> Parts:
    writer = StatusWriter(client, KUSTOMIZATIONS, "test", frozenset({"Ready", "Reconciling"}), lambda _obj: None)
    settings = Settings(
        jitter_percent=0,
        requeue_dependency=timedelta(seconds=30),
        cross_namespace=True,
        default_service_account="",
        concurrent_ssa=4,
        custom_stage_kinds=frozenset(),
    )
    return Parts(client, Tools(writer, Recorder(client, "test"), resets_ready=True), members, builder, settings)


async def run_pass(server: FakeAPIServer, client: Client, members: Members, *objects: JsonObject) -> None:
    """One pass of a new process's attempt; how it ends is in the status."""
    kustomization = codec.decode(Kustomization, server.store.get(KUSTOMIZATIONS, KEY))
    parts = parts_of(client, members, Objects(*objects))
    async with asyncio.TaskGroup() as group:
        turn = Turn(Held(KEY), asyncio.Semaphore(1), group)
        policy = Policy(timedelta(minutes=10), timedelta(minutes=10), lambda _conditions: None)
        attempt = Attempt(kustomization, turn, parts.tools, policy)
        async with attempt:
            await Sync(parts, attempt, Wanted(ARTIFACT, Variables(), str(len(objects)))).run()


@asynccontextmanager
async def members_of(client: Client) -> AsyncIterator[Members]:
    members = Members(client.transport, ownership.KUSTOMIZE_GROUP, Migration("kustomize-controller"), lambda *_: None)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(members.run())
        yield members
        running.cancel()


def cut(server: FakeAPIServer, method: str) -> None:
    """No request with this method is answered any more."""

    async def fault(request: web.Request) -> web.StreamResponse | None:
        server.faults.appendleft(fault)
        return await faults.reset(request) if request.method == method else None

    server.faults.append(fault)


async def test_p1_what_could_not_be_deleted_for_lack_of_an_answer_stays_in_the_inventory():
    async with a_cluster() as (server, client), members_of(client) as members:
        await run_pass(server, client, members, a_config_map("one"), a_config_map("two"))
        assert entries(server) == ["apps_one__ConfigMap", "apps_two__ConfigMap"]
        cut(server, "DELETE")

        await run_pass(server, client, members, a_config_map("one"))

        assert "apps_two__ConfigMap" in entries(server)
        assert len(server.store.items(CONFIG_MAPS)) == 2


async def test_promise_3_a_new_process_that_finds_all_in_order_says_nothing_however_slow_the_server():
    async with a_cluster() as (server, client):
        async with members_of(client) as members:
            await run_pass(server, client, members, a_config_map("one"))
        stored = server.store.get(KUSTOMIZATIONS, KEY)
        server.asked.clear()
        answer = asyncio.Event()

        async def late(request: web.Request) -> web.StreamResponse | None:
            if request.method == "PATCH":
                await answer.wait()
            return None

        server.faults.extend([late] * 10)
        async with members_of(client) as members, asyncio.TaskGroup() as group:
            group.create_task(run_pass(server, client, members, a_config_map("one")))
            await loops.until(lambda: any(asked.method == "PATCH" for asked in server.asked))
            for _ in range(3):
                loops.skip(1.1)
                await loops.settle()
            answer.set()

        assert [asked.query for asked in server.asked if asked.method == "PATCH" and "dryRun" not in asked.query] == []
        assert server.store.get(KUSTOMIZATIONS, KEY) == stored


class Known(Cache[Any]):
    """A cache that holds what it is given."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def find(self, _key: ObjectKey) -> Any:
        return self._value


async def test_a_member_that_falls_ill_while_the_status_is_written_is_looked_at_again():
    async with a_cluster() as (server, client), members_of(client) as members:
        server.store.update(KUSTOMIZATIONS, KEY, lambda obj: merge(obj, WAITING))
        kustomization = codec.decode(Kustomization, server.store.get(KUSTOMIZATIONS, KEY))
        thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "one", "namespace": "apps"}}
        ill = {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "Ill", "message": "ill"}]}}

        async def fall_ill(request: web.Request) -> web.StreamResponse | None:
            server.faults.appendleft(fall_ill)
            if request.path.endswith("/status") and members.find(THINGS, THING) is not None:
                server.store.update(THINGS, ObjectKey("apps", "one"), lambda obj: merge(obj, ill))
                async with asyncio.timeout(5):
                    while not waits.unhealthy(members, [(THINGS, THING)]):
                        await clock.pause(timedelta(milliseconds=5))
            return None

        server.faults.append(fall_ill)
        sources: Any = {"GitRepository": Known(Source(status=SourceStatus(artifact=ARTIFACT)))}
        parts = parts_of(client, members, Objects(thing))
        async with asyncio.TaskGroup() as group:
            turn = Turn(Held(KEY), asyncio.Semaphore(1), group)
            await KustomizationReconciler(parts, Known(kustomization), sources).reconcile(turn)

        assert turn.touched.is_set()
