"""The API server that unit tests talk to does what the real one does: the same checks, against the real one."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hack.controlplane.cluster import ControlPlane
from hack.controlplane.external import ExternalCluster
from tidegate.runtime import credentials
from tidegate.runtime.client import Client
from tidegate.runtime.discovery import Discovery
from tidegate.runtime.resources import NAMESPACES
from tidegate.runtime.tests import conformance
from tidegate.runtime.tests.conformance import Check
from tidegate.runtime.transport import Connections, Transport


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(control_plane: ControlPlane | ExternalCluster) -> AsyncIterator[Client]:
    cluster = await credentials.load(str(control_plane.admin))
    async with Connections(cluster) as connections:
        transport = Transport(connections, "conformance")
        yield Client(transport, Discovery(transport))


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
async def test_the_real_api_server_agrees(client: Client, check: Check):
    namespace = check.__name__.replace("_", "-")
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})

    await check(client, namespace)
