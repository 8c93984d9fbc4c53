"""Objects with versions, a history and preconditions: what an API server keeps, without HTTP."""

import asyncio
import copy
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tidegate.runtime import clock
from tidegate.runtime.resources import Resource
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

Change = Callable[[JsonObject], JsonObject]


class Refusal(Exception):
    """An answer other than 2xx."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        self.code, self.reason, self.message = code, reason, message
        super().__init__(message)

    def status(self) -> JsonObject:
        """The Status object that says so."""
        words = {"reason": self.reason, "message": self.message, "code": self.code}
        return {"apiVersion": "v1", "kind": "Status", "status": "Failure", **words}


@dataclass(frozen=True)
class Event:
    """One change of one object, as watches tell it."""

    version: int
    type: str
    resource: Resource
    obj: JsonObject


class Store:
    """All objects; `watchers` are told of every event. Versions start high, as those of a server with a past."""

    def __init__(self) -> None:
        self.version = 1000
        self.history: list[Event] = []
        self.compacted = self.version
        self.tracks_fields = False
        self.watchers: set[asyncio.Queue[Event | None]] = set()
        self._objects: dict[Resource, dict[ObjectKey, JsonObject]] = {}

    def items(self, resource: Resource, namespace: str = "") -> list[JsonObject]:
        """All objects of a kind, or those in `namespace`, by key."""
        found = sorted(self._objects.get(resource, {}).items())
        return [obj for key, obj in found if not namespace or key.namespace == namespace]

    def get(self, resource: Resource, key: ObjectKey) -> JsonObject:
        """One object. Raises: Refusal 404."""
        try:
            return self._objects[resource][key]
        except KeyError:
            raise Refusal(404, "NotFound", f'{resource.plural} "{key.name}" not found') from None

    def create(self, resource: Resource, obj: JsonObject) -> JsonObject:
        """A new object. Raises: Refusal 409."""
        key = ObjectKey.of(obj)
        if key in self._objects.get(resource, {}):
            raise Refusal(409, "AlreadyExists", f'{resource.plural} "{key.name}" already exists')
        own = {"uid": str(uuid.uuid4()), "generation": 1, "creationTimestamp": codec.format_time(clock.utc_now())}
        obj = {**copy.deepcopy(obj), "apiVersion": resource.api_version, "kind": resource.kind}
        obj["metadata"] |= own
        return self._put("ADDED", resource, obj)

    def update(self, resource: Resource, key: ObjectKey, change: Change, *, dry_run: bool = False) -> JsonObject:
        """Replace an object by what `change` makes of a copy; nothing happens when that is the same.

        Raises: Refusal 404; 409 when a resourceVersion that `change` names is not the object's, 422 when a UID is not.
        """
        old = self.get(resource, key)
        new = change(copy.deepcopy(old))
        if new["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            raise Refusal(409, "Conflict", f'Operation cannot be fulfilled on "{key.name}": it has been modified')
        if new["metadata"].get("uid") != old["metadata"]["uid"]:
            raise Refusal(422, "Invalid", f'"{key.name}" is invalid: metadata.uid: field is immutable')
        if new == old or dry_run:
            return new
        if any(
            new.get(name) != old.get(name) for name in new.keys() | old.keys() if name not in ("metadata", "status")
        ):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            return self._remove(resource, new)
        return self._put("MODIFIED", resource, new)

    def apply(self, resource: Resource, obj: JsonObject, manager: str = "", *, dry_run: bool = False) -> JsonObject:
        """Server-side apply in its simplest form: `obj` over what is there, nobody's fields are kept apart.

        Where `tracks_fields`, they are on record as those of `manager`.
        """
        if self.tracks_fields:
            entry = {"manager": manager, "operation": "Apply", "fieldsV1": _fields(obj)}
            obj = {**obj, "metadata": {**obj["metadata"], "managedFields": [entry]}}
        known = self._objects.get(resource, {})
        if ObjectKey.of(obj) in known:
            return self.update(resource, ObjectKey.of(obj), lambda live: _overlaid(live, obj), dry_run=dry_run)
        # A resourceVersion, which no absent object can have, is no obstacle to creating it (seen on 1.37).
        return obj if dry_run else self.create(resource, obj)

    def delete(self, resource: Resource, key: ObjectKey, preconditions: JsonObject | None = None) -> JsonObject:
        """Delete, or mark as being deleted while finalizers hold it. Raises: Refusal 404, 409."""
        old = self.get(resource, key)
        for name, value in (preconditions or {}).items():
            if old["metadata"][name] != value:
                raise Refusal(409, "Conflict", f"Precondition failed: {name} is {old['metadata'][name]}")
        if not old["metadata"].get("finalizers"):
            return self._remove(resource, copy.deepcopy(old))
        marked = copy.deepcopy(old)
        marked["metadata"].setdefault("deletionTimestamp", codec.format_time(clock.utc_now()))
        return self._put("MODIFIED", resource, marked) if marked != old else old

    def compact(self) -> None:
        """Forget the history: whoever asks for an older version is answered 410."""
        self.history.clear()
        self.compacted = self.version

    def _put(self, kind: str, resource: Resource, obj: JsonObject) -> JsonObject:
        self._record(kind, resource, obj)
        self._objects.setdefault(resource, {})[ObjectKey.of(obj)] = obj
        return obj

    def _remove(self, resource: Resource, obj: JsonObject) -> JsonObject:
        del self._objects[resource][ObjectKey.of(obj)]
        self._record("DELETED", resource, obj)
        return obj

    def _record(self, kind: str, resource: Resource, obj: JsonObject) -> None:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        event = Event(self.version, kind, resource, obj)
        self.history.append(event)
        for watcher in self.watchers:
            watcher.put_nowait(event)


def merge(target: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def _fields(applied: JsonObject) -> JsonObject:
    """The fieldsV1 of what was applied; lists count as a whole."""
    own = {name: value for name, value in applied.items() if name not in ("apiVersion", "kind")}
    return {f"f:{name}": _fields(value) if isinstance(value, dict) else {} for name, value in own.items()}


def _overlaid(live: JsonObject, applied: JsonObject) -> JsonObject:
    both = {**live}
    for name, value in applied.items():
        nested = isinstance(value, dict) and isinstance(live.get(name), dict)
        both[name] = _overlaid(live[name], value) if nested else copy.deepcopy(value)
    return both
