"""Waits for health by watch: wakes on each change of a member, gives the slot back meanwhile, and never polls."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from tidegate.engine import messages
from tidegate.engine.health import Health, HealthStatus
from tidegate.engine.identity import ObjectId
from tidegate.engine.members import Members
from tidegate.engine.ownership import Owner
from tidegate.runtime import clock
from tidegate.runtime.controller import Superseded, Turn
from tidegate.runtime.errors import TidegateError
from tidegate.runtime.resources import Resource
from tidegate_api import codec

Target = tuple[Resource, ObjectId]
NOT_FOUND = Health(HealthStatus.NOT_FOUND, "Resource not found")


class HealthError(TidegateError):
    """Objects did not become healthy; `unhealthy` says how each stands."""

    def __init__(self, message: str, unhealthy: Sequence[tuple[ObjectId, Health]]) -> None:
        self.unhealthy = unhealthy
        super().__init__(message)


def statuses(members: Members, targets: Sequence[Target]) -> list[tuple[ObjectId, Health]]:
    """How each target stands now, as far as its watch has seen."""
    found = ((oid, members.find(resource, oid)) for resource, oid in targets)
    return [(oid, seen.health if seen is not None else NOT_FOUND) for oid, seen in found]


def unhealthy(members: Members, targets: Sequence[Target]) -> list[tuple[ObjectId, Health]]:
    """The targets that are not Current."""
    return [(oid, health) for oid, health in statuses(members, targets) if health.status != HealthStatus.CURRENT]


async def until_current(
    members: Members, owner: Owner, turn: Turn, targets: Sequence[Target], limit: timedelta
) -> None:
    """Wait until all targets are Current.

    Raises: HealthError when one has failed for good or the time is over; Superseded when the turn was touched.
    """
    started = clock.monotonic()
    with members.listening(owner) as changed:
        await until(lambda: unhealthy(members, targets), changed, turn, started, limit)


async def until(
    judge: Callable[[], list[tuple[ObjectId, Health]]],
    changed: asyncio.Event,
    turn: Turn,
    started: float,
    limit: timedelta,
) -> None:
    """Wait until `judge` finds nothing unhealthy, asking it again on each change. Raises: HealthError, Superseded."""
    if not judge():
        return
    async with turn.parked():
        while True:
            changed.clear()
            remaining = judge()
            if not remaining:
                return
            failed = [(oid, health) for oid, health in remaining if health.status == HealthStatus.FAILED]
            if failed:
                raise HealthError(messages.wait_failed(failed, timed_out=False), failed)
            left = limit - timedelta(seconds=clock.monotonic() - started)
            if left <= timedelta():
                raise HealthError(messages.wait_failed(remaining, timed_out=True), remaining)
            await _either(changed, turn.touched, left)
            if turn.touched.is_set():
                raise Superseded


async def _either(first: asyncio.Event, second: asyncio.Event, within: timedelta) -> None:
    """Return when either event is set or the time is over."""
    try:
        async with clock.limit(within), asyncio.TaskGroup() as group:
            waiters = [group.create_task(event.wait()) for event in (first, second)]
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
            for waiter in waiters:
                waiter.cancel()
    except TimeoutError:
        return


def elapsed(seconds: float) -> str:
    """A duration as users read it, to a tenth of a second below a minute."""
    rounded = round(seconds, 1 if seconds < 60 else 0)
    return codec.format_duration(timedelta(seconds=rounded))
