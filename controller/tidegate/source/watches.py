"""What wakes a source: its own spec, requests and deletion; a chart also the repository that it is from."""

from typing import TypeVar

from tidegate.runtime.cache import Cache, Update
from tidegate.runtime.controller import Controller
from tidegate.toolkit import requests
from tidegate_api.source.v1.helm_chart import HelmChart
from tidegate_api.source.v1.helm_repository import HelmRepository
from tidegate_api.source.v1.source import Source

S = TypeVar("S", bound=Source)


def connect(cache: Cache[S], controller: Controller) -> None:
    """Feed the controller's queue from the cache."""

    def changed(update: Update[S]) -> None:
        old, new = update.old, update.new
        if old is None or new is None or requests.is_woken(old.metadata, new.metadata):
            controller.queue.add(update.key)

    cache.subscribe(changed)


def connect_charts(repositories: Cache[HelmRepository], charts: Cache[HelmChart], controller: Controller) -> None:
    """Wake the charts of a repository that has changed, or has an index that they have not seen."""

    def changed(update: Update[HelmRepository]) -> None:
        old, new = update.old, update.new
        if new is None:
            return
        is_other = old is None or old.metadata.generation != new.metadata.generation
        revision = new.status.artifact.revision if new.status.artifact is not None else ""
        for chart in charts.values():
            reference = chart.spec.source_ref
            is_its = (reference.kind, reference.name) == (HelmRepository.KIND, new.metadata.name)
            is_news = is_other or chart.status.observed_source_artifact_revision != revision
            if is_its and is_news and chart.metadata.namespace == new.metadata.namespace:
                controller.queue.add(chart.key)

    repositories.subscribe(changed)
