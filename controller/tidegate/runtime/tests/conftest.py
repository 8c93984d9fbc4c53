"""An API server on loopback, and what is logged."""

import io
from collections.abc import AsyncIterator

import pytest

from tidegate.runtime import logs
from tidegate.runtime.client import Client
from tidegate.runtime.resources import CONFIG_MAPS, LEASES, NAMESPACES
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.runtime.tests.conformance import DEPLOYMENTS


@pytest.fixture(autouse=True)
def logged() -> io.StringIO:
    """What is logged, as JSON lines."""
    stream = io.StringIO()
    logs.configure(stream=stream)
    return stream


@pytest.fixture
async def server() -> AsyncIterator[FakeAPIServer]:
    async with FakeAPIServer([NAMESPACES, CONFIG_MAPS, DEPLOYMENTS, LEASES]).running() as running:
        yield running


@pytest.fixture
async def client(server: FakeAPIServer) -> AsyncIterator[Client]:
    async with server.client() as client:
        yield client
