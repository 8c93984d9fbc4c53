"""Writes an object's status: one merge patch with what changed and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from tidegate.runtime import errors
from tidegate.runtime.client import Client
from tidegate.runtime.resources import Resource
from tidegate_api import codec
from tidegate_api.codec import ApiStruct, JsonObject
from tidegate_api.meta.status import ObjectStatus, ReconciledObject

CONFLICT_TRIES = 5


@dataclass(frozen=True)
class StatusWriter:
    """Writes the status of objects of one kind under one field manager.

    `owned` are the condition types that are ours: on a conflict they win, and everybody else's survive as they are on
    the server. `observe` takes in each answer, so that the cache is never behind our own writes.
    """

    client: Client
    resource: Resource
    manager: str
    owned: frozenset[str]
    observe: Callable[[JsonObject], None]

    async def write(self, obj: ReconciledObject, version: str, before: ObjectStatus, after: ObjectStatus) -> str:
        """Bring the stored status of `obj`, known as of resource version `version`, from `before` to `after`.

        Returns the version that is known now. It stays as it was where others' conditions came in between: the next
        write has to meet them again. Nothing is sent when the two are equal; an object that is gone is no error.
        Raises: ApiError, Unreachable.
        """
        patch = difference(before, after)
        if not patch:
            return version
        if "conditions" not in patch:
            await self._send(obj, patch)
            return version
        expected = version
        for _ in range(CONFLICT_TRIES):
            try:
                written = await self._send(obj, patch, expected)
            except errors.Conflict:
                live = await self.find_live(obj)
                if live is None:
                    return version
                expected = live["metadata"]["resourceVersion"]
                patch = {**patch, "conditions": self._merged(patch["conditions"], live)}
            else:
                return written if written and expected == version else version
        raise errors.Unreachable(f"status of {obj.key} changed {CONFLICT_TRIES} times while it was written")

    async def find_live(self, obj: ReconciledObject) -> JsonObject | None:
        """The object as the server has it now; None when it is gone, though another may have its name."""
        live = await self.client.find(self.resource, obj.key)
        return live if live is not None and live["metadata"]["uid"] == obj.metadata.uid else None

    async def patch_finalizers(self, obj: ReconciledObject, finalizers: list[str]) -> JsonObject:
        """Replace the finalizers, unless the object changed meanwhile. Raises: Conflict, NotFound."""
        metadata = {"finalizers": finalizers or None, "resourceVersion": obj.metadata.resource_version}
        answer = await self.client.merge_patch(self.resource, obj.key, {"metadata": metadata}, self.manager)
        self.observe(answer)
        return answer

    async def _send(self, obj: ReconciledObject, patch: JsonObject, expected: str = "") -> str:
        """The object's new resource version, "" when it is gone. Raises: Conflict when it is not at `expected`."""
        # The UID keeps what we saw of one object from being written to its successor (F14).
        metadata = {"uid": obj.metadata.uid, **({"resourceVersion": expected} if expected else {})}
        body = {"metadata": metadata, "status": patch}
        try:
            answer = await self.client.merge_patch(self.resource, obj.key, body, self.manager, "status")
        except errors.NotFound:
            return ""
        except errors.Invalid:
            if await self.find_live(obj) is None:
                return ""
            raise
        self.observe(answer)
        return str(answer["metadata"]["resourceVersion"])

    def _merged(self, ours: list[JsonObject], live: JsonObject) -> list[JsonObject]:
        theirs = (live.get("status") or {}).get("conditions") or []
        return [item for item in ours if item["type"] in self.owned] + [
            item for item in theirs if item["type"] not in self.owned
        ]


def difference(before: ObjectStatus, after: ObjectStatus) -> JsonObject:
    """The JSON merge patch from one status struct to another of the same type; {} when they are equal."""
    patch: JsonObject = {}
    for field in msgspec.structs.fields(type(after)):
        old, new = getattr(before, field.name), getattr(after, field.name)
        # Identity first: an inventory of thousands of entries that nobody replaced is not even compared.
        if old is not new and old != new:
            patch[field.encode_name] = merge_difference(_plain(old), _plain(new))
    return patch


def merge_difference(old: Any, new: Any) -> Any:
    """The JSON merge patch (RFC 7386) that turns `old` into `new`; null removes."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    changed = {name: merge_difference(old.get(name), value) for name, value in new.items() if old.get(name) != value}
    return changed | dict.fromkeys(old.keys() - new.keys())


def _plain(value: Any) -> Any:
    if isinstance(value, ApiStruct):
        return codec.encode(value)
    if isinstance(value, timedelta):
        return codec.format_duration(value)
    if isinstance(value, list):
        return [_plain(item) for item in value] or None
    return value if value != "" else None
