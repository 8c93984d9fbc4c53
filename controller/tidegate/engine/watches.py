"""Waits for objects whether or not the shared watches show them: what they do not show is watched alone.

A watch of its own is opened as the owner's identity, for one object and for as long as the wait lasts.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from tidegate.engine import health, waits
from tidegate.engine.health import Health, HealthStatus
from tidegate.engine.identity import ObjectId
from tidegate.engine.members import Members
from tidegate.engine.ownership import Owner
from tidegate.engine.waits import NOT_FOUND, Target
from tidegate.runtime import clock
from tidegate.runtime.cache import Cache
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn
from tidegate.runtime.watch import Gone, Selection
from tidegate_api.codec import JsonObject

Judge = Callable[[JsonObject], Health]
Unhealthy = list[tuple[ObjectId, Health]]


@dataclass(frozen=True)
class Watcher:
    """Waits for one owner's objects. `client` acts under the owner's identity."""

    client: Client
    members: Members
    owner: Owner
    turn: Turn

    async def until_members(
        self, targets: Sequence[Target], limit: timedelta, may_vanish: Collection[ObjectId] = ()
    ) -> None:
        """Wait until all members are Current, those of kinds that nobody may watch together as well.

        Raises: HealthError, Superseded.
        """
        await self.members.follow([resource for resource, _ in targets])
        inside = [
            (resource, oid) for resource, oid in targets if self.members.is_watched(resource) and oid not in may_vanish
        ]
        outside = [target for target in targets if target not in inside]
        await self.until(inside, outside, limit, may_vanish=may_vanish)

    async def until(
        self,
        inside: Sequence[Target],
        outside: Sequence[Target],
        limit: timedelta,
        judge: Judge = health.compute_status,
        may_vanish: Collection[ObjectId] = (),
    ) -> None:
        """Wait until all are Current: `inside` by the shared watches, `outside` each alone and as `judge` finds.

        Those outside that `may_vanish` are done when they are gone: a Job may ask to be deleted after it finished.

        Raises: HealthError, Superseded.
        """
        started = clock.monotonic()
        with self.members.listening(self.owner) as changed:
            async with self._watching(outside, changed, judge) as watched:

                def unhealthy() -> Unhealthy:
                    alone = [
                        (oid, cache.find(oid.key) or NOT_FOUND)
                        for oid, cache in watched.items()
                        if not (oid in may_vanish and cache.synced.is_set() and cache.find(oid.key) is None)
                    ]
                    bad = [(oid, found) for oid, found in alone if found.status != HealthStatus.CURRENT]
                    return waits.unhealthy(self.members, inside) + bad

                await waits.until(unhealthy, changed, self.turn, started, limit)

    @asynccontextmanager
    async def _watching(
        self, targets: Sequence[Target], changed: asyncio.Event, judge: Judge
    ) -> AsyncIterator[dict[ObjectId, Cache[Health]]]:
        """One watch per target for as long as the block lasts; `changed` is set on each change."""
        caches: dict[ObjectId, Cache[Health]] = {}
        for resource, oid in targets:
            selection = Selection(resource, oid.namespace, field_selector=f"metadata.name={oid.name}")
            caches[oid] = cache = Cache(self.client.transport, selection, judge)
            cache.subscribe(lambda _update: changed.set())
        # Not in a TaskGroup around the block: it would wrap the HealthError that ends the wait.
        tasks = [self.turn.spawn(_follow(cache, changed)) for cache in caches.values()]
        try:
            yield caches
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)


async def _follow(cache: Cache[Health], changed: asyncio.Event) -> None:
    try:
        await cache.run()
    except Gone:
        # Not served or not allowed: the object counts as not found, and the wait says so at its end.
        changed.set()
