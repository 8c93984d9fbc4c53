"""What wakes a Kustomization: itself, its source, what it depends on, its variables, its members."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from tidegate.engine.members import Notice
from tidegate.engine.ownership import Owner
from tidegate.kustomize import dependencies, sources
from tidegate.runtime.cache import Cache, Update
from tidegate.runtime.queue import WorkQueue
from tidegate.toolkit import requests
from tidegate.toolkit.configs import Configs, Metadata
from tidegate.toolkit.sources import Source, Sources
from tidegate_api.kustomize.v1.kustomization import Kustomization
from tidegate_api.meta.objects import ObjectKey

Queue = WorkQueue[ObjectKey]

# How long somebody who undoes what we do has his way, each time (F43).
CONTEST_PAUSE = timedelta(seconds=30)


def connect(cache: Cache[Kustomization], watched_sources: Sources, configs: Configs, queue: Queue) -> None:
    """Feed the queue from everything that is watched."""
    cache.subscribe(lambda update: _own(update, cache, queue))
    for kind, source_cache in watched_sources.items():
        source_cache.subscribe(_source_handler(kind, cache, queue))
    for kind, config_cache in configs.items():
        config_cache.subscribe(_config_handler(kind, cache, queue))


def notify(cache: Cache[Kustomization], queue: Queue, owner: Owner, notice: Notice) -> None:
    """A member drifted, or is not healthy any more."""
    key = ObjectKey(owner.namespace, owner.name)
    match notice:
        case Notice.DRIFTED:
            queue.add(key)
        case Notice.CONTESTED:
            queue.add(key, CONTEST_PAUSE)
        case Notice.UNHEALTHY:
            # While a turn is at work the change is its own doing, and it looks for itself.
            kustomization = cache.find(key)
            if kustomization is not None and kustomization.spec.wait and not queue.is_held(key):
                queue.add(key)


def _own(update: Update[Kustomization], cache: Cache[Kustomization], queue: Queue) -> None:
    old, new = update.old, update.new
    if old is None or new is None or requests.is_woken(old.metadata, new.metadata):
        queue.add(update.key)
    if new is not None and (old is None or _progress_of(old) != _progress_of(new)):
        _wake(cache, queue, lambda one: update.key in dependencies.keys(one))


def _progress_of(kustomization: Kustomization) -> tuple[bool, str]:
    """What those who depend on it look at."""
    return dependencies.is_ready(kustomization), kustomization.status.last_applied_revision


def _source_handler(kind: str, cache: Cache[Kustomization], queue: Queue) -> Callable[[Update[Source]], None]:
    def changed(update: Update[Source]) -> None:
        old = update.old.status.artifact if update.old is not None else None
        new = update.new.status.artifact if update.new is not None else None
        if new is not None and new != old:
            _wake(cache, queue, lambda one: sources.source_id(one) == (kind, update.key))

    return changed


def _config_handler(kind: str, cache: Cache[Kustomization], queue: Queue) -> Callable[[Update[Metadata]], None]:
    def changed(update: Update[Metadata]) -> None:
        _wake(cache, queue, lambda one: (kind, update.key) in _configs_of(one))

    return changed


def _configs_of(kustomization: Kustomization) -> Iterable[tuple[str, ObjectKey]]:
    post_build = kustomization.spec.post_build
    references = post_build.substitute_from if post_build is not None else []
    return [(one.kind, ObjectKey(kustomization.metadata.namespace, one.name)) for one in references]


def _wake(cache: Cache[Kustomization], queue: Queue, concerns: Callable[[Kustomization], bool]) -> None:
    for kustomization in cache.values():
        if concerns(kustomization):
            queue.add(kustomization.key)
