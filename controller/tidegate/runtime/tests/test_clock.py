"""The only place that waits for time."""

import asyncio
from datetime import UTC, datetime, timedelta

from tidegate.runtime import clock
from tidegate.runtime.testing import loop as loops


def test_now_is_in_whole_seconds_of_utc():
    now = clock.utc_now()

    assert now.microsecond == 0
    assert now.tzinfo is UTC


def test_epoch_is_utc():
    assert clock.from_epoch(0) == datetime(1970, 1, 1, tzinfo=UTC)


async def test_pause_lasts_as_long_as_it_says():
    async with asyncio.TaskGroup() as group:
        task = group.create_task(clock.pause(timedelta(seconds=10)))
        await loops.settle()
        loops.skip(9)
        await loops.settle()
        assert not task.done()
        loops.skip(2)

    await clock.pause(timedelta(seconds=-1))


async def test_what_happened_in_time_is_told_from_what_did_not():
    event = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        early = group.create_task(clock.happened(event, timedelta(seconds=1)))
        late = group.create_task(clock.happened(event, timedelta(seconds=10)))
        await loops.settle()
        loops.skip(2)
        await loops.settle()
        event.set()

    assert (early.result(), late.result()) == (False, True)
