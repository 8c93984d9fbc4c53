"""Deletes what an owner's inventory lists and its wanted set does not: never without proof (promise 4).

Proof is: listed in our own inventory, still labelled as this owner's, and with the UID and version that we saw, which
travel with the request as preconditions.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tidegate.engine import identity, messages, policy, stages
from tidegate.engine.apply import Change
from tidegate.engine.identity import ChangeAction, ObjectId
from tidegate.engine.inventory import Inventory
from tidegate.engine.members import Members
from tidegate.engine.ownership import Owner
from tidegate.runtime import errors
from tidegate.runtime.client import Client, Preconditions
from tidegate.runtime.discovery import NoMatch
from tidegate.runtime.resources import Resource
from tidegate_api.codec import JsonObject

TRIES = 3


@dataclass(frozen=True)
class Pruned:
    """What became of stale objects; `survivors` could not be deleted, for the causes in `problems`."""

    changes: Sequence[Change]
    survivors: Inventory
    problems: Sequence[str]


@dataclass(frozen=True)
class Terms:
    """On which terms objects are deleted, and in which order.

    `is_ours` is a proof of ownership for objects without owner labels; `propagation` is the API's word.
    """

    order: Callable[[Iterable[ObjectId]], list[ObjectId]] = stages.prune_order
    is_ours: Callable[[JsonObject], bool] | None = None
    propagation: str = "Background"


@dataclass(frozen=True)
class _Proof:
    only_if: Preconditions


async def prune(client: Client, members: Members, owner: Owner, stale: Inventory, terms: Terms | None = None) -> Pruned:
    """Delete the objects of `stale` that are still `owner`'s, in order; refusals do not stop the others.

    Raises: Unreachable, with what is left to be done the next time.
    """
    changes: list[Change] = []
    survivors: Inventory = {}
    problems: list[str] = []
    pruner = _Pruner(client, members, owner, terms or Terms())
    resources = {oid: await find_resource(client, oid, stale[oid]) for oid in stale}
    await members.follow([resource for resource in resources.values() if resource is not None])
    for oid in pruner.terms.order(stale):
        try:
            action = await pruner.prune_one(resources[oid], oid)
        except errors.ApiError as error:
            survivors[oid] = stale[oid]
            problems.append(messages.delete_failed(oid, error))
            continue
        members.forget(owner, [oid])
        changes.append(Change(oid, action))
    return Pruned(changes, survivors, problems)


async def find_resource(client: Client, oid: ObjectId, version: str) -> Resource | None:
    """Where an object of an inventory is served now, if anywhere."""
    try:
        return await client.discovery.find(identity.join_api_version(oid.group, version), oid.kind)
    except NoMatch:
        # The version that it was applied with may have gone while the kind lives on.
        return await client.discovery.preferred(oid.group, oid.kind)


@dataclass(frozen=True)
class _Pruner:
    client: Client
    members: Members
    owner: Owner
    terms: Terms

    async def prune_one(self, resource: Resource | None, oid: ObjectId) -> ChangeAction:
        """Delete one object, if it is proven ours."""
        if resource is None:
            if not self.client.discovery.answers(oid.group):
                raise errors.ServerError(503, {"message": f"the API group {oid.group} does not answer"})
            return ChangeAction.DELETED
        proof: _Proof | ChangeAction | None = self._from_watch(resource, oid)
        if proof is None:
            proof = await self._from_server(resource, oid)
        for _ in range(TRIES):
            if not isinstance(proof, _Proof):
                return proof
            with self.members.writing(self.owner, oid):
                try:
                    await self.client.delete(resource, oid.key, proof.only_if, self.terms.propagation)
                except errors.NotFound:
                    return ChangeAction.DELETED
                except errors.Conflict:
                    # It changed since it was seen: look again, and decide again.
                    proof = await self._from_server(resource, oid)
                else:
                    return ChangeAction.DELETED
        raise errors.Conflict(409, {"message": "the object kept changing while it was being deleted"})

    def _from_watch(self, resource: Resource, oid: ObjectId) -> _Proof | None:
        seen = self.members.find(resource, oid) if self.members.is_watched(resource) else None
        if seen is None or seen.owner != self.owner or seen.excluded or seen.kept:
            return None
        return _Proof(Preconditions(seen.uid, str(seen.version)))

    async def _from_server(self, resource: Resource, oid: ObjectId) -> _Proof | ChangeAction:
        live = await self.client.find(resource, oid.key, metadata_only=True)
        if live is None:
            return ChangeAction.DELETED
        if policy.prune_refusal(live, self.owner, is_ours=self.terms.is_ours) is not None:
            return ChangeAction.SKIPPED
        metadata = live["metadata"]
        return _Proof(Preconditions(metadata["uid"], metadata["resourceVersion"]))
