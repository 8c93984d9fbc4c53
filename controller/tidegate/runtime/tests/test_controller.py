"""A queue of keys, a number of slots, and how a turn ends."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from tidegate.runtime import metrics
from tidegate.runtime.backoff import Backoff
from tidegate.runtime.controller import Controller, Result, Superseded, Turn
from tidegate.runtime.testing import loop as loops
from tidegate_api.meta.objects import ObjectKey

ONE, TWO, THREE = (ObjectKey("default", name) for name in ("one", "two", "three"))
MINUTE = timedelta(minutes=1)
FIRST_DELAY = timedelta(seconds=4)


class Script:
    """Plays a turn of a key by the function that is set for it, and writes down what happens."""

    def __init__(self) -> None:
        self.begun: list[ObjectKey] = []
        self.ended: list[ObjectKey] = []
        self.plays: dict[ObjectKey, Callable[[Turn], Awaitable[Result]]] = {}

    async def reconcile(self, turn: Turn) -> Result:
        self.begun.append(turn.key)
        try:
            play = self.plays.get(turn.key)
            return await play(turn) if play is not None else Result()
        finally:
            self.ended.append(turn.key)


@pytest.fixture
def script() -> Script:
    return Script()


@asynccontextmanager
async def serving(script: Script, concurrent: int = 2) -> AsyncIterator[Controller]:
    backoff = Backoff(FIRST_DELAY, timedelta(hours=1), jitter=0.0)
    controller = Controller("Thing", "example.com", script, concurrent=concurrent, backoff=backoff)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(controller.run())
        try:
            yield controller
        finally:
            running.cancel()


def count(result: str) -> float:
    value = metrics.RECONCILES.labels(controller="thing", result=result)._value.get()
    return float(value)


async def forever(_turn: Turn) -> Result:
    await asyncio.Event().wait()
    return Result()


async def test_no_more_turns_are_at_work_than_there_are_slots(script: Script):
    script.plays = {ONE: forever, TWO: forever}
    async with serving(script) as controller:
        for key in (ONE, TWO, THREE):
            controller.queue.add(key)
        await loops.settle()

        assert script.begun == [ONE, TWO]


async def test_turn_of_a_key_never_overlaps_its_next(script: Script):
    script.plays = {ONE: forever}
    async with serving(script) as controller:
        controller.queue.add(ONE)
        await loops.settle()
        controller.queue.add(ONE)
        await loops.settle()

        assert script.begun == [ONE]


async def test_parked_turn_gives_its_slot_to_another(script: Script):
    async def wait_parked(turn: Turn) -> Result:
        async with turn.parked():
            return await forever(turn)

    script.plays = {ONE: wait_parked}
    async with serving(script, concurrent=1) as controller:
        controller.queue.add(ONE)
        controller.queue.add(TWO)
        await loops.settle()

        assert script.ended == [TWO]


async def test_parked_turn_comes_back_when_nothing_else_is_due(script: Script):
    go_on = asyncio.Event()

    async def wait_parked(turn: Turn) -> Result:
        async with turn.parked():
            await go_on.wait()
        return Result()

    script.plays = {ONE: wait_parked}
    async with serving(script, concurrent=1) as controller:
        controller.queue.add(ONE)
        await loops.settle()
        go_on.set()
        await loops.settle()

        assert script.ended == [ONE]


async def test_parked_turn_waits_for_a_slot_to_come_back(script: Script):
    go_on = asyncio.Event()

    async def wait_parked(turn: Turn) -> Result:
        async with turn.parked():
            await go_on.wait()
        return Result()

    script.plays = {ONE: wait_parked, TWO: forever}
    async with serving(script, concurrent=1) as controller:
        controller.queue.add(ONE)
        controller.queue.add(TWO)
        await loops.settle()
        go_on.set()
        await loops.settle()

        assert script.ended == []


async def test_slots_are_neither_lost_nor_made_by_parking(script: Script):
    async def park_in_all_ways(turn: Turn) -> Result:
        async with turn.parked(), turn.parked():
            await asyncio.sleep(0)
        with contextlib.suppress(ValueError):
            async with turn.parked():
                raise ValueError("of the test")
        async with turn.parked():
            raise Superseded

    script.plays = {ONE: park_in_all_ways}
    async with serving(script, concurrent=1) as controller:
        controller.queue.add(ONE)
        await loops.settle()
        script.plays = {TWO: forever, THREE: forever}
        controller.queue.add(TWO)
        controller.queue.add(THREE)
        await loops.settle()

        assert TWO in script.begun
        assert THREE not in script.begun


async def test_superseded_turn_leaves_without_waiting_for_a_slot(script: Script):
    async def wait_parked(turn: Turn) -> Result:
        async with turn.parked():
            await turn.touched.wait()
            raise Superseded

    script.plays = {ONE: wait_parked, TWO: forever}
    async with serving(script, concurrent=1) as controller:
        controller.queue.add(ONE)
        controller.queue.add(TWO)
        await loops.settle()
        controller.queue.add(ONE)
        await loops.settle()

        assert script.ended == [ONE]


async def test_superseded_key_is_due_again_at_once(script: Script):
    async def supersede(_turn: Turn) -> Result:
        del script.plays[ONE]
        raise Superseded

    script.plays = {ONE: supersede}
    before = count("requeue")
    async with serving(script) as controller:
        controller.queue.add(ONE)
        await loops.settle()

        assert script.ended == [ONE, ONE]
        assert count("requeue") == before + 1


async def test_key_touched_before_its_turn_begins_has_one_turn(script: Script):
    go_on = asyncio.Event()

    async def wait(_turn: Turn) -> Result:
        await go_on.wait()
        return Result()

    script.plays = {ONE: wait}
    async with serving(script, concurrent=1) as controller:
        controller.queue.add(ONE)
        controller.queue.add(TWO)
        await loops.settle()
        controller.queue.add(TWO)
        go_on.set()
        await loops.settle()

        assert script.ended == [ONE, TWO]


async def test_f31_exception_of_one_object_does_not_stop_others(script: Script):
    async def fail(_turn: Turn) -> Result:
        raise RuntimeError("of the test")

    script.plays = {ONE: fail}
    before = count("error")
    async with serving(script, concurrent=1) as controller:
        controller.queue.add(ONE)
        controller.queue.add(TWO)
        await loops.settle()

        assert script.ended == [ONE, TWO]
        assert count("error") == before + 1


async def test_f31_exception_beside_a_turn_does_not_stop_others(script: Script):
    async def fail() -> None:
        raise RuntimeError("of the test")

    async def spawn(turn: Turn) -> Result:
        await turn.spawn(fail())
        return Result()

    script.plays = {ONE: spawn}
    async with serving(script) as controller:
        controller.queue.add(ONE)
        await loops.settle()
        controller.queue.add(TWO)
        await loops.settle()

        assert script.ended == [ONE, TWO]


async def test_failed_key_comes_back_after_growing_delays(script: Script):
    async def fail(_turn: Turn) -> Result:
        raise RuntimeError("of the test")

    script.plays = {ONE: fail}
    async with serving(script) as controller:
        controller.queue.add(ONE)
        await loops.settle()
        turns = []
        for _ in range(3):
            loops.skip(FIRST_DELAY.total_seconds() + 0.5)
            await loops.settle()
            turns.append(len(script.ended))

        assert turns == [2, 2, 3]


async def test_backoff_in_a_result_is_a_growing_delay(script: Script):
    async def again(_turn: Turn) -> Result:
        return Result(backoff=True)

    script.plays = {ONE: again}
    async with serving(script) as controller:
        controller.queue.add(ONE)
        await loops.settle()
        assert len(script.ended) == 1
        loops.skip(FIRST_DELAY.total_seconds() + 0.5)
        await loops.settle()

        assert len(script.ended) == 2


async def test_success_forgets_failures(script: Script):
    plays = iter([Result(backoff=True), Result(backoff=True), Result(MINUTE), Result(backoff=True), Result()])

    async def play(_turn: Turn) -> Result:
        return next(plays)

    script.plays = {ONE: play}
    async with serving(script) as controller:
        controller.queue.add(ONE)
        for seconds in (0, 4.5, 8.5, 60.5, 4.5):
            loops.skip(seconds)
            await loops.settle()

        assert len(script.ended) == 5


async def test_requeue_after_comes_back_after_that_time(script: Script):
    async def play(_turn: Turn) -> Result:
        return Result(MINUTE)

    script.plays = {ONE: play}
    async with serving(script) as controller:
        controller.queue.add(ONE)
        await loops.settle()
        loops.skip(59)
        await loops.settle()
        assert len(script.ended) == 1
        loops.skip(2)
        await loops.settle()

        assert len(script.ended) == 2


async def test_empty_result_comes_back_only_when_something_happens(script: Script):
    async with serving(script) as controller:
        controller.queue.add(ONE)
        await loops.settle()
        loops.skip(1_000_000)
        await loops.settle()

        assert len(script.ended) == 1


@pytest.mark.parametrize("span", [timedelta(), timedelta(hours=-1)])
async def test_k17_interval_of_nothing_is_no_hot_loop(script: Script, span: timedelta):
    async def play(_turn: Turn) -> Result:
        return Result(span)

    script.plays = {ONE: play}
    async with serving(script) as controller:
        controller.queue.add(ONE)
        await loops.settle()
        loops.skip(1_000_000)
        await loops.settle()

        assert len(script.ended) == 1


async def test_touch_during_a_turn_beats_its_requeue_after(script: Script):
    async def play(_turn: Turn) -> Result:
        script.plays = {}
        controller.queue.add(ONE)
        return Result(MINUTE)

    script.plays = {ONE: play}
    async with serving(script) as controller:
        controller.queue.add(ONE)
        await loops.settle()
        assert script.ended == [ONE, ONE]
        loops.skip(61)
        await loops.settle()

        assert script.ended == [ONE, ONE]


async def test_stopping_cancels_turns_and_waits_for_them(script: Script):
    script.plays = {ONE: forever}
    async with serving(script) as controller:
        controller.queue.add(ONE)
        await loops.settle()

    assert script.ended == [ONE]


async def test_no_slot_is_active_while_nothing_is_due(script: Script):
    async with serving(script):
        await loops.settle()

        assert b'controller_runtime_active_workers{controller="thing"} 0.0' in metrics.render()[0]


async def test_series_of_a_controller_are_there_before_its_first_turn(script: Script):
    async with serving(script):
        text = metrics.render()[0].decode()

    for result in ("success", "error", "requeue", "requeue_after"):
        assert f'controller_runtime_reconcile_total{{controller="thing",result="{result}"}}' in text
    assert 'controller_runtime_max_concurrent_reconciles{controller="thing"} 2.0' in text


async def test_work_beside_a_turn_that_ends_before_it_begins_leaves_nothing(script: Script):
    async def beside() -> None:
        raise AssertionError("never begun")

    work = beside()

    async def play(turn: Turn) -> Result:
        turn.spawn(work).cancel()
        return Result()

    script.plays = {ONE: play}
    async with serving(script) as controller:
        controller.queue.add(ONE)
        await loops.settle()

    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
