"""Nothing is deleted, nor taken for deleted, without proof (promise 4)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tidegate.engine import ownership
from tidegate.engine.identity import ObjectId
from tidegate.engine.members import Members
from tidegate.engine.ownership import Migration, Owner
from tidegate.engine.prune import prune
from tidegate.runtime.client import Client
from tidegate.runtime.resources import CONFIG_MAPS, Resource
from tidegate.runtime.testing.api_server import FakeAPIServer

OWNER = Owner(ownership.KUSTOMIZE_GROUP, "flux-system", "app")
METRICS = Resource("metrics.example.com", "v1", "Gauge", "gauges", namespaced=True)
GAUGE = ObjectId("apps", "one", METRICS.group, METRICS.kind)


@pytest.fixture
async def server() -> AsyncIterator[FakeAPIServer]:
    async with FakeAPIServer([CONFIG_MAPS, METRICS]).running() as running:
        yield running


@asynccontextmanager
async def members_of(client: Client) -> AsyncIterator[Members]:
    members = Members(client.transport, ownership.KUSTOMIZE_GROUP, Migration("kustomize-controller"), lambda *_: None)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(members.run())
        try:
            yield members
        finally:
            running.cancel()


async def test_f11_an_object_whose_api_does_not_answer_is_not_taken_for_deleted(server: FakeAPIServer):
    server.stale.add(METRICS.group)

    async with server.client() as client, members_of(client) as members:
        pruned = await prune(client, members, OWNER, {GAUGE: "v1"})

    assert pruned.survivors == {GAUGE: "v1"}
    assert not pruned.changes
    assert "Gauge/apps/one" in pruned.problems[0]


async def test_an_object_whose_kind_is_gone_is_gone(server: FakeAPIServer):
    server.resources.remove(METRICS)

    async with server.client() as client, members_of(client) as members:
        pruned = await prune(client, members, OWNER, {GAUGE: "v1"})

    assert not pruned.survivors
    assert [change.id for change in pruned.changes] == [GAUGE]
