"""What a watch has seen of one selection, by key; reads never wait and never ask the server."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

from tidegate.runtime import logs
from tidegate.runtime.errors import InvalidObject
from tidegate.runtime.transport import Transport
from tidegate.runtime.watch import Changed, Listed, Selection, Watch
from tidegate_api.codec import DecodeError, JsonObject
from tidegate_api.meta.objects import ObjectKey

log = logs.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Seen(Generic[T]):
    """An object as last seen: its version, and its decoded form or why it has none."""

    uid: str
    version: int
    value: T | InvalidObject


@dataclass(frozen=True)
class Update(Generic[T]):
    """One object changed from `old` to `new`; None stands for "not there"."""

    key: ObjectKey
    old: T | None
    new: T | None


Handler = Callable[[Update[T]], None]


class Cache(Generic[T]):
    """The objects of one selection, decoded once, each with the newest version seen.

    Versions never go back (F8), and what the controller itself wrote is there at once (`observe`). One object that does
    not decode hides nobody else: it is found as an InvalidObject error. Handlers are called after the store has
    changed; they must not mutate what they are given, nor block.
    """

    def __init__(self, transport: Transport, selection: Selection, decode: Callable[[JsonObject], T]) -> None:
        self.selection = selection
        self.synced = asyncio.Event()
        self._watch = Watch(transport, selection)
        self._decode = decode
        self._store: dict[ObjectKey, Seen[T]] = {}
        self._handlers: list[Handler[T]] = []

    @property
    def believed(self) -> bool:
        """Whether the watch below can be relied on now."""
        return self.synced.is_set() and self._watch.believed

    @property
    def version(self) -> int:
        """The resource version up to which everything has been seen; 0 where that is not known."""
        return self._watch.version

    def subscribe(self, handler: Handler[T]) -> None:
        """Call `handler` on each change from now on; subscribe before `run`."""
        self._handlers.append(handler)

    def find(self, key: ObjectKey) -> T | None:
        """The object at `key`, or None. Raises: InvalidObject when it does not fit its type."""
        seen = self._store.get(key)
        if seen is None:
            return None
        if isinstance(seen.value, InvalidObject):
            raise seen.value
        return seen.value

    def values(self) -> Iterable[T]:
        """All objects that decode."""
        return (seen.value for seen in self._store.values() if not isinstance(seen.value, InvalidObject))

    def keys(self) -> Iterable[ObjectKey]:
        """The keys of all objects."""
        return self._store.keys()

    def observe(self, obj: JsonObject) -> None:
        """Take in what the server answered to a write, before the watch brings it; never brings a deleted one back."""
        seen = self._store.get(ObjectKey.of(obj))
        metadata = obj["metadata"]
        if seen is not None and seen.uid == metadata.get("uid") and not _is_finished(metadata):
            self._put(obj)

    async def run(self) -> None:
        """Follow the watch until cancelled. Raises: Gone when the kind goes away."""
        async with aclosing(self._watch.changes()) as changes:
            async for change in changes:
                match change:
                    case Listed(items):
                        self._replace(items)
                        self.synced.set()
                    case Changed("DELETED", obj):
                        self._remove(ObjectKey.of(obj))
                    case Changed(_, obj):
                        self._put(obj)

    def _replace(self, items: list[JsonObject]) -> None:
        gone = self._store.keys() - {ObjectKey.of(item) for item in items}
        for key in gone:
            self._remove(key)
        for item in items:
            self._put(item)

    def _put(self, obj: JsonObject) -> None:
        key, metadata = ObjectKey.of(obj), obj["metadata"]
        old = self._store.get(key)
        version = _version(metadata, old.version + 1 if old is not None else 0)
        # Versions count for the whole server: an older one is old news even of another object by this name.
        if old is not None and version <= old.version:
            return
        self._store[key] = seen = Seen(metadata.get("uid") or "", version, self._decoded(obj))
        self._tell(key, old, seen)

    def _decoded(self, obj: JsonObject) -> T | InvalidObject:
        try:
            return self._decode(obj)
        except DecodeError as error:
            return InvalidObject(str(error))
        except Exception as error:
            # Anybody may have written it: whatever it is that cannot be read, it is this object's own affair (K17).
            log.exception("object not understood", key=str(ObjectKey.of(obj)))
            return InvalidObject(f"{type(error).__name__}: {error}")

    def _remove(self, key: ObjectKey) -> None:
        old = self._store.pop(key, None)
        if old is not None:
            self._tell(key, old, None)

    def _tell(self, key: ObjectKey, old: Seen[T] | None, new: Seen[T] | None) -> None:
        update = Update(key, _value(old), _value(new))
        for handler in self._handlers:
            try:
                handler(update)
            except Exception:
                # The others, and all objects after this one, must still be told (F31).
                log.exception("handler failed", resource=self.selection.resource.plural, key=str(key))


def _value(seen: Seen[T] | None) -> T | None:
    return None if seen is None or isinstance(seen.value, InvalidObject) else seen.value


def _is_finished(metadata: JsonObject) -> bool:
    """Whether the object goes with this very write: it is being deleted and nothing holds it."""
    return bool(metadata.get("deletionTimestamp")) and not metadata.get("finalizers")


def _version(metadata: JsonObject, otherwise: int) -> int:
    """Versions are numbers, but for what some extension API server makes up: each of those is taken for newer."""
    text = metadata.get("resourceVersion") or ""
    return int(text) if text.isdecimal() else otherwise
