"""Digests that change when our fields change and stay when others change theirs.

The server records which fields our applies own (fieldsV1, a trie of paths). Somebody else's change of such a field
takes it from our entry; the values are digested beside it, for whoever writes without leaving a trace.
"""

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from tidegate_api.codec import JsonObject

_MISSING: Any = None
_ENCODER = msgspec.json.Encoder(order="deterministic")

Fields = JsonObject


def owned_fields(obj: JsonObject, manager: str) -> Fields | None:
    """The fieldsV1 of the applies of `manager`, or None when it applied nothing or lost everything."""
    for entry in (obj.get("metadata") or {}).get("managedFields") or ():
        if _is_apply(entry, manager):
            return entry.get("fieldsV1") or None
    return None


def owned_digest(obj: JsonObject, manager: str) -> str:
    """Digest of which fields `manager` owns in a whole object, and of their values; empty when it owns none.

    Times, status and fields of others do not count. Below an owned map or list without owned members (`resources: {}`
    was applied) only what nobody else owns counts.
    """
    fields = owned_fields(obj, manager)
    if fields is None:
        return ""
    values: list[Any] = []
    _collect(fields, obj, _others(obj, manager), values)
    return _digest((fields, values))


def fields_digest(obj: JsonObject, manager: str) -> str:
    """Digest of which fields `manager` owns, and of the values of those in metadata; empty when it owns none.

    Equal for an object and its PartialObjectMetadata.
    """
    fields = owned_fields(obj, manager)
    if fields is None:
        return ""
    values: list[Any] = []
    of_metadata = {step: below for step, below in fields.items() if step == "f:metadata"}
    _collect(of_metadata, obj, _others(obj, manager), values)
    return _digest((fields, values))


def desired_digest(obj: JsonObject) -> str:
    """Digest of an object's content, whatever the order of its keys."""
    return _digest(obj)


def _is_apply(entry: JsonObject, manager: str) -> bool:
    return entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")


def _others(obj: JsonObject, manager: str) -> list[Fields]:
    entries = obj["metadata"]["managedFields"]
    return [entry["fieldsV1"] for entry in entries if entry.get("fieldsV1") and not _is_apply(entry, manager)]


def _collect(fields: Fields, value: Any, others: Sequence[Fields], values: list[Any]) -> None:
    """Append the values at the leaves of `fields`; `others` are the sets of other managers at the same place."""
    # This runs on every event of every watched object: hence no call for the plainest step.
    is_map = isinstance(value, dict)
    for step, below in fields.items():
        if step == ".":
            continue
        child = value.get(step[2:]) if is_map else _find_member(value, step)  # f:name, or a member
        rivals = [other[step] for other in others if other.get(step)] if others else others
        if not below:
            # A map or list that was applied empty, or is atomic. The server drops empty maps: what is absent, empty
            # or filled by others is one and the same.
            is_plain = not isinstance(child, dict | list)
            values.append(child if is_plain or (child and not rivals) else _MISSING)
        elif child is _MISSING:
            values.append(_MISSING)
        else:
            _collect(below, child, rivals, values)


def _find_member(value: Any, step: str) -> Any:
    """The member of a list that a step of a fieldsV1 path names: by keys (k:), by value (v:) or by index (i:)."""
    if not isinstance(value, list):
        return _MISSING
    kind, wanted = _member(step)
    if kind == "k":
        for item in value:
            if isinstance(item, dict) and all(item.get(key) == part for key, part in wanted):
                return item
        return _MISSING
    if kind == "i":
        return value[wanted] if 0 <= wanted < len(value) else _MISSING
    return wanted if wanted in value else _MISSING


@functools.lru_cache(maxsize=4096)
def _member(step: str) -> tuple[str, Any]:
    """A `k:{"name":"web"}`, `v:"a"` or `i:0` step, read once: clusters hold the same few over and over."""
    kind, _, text = step.partition(":")
    try:
        wanted = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return "v", step
    if kind == "k":
        return ("k", tuple(wanted.items())) if isinstance(wanted, dict) else ("v", step)
    return ("i", wanted) if kind == "i" and isinstance(wanted, int) else ("v", wanted)


def _digest(content: Any) -> str:
    return hashlib.blake2b(_ENCODER.encode(content), digest_size=16).hexdigest()
