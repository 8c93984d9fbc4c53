"""One try at one object: quiet while it is quick, and concluded however it ends."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from aiohttp import web

from tidegate.runtime import errors, metrics
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Result, Superseded, Turn
from tidegate.runtime.testing import faults
from tidegate.runtime.testing import loop as loops
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.runtime.testing.store import merge
from tidegate.toolkit.attempt import Attempt, Tools
from tidegate.toolkit.events import Recorder, Severity
from tidegate.toolkit.outcomes import Again, Failed, Policy, Stalled, Waiting
from tidegate.toolkit.status import StatusWriter
from tidegate.toolkit.tests.things import ONE, REQUESTED_AT, THINGS, Thing, ThingStatus
from tidegate_api import codec
from tidegate_api.codec import JsonObject

INTERVAL, AFTER = timedelta(minutes=10), timedelta(seconds=30)
POLICY = Policy(INTERVAL, None, lambda conditions: conditions.mark_true("Ready", "Succeeded", "all is well"))


@dataclass
class Bench:
    """All that an attempt needs, and what came of it."""

    server: FakeAPIServer
    writer: StatusWriter
    recorder: Recorder
    turn: Turn
    resets_ready: bool = False
    results: list[Result] = field(default_factory=list)

    def attempt(self) -> Attempt[Thing]:
        thing = codec.decode(Thing, self.server.store.get(THINGS, ONE))
        return Attempt(thing, self.turn, Tools(self.writer, self.recorder, self.resets_ready), POLICY)

    async def run(self, ending: BaseException | None = None) -> Result:
        """An attempt that does nothing but end."""
        attempt = self.attempt()
        async with attempt:
            if ending is not None:
                raise ending
        return attempt.result

    @property
    def status(self) -> ThingStatus:
        return codec.decode(Thing, self.server.store.get(THINGS, ONE)).status

    @property
    def words(self) -> list[str]:
        """The stored conditions, in short."""
        return [f"{item.type}={item.status} {item.reason}" for item in self.status.conditions]

    @property
    def events(self) -> list[tuple[str, str, str]]:
        return [(note.severity.value, note.reason, note.message) for note in self.recorder._notes]

    def edit(self, patch: JsonObject) -> None:
        self.server.store.update(THINGS, ONE, lambda live: merge(live, patch))


@pytest.fixture
def bench(server: FakeAPIServer, writer: StatusWriter, client: Client, turn: Turn) -> Bench:
    return Bench(server, writer, Recorder(client, "thing-controller"), turn)


@asynccontextmanager
async def lasting(bench: Bench) -> AsyncIterator[tuple[Attempt[Thing], asyncio.Task[None], asyncio.Event]]:
    """An attempt with a step that lasts until the event is set."""
    attempt, go_on = bench.attempt(), asyncio.Event()

    async def run() -> None:
        async with attempt:
            attempt.progress("building artifact")
            await go_on.wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(run())
        await loops.settle()
        yield attempt, task, go_on


async def test_normal_end_is_one_write(bench: Bench):
    bench.edit({"metadata": {"annotations": {REQUESTED_AT: "now"}}})

    assert await bench.run() == Result(INTERVAL)

    assert bench.words == ["Ready=True Succeeded"]
    assert (bench.status.observed_generation, bench.status.last_handled_reconcile_at) == (1, "now")
    assert len(bench.server.asked) == 1
    assert bench.events == []


async def test_promise_3_attempt_that_changes_nothing_writes_nothing(bench: Bench):
    await bench.run()
    bench.server.asked.clear()

    await bench.run()

    assert bench.server.asked == []


async def test_new_token_is_all_that_is_written_of_an_attempt_that_changes_nothing(bench: Bench):
    await bench.run()
    bench.edit({"metadata": {"annotations": {REQUESTED_AT: "again"}}})
    bench.server.asked.clear()

    await bench.run()

    assert [asked.body["status"] for asked in bench.server.asked] == [{"lastHandledReconcileAt": "again"}]


@pytest.mark.parametrize(
    ("ending", "result", "words", "events"),
    [
        pytest.param(
            Waiting("DependencyNotReady", "not yet", AFTER),
            Result(AFTER),
            ["Reconciling=True ProgressingWithRetry", "Ready=False DependencyNotReady"],
            [],
            id="waiting",
        ),
        pytest.param(
            Waiting("DependencyNotReady", "not yet", AFTER, notify="waiting for x"),
            Result(AFTER),
            ["Reconciling=True ProgressingWithRetry", "Ready=False DependencyNotReady"],
            [("info", "DependencyNotReady", "waiting for x")],
            id="waiting-told",
        ),
        pytest.param(
            Again("more to do", AFTER),
            Result(AFTER),
            ["Reconciling=True ProgressingWithRetry", "Ready=True Succeeded"],
            [],
            id="again",
        ),
        pytest.param(
            Stalled("URLInvalid", "no URL"),
            Result(),
            ["Stalled=True URLInvalid", "Ready=False URLInvalid"],
            [("error", "URLInvalid", "no URL")],
            id="stalled",
        ),
        pytest.param(
            Failed("BuildFailed", "broken"),
            Result(backoff=True),
            ["Reconciling=True ProgressingWithRetry", "Ready=False BuildFailed"],
            [("error", "BuildFailed", "broken")],
            id="failed",
        ),
        pytest.param(
            RuntimeError("boom\x1b[0m"),
            Result(backoff=True),
            ["Reconciling=True ProgressingWithRetry", "Ready=False Failed"],
            [("error", "Failed", "boom[0m")],
            id="exception",
        ),
        pytest.param(
            errors.Unreachable("away"),
            Result(backoff=True),
            ["Reconciling=True ProgressingWithRetry"],
            [],
            id="unreachable",
        ),
    ],
)
async def test_ending_is_written_and_told(
    bench: Bench, ending: Exception, result: Result, words: list[str], events: list[tuple[str, str, str]]
):
    bench.edit({"metadata": {"annotations": {REQUESTED_AT: "now"}}})

    assert await bench.run(ending) == result

    assert bench.words == words
    assert bench.events == events
    assert bench.status.last_handled_reconcile_at == "now"
    assert bench.status.observed_generation == (1 if isinstance(ending, Stalled) else 0)


async def test_same_failure_again_writes_nothing(bench: Bench):
    await bench.run(Failed("BuildFailed", "broken"))
    bench.server.asked.clear()

    await bench.run(Failed("BuildFailed", "broken"))

    assert bench.server.asked == []


async def test_wait_is_told_when_it_begins(bench: Bench):
    for _ in range(3):
        await bench.run(Waiting("DependencyNotReady", "not yet", AFTER, notify="waiting for x"))

    assert len(bench.events) == 1


async def test_unexpected_exception_is_logged_with_its_traceback(bench: Bench, logged: io.StringIO):
    await bench.run(RuntimeError("boom"))
    await bench.run(Failed("BuildFailed", "broken"))

    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert ["exception" in line for line in lines if line["level"] == "error"] == [True, False]


async def test_status_fields_and_own_conditions_are_written(bench: Bench):
    attempt = bench.attempt()
    async with attempt:
        attempt.obj.status.note = "new"
        attempt.conditions.mark_true("ArtifactInStorage", "Succeeded", "there")

    assert bench.status.note == "new"
    assert bench.words == ["Ready=True Succeeded", "ArtifactInStorage=True Succeeded"]


async def test_object_as_cached_is_left_alone(bench: Bench):
    attempt = bench.attempt()
    cached = attempt._stored
    async with attempt:
        attempt.obj.status.note = "new"

    assert cached.status == ThingStatus()


async def test_quick_step_is_not_written(bench: Bench):
    async with lasting(bench) as (_, task, go_on):
        loops.skip(0.9)
        await loops.settle()
        assert bench.server.asked == []
        go_on.set()
        await task

    assert len(bench.server.asked) == 1
    assert bench.words == ["Ready=True Succeeded"]


async def test_step_that_lasts_over_a_second_is_written_once(bench: Bench):
    async with lasting(bench) as (_, _task, go_on):
        loops.skip(1.1)
        await loops.until(lambda: bench.words)
        assert bench.words == ["Reconciling=True Progressing"]
        assert bench.status.conditions[0].message == "building artifact"
        for _ in range(10):
            loops.skip(10)
            await loops.settle()
        assert len(bench.server.asked) == 1
        go_on.set()

    assert bench.words == ["Ready=True Succeeded"]
    assert len(bench.server.asked) == 2


async def test_each_step_has_a_second_of_its_own(bench: Bench):
    async with lasting(bench) as (attempt, _task, go_on):
        for message in ("fetching", "building", "applying"):
            attempt.progress(message)
            await loops.settle()
            loops.skip(0.9)
            await loops.settle()
        assert bench.server.asked == []
        loops.skip(0.2)
        await loops.until(lambda: bench.words and not attempt._lock.locked())
        assert bench.status.conditions[0].message == "applying"
        attempt.progress("checking health")
        await loops.settle()
        loops.skip(1.1)
        await loops.until(lambda: bench.status.conditions[0].message == "checking health")
        go_on.set()


async def test_a_step_that_is_not_told_is_not_written_until_one_is(bench: Bench):
    async with lasting(bench) as (attempt, _task, go_on):
        attempt.progress("looking", is_told=False)
        await loops.settle()
        loops.skip(5)
        await loops.settle()
        assert bench.server.asked == []
        attempt.progress("mending")
        await loops.settle()
        loops.skip(1.1)
        await loops.until(lambda: bench.words and not attempt._lock.locked())
        assert bench.status.conditions[0].message == "mending"
        go_on.set()


async def test_ready_turns_unknown_in_a_long_step_where_the_kind_does_so(bench: Bench):
    await bench.run()
    bench.resets_ready = True
    bench.server.asked.clear()
    async with lasting(bench) as (_, _task, go_on):
        loops.skip(1.1)
        await loops.until(lambda: bench.server.asked)
        await loops.until(lambda: len(bench.words) == 2)
        assert bench.words == ["Reconciling=True Progressing", "Ready=Unknown Progressing"]
        go_on.set()

    assert bench.words == ["Ready=True Succeeded"]


async def test_progress_under_way_is_waited_for_and_taken_back(bench: Bench):
    """A write cut off may count or not: then nobody would know that Reconciling has to go again."""
    await bench.run()
    bench.server.asked.clear()
    answer = asyncio.Event()

    async def late(_request: web.Request) -> None:
        await answer.wait()

    bench.server.faults.append(late)
    async with lasting(bench) as (_, task, go_on):
        loops.skip(1.1)
        await loops.until(lambda: bench.server.asked)
        go_on.set()
        await loops.settle()
        assert not task.done()
        answer.set()

    assert bench.words == ["Ready=True Succeeded"]


async def test_progress_that_cannot_be_written_is_no_failure(bench: Bench):
    bench.server.faults.append(faults.refuse(500))
    async with lasting(bench) as (attempt, _task, go_on):
        loops.skip(1.1)
        await loops.until(lambda: bench.server.asked)
        await loops.settle()
        go_on.set()

    assert bench.words == ["Ready=True Succeeded"]
    assert attempt.result == Result(INTERVAL)


async def test_f24_cancelled_attempt_writes_nothing_more(bench: Bench):
    async with lasting(bench) as (attempt, task, _):
        attempt.obj.status.note = "half"
        task.cancel()
        await asyncio.wait([task])

    assert task.cancelled()
    assert (bench.server.asked, bench.events) == ([], [])


async def test_f6_after_a_write_without_an_answer_the_status_is_read_again(bench: Bench):
    async with lasting(bench) as (_, _task, go_on):
        bench.server.faults.extend([faults.reset_after_serving] * 3)
        loops.skip(1.1)
        await loops.until(lambda: len(bench.server.asked) == 3)
        await loops.settle()
        go_on.set()

    assert bench.words == ["Ready=True Succeeded"]
    assert [one.method for one in bench.server.asked] == ["PATCH", "PATCH", "PATCH", "GET", "PATCH"]


async def test_f41_superseded_attempt_leaves_without_a_word(bench: Bench):
    with pytest.raises(Superseded):
        await bench.run(Superseded())

    assert bench.server.asked == []
    assert bench.events == []


async def test_f41_superseded_attempt_waits_for_the_progress_under_way(bench: Bench):
    answer = asyncio.Event()

    async def late(_request: web.Request) -> None:
        await answer.wait()

    async def supersede() -> None:
        async with bench.attempt() as attempt:
            attempt.progress("building")
            await answer.wait()
            raise Superseded

    async def run() -> None:
        with pytest.raises(Superseded):
            await supersede()

    bench.server.faults.append(late)
    async with asyncio.TaskGroup() as group:
        group.create_task(run())
        await loops.settle()
        loops.skip(1.1)
        await loops.until(lambda: bench.server.asked)
        answer.set()

    assert bench.words == ["Reconciling=True Progressing"]


async def test_conclusion_that_cannot_be_written_is_an_error(bench: Bench):
    bench.server.faults.append(faults.refuse(500))

    with pytest.raises(errors.ServerError):
        await bench.run()


async def test_object_that_goes_during_its_attempt_is_no_error(bench: Bench):
    attempt = bench.attempt()
    async with attempt:
        bench.server.store.delete(THINGS, ONE)

    assert attempt.result == Result(INTERVAL)


async def test_second_write_of_an_attempt_needs_no_second_look(bench: Bench):
    attempt = bench.attempt()
    async with attempt:
        attempt.conditions.mark_reconciling("Progressing", "recording")
        await attempt.write()

    assert [asked.method for asked in bench.server.asked] == ["PATCH", "PATCH"]


async def test_p7_foreign_condition_of_meanwhile_survives_all_writes(bench: Bench):
    foreign = {"type": "Audited", "status": "True", "reason": "R", "message": "m"}
    time = {"lastTransitionTime": "2020-01-01T00:00:00Z"}
    async with bench.attempt() as attempt:
        bench.edit({"status": {"conditions": [{**foreign, **time}]}})
        attempt.conditions.mark_reconciling("Progressing", "recording")
        await attempt.write()
        attempt.conditions.mark_reconciling("Progressing", "more")
        await attempt.write()

    assert bench.words == ["Ready=True Succeeded", "Audited=True R"]


async def test_event_carries_the_groups_prefix(bench: Bench):
    async with bench.attempt() as attempt:
        attempt.event(Severity.INFO, "NewArtifact", "stored", revision="main@sha1:1", digest="")

    (note,) = bench.recorder._notes
    assert note.metadata == {"example.com/revision": "main@sha1:1"}


async def test_duration_of_an_attempt_is_measured(bench: Bench):
    metrics.forget_object("Thing", "one", "default")

    await bench.run()

    text = metrics.render()[0].decode()
    assert 'gotk_reconcile_duration_seconds_count{kind="Thing",name="one",namespace="default"} 1.0' in text
