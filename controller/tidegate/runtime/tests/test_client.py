"""What of a Client the conformance checks do not show."""

import pytest

from tidegate.runtime import errors
from tidegate.runtime.client import Client, Preconditions
from tidegate.runtime.resources import CONFIG_MAPS
from tidegate.runtime.testing import faults
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.runtime.tests.conformance import a_config_map
from tidegate_api.meta.objects import ObjectKey

ONE = ObjectKey("default", "one")


async def test_list_reads_all_pages(server: FakeAPIServer, client: Client):
    for number in range(501):
        server.store.create(CONFIG_MAPS, a_config_map("default", f"n{number}"))

    assert len([item async for item in client.list(CONFIG_MAPS)]) == 501
    assert len([item async for item in client.list(CONFIG_MAPS, "other")]) == 0
    assert server.count("GET") == 3


async def test_find_is_none_only_for_what_is_not_there(server: FakeAPIServer, client: Client):
    assert await client.find(CONFIG_MAPS, ONE) is None
    server.faults.append(faults.refuse(403, "Forbidden"))
    with pytest.raises(errors.Forbidden):
        await client.find(CONFIG_MAPS, ONE)


async def test_p10_acting_as_somebody_is_a_header_and_no_new_client(server: FakeAPIServer, client: Client):
    tenant = client.acting_as("system:serviceaccount:ns:name")
    await tenant.find(CONFIG_MAPS, ONE)

    assert tenant.discovery is client.discovery
    assert tenant.transport.connections is client.transport.connections
    assert server.asked[0].headers["Impersonate-User"] == "system:serviceaccount:ns:name"


async def test_writes_name_their_field_manager(server: FakeAPIServer, client: Client):
    await client.apply(CONFIG_MAPS, a_config_map("default"), "kustomize-controller")
    await client.apply(CONFIG_MAPS, a_config_map("default"), "kustomize-controller", force=False, dry_run=True)
    await client.merge_patch(CONFIG_MAPS, ONE, {"data": {"a": "1"}}, "source-controller")

    first, second, third = (asked.query for asked in server.asked)
    assert first == {"fieldManager": "kustomize-controller", "force": "true"}
    assert second == {"fieldManager": "kustomize-controller", "force": "false", "dryRun": "All"}
    assert third == {"fieldManager": "source-controller"}


async def test_p4_delete_names_what_it_means(server: FakeAPIServer, client: Client):
    created = await client.create(CONFIG_MAPS, a_config_map("default"))
    uid, version = created["metadata"]["uid"], created["metadata"]["resourceVersion"]
    await client.delete(CONFIG_MAPS, ONE, Preconditions(uid, version))

    body = server.asked[-1].body
    assert body["preconditions"] == {"uid": uid, "resourceVersion": version}
    assert body["propagationPolicy"] == "Background"


@pytest.mark.parametrize("text", [b"", b"<html>", b"[]", b"null"])
async def test_answer_that_is_no_object_is_unreachable(server: FakeAPIServer, client: Client, text: bytes):
    server.faults.append(faults.send(text))

    with pytest.raises(errors.Unreachable):
        await client.get(CONFIG_MAPS, ONE)
