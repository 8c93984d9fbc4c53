"""What wakes a source: its own spec, requests and deletion."""

from typing import TypeVar

from tidegate.runtime.cache import Cache, Update
from tidegate.runtime.controller import Controller
from tidegate.toolkit import requests
from tidegate_api.source.v1.source import Source

S = TypeVar("S", bound=Source)


def connect(cache: Cache[S], controller: Controller) -> None:
    """Feed the controller's queue from the cache."""

    def changed(update: Update[S]) -> None:
        old, new = update.old, update.new
        if old is None or new is None or requests.is_woken(old.metadata, new.metadata):
            controller.queue.add(update.key)

    cache.subscribe(changed)
