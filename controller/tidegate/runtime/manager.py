"""Owns every task and the order in which they start and stop: probes, caches, leadership, controllers."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tidegate.runtime import clock, logs, metrics, probes
from tidegate.runtime.cache import Cache
from tidegate.runtime.leases import Lease
from tidegate.runtime.watch import Gone

log = logs.get_logger(__name__)

Runnable = Callable[[], Awaitable[None]]
LAG_PERIOD = timedelta(seconds=1)


class Stopped(Exception):
    """The process was asked to stop."""


@dataclass
class Unit:
    """One controller program: what it watches, what it runs while it leads, and the Lease it leads by (None: always).

    `always` (recorders) and `caches` start at once; `leading` when all caches are synced and the Lease is held.
    """

    name: str
    caches: Sequence[Cache[Any]] = ()
    always: Sequence[Runnable] = ()
    leading: Sequence[Runnable] = ()
    lease: Lease | None = None


@dataclass
class Manager:
    """Runs units until SIGTERM or SIGINT, or until one of their tasks fails."""

    units: Sequence[Unit]
    metrics_addr: str = ":8080"
    health_addr: str = ":9440"
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Run until asked to stop. Raises: what ended a task (an ExceptionGroup), such as LostLeadership."""
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            for name in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(name, self._stop.set)
                stack.callback(loop.remove_signal_handler, name)
            await self._listen(stack)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._measure_lag())
                    for unit in self.units:
                        group.create_task(self._run_unit(unit), name=unit.name)
                    group.create_task(self._until_stopped())
            except* Stopped:
                log.info("stopped")
            finally:
                await self._release()

    def ready(self) -> bool:
        """Whether every cache has been filled once."""
        return all(cache.synced.is_set() for unit in self.units for cache in unit.caches)

    async def _listen(self, stack: AsyncExitStack) -> None:
        # "0" switches a listener off, as in controller-runtime.
        for app, address in ((probes.metrics_page(), self.metrics_addr), (probes.probes(self.ready), self.health_addr)):
            if address != "0":
                await stack.enter_async_context(probes.listening(app, address))

    async def _run_unit(self, unit: Unit) -> None:
        async with asyncio.TaskGroup() as around:
            for runnable in unit.always:
                around.create_task(_awaited(runnable))
            for cache in unit.caches:
                around.create_task(_follow(cache))
            for cache in unit.caches:
                await cache.synced.wait()
            if unit.lease is not None:
                await unit.lease.acquire()
                around.create_task(unit.lease.keep())
            log.info("starting controllers", unit=unit.name)
            # Inside the other group: controllers stop first, and until they have, all they stand on goes on.
            async with asyncio.TaskGroup() as leading:
                for runnable in unit.leading:
                    leading.create_task(_awaited(runnable))

    async def _until_stopped(self) -> None:
        await self._stop.wait()
        log.info("stop and wait for what is under way")
        raise Stopped

    async def _release(self) -> None:
        """STRICTLY AFTER every controller has stopped: until then nobody else may act."""
        for unit in self.units:
            if unit.lease is not None:
                await unit.lease.release()

    async def _measure_lag(self) -> None:
        while True:
            before = clock.monotonic()
            await clock.pause(LAG_PERIOD)
            metrics.LOOP_LAG.set(max(0.0, clock.monotonic() - before - LAG_PERIOD.total_seconds()))


async def _awaited(runnable: Runnable) -> None:
    await runnable()


async def _follow(cache: Cache[Any]) -> None:
    """Run a cache for ever; a kind that is not served yet is looked for again, without noise."""
    told = False
    while True:
        try:
            await cache.run()
        except Gone as error:
            if not told:
                log.warning("kind cannot be watched", resource=cache.selection.resource.plural, error=str(error))
                told = True
            await clock.pause(timedelta(seconds=2))
