"""What is known of the objects in inventories: as last applied by us, and as seen by watch since.

One watch per kind, with a selector on the owner's label, started when the kind is first applied and ended when it is
not served any more. Kinds with a status come in full and are reduced to a fingerprint and their health at once; the
others come as metadata. Nothing of an object's content is kept.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tidegate.engine import fingerprint, health, ownership, policy
from tidegate.engine.health import Health, HealthStatus
from tidegate.engine.identity import ObjectId
from tidegate.engine.ownership import Migration, Owner
from tidegate.runtime import clock, logs
from tidegate.runtime.cache import Cache, Update
from tidegate.runtime.resources import Resource
from tidegate.runtime.transport import Transport
from tidegate.runtime.watch import Gone, Selection
from tidegate_api.codec import JsonObject

log = logs.get_logger(__name__)

SYNC_LIMIT = timedelta(seconds=30)
# So many drifts of one member in so many seconds are no accidents.
CONTEST_DRIFTS, CONTEST_S = 5, 60.0


@dataclass(frozen=True)
class Observed:
    """A member as its watch last showed it; `owner` is whom its labels name."""

    uid: str
    version: int
    owner: Owner | None
    fingerprint: str
    health: Health
    excluded: bool
    kept: bool
    unclean: bool


@dataclass(frozen=True)
class Baseline:
    """What we applied last: the digest of what was wanted, and what the stored object looked like right after.

    Fingerprints of one object differ between the versions of its kind.
    """

    desired: str
    fingerprint: str
    version: int
    api_version: str


class Notice(StrEnum):
    """Why an owner is told about one of its members."""

    DRIFTED = "drifted"
    CONTESTED = "contested"
    """It drifts again and again: somebody else wants it otherwise, and repairing it at once would never end."""
    UNHEALTHY = "unhealthy"


class Members:
    """The members of all owners of one kind, which `group` names as the prefix of their labels.

    `notify` is called when a member drifts from its baseline or stops being healthy; it must not block.
    `run` owns the watches and must be running before `follow` is awaited.
    """

    def __init__(
        self, transport: Transport, group: str, migration: Migration, notify: Callable[[Owner, Notice], None]
    ) -> None:
        self.migration = migration
        self._group = group
        self._marks = policy.marks_for(group)
        self._transport = transport
        self._notify = notify
        self._caches: dict[Resource, Cache[Observed]] = {}
        self._wanted: asyncio.Queue[Resource] = asyncio.Queue()
        self._baselines: dict[ObjectId, dict[Owner, Baseline]] = {}
        self._drifted: dict[Owner, set[ObjectId]] = {}
        self._drifts: dict[tuple[Owner, ObjectId], deque[float]] = {}
        self._kinds: dict[Owner, set[Resource]] = {}
        self._listeners: dict[Owner, set[asyncio.Event]] = {}

    async def run(self) -> None:
        """Start the watches that `follow` asks for; until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                resource = await self._wanted.get()
                group.create_task(self._watch(resource), name=f"members/{resource.plural}")

    async def follow(self, resources: Iterable[Resource]) -> None:
        """Make sure that each kind is watched, and wait until what exists has been seen.

        A kind that does not answer in time, or may not be watched, is left unwatched: callers see that by `is_watched`.
        """
        caches = [self._cache(resource) for resource in set(resources) if "watch" in resource.verbs]
        for cache in caches:
            if not await clock.happened(cache.synced, SYNC_LIMIT):
                log.warning("members not seen in time", resource=cache.selection.resource.plural)

    def is_watched(self, resource: Resource) -> bool:
        """Whether absence from what was seen means anything now."""
        cache = self._caches.get(resource)
        return cache is not None and cache.believed

    def find(self, resource: Resource, object_id: ObjectId) -> Observed | None:
        """The member as last seen; None when it is not there or carries no owner label."""
        cache = self._caches.get(resource)
        return None if cache is None else cache.find(object_id.key)

    def find_owner(self, obj: JsonObject) -> Owner | None:
        """Which owner of this kind the labels of an object name."""
        return next((owner for owner in ownership.find_owners(obj) if owner.group == self._group), None)

    def baseline(self, owner: Owner, object_id: ObjectId) -> Baseline | None:
        """What `owner` applied last, or None when that is not known."""
        return self._baselines.get(object_id, {}).get(owner)

    def drifted(self, owner: Owner) -> frozenset[ObjectId]:
        """Members that are not as `owner` left them, or that a pass has yet to look at."""
        return frozenset(self._drifted.get(owner, ()))

    def in_order(self, owner: Owner) -> bool:
        """Whether every member of `owner` is watched now and as it was left."""
        if self._drifted.get(owner):
            return False
        return all(self.is_watched(resource) for resource in self._kinds.get(owner, ()))

    def is_there(self, object_id: ObjectId) -> bool:
        """Whether a watch shows the object, whoever owns it."""
        return any(
            cache.find(object_id.key) is not None
            for resource, cache in self._caches.items()
            if (resource.group, resource.kind) == object_id.group_kind
        )

    @contextmanager
    def writing(self, owner: Owner, object_id: ObjectId) -> Iterator[None]:
        """Inside, what the watch shows of the member is our own doing and no drift."""
        self._baselines.get(object_id, {}).pop(owner, None)
        yield

    def settle(self, owner: Owner, resource: Resource, object_id: ObjectId, desired: str, stored: JsonObject) -> None:
        """`stored` is what the server answered to our apply of what digests to `desired`: the new baseline."""
        version = int(stored["metadata"].get("resourceVersion") or 0)
        baseline = Baseline(desired, self.fingerprint(resource, stored), version, resource.api_version)
        self._baselines.setdefault(object_id, {})[owner] = baseline
        self._kinds.setdefault(owner, set()).add(resource)
        self._drifted.get(owner, set()).discard(object_id)
        seen = self.find(resource, object_id)
        # What came after our write may have been seen before its answer, up to the object's end.
        is_shown = self.find_owner(stored) is not None and 0 < version <= self._seen_up_to(resource)
        is_gone = seen is None and is_shown
        if is_gone or (seen is not None and seen.version > version):
            self._compare(owner, object_id, baseline, seen)

    def forget(self, owner: Owner, object_ids: Iterable[ObjectId] | None = None) -> None:
        """`owner` has nothing to do with these members any more (None: with any)."""
        if object_ids is None:
            known = [one for one, owners in self._baselines.items() if owner in owners]
            object_ids = [*known, *(one for its_owner, one in self._drifts if its_owner == owner)]
            self._listeners.pop(owner, None)
            self._kinds.pop(owner, None)
        for object_id in object_ids:
            self._baselines.get(object_id, {}).pop(owner, None)
            self._drifted.get(owner, set()).discard(object_id)
            self._drifts.pop((owner, object_id), None)
            if not self._baselines.get(object_id, True):
                del self._baselines[object_id]
        if not self._drifted.get(owner, True):
            del self._drifted[owner]

    @contextmanager
    def listening(self, owner: Owner) -> Iterator[asyncio.Event]:
        """Yields an event that is set whenever a member of `owner` changes; the listener clears it."""
        event = asyncio.Event()
        self._listeners.setdefault(owner, set()).add(event)
        try:
            yield event
        finally:
            self._listeners.get(owner, set()).discard(event)

    def fingerprint(self, resource: Resource, obj: JsonObject) -> str:
        """What of an object is ours, in the same measure whether it came from a watch or from a write."""
        if health.has_status(resource.group, resource.kind):
            return fingerprint.owned_digest(obj, self.migration.manager)
        return fingerprint.fields_digest(obj, self.migration.manager)

    def _seen_up_to(self, resource: Resource) -> int:
        cache = self._caches.get(resource)
        return 0 if cache is None else cache.version

    def _cache(self, resource: Resource) -> Cache[Observed]:
        cache = self._caches.get(resource)
        if cache is None:
            partial = not health.has_status(resource.group, resource.kind)
            selection = Selection(resource, label_selector=f"{self._group}/name", metadata_only=partial)
            cache = Cache(self._transport, selection, lambda obj: self._observe(resource, obj))
            cache.subscribe(lambda update: self._changed(resource, update))
            self._caches[resource] = cache
            self._wanted.put_nowait(resource)
        return cache

    async def _watch(self, resource: Resource) -> None:
        try:
            await self._caches[resource].run()
        except Gone as error:
            log.info("kind is not watched any more", resource=resource.plural, cause=str(error))
            self._caches.pop(resource).synced.set()

    def _observe(self, resource: Resource, obj: JsonObject) -> Observed:
        metadata = obj["metadata"]
        return Observed(
            uid=metadata["uid"],
            version=int(metadata["resourceVersion"]),
            owner=self.find_owner(obj),
            fingerprint=self.fingerprint(resource, obj),
            health=_health(resource, obj),
            excluded=policy.is_excluded(obj, self._marks),
            kept=policy.is_kept(obj, self._marks),
            unclean=policy.may_clean_up(obj, obj, self._marks) and ownership.needs_cleanup(obj, self.migration),
        )

    def _changed(self, resource: Resource, update: Update[Observed]) -> None:
        object_id = ObjectId(update.key.namespace, update.key.name, resource.group, resource.kind)
        for owner, baseline in list(self._baselines.get(object_id, {}).items()):
            if baseline.api_version == resource.api_version:
                self._compare(owner, object_id, baseline, update.new)
        for owner in {seen.owner for seen in (update.old, update.new) if seen is not None and seen.owner is not None}:
            for event in self._listeners.get(owner, ()):
                event.set()
            if _fell_ill(update):
                self._notify(owner, Notice.UNHEALTHY)
            if _opted_in(update):
                self._notify(owner, Notice.DRIFTED)

    def _compare(self, owner: Owner, object_id: ObjectId, baseline: Baseline, seen: Observed | None) -> None:
        if seen is not None and (seen.version <= baseline.version or _is_untouched(seen, baseline)):
            return
        # Gone or different; "gone" may also mean that the label is: the pass looks.
        drifted = self._drifted.setdefault(owner, set())
        if object_id not in drifted:
            drifted.add(object_id)
            self._notify(owner, self._weigh_drift(owner, object_id))

    def _weigh_drift(self, owner: Owner, object_id: ObjectId) -> Notice:
        now = clock.monotonic()
        times = self._drifts.setdefault((owner, object_id), deque(maxlen=CONTEST_DRIFTS))
        is_contested = len(times) == CONTEST_DRIFTS and now - times[0] < CONTEST_S
        times.append(now)
        return Notice.CONTESTED if is_contested else Notice.DRIFTED


def _is_untouched(seen: Observed, baseline: Baseline) -> bool:
    """Our fields are as we left them, and kubectl has added none that are ours to take away."""
    return seen.fingerprint == baseline.fingerprint and not seen.unclean


def _opted_in(update: Update[Observed]) -> bool:
    """It had opted out and is no longer there, or no longer out."""
    return update.old is not None and update.old.excluded and (update.new is None or not update.new.excluded)


def _fell_ill(update: Update[Observed]) -> bool:
    if update.old is None or update.new is None:
        return False
    return update.old.health.status == HealthStatus.CURRENT != update.new.health.status


def _health(resource: Resource, obj: JsonObject) -> Health:
    if health.has_status(resource.group, resource.kind):
        return health.compute_status(obj)
    terminating = "deletionTimestamp" in obj["metadata"]
    return Health(HealthStatus.TERMINATING if terminating else HealthStatus.CURRENT, "")
