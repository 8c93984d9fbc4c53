"""Where kinds are served, asked as rarely as can be."""

import asyncio

import pytest

from tidegate.runtime import errors
from tidegate.runtime.client import Client
from tidegate.runtime.discovery import NoMatch
from tidegate.runtime.resources import CONFIG_MAPS, Resource
from tidegate.runtime.testing import faults
from tidegate.runtime.testing import loop as loops
from tidegate.runtime.testing.api_server import FakeAPIServer

THINGS = Resource("example.com", "v1", "Thing", "things", namespaced=True)
OLD_THINGS = Resource("example.com", "v1beta1", "Thing", "things", namespaced=True)


async def test_kind_is_found_with_one_discovery_for_all(server: FakeAPIServer, client: Client):
    found = await client.discovery.find("v1", "ConfigMap")
    await client.discovery.find("apps/v1", "Deployment")

    assert found == CONFIG_MAPS
    assert [asked.path for asked in server.asked] == ["/api", "/apis"]


async def test_those_who_ask_together_share_one_discovery(server: FakeAPIServer, client: Client):
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(client.discovery.find("v1", "ConfigMap"))

    assert len(server.asked) == 2


async def test_miss_asks_again_at_most_every_two_seconds(server: FakeAPIServer, client: Client):
    for _ in range(1000):
        with pytest.raises(NoMatch, match=r'no matches for kind "Thing" in version "example\.com/v1"'):
            await client.discovery.find("example.com/v1", "Thing")
    assert len(server.asked) == 2

    loops.skip(2.5)
    with pytest.raises(NoMatch):
        await client.discovery.find("example.com/v1", "Thing")

    assert len(server.asked) == 4


async def test_kind_that_came_is_found_after_two_seconds_or_when_told(server: FakeAPIServer, client: Client):
    await client.discovery.find("v1", "ConfigMap")
    server.resources.append(THINGS)

    client.discovery.invalidate()

    assert await client.discovery.find("example.com/v1", "Thing") == THINGS


async def test_f11_group_that_does_not_answer_keeps_its_kinds(server: FakeAPIServer, client: Client):
    server.resources.append(THINGS)
    await client.discovery.find("example.com/v1", "Thing")
    server.stale.add("example.com")
    loops.skip(3)
    with pytest.raises(NoMatch):
        await client.discovery.find("v1", "Other")

    assert await client.discovery.find("example.com/v1", "Thing") == THINGS
    assert len(server.asked) == 4


async def test_kind_that_went_is_missed(server: FakeAPIServer, client: Client):
    server.resources.append(THINGS)
    await client.discovery.find("example.com/v1", "Thing")
    server.resources.remove(THINGS)
    loops.skip(3)
    with pytest.raises(NoMatch):
        await client.discovery.find("v1", "Other")

    with pytest.raises(NoMatch):
        await client.discovery.find("example.com/v1", "Thing")


async def test_preferred_version_comes_first(server: FakeAPIServer, client: Client):
    server.resources.extend([THINGS, OLD_THINGS])

    assert await client.discovery.preferred("example.com", "Thing") == THINGS
    assert await client.discovery.preferred("example.com", "Other") is None


async def test_f1_server_that_does_not_answer_is_not_a_missing_kind(server: FakeAPIServer, client: Client):
    server.faults.append(faults.refuse(503))
    with pytest.raises(errors.ServerError):
        await client.discovery.find("v1", "ConfigMap")

    assert await client.discovery.find("v1", "ConfigMap") == CONFIG_MAPS
