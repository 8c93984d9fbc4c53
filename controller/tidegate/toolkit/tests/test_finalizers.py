"""On before any work, off after the last."""

import pytest

from tidegate.runtime import errors
from tidegate.runtime.testing import faults
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.runtime.testing.store import merge
from tidegate.toolkit.finalizers import add_finalizer, remove_finalizer
from tidegate.toolkit.status import StatusWriter
from tidegate.toolkit.tests.things import ONE, THINGS, Thing, a_thing
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.meta.annotations import FINALIZER


def finalizers(server: FakeAPIServer) -> list[str]:
    return list(server.store.get(THINGS, ONE)["metadata"].get("finalizers", []))


def edit(server: FakeAPIServer, metadata: JsonObject) -> None:
    server.store.update(THINGS, ONE, lambda live: merge(live, {"metadata": metadata}))


async def test_finalizer_is_added_once(server: FakeAPIServer, writer: StatusWriter, thing: Thing):
    once = await add_finalizer(writer, thing)
    twice = await add_finalizer(writer, once)

    assert finalizers(server) == [FINALIZER]
    assert once.metadata.resource_version == server.store.get(THINGS, ONE)["metadata"]["resourceVersion"]
    assert twice is once
    assert server.count("PATCH") == 1


async def test_f7_finalizer_is_added_to_what_somebody_changed(
    server: FakeAPIServer, writer: StatusWriter, thing: Thing
):
    edit(server, {"finalizers": ["example.com/other"], "labels": {"a": "b"}})

    added = await add_finalizer(writer, thing)

    assert finalizers(server) == ["example.com/other", FINALIZER]
    assert added.metadata.labels == {"a": "b"}


async def test_f7_finalizer_that_somebody_added_meanwhile_is_enough(
    server: FakeAPIServer, writer: StatusWriter, thing: Thing
):
    edit(server, {"finalizers": [FINALIZER]})

    assert (await add_finalizer(writer, thing)).metadata.finalizers == [FINALIZER]
    assert server.count("PATCH") == 1


async def test_f14_finalizer_is_not_added_to_a_successor(server: FakeAPIServer, writer: StatusWriter, thing: Thing):
    server.store.delete(THINGS, ONE)
    server.store.create(THINGS, a_thing())

    with pytest.raises(errors.NotFound):
        await add_finalizer(writer, thing)

    assert finalizers(server) == []


async def test_f7_finalizer_is_removed_from_what_somebody_changed(
    server: FakeAPIServer, writer: StatusWriter, thing: Thing
):
    edit(server, {"finalizers": ["example.com/other", FINALIZER]})
    old = codec.decode(Thing, server.store.get(THINGS, ONE))
    edit(server, {"labels": {"a": "b"}})

    await remove_finalizer(writer, old)

    assert finalizers(server) == ["example.com/other"]


async def test_f12_object_goes_with_its_last_finalizer(server: FakeAPIServer, writer: StatusWriter, thing: Thing):
    held = await add_finalizer(writer, thing)
    server.store.delete(THINGS, ONE)

    await remove_finalizer(writer, held)
    await remove_finalizer(writer, held)

    assert server.store.items(THINGS) == []


async def test_finalizer_that_is_not_there_is_not_removed(server: FakeAPIServer, writer: StatusWriter, thing: Thing):
    await remove_finalizer(writer, thing)

    assert server.asked == []


async def test_f7_five_conflicts_are_given_up(server: FakeAPIServer, writer: StatusWriter, thing: Thing):
    server.faults.extend([faults.refuse(409, "Conflict"), faults.serve] * 5)

    with pytest.raises(errors.Unreachable, match="5 times"):
        await add_finalizer(writer, thing)
