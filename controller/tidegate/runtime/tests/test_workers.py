import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta

import psutil  # type: ignore[import-untyped]
import pytest
import pytest_asyncio

from tidegate.runtime.workers import WorkerDied, WorkerLimits, Workers, WorkerTimedOut

MODULE = "tidegate.runtime.tests.moody_worker"
LONG = timedelta(seconds=20)


@pytest_asyncio.fixture
async def workers() -> AsyncIterator[Workers]:
    async with Workers(MODULE) as started:
        yield started


async def pid_of(workers: Workers) -> int:
    return int(await workers.run(b"pid", LONG))


async def test_a_worker_serves_one_job_after_the_other(workers: Workers) -> None:
    assert await pid_of(workers) == await pid_of(workers) != os.getpid()
    assert await workers.run(b"x" * 3_000_000, LONG) == b"x" * 3_000_000


async def test_f22_a_crash_costs_its_own_job_alone(workers: Workers) -> None:
    before = await pid_of(workers)

    with pytest.raises(WorkerDied):
        await workers.run(b"die", LONG)
    assert await pid_of(workers) != before


async def test_f22_too_much_memory_costs_its_own_job_alone() -> None:
    async with Workers(MODULE, WorkerLimits(memory=256 << 20)) as workers:
        with pytest.raises(WorkerDied):
            await workers.run(b"hoard", LONG)
        assert await workers.run(b"hello", LONG) == b"hello"


async def test_a_job_that_takes_too_long_is_killed(workers: Workers) -> None:
    pid = await pid_of(workers)

    with pytest.raises(WorkerTimedOut, match=r"no result within 0.1s"):
        await workers.run(b"hang", timedelta(seconds=0.1))
    assert not psutil.pid_exists(pid)


async def test_a_caller_that_is_cancelled_takes_its_worker_with_it(workers: Workers) -> None:
    pid = await pid_of(workers)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(workers.run(b"hang", LONG))
        await asyncio.sleep(0.05)
        task.cancel()

    assert not psutil.pid_exists(pid)


async def test_no_more_processes_than_allowed_run_at_once() -> None:
    async with Workers(MODULE, WorkerLimits(processes=1)) as workers, asyncio.TaskGroup() as group:
        tasks = [group.create_task(pid_of(workers)) for _ in range(4)]

    assert len({task.result() for task in tasks}) == 1


async def test_an_idle_worker_ends() -> None:
    async with Workers(MODULE, WorkerLimits(idle=timedelta())) as workers:
        process = psutil.Process(await pid_of(workers))
        await asyncio.to_thread(psutil.wait_procs, [process], 10)

        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        assert await pid_of(workers) != process.pid


async def test_workers_see_nothing_of_our_environment(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")

    assert "SECRET_TOKEN" not in (await workers.run(b"environment", LONG)).decode()


async def test_nothing_is_left_behind() -> None:
    async with Workers(MODULE) as workers:
        pid = await pid_of(workers)

    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
