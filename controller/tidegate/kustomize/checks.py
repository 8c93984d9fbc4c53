"""Health of what a Kustomization applied, or of what it was told to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from tidegate.engine.apply import Change
from tidegate.engine.identity import ChangeAction, ObjectId
from tidegate.engine.inventory import Inventory
from tidegate.engine.members import Members
from tidegate.engine.ownership import Owner
from tidegate.engine.waits import Target
from tidegate.engine.watches import Watcher
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn
from tidegate.runtime.resources import split_api_version
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
        await self.members.follow([resource for resource, oid in targets if oid in inventory])
        inside = [target for target in targets if target[1] in inventory and self.members.is_watched(target[0])]
        outside = [target for target in targets if target not in inside]
        await Watcher(self.client, self.members, self.owner, turn).until(inside, outside, limit)


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
