"""One event to two places, without ever waiting or failing."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tidegate.runtime.client import Client
from tidegate.runtime.resources import EVENTS
from tidegate.runtime.testing import faults
from tidegate.runtime.testing import loop as loops
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.toolkit import events
from tidegate.toolkit.events import Recorder, Severity
from tidegate.toolkit.tests.things import ONE, THINGS, Thing, a_thing
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey


class Receiver:
    """Stands for notification-controller: answers with `statuses` in turn, then with 202."""

    def __init__(self) -> None:
        self.posted: list[JsonObject] = []
        self.statuses: list[int] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.posted.append(await request.json())
        return web.Response(status=self.statuses.pop(0) if self.statuses else 202)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/", receiver.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = "http://{}:{}/".format(*runner.addresses[0])
    yield receiver
    await runner.cleanup()


@asynccontextmanager
async def running(recorder: Recorder) -> AsyncIterator[Recorder]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(recorder.run())
        try:
            yield recorder
        finally:
            task.cancel()


def stored(server: FakeAPIServer) -> list[JsonObject]:
    return server.store.items(EVENTS)


async def test_event_is_stored_on_its_object(server: FakeAPIServer, client: Client, thing: Thing):
    async with running(Recorder(client, "thing-controller")) as recorder:
        recorder.event(thing, Severity.INFO, "NewArtifact", "stored artifact", {"example.com/revision": "main@sha1:1"})
        await loops.until(lambda: stored(server))

    (event,) = stored(server)
    assert event["metadata"]["name"].startswith("one.")
    assert event["metadata"]["namespace"] == "default"
    assert event["metadata"]["annotations"] == {"example.com/revision": "main@sha1:1"}
    assert event["involvedObject"] == {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "namespace": "default",
        "name": "one",
        "uid": thing.metadata.uid,
        "resourceVersion": thing.metadata.resource_version,
    }
    words = [event[name] for name in ("type", "reason", "message", "count", "reportingComponent")]
    assert words == ["Normal", "NewArtifact", "stored artifact", 1, "thing-controller"]
    assert event["source"] == {"component": "thing-controller"}
    assert event["firstTimestamp"] == event["lastTimestamp"]


async def test_event_is_posted_as_flux_does(
    receiver: Receiver, client: Client, thing: Thing, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOSTNAME", "pod-1")
    async with running(Recorder(client, "thing-controller", receiver.url)) as recorder:
        recorder.event(thing, Severity.ERROR, "BuildFailed", "broken", {"example.com/revision": "main@sha1:1"})
        await loops.until(lambda: receiver.posted)

    (body,) = receiver.posted
    assert body.pop("timestamp").endswith("Z")
    assert body.pop("involvedObject")["uid"] == thing.metadata.uid
    assert body == {
        "severity": "error",
        "reason": "BuildFailed",
        "message": "broken",
        "metadata": {"example.com/revision": "main@sha1:1"},
        "reportingController": "thing-controller",
        "reportingInstance": "pod-1",
    }


@pytest.mark.parametrize(
    ("severity", "kind"), [(Severity.INFO, "Normal"), (Severity.ERROR, "Warning"), (Severity.TRACE, "Normal")]
)
async def test_severity_is_a_type(server: FakeAPIServer, client: Client, thing: Thing, severity: Severity, kind: str):
    async with running(Recorder(client, "thing-controller")) as recorder:
        recorder.event(thing, severity, "Reason", "text")
        await loops.until(lambda: stored(server))

    assert stored(server)[0]["type"] == kind


async def test_trace_is_not_posted(server: FakeAPIServer, receiver: Receiver, client: Client, thing: Thing):
    async with running(Recorder(client, "thing-controller", receiver.url)) as recorder:
        for severity in (Severity.TRACE, Severity.INFO):
            recorder.event(thing, severity, "Reason", "text " + severity)
        await loops.until(lambda: len(stored(server)) == 2 and receiver.posted)

    assert [body["severity"] for body in receiver.posted] == ["info"]


async def test_annotations_for_events_are_copied(server: FakeAPIServer, receiver: Receiver, client: Client):
    server.store.delete(THINGS, ONE)
    marks = {"event.toolkit.fluxcd.io/change_request": "7", "example.com/other": "x"}
    thing = codec.decode(Thing, server.store.create(THINGS, a_thing(marks)))
    async with running(Recorder(client, "thing-controller", receiver.url)) as recorder:
        recorder.event(thing, Severity.INFO, "Reason", "text", {"example.com/revision": "1"})
        await loops.until(lambda: stored(server) and receiver.posted)

    expected = {"event.toolkit.fluxcd.io/change_request": "7", "example.com/revision": "1"}
    assert stored(server)[0]["metadata"]["annotations"] == expected
    assert receiver.posted[0]["metadata"] == expected


async def test_n5_texts_are_cleaned_and_cut(server: FakeAPIServer, receiver: Receiver, client: Client, thing: Thing):
    async with running(Recorder(client, "thing-controller", receiver.url)) as recorder:
        recorder.event(thing, Severity.INFO, "Reason", "\x1b[1m" + "x" * 50000)
        await loops.until(lambda: stored(server) and receiver.posted)

    assert len(stored(server)[0]["message"]) == 1024
    assert len(receiver.posted[0]["message"]) == 39000
    assert receiver.posted[0]["message"].startswith("[1mx")


async def test_same_event_again_is_counted(server: FakeAPIServer, client: Client, thing: Thing):
    async with running(Recorder(client, "thing-controller")) as recorder:
        for _ in range(3):
            recorder.event(thing, Severity.ERROR, "BuildFailed", "broken")
        recorder.event(thing, Severity.ERROR, "BuildFailed", "broken otherwise")
        await loops.until(lambda: len(stored(server)) == 2)

    assert sorted(event["count"] for event in stored(server)) == [1, 3]
    assert (server.count("POST"), server.count("PATCH")) == (2, 2)


async def test_event_whose_record_went_is_made_anew(server: FakeAPIServer, client: Client, thing: Thing):
    async with running(Recorder(client, "thing-controller")) as recorder:
        recorder.event(thing, Severity.ERROR, "BuildFailed", "broken")
        await loops.until(lambda: stored(server))
        (event,) = stored(server)
        server.store.delete(EVENTS, ObjectKey.of(event))
        recorder.event(thing, Severity.ERROR, "BuildFailed", "broken")
        await loops.until(lambda: stored(server))

    assert stored(server)[0]["count"] == 1


async def test_event_that_is_refused_does_not_stop_the_next(server: FakeAPIServer, client: Client, thing: Thing):
    server.faults.extend([faults.refuse(403), faults.reset])
    async with running(Recorder(client, "thing-controller")) as recorder:
        for text in ("refused", "lost", "stored"):
            recorder.event(thing, Severity.INFO, "Reason", text)
        await loops.until(lambda: [event["message"] for event in stored(server)][-1:] == ["stored"])


@pytest.mark.parametrize(
    ("statuses", "tries"), [([429], 1), ([400], 1), ([404], 1), ([302], 1), ([500, 503], 3), ([500] * 9, 5)]
)
async def test_post_is_tried_again_only_where_that_can_help(
    receiver: Receiver, client: Client, thing: Thing, statuses: list[int], tries: int
):
    receiver.statuses = statuses
    recorder = Recorder(client, "thing-controller", receiver.url)
    async with running(recorder):
        recorder.event(thing, Severity.INFO, "Reason", "text")
        await loops.until(lambda: receiver.posted)
        await loops.hurry(lambda: not recorder._posting)

    assert len(receiver.posted) == tries


async def test_receiver_that_is_down_delays_no_event(server: FakeAPIServer, client: Client, thing: Thing):
    async with running(Recorder(client, "thing-controller", "http://127.0.0.1:1/")) as recorder:
        for number in range(5):
            recorder.event(thing, Severity.INFO, "Reason", f"text {number}")
        await loops.until(lambda: len(stored(server)) == 5)


@pytest.mark.parametrize("address", ["no url", "ftp://x/", "http://"])
async def test_address_of_no_use_stops_nothing(server: FakeAPIServer, client: Client, thing: Thing, address: str):
    recorder = Recorder(client, "thing-controller", address)
    async with running(recorder):
        recorder.event(thing, Severity.INFO, "Reason", "text")
        await loops.until(lambda: stored(server))
        await loops.hurry(lambda: not recorder._posting)


async def test_promise_6_posts_under_way_are_bounded(
    server: FakeAPIServer, client: Client, thing: Thing, logged: io.StringIO
):
    recorder = Recorder(client, "thing-controller", "http://127.0.0.1:1/")
    recorder._posting = events.POSTS_LIMIT
    async with running(recorder):
        recorder.event(thing, Severity.INFO, "Reason", "text")
        await loops.until(lambda: stored(server))

    assert "event not posted, too many at once" in logged.getvalue()


async def test_promise_6_storm_of_events_drops_the_oldest(client: Client, thing: Thing, logged: io.StringIO):
    recorder = Recorder(client, "thing-controller")
    for number in range(events.QUEUE_LIMIT + 2):
        recorder.event(thing, Severity.INFO, "Reason", str(number))

    assert len(recorder._notes) == events.QUEUE_LIMIT
    assert recorder._notes[0].message == "2"
    assert "event dropped" in logged.getvalue()


async def test_same_event_after_ten_minutes_is_a_new_one(server: FakeAPIServer, client: Client, thing: Thing):
    recorder = Recorder(client, "thing-controller")
    recorder.event(thing, Severity.INFO, "Reason", "text")
    (first,) = recorder._notes
    recorder._notes.append(events.Note(**{**vars(first), "at": first.at + 601}))
    async with running(recorder):
        await loops.until(lambda: len(stored(server)) == 2)
