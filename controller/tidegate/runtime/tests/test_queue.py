"""The work queue against a model of itself: no key lost, none in two hands (P18)."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tidegate.runtime.queue import Held, WorkQueue
from tidegate.runtime.testing import loop as loops
from tidegate.runtime.testing.loop import SkippingLoop

keys = st.sampled_from("abc")
# Skipped time never ends near a delay, so that what is due is never a matter of microseconds.
delays = st.sampled_from([10, 20, 30])
skips = st.sampled_from([11, 21])


class QueueMachine(RuleBasedStateMachine):
    """What a queue should hold, in the plainest terms."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = SkippingLoop()
        self.queue: WorkQueue[str] = WorkQueue()
        self.takers: list[asyncio.Task[Held[str]]] = []
        self.now = 0
        self.ready: list[str] = []
        self.held: dict[str, Held[str]] = {}
        self.touched: set[str] = set()
        self.later: dict[str, tuple[int, int]] = {}
        self.delays = 0

    def teardown(self) -> None:
        for taker in self.takers:
            taker.cancel()
        self.loop.run_until_complete(loops.settle())
        self.loop.close()

    @rule(key=keys)
    def add(self, key: str) -> None:
        self.queue.add(key)
        self.expect_now(key)
        self.settle()

    @rule(key=keys, delay=delays)
    def add_later(self, key: str, delay: int) -> None:
        self.loop.run_until_complete(self.call_later(key, delay))
        if key not in self.ready:
            self.delays += 1
            due = (self.now + delay, self.delays)
            self.later[key] = min(due, self.later.get(key, due))

    @rule()
    def take(self) -> None:
        self.takers.append(self.loop.create_task(self.queue.take()))
        self.settle()

    @precondition(lambda self: self.takers)
    @rule()
    def cancel_a_taker(self) -> None:
        self.takers.pop(0).cancel()
        self.settle()

    @precondition(lambda self: self.takers)
    @rule(key=keys)
    def cancel_the_taker_that_was_just_woken(self, key: str) -> None:
        self.queue.add(key)
        self.takers.pop(0).cancel()
        self.expect_now(key)
        self.settle()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        assert self.held[key].touched.is_set() == (key in self.touched)
        self.queue.release(self.held.pop(key))
        if key in self.touched:
            self.touched.remove(key)
            self.expect_now(key)
        self.settle()

    @rule(key=keys)
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        self.later.pop(key, None)
        if key in self.ready:
            self.ready.remove(key)
        self.settle()

    @rule(seconds=skips)
    def pass_time(self, seconds: int) -> None:
        self.loop.skip(seconds)
        self.now += seconds
        due = sorted((when, key) for key, when in self.later.items() if when[0] <= self.now)
        for _, key in due:
            self.expect_now(key)
        self.settle()

    @invariant()
    def nobody_waits_while_a_key_is_due(self) -> None:
        assert not (self.takers and self.ready)

    @invariant()
    def what_is_due_or_held_is_known(self) -> None:
        assert len(self.queue) == len(self.ready)
        assert all(self.queue.is_held(key) == (key in self.held) for key in "abc")

    def expect_now(self, key: str) -> None:
        self.later.pop(key, None)
        if key in self.held:
            self.touched.add(key)
        elif key not in self.ready:
            self.ready.append(key)

    def settle(self) -> None:
        self.loop.run_until_complete(loops.settle())
        taken = [taker for taker in self.takers if taker.done()]
        self.takers = [taker for taker in self.takers if not taker.done()]
        expected, self.ready = self.ready[: len(taken)], self.ready[len(taken) :]
        assert sorted(taker.result().key for taker in taken) == sorted(expected)
        for taker in taken:
            held = taker.result()
            assert held.key not in self.held
            self.held[held.key] = held

    async def call_later(self, key: str, delay: int) -> None:
        self.queue.add(key, timedelta(seconds=delay))


TestP18QueueIsLikeItsModel = QueueMachine.TestCase
TestP18QueueIsLikeItsModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.fixture
def queue() -> WorkQueue[str]:
    return WorkQueue()


async def test_p18_key_added_twice_is_taken_once(queue: WorkQueue[str]):
    queue.add("a")
    queue.add("a")

    await queue.take()

    assert len(queue) == 0


async def test_p18_key_added_while_held_comes_back_when_released(queue: WorkQueue[str]):
    queue.add("a")
    held = await queue.take()

    queue.add("a")
    assert held.touched.is_set()
    queue.release(held)

    assert (await queue.take()).key == "a"


async def test_p18_earliest_of_several_delays_wins(queue: WorkQueue[str]):
    for seconds in (20, 10, 30):
        queue.add("a", timedelta(seconds=seconds))

    loops.skip(11)
    await loops.settle()
    assert len(queue) == 1

    held = await queue.take()
    loops.skip(60)
    await loops.settle()
    assert not held.touched.is_set()


async def test_p18_key_that_is_due_is_not_due_again_later(queue: WorkQueue[str]):
    queue.add("a")
    queue.add("a", timedelta(seconds=10))
    held = await queue.take()

    loops.skip(11)
    await loops.settle()

    assert not held.touched.is_set()


async def test_p18_cancelled_taker_hands_its_wake_up_on(queue: WorkQueue[str]):
    async with asyncio.TaskGroup() as group:
        first, second = group.create_task(queue.take()), group.create_task(queue.take())
        await loops.settle()

        queue.add("a")
        first.cancel()

        assert (await second).key == "a"


async def test_keys_are_taken_in_the_order_in_which_they_became_due(queue: WorkQueue[str]):
    for key in "cab":
        queue.add(key)

    assert [(await queue.take()).key for _ in range(3)] == ["c", "a", "b"]


async def test_adds_counts_keys_that_became_due(queue: WorkQueue[str]):
    queue.add("a")
    queue.add("a")
    queue.add("b", timedelta(seconds=10))

    assert queue.adds == 1
