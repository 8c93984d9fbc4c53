"""What is written of a status: what changed, and nobody else's."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.runtime import errors
from tidegate.runtime.client import Client
from tidegate.runtime.testing import faults
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.runtime.testing.store import merge
from tidegate.toolkit import status
from tidegate.toolkit.conditions import Conditions
from tidegate.toolkit.status import StatusWriter
from tidegate.toolkit.tests.things import ONE, THINGS, Part, Thing, ThingStatus, a_thing
from tidegate_api import codec
from tidegate_api.codec import JsonObject

# As in status structs: nothing is null, and what is empty is absent.
plain = st.recursive(
    st.integers() | st.text(min_size=1, max_size=3) | st.lists(st.integers(), min_size=1, max_size=3),
    lambda inner: st.dictionaries(st.text(max_size=2), inner, min_size=1, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=2), plain, max_size=3)


@settings(max_examples=40)
@given(old=objects, new=objects)
def test_difference_turns_old_into_new(old: JsonObject, new: JsonObject):
    assert merge(old, status.merge_difference(old, new)) == new


@settings(max_examples=40)
@given(objects)
def test_p10_equal_objects_have_no_difference(value: JsonObject):
    assert status.merge_difference(value, copy.deepcopy(value)) == {}


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        (ThingStatus(), ThingStatus(), {}),
        (ThingStatus(note="a"), ThingStatus(note="b"), {"note": "b"}),
        (ThingStatus(note="a"), ThingStatus(), {"note": None}),
        (ThingStatus(count=1), ThingStatus(), {"count": 0}),
        (ThingStatus(), ThingStatus(last_handled_reconcile_at="t"), {"lastHandledReconcileAt": "t"}),
        (ThingStatus(names=["a"]), ThingStatus(), {"names": None}),
        (ThingStatus(names=["a"]), ThingStatus(names=["a", "b"]), {"names": ["a", "b"]}),
        (ThingStatus(parts=[Part(name="a")]), ThingStatus(parts=[Part(name="b")]), {"parts": [{"name": "b"}]}),
        (ThingStatus(part=Part(name="a")), ThingStatus(), {"part": None}),
        (ThingStatus(), ThingStatus(part=Part(name="a")), {"part": {"name": "a"}}),
        (
            ThingStatus(part=Part(name="a", facts={"x": "1", "y": "2"})),
            ThingStatus(part=Part(name="a", facts={"x": "1", "z": "3"})),
            {"part": {"facts": {"y": None, "z": "3"}}},
        ),
    ],
)
def test_patch_is_what_changed(before: ThingStatus, after: ThingStatus, patch: JsonObject):
    assert status.difference(before, after) == patch


def marked(thing: Thing, *, note: str = "") -> ThingStatus:
    """A status with Ready=True."""
    conditions = Conditions(thing.status.conditions, 1)
    conditions.mark_true("Ready", "Succeeded", "well")
    return ThingStatus(note=note, conditions=conditions.items())


async def write(writer: StatusWriter, thing: Thing, after: ThingStatus) -> str:
    return await writer.write(thing, thing.metadata.resource_version, thing.status, after)


def stored(server: FakeAPIServer) -> JsonObject:
    found: JsonObject = server.store.get(THINGS, ONE).get("status", {})
    return found


def somebody_writes(server: FakeAPIServer, status: JsonObject) -> None:
    server.store.update(THINGS, ONE, lambda live: merge(live, {"status": status}))


FOREIGN = {
    "type": "Audited",
    "status": "True",
    "reason": "R",
    "message": "m",
    "lastTransitionTime": "2020-01-01T00:00:00Z",
}


async def test_promise_3_equal_status_is_not_sent(server: FakeAPIServer, writer: StatusWriter, thing: Thing):
    assert await write(writer, thing, copy.copy(thing.status)) == thing.metadata.resource_version
    assert server.asked == []


async def test_one_patch_of_the_subresource_is_sent(
    server: FakeAPIServer, writer: StatusWriter, thing: Thing, observed: list[JsonObject]
):
    version = await write(writer, thing, marked(thing, note="a"))

    (asked,) = server.asked
    assert asked.path.endswith("/things/one/status")
    assert asked.query == {"fieldManager": "thing-controller"}
    assert asked.body["metadata"] == {"uid": thing.metadata.uid, "resourceVersion": thing.metadata.resource_version}
    assert sorted(asked.body["status"]) == ["conditions", "note"]
    assert stored(server)["note"] == "a"
    assert [version] == [obj["metadata"]["resourceVersion"] for obj in observed]


async def test_patch_without_conditions_needs_no_lock(server: FakeAPIServer, writer: StatusWriter, thing: Thing):
    somebody_writes(server, {"count": 5})

    await write(writer, thing, ThingStatus(last_handled_reconcile_at="t"))

    assert len(server.asked) == 1
    assert stored(server) == {"count": 5, "lastHandledReconcileAt": "t"}


async def test_p7_f7_foreign_conditions_survive_a_conflict(server: FakeAPIServer, writer: StatusWriter, thing: Thing):
    stalled = {**FOREIGN, "type": "Stalled"}
    somebody_writes(server, {"conditions": [stalled, FOREIGN]})

    version = await write(writer, thing, marked(thing))

    assert [item["type"] for item in stored(server)["conditions"]] == ["Ready", "Audited"]
    assert stored(server)["conditions"][1] == FOREIGN
    assert [asked.method for asked in server.asked] == ["PATCH", "GET", "PATCH"]
    assert version == thing.metadata.resource_version


async def test_p7_f7_foreign_conditions_survive_the_writes_after_a_conflict(
    server: FakeAPIServer, writer: StatusWriter, thing: Thing
):
    somebody_writes(server, {"conditions": [FOREIGN]})
    first = marked(thing)
    version = await write(writer, thing, first)
    marks = Conditions(first.conditions, 1)
    marks.mark_false("Ready", "Failed", "no")
    second = ThingStatus(conditions=marks.items())

    await writer.write(thing, version, first, second)

    assert [(item["type"], item["status"]) for item in stored(server)["conditions"]] == [
        ("Ready", "False"),
        ("Audited", "True"),
    ]


async def test_f7_five_conflicts_are_given_up(server: FakeAPIServer, writer: StatusWriter, thing: Thing):
    server.faults.extend([faults.refuse(409, "Conflict"), faults.serve] * 5)

    with pytest.raises(errors.Unreachable, match="5 times"):
        await write(writer, thing, marked(thing))

    assert server.count("PATCH") == 5


async def test_object_that_is_gone_is_no_error(server: FakeAPIServer, writer: StatusWriter, thing: Thing):
    server.store.delete(THINGS, ONE)

    assert await write(writer, thing, marked(thing)) == thing.metadata.resource_version


@pytest.mark.parametrize("note", ["", "a"], ids=["conditions", "conditions-and-note"])
async def test_f14_nothing_is_written_to_a_successor(
    server: FakeAPIServer, writer: StatusWriter, thing: Thing, note: str
):
    server.store.delete(THINGS, ONE)
    server.store.create(THINGS, a_thing())

    await write(writer, thing, marked(thing, note=note))
    await write(writer, thing, ThingStatus(last_handled_reconcile_at="t"))

    assert stored(server) == {}


async def test_status_that_the_server_refuses_is_an_error(server: FakeAPIServer, writer: StatusWriter, thing: Thing):
    server.faults.append(faults.refuse(422, "Invalid"))

    with pytest.raises(errors.Invalid):
        await write(writer, thing, marked(thing))


async def test_finalizers_are_replaced_under_a_lock(server: FakeAPIServer, writer: StatusWriter, client: Client):
    old = codec.decode(Thing, server.store.get(THINGS, ONE))
    await writer.patch_finalizers(old, ["a"])
    with pytest.raises(errors.Conflict):
        await writer.patch_finalizers(old, ["b"])

    new = codec.decode(Thing, await client.get(THINGS, ONE))
    assert new.metadata.finalizers == ["a"]
    await writer.patch_finalizers(new, [])

    assert "finalizers" not in server.store.get(THINGS, ONE)["metadata"]
