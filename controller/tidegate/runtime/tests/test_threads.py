"""A thread never outlives its caller."""

import asyncio
import threading

import pytest

from tidegate.runtime import threads
from tidegate.runtime.testing import loop as loops


class Work:
    """A blocking call that begins and ends when it is told."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.ended = False

    def __call__(self) -> str:
        self.begun.set()
        self.go_on.wait(5)
        self.ended = True
        return "done"


async def test_result_comes_back():
    assert await threads.run(divmod, 7, 2) == (3, 1)


async def test_error_comes_back():
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)


async def test_p9_cancelled_caller_waits_for_its_thread():
    work = Work()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(threads.run(work))
        await loops.until(work.begun.is_set)
        for _ in range(3):
            task.cancel()
            await loops.settle()
        assert not task.done()
        work.go_on.set()

    assert task.cancelled()
    assert work.ended


async def test_p9_call_that_has_not_begun_is_dropped():
    busy = [Work() for _ in range(threads.WORKERS)]
    late = Work()
    async with asyncio.TaskGroup() as group:
        for work in busy:
            group.create_task(threads.run(work))
        task = group.create_task(threads.run(late))
        await loops.until(lambda: all(work.begun.is_set() for work in busy))
        task.cancel()
        await loops.settle()
        assert task.cancelled()
        for work in busy:
            work.go_on.set()

    assert not late.begun.is_set()


async def test_p9_error_of_an_abandoned_call_is_nobodys():
    work = Work()

    def fail() -> None:
        work()
        raise ValueError("of the test")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(threads.run(fail))
        await loops.until(work.begun.is_set)
        task.cancel()
        work.go_on.set()

    assert task.cancelled()
