"""Health of what a Kustomization applied, or of what it was told to look at."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from tidegate.engine import health, waits
from tidegate.engine.apply import Change
from tidegate.engine.health import Health, HealthStatus
from tidegate.engine.identity import ChangeAction, ObjectId
from tidegate.engine.inventory import Inventory
from tidegate.engine.members import Members
from tidegate.engine.ownership import Owner
from tidegate.engine.waits import NOT_FOUND, Target
from tidegate.runtime import clock
from tidegate.runtime.cache import Cache
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn
from tidegate.runtime.resources import split_api_version
from tidegate.runtime.watch import Gone, Selection
from tidegate_api.kustomize.v1.kustomization import Kustomization

FLOOR = timedelta(seconds=30)


def timeout_of(kustomization: Kustomization) -> timedelta:
    """spec.timeout, else the interval less half a minute, at least half a minute."""
    spec = kustomization.spec
    return spec.timeout if spec.timeout is not None else max(spec.interval - FLOOR, FLOOR)


@dataclass(frozen=True)
class HealthCheck:
    """The health of one Kustomization's objects. `client` acts as its service account.

    Members are judged by the shared watches; an object outside the inventory, or of a kind that the controller may not
    watch, is watched alone, as the service account, and only for as long as the check lasts.
    """

    client: Client
    members: Members
    owner: Owner

    async def targets(self, kustomization: Kustomization, inventory: Inventory, skipped: set[ObjectId]) -> list[Target]:
        """What has to be healthy: everything applied (wait), else the list, else nothing."""
        if kustomization.spec.wait:
            wanted = {
                oid: version
                for oid, version in inventory.items()
                if oid not in skipped and not _is_self(oid, self.owner)
            }
        else:
            wanted = _listed(kustomization)
        found = self.client.discovery.find
        return [
            (await found(f"{oid.group}/{version}" if oid.group else version, oid.kind), oid)
            for oid, version in wanted.items()
        ]

    async def until_healthy(
        self, targets: Sequence[Target], inventory: Inventory, turn: Turn, limit: timedelta
    ) -> None:
        """Wait for all targets. Raises: HealthError, Superseded."""
        started = clock.monotonic()
        await self.members.follow([resource for resource, oid in targets if oid in inventory])
        inside = [target for target in targets if target[1] in inventory and self.members.is_watched(target[0])]
        outside = [target for target in targets if target not in inside]
        with self.members.listening(self.owner) as changed:
            async with _watching(self.client, outside, changed, turn) as watched:

                def judge() -> list[tuple[ObjectId, Health]]:
                    alone = [(oid, _judge(cache, oid)) for oid, cache in watched.items()]
                    bad = [(oid, found) for oid, found in alone if found.status != HealthStatus.CURRENT]
                    return waits.unhealthy(self.members, inside) + bad

                await waits.until(judge, changed, turn, started, limit)


def skipped_ids(changes: Sequence[Change]) -> set[ObjectId]:
    """Objects that were left alone: their health is somebody else's."""
    return {change.id for change in changes if change.action == ChangeAction.SKIPPED}


def _is_self(oid: ObjectId, owner: Owner) -> bool:
    return (oid.group, oid.namespace, oid.name) == (owner.group, owner.namespace, owner.name)


def _listed(kustomization: Kustomization) -> Inventory:
    wanted: Inventory = {}
    for check in kustomization.spec.health_checks:
        group, version = split_api_version(check.api_version or "apps/v1")
        namespace = check.namespace or ""
        wanted[ObjectId(namespace, check.name, group, check.kind)] = version
    return wanted


def _judge(cache: Cache[Health], oid: ObjectId) -> Health:
    return cache.find(oid.key) or NOT_FOUND


@asynccontextmanager
async def _watching(
    client: Client, targets: Sequence[Target], changed: asyncio.Event, turn: Turn
) -> AsyncIterator[dict[ObjectId, Cache[Health]]]:
    """One watch per target for as long as the block lasts; `changed` is set on each change."""
    caches: dict[ObjectId, Cache[Health]] = {}
    for resource, oid in targets:
        selection = Selection(resource, oid.namespace, field_selector=f"metadata.name={oid.name}")
        caches[oid] = cache = Cache(client.transport, selection, health.compute_status)
        cache.subscribe(lambda _update: changed.set())
    # Not in a TaskGroup around the block: it would wrap the HealthError that ends the wait.
    tasks = [turn.spawn(_follow(cache, changed)) for cache in caches.values()]
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
