"""What wakes a HelmRelease: itself, its chart, what it depends on, its values, its members, its stored release."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from tidegate.engine.members import Notice
from tidegate.engine.ownership import Owner
from tidegate.helm import charts, names
from tidegate.helm.release.model import RecordSummary
from tidegate.helm.release.record import Status
from tidegate.helm.release.sightings import Sightings
from tidegate.runtime.cache import Cache, Update
from tidegate.runtime.queue import WorkQueue
from tidegate.toolkit import conditions, dependencies, requests
from tidegate.toolkit.configs import Configs, Metadata
from tidegate.toolkit.sources import Source, Sources
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.meta.objects import ObjectKey

Queue = WorkQueue[ObjectKey]

# How long somebody who undoes what we do has his way, each time (F43).
CONTEST_PAUSE = timedelta(seconds=30)
# What helm writes on its way: what becomes of it, a revision or a deletion, is what wakes.
_PASSING = (Status.UNINSTALLING, Status.SUPERSEDED)
# Helm 4 may delete what it has just marked as uninstalled: it is left the time for that.
UNINSTALL_PAUSE = timedelta(seconds=2)
_NOT_READY = (conditions.READY, conditions.FALSE)


def connect(cache: Cache[HelmRelease], sources: Sources, configs: Configs, queue: Queue) -> None:
    """Feed the queue from everything that is watched but the stored releases."""
    cache.subscribe(lambda update: _own(update, cache, queue))
    for kind, source_cache in sources.items():
        source_cache.subscribe(_source_handler(kind, cache, queue))
    for kind, config_cache in configs.items():
        config_cache.subscribe(_config_handler(kind, cache, queue))


def connect_records(cache: Cache[HelmRelease], sightings: Sightings, holder: str, queue: Queue) -> None:
    """Wake the owner of a release record that somebody else than `holder` wrote or deleted.

    Not in the middle of what helm does: to unlock or to install then would break it under a person's hands.
    """

    def changed(update: Update[RecordSummary | None]) -> None:
        summary = update.new or update.old
        if summary is None or not sightings.is_foreign(update, holder) or _is_underway(update.new):
            return
        is_kept = update.new is not None and update.new.status == Status.UNINSTALLED
        for release in cache.values():
            key = names.release_key(release)
            if (key.name, key.storage_namespace) == (summary.name, update.key.namespace):
                queue.add(release.key, UNINSTALL_PAUSE if is_kept else timedelta())

    sightings.cache.subscribe(changed)


def _is_underway(record: RecordSummary | None) -> bool:
    """Whether helm, or what else keeps no journal, has not come to its end yet."""
    if record is None or record.journal is not None:
        return False
    return record.status.is_pending or record.status in _PASSING


def notify(queue: Queue, owner: Owner, notice: Notice) -> None:
    """A member drifted: the next pass looks at it, when one is due for another reason. Drift is not corrected yet."""
    if notice == Notice.CONTESTED:
        queue.add(ObjectKey(owner.namespace, owner.name), CONTEST_PAUSE)


def _own(update: Update[HelmRelease], cache: Cache[HelmRelease], queue: Queue) -> None:
    old, new = update.old, update.new
    if old is None or new is None or requests.is_woken(old.metadata, new.metadata):
        queue.add(update.key)
    if new is not None and (old is None or dependencies.is_ready(old) != dependencies.is_ready(new)):
        _wake(cache, queue, lambda one: update.key in dependencies.keys(one))


def _source_handler(kind: str, cache: Cache[HelmRelease], queue: Queue) -> Callable[[Update[Source]], None]:
    def changed(update: Update[Source]) -> None:
        old, new = update.old, update.new
        if new is not None and (old is None or _facts(old) != _facts(new)):
            _wake(cache, queue, lambda one: charts.reference(one) == (kind, update.key))

    return changed


def _facts(source: Source) -> tuple[object, ...]:
    """What a release looks at: the artifact, whether the source has seen its own spec, and what is wrong with it."""
    status = source.status
    problems = [(item.reason, item.message) for item in status.conditions if (item.type, item.status) == _NOT_READY]
    return status.artifact, status.observed_generation, problems


def _config_handler(kind: str, cache: Cache[HelmRelease], queue: Queue) -> Callable[[Update[Metadata]], None]:
    def changed(update: Update[Metadata]) -> None:
        _wake(cache, queue, lambda one: (kind, update.key) in _configs_of(one))

    return changed


def _configs_of(release: HelmRelease) -> Iterable[tuple[str, ObjectKey]]:
    return [(one.kind, ObjectKey(release.metadata.namespace, one.name)) for one in release.spec.values_from]


def _wake(cache: Cache[HelmRelease], queue: Queue, concerns: Callable[[HelmRelease], bool]) -> None:
    for release in cache.values():
        if concerns(release):
            queue.add(release.key)
