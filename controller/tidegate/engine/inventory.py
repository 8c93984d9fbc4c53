"""What belongs to an applier, as a set of ids with the API version that each was applied with.

Stored inventories are input: anybody who may write status may edit them. An entry that names no possible object is
left out and reported; one that does names a candidate only, and ownership decides about it.
"""

from collections.abc import Iterable, Mapping

from tidegate.engine import identity, stages
from tidegate.engine.identity import InvalidId, ObjectId
from tidegate_api.codec import JsonObject

Inventory = dict[ObjectId, str]

_ENTRY_OVERHEAD = len('{"id":"","v":""},')


def parse(entries: Iterable[tuple[str, str]]) -> tuple[Inventory, list[str]]:
    """The inventory that (id, version) pairs stand for, and the ids of the entries that stand for nothing."""
    inventory: Inventory = {}
    invalid: list[str] = []
    for text, version in entries:
        oid = _find_id(text, version)
        if oid is None:
            invalid.append(text)
        else:
            inventory[oid] = version
    return inventory, invalid


def entries(inventory: Mapping[ObjectId, str], custom: Iterable[tuple[str, str]] = ()) -> list[tuple[str, str]]:
    """(id, version) pairs as they are stored: in Flux's order, so that equal sets are equal bytes."""
    ordered = stages.report_order(inventory, frozenset(custom))
    return [(oid.inventory_id, inventory[oid]) for oid in ordered]


def of_objects(objects: Iterable[JsonObject]) -> Inventory:
    """The inventory of a set of objects."""
    return {identity.object_id(obj): identity.version_of(obj) for obj in objects}


def union(old: Inventory, new: Inventory) -> Inventory:
    """Everything of both, with the version of `new` where both have it."""
    return {**stale(old, new), **new}


def stale(old: Inventory, new: Inventory) -> Inventory:
    """What `old` has and `new` has not: never anything of `new`, always part of `old`."""
    # Compared as stored texts: a role named `a__b` reads back as `a:b` and must not be taken for another one.
    known = {oid.inventory_id for oid in new}
    return {oid: version for oid, version in old.items() if oid.inventory_id not in known}


def merge(inventory: Inventory, survivors: Inventory) -> Inventory:
    """`inventory` and the objects that could not be deleted, so that they are tried again."""
    return {**inventory, **stale(survivors, inventory)}


def covers(inventory: Inventory, other: Inventory) -> bool:
    """Whether recording `other` beside `inventory` would change nothing, so that no write is due."""
    return union(inventory, other) == inventory


def encoded_size(inventory: Inventory) -> int:
    """The bytes that the entries take in the stored status."""
    return sum(len(oid.inventory_id.encode()) + len(version) + _ENTRY_OVERHEAD for oid, version in inventory.items())


def _find_id(text: str, version: str) -> ObjectId | None:
    if not identity.is_version(version):
        return None
    try:
        return identity.parse_inventory_id(text)
    except InvalidId:
        return None
