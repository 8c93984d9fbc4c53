"""A queue of keys, a number of slots, and what happens at the end of a turn.

`--concurrent` limits work, never waits: a turn that waits (`Turn.parked`) keeps its key but gives its slot back.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from tidegate.runtime import clock, logs, metrics
from tidegate.runtime.backoff import Backoff
from tidegate.runtime.errors import TidegateError
from tidegate.runtime.queue import Held, WorkQueue
from tidegate_api.meta.objects import ObjectKey

log = logs.get_logger(__name__)


@dataclass(frozen=True)
class Result:
    """When to come back: after a time, after a growing one (`backoff`), or only when something happens.

    As in Go, no time at all is not "at once": an interval of 0s means that nothing is done unasked.
    """

    requeue_after: timedelta | None = None
    backoff: bool = False


class Superseded(Exception):
    """The object or something it stands on changed during a wait: end here, the key is due again at once."""


class Turn:
    """One turn of a key: its slot, and whether it was touched meanwhile."""

    def __init__(self, held: Held[ObjectKey], slots: asyncio.Semaphore, group: asyncio.TaskGroup) -> None:
        self.key = held.key
        self.touched = held.touched
        self._slots = slots
        self._group = group
        self.parked_now = False

    @asynccontextmanager
    async def parked(self) -> AsyncIterator[None]:
        """Wait inside without a slot; leaving takes one again, so it may itself wait.

        Who leaves the turn from inside (Superseded, cancelled) takes none: a timeout of the wait belongs inside, too.
        """
        if self.parked_now:
            yield
            return
        self._give_back()
        is_leaving = False
        try:
            yield
        except (Superseded, asyncio.CancelledError):
            is_leaving = True
            raise
        finally:
            if not is_leaving:
                await self._slots.acquire()
                self.parked_now = False

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` beside the turn; who spawns it cancels it before the turn ends. What it raises is only logged."""
        task = self._group.create_task(_guarded(work))
        # Cancelled before it began, it would be left to the garbage collector, which complains.
        task.add_done_callback(lambda _task: work.close())
        return task

    def finish(self) -> None:
        """The turn is over: its slot, if it holds one, is free."""
        if not self.parked_now:
            self._give_back()

    def _give_back(self) -> None:
        self.parked_now = True
        self._slots.release()


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        # It runs in the group of all turns: what ends it must not end them (F31).
        log.exception("work beside a reconcile failed")


class Reconciler(Protocol):
    """Brings one object, told by its key alone, nearer to its wanted state."""

    async def reconcile(self, turn: Turn) -> Result:
        """One turn; never concurrent for a key. An exception means backoff."""


class Controller:
    """Serves a queue with at most `concurrent` turns at work at a time."""

    def __init__(self, kind: str, group: str, reconciler: Reconciler, *, concurrent: int, backoff: Backoff) -> None:
        self.kind = kind
        self.group = group
        self.name = kind.lower()
        self.queue: WorkQueue[ObjectKey] = WorkQueue()
        self._reconciler = reconciler
        self._concurrent = concurrent
        self._backoff = backoff
        self._slots = asyncio.Semaphore(concurrent)
        self._counted_adds = 0
        for result in ("success", "error", "requeue", "requeue_after"):
            metrics.RECONCILES.labels(controller=self.name, result=result)
        metrics.RECONCILE_ERRORS.labels(controller=self.name)
        metrics.MAX_WORKERS.labels(controller=self.name).set(concurrent)
        metrics.ACTIVE_WORKERS.labels(controller=self.name).set_function(self._active)
        metrics.QUEUE_DEPTH.labels(name=self.name, controller=self.name).set_function(lambda: len(self.queue))

    def _active(self) -> int:
        return self._concurrent - self._slots._value  # noqa: SLF001 - asyncio offers no other way to read it

    async def run(self) -> None:
        """Serve until cancelled; turns in progress are cancelled and waited for."""
        async with asyncio.TaskGroup() as group:
            while True:
                # The key first: a slot taken while nothing is due would be missing to those who come back for theirs.
                held = await self.queue.take()
                await self._slots.acquire()
                # Whatever touched it until here is seen by the turn that begins now.
                held.touched.clear()
                group.create_task(self._serve(held, group), name=f"{self.name}/{held.key}")

    async def _serve(self, held: Held[ObjectKey], group: asyncio.TaskGroup) -> None:
        turn = Turn(held, self._slots, group)
        started = clock.monotonic()
        facts = {"controller": self.name, "controllerGroup": self.group, "controllerKind": self.kind}
        object_facts = {"namespace": held.key.namespace, "name": held.key.name}
        with logs.context(**facts, **object_facts, **{self.kind: object_facts}, reconcileID=str(uuid.uuid4())):
            try:
                self._conclude(held, await self._reconciler.reconcile(turn))
            except Superseded:
                metrics.RECONCILES.labels(controller=self.name, result="requeue").inc()
                held.touched.set()
            except TidegateError as error:
                log.error("reconciler error", error=str(error))  # noqa: TRY400 - said on purpose: its text is enough
                self._failed(held)
            except Exception:
                # The worker loop: one object's fault must not end the others (F31).
                log.exception("reconciler error")
                self._failed(held)
            finally:
                turn.finish()
                self.queue.release(held)
                self._measure(clock.monotonic() - started)

    def _conclude(self, held: Held[ObjectKey], result: Result) -> None:
        if result.backoff:
            self._failed(held)
            return
        self._backoff.forget(held.key)
        comes_back = result.requeue_after is not None and result.requeue_after > timedelta()
        outcome = "requeue_after" if comes_back else "success"
        metrics.RECONCILES.labels(controller=self.name, result=outcome).inc()
        if comes_back:
            self.queue.add(held.key, result.requeue_after)

    def _failed(self, held: Held[ObjectKey]) -> None:
        metrics.RECONCILES.labels(controller=self.name, result="error").inc()
        metrics.RECONCILE_ERRORS.labels(controller=self.name).inc()
        metrics.QUEUE_RETRIES.labels(name=self.name, controller=self.name).inc()
        self.queue.add(held.key, self._backoff.delay(held.key))

    def _measure(self, seconds: float) -> None:
        metrics.RECONCILE_TIME.labels(controller=self.name).observe(seconds)
        metrics.QUEUE_ADDS.labels(name=self.name, controller=self.name).inc(self.queue.adds - self._counted_adds)
        self._counted_adds = self.queue.adds
