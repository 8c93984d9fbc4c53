"""Objects of a release on their way out: deleted with proof, and waited for until they are gone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tidegate.engine import waits
from tidegate.engine.health import Health, HealthStatus
from tidegate.engine.identity import ChangeAction, ObjectId
from tidegate.engine.inventory import Inventory
from tidegate.engine.prune import find_resource
from tidegate.engine.recreate import until_gone
from tidegate.engine.waits import HealthError
from tidegate.helm.release.scope import Scope
from tidegate.runtime import clock, errors
from tidegate.runtime.errors import TidegateError
from tidegate.runtime.resources import Resource

_GOING = Health(HealthStatus.TERMINATING, "Resource scheduled for deletion")


class StillThere(TidegateError):
    """Objects that were deleted did not go in time; the message names them."""


@dataclass
class Departure:
    """The objects in `stale`; those that the shared watches show are waited for by them, the others each alone."""

    scope: Scope
    stale: Inventory
    _resources: Mapping[ObjectId, Resource] = field(default_factory=dict)
    _shown: set[ObjectId] = field(default_factory=set)
    _deleted: set[ObjectId] = field(default_factory=set)

    async def delete(self, propagation: str) -> None:
        """Delete what is proven to be the release's. Raises: DeleteFailed."""
        found = {oid: await find_resource(self.scope.client, oid, version) for oid, version in self.stale.items()}
        self._resources = {oid: resource for oid, resource in found.items() if resource is not None}
        await self.scope.members.follow(self._resources.values())
        self._shown = {oid for oid in self._resources if self._is_shown(oid)}
        pruned = await self.scope.delete(self.stale, propagation)
        self._deleted = {change.id for change in pruned.changes if change.action == ChangeAction.DELETED}

    async def until_gone(self, limit: timedelta) -> None:
        """Wait for all that was deleted. Raises: StillThere, Superseded."""
        started = clock.monotonic()
        scope = self.scope
        try:
            with scope.members.listening(scope.owner) as changed:
                await waits.until(self._remaining, changed, scope.turn, started, limit)
            for oid in sorted(self._deleted - self._shown):
                await self._until_gone(oid, limit - timedelta(seconds=clock.monotonic() - started))
        except HealthError as error:
            raise StillThere(str(error)) from error

    def _is_shown(self, oid: ObjectId) -> bool:
        return self.scope.members.find(self._resources[oid], oid) is not None

    def _remaining(self) -> list[tuple[ObjectId, Health]]:
        return [(oid, _GOING) for oid in sorted(self._deleted & self._shown) if self._is_shown(oid)]

    async def _until_gone(self, oid: ObjectId, within: timedelta) -> None:
        resource = self._resources.get(oid)
        if resource is None:
            return
        live = await self.scope.client.find(resource, oid.key, metadata_only=True)
        if live is None:
            return
        try:
            async with self.scope.turn.parked():
                await until_gone(self.scope.client, resource, oid.key, live["metadata"]["uid"], within)
        except errors.Conflict as error:
            raise StillThere(f"{oid}: {error}") from error
