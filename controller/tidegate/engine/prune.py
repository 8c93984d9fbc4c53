"""Deletes what an owner's inventory lists and its wanted set does not: never without proof (promise 4).

Proof is: listed in our own inventory, still labelled as this owner's, and with the UID and version that we saw, which
travel with the request as preconditions.
"""

from collections.abc import Sequence
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

TRIES = 3


@dataclass(frozen=True)
class Pruned:
    """What became of stale objects; `survivors` could not be deleted, for the causes in `problems`."""

    changes: Sequence[Change]
    survivors: Inventory
    problems: Sequence[str]


@dataclass(frozen=True)
class _Proof:
    only_if: Preconditions


async def prune(client: Client, members: Members, owner: Owner, stale: Inventory) -> Pruned:
    """Delete the objects of `stale` that are still `owner`'s, in Flux's order; refusals do not stop the others.

    Raises: Unreachable, with what is left to be done the next time.
    """
    changes: list[Change] = []
    survivors: Inventory = {}
    problems: list[str] = []
    resources = {oid: await _find_resource(client, oid, stale[oid]) for oid in stale}
    await members.follow([resource for resource in resources.values() if resource is not None])
    for oid in stages.prune_order(stale):
        try:
            action = await _prune_one(client, members, owner, resources[oid], oid)
        except errors.ApiError as error:
            survivors[oid] = stale[oid]
            problems.append(messages.delete_failed(oid, error))
            continue
        members.forget(owner, [oid])
        changes.append(Change(oid, action))
    return Pruned(changes, survivors, problems)


async def _find_resource(client: Client, oid: ObjectId, version: str) -> Resource | None:
    try:
        return await client.discovery.find(identity.join_api_version(oid.group, version), oid.kind)
    except NoMatch:
        # The version that it was applied with may have gone while the kind lives on.
        return await client.discovery.preferred(oid.group, oid.kind)


async def _prune_one(
    client: Client, members: Members, owner: Owner, resource: Resource | None, oid: ObjectId
) -> ChangeAction:
    if resource is None:
        if not client.discovery.answers(oid.group):
            raise errors.ServerError(503, {"message": f"the API group {oid.group} does not answer"})
        return ChangeAction.DELETED
    proof: _Proof | ChangeAction | None = _from_watch(members, owner, resource, oid)
    if proof is None:
        proof = await _from_server(client, owner, resource, oid)
    for _ in range(TRIES):
        if not isinstance(proof, _Proof):
            return proof
        with members.writing(owner, oid):
            try:
                await client.delete(resource, oid.key, proof.only_if)
            except errors.NotFound:
                return ChangeAction.DELETED
            except errors.Conflict:
                # It changed since it was seen: look again, and decide again.
                proof = await _from_server(client, owner, resource, oid)
            else:
                return ChangeAction.DELETED
    raise errors.Conflict(409, {"message": "the object kept changing while it was being deleted"})


def _from_watch(members: Members, owner: Owner, resource: Resource, oid: ObjectId) -> _Proof | None:
    seen = members.find(resource, oid) if members.is_watched(resource) else None
    if seen is None or seen.owner != owner or seen.excluded or seen.kept:
        return None
    return _Proof(Preconditions(seen.uid, str(seen.version)))


async def _from_server(client: Client, owner: Owner, resource: Resource, oid: ObjectId) -> _Proof | ChangeAction:
    live = await client.find(resource, oid.key, metadata_only=True)
    if live is None:
        return ChangeAction.DELETED
    if policy.prune_refusal(live, owner) is not None:
        return ChangeAction.SKIPPED
    metadata = live["metadata"]
    return _Proof(Preconditions(metadata["uid"], metadata["resourceVersion"]))
