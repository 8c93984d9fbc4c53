"""Owners are told of what happens to their members, and of nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from tidegate.engine import identity, ownership
from tidegate.engine.members import Members, Notice
from tidegate.engine.ownership import Migration, Owner
from tidegate.runtime import clock
from tidegate.runtime.client import Client
from tidegate.runtime.resources import Resource
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

OWNER = Owner(ownership.KUSTOMIZE_GROUP, "flux-system", "app")
MANAGER = "kustomize-controller"
NEW = Resource("example.com", "v2", "Thing", "things", namespaced=True)
OLD = replace(NEW, version="v1")
KEY = ObjectKey("apps", "one")


def a_thing(**metadata: object) -> JsonObject:
    entry = {"manager": MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {"f:old": {}}}}
    own = {"name": KEY.name, "namespace": KEY.namespace, "labels": OWNER.labels, "managedFields": [entry]}
    return {"metadata": {**own, **metadata}, "spec": {"old": 1}}


@dataclass
class Watched:
    """Members of one server, and what was told of them."""

    members: Members
    told: list[tuple[Owner, Notice]] = field(default_factory=list)

    async def sees(self, resource: Resource, version: str) -> None:
        async with asyncio.timeout(5):
            while True:
                seen = self.members.find(resource, identity.object_id(shown(resource, a_thing())))
                if seen is not None and seen.version >= int(version):
                    return
                await clock.pause(timedelta(milliseconds=5))


def shown(resource: Resource, obj: JsonObject) -> JsonObject:
    return {**obj, "apiVersion": resource.api_version, "kind": resource.kind}


@asynccontextmanager
async def watched(client: Client) -> AsyncIterator[Watched]:
    found = Watched(Members(client.transport, OWNER.group, Migration(MANAGER), lambda *told: found.told.append(told)))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(found.members.run())
        try:
            yield found
        finally:
            running.cancel()


@pytest.fixture
async def server() -> AsyncIterator[FakeAPIServer]:
    async with FakeAPIServer([OLD, NEW]).running() as running:
        yield running


async def test_an_object_is_compared_only_in_the_version_that_it_was_applied_in(server: FakeAPIServer):
    applied = server.store.create(OLD, a_thing())
    in_the_other_version = {**a_thing(), "spec": {"new": 1}}
    oid = identity.object_id(shown(OLD, applied))
    async with server.client() as client, watched(client) as found:
        await found.members.follow([OLD, NEW])
        found.members.settle(OWNER, OLD, oid, "wanted", applied)
        # The same object, as the other version shows it, changes in its status.
        other = server.store.create(NEW, in_the_other_version)
        await found.sees(NEW, other["metadata"]["resourceVersion"])

        assert found.told == []
        assert found.members.in_order(OWNER)


async def test_f14_a_deletion_that_was_seen_before_the_answer_to_our_write_is_drift(server: FakeAPIServer):
    async with server.client() as client, watched(client) as found:
        await found.members.follow([OLD])
        applied = server.store.create(OLD, a_thing())
        oid = identity.object_id(shown(OLD, applied))
        server.store.delete(OLD, KEY)
        later = server.store.create(OLD, a_thing(name="later"))
        async with asyncio.timeout(5):
            while found.members.find(OLD, identity.object_id(shown(OLD, later))) is None:
                await clock.pause(timedelta(milliseconds=5))

        found.members.settle(OWNER, OLD, oid, "wanted", applied)

        assert found.told == [(OWNER, Notice.DRIFTED)]
        assert found.members.drifted(OWNER) == {oid}


async def test_f43_a_member_that_drifts_again_and_again_is_contested(server: FakeAPIServer):
    async with server.client() as client, watched(client) as found:
        await found.members.follow([OLD])
        for turn in range(7):
            ours = server.store.apply(OLD, {**a_thing(), "spec": {"old": 1, "turn": turn}})
            oid = identity.object_id(shown(OLD, ours))
            found.members.settle(OWNER, OLD, oid, "wanted", ours)
            theirs = server.store.update(OLD, KEY, lambda obj: {**obj, "spec": {"old": 2}})
            await found.sees(OLD, theirs["metadata"]["resourceVersion"])

        assert found.told == [(OWNER, Notice.DRIFTED)] * 5 + [(OWNER, Notice.CONTESTED)] * 2
