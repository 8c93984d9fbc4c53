"""An API server with one Thing, and who looks at it."""

import asyncio
import io
from collections.abc import AsyncIterator

import pytest

from tidegate.runtime import logs
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn
from tidegate.runtime.queue import Held
from tidegate.runtime.resources import EVENTS, LEASES
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.toolkit.status import StatusWriter
from tidegate.toolkit.tests.things import ONE, THINGS, Thing, a_thing
from tidegate_api import codec
from tidegate_api.codec import JsonObject


@pytest.fixture(autouse=True)
def logged() -> io.StringIO:
    """What is logged, as JSON lines."""
    stream = io.StringIO()
    logs.configure(stream=stream)
    return stream


@pytest.fixture
async def server() -> AsyncIterator[FakeAPIServer]:
    server = FakeAPIServer([THINGS, EVENTS, LEASES])
    server.store.create(THINGS, a_thing())
    async with server.running():
        yield server


@pytest.fixture
async def client(server: FakeAPIServer) -> AsyncIterator[Client]:
    async with server.client("thing-controller/v1") as client:
        yield client


@pytest.fixture
def observed() -> list[JsonObject]:
    """What the writer told the cache."""
    return []


@pytest.fixture
def writer(client: Client, observed: list[JsonObject]) -> StatusWriter:
    owned = frozenset({"Ready", "Reconciling", "Stalled"})
    return StatusWriter(client, THINGS, "thing-controller", owned, observed.append)


@pytest.fixture
def thing(server: FakeAPIServer) -> Thing:
    """The Thing as a cache has it."""
    return codec.decode(Thing, server.store.get(THINGS, ONE))


@pytest.fixture
async def turn() -> AsyncIterator[Turn]:
    async with asyncio.TaskGroup() as group:
        yield Turn(Held(ONE), asyncio.Semaphore(1), group)
