"""What wakes a HelmRelease, and what does not."""

from collections.abc import Callable
from typing import Any

import pytest

from tidegate.helm import watches
from tidegate.helm.release.model import Journal, RecordSummary
from tidegate.helm.release.record import Status
from tidegate.helm.release.sightings import Sightings
from tidegate.helm.tests.releases import a_release
from tidegate.runtime.cache import Update
from tidegate.runtime.queue import WorkQueue
from tidegate.toolkit.configs import Metadata
from tidegate.toolkit.sources import Source
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.meta.objects import ObjectKey

SECRET = ObjectKey("apps", "sh.helm.release.v1.web.v1")
READY = {"type": "Ready", "status": "True", "reason": "X", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
ARTIFACT = {
    **{"path": "a", "url": "http://a", "revision": "1", "digest": "sha256:1"},
    "lastUpdateTime": "2026-01-01T00:00:00Z",
}


class Seen:
    """A cache of these objects, whose changes a test makes up."""

    def __init__(self, *objects: HelmRelease) -> None:
        self.objects = objects
        self.tell: Callable[[Update[Any]], None] = lambda _update: None

    def values(self) -> tuple[HelmRelease, ...]:
        return self.objects

    def subscribe(self, handler: Callable[[Update[Any]], None]) -> None:
        self.tell = handler


def seen(*objects: HelmRelease) -> Any:
    return Seen(*objects)


class Plugged:
    """The watches of two releases: `web`, and `app` that depends on it and has values in a ConfigMap."""

    def __init__(self) -> None:
        self.web = a_release()
        values = [{"kind": "ConfigMap", "name": "values"}]
        self.app = a_release({"dependsOn": [{"name": "web"}], "valuesFrom": values}, name="app")
        self.cache = seen(self.web, self.app)
        self.charts = seen()
        self.configs = seen()
        self.queue: WorkQueue[ObjectKey] = WorkQueue()
        watches.connect(self.cache, {"HelmChart": self.charts}, {"ConfigMap": self.configs}, self.queue)

    async def woken(self) -> set[str]:
        return {(await self.queue.take()).key.name for _ in range(len(self.queue))}


def a_source(status: JsonObject) -> Source:
    return codec.decode(Source, {"status": status})


async def test_a_chart_that_is_new_wakes_its_release():
    plugged = Plugged()

    plugged.charts.tell(Update(ObjectKey("apps", "apps-web"), a_source({}), a_source({"artifact": ARTIFACT})))

    assert await plugged.woken() == {"web"}


async def test_a_chart_that_is_as_it_was_wakes_nobody():
    plugged = Plugged()

    plugged.charts.tell(Update(ObjectKey("apps", "apps-web"), a_source({}), a_source({"conditions": [READY]})))

    assert await plugged.woken() == set()


async def test_values_wake_who_reads_them():
    plugged = Plugged()

    plugged.configs.tell(Update(ObjectKey("apps", "values"), None, Metadata()))

    assert await plugged.woken() == {"app"}


async def test_a_release_that_becomes_ready_wakes_who_waits_for_it():
    plugged = Plugged()
    ready = a_release()
    ready.status = codec.decode(type(ready.status), {"observedGeneration": 1, "conditions": [READY]})

    plugged.cache.tell(Update(plugged.web.key, plugged.web, ready))

    assert await plugged.woken() == {"app"}


class Records:
    """The watch of release records, for the releases of `plugged`."""

    def __init__(self, plugged: Plugged) -> None:
        nobody: Any = None
        sightings: Any = Sightings(nobody)
        sightings.cache = self.seen = Seen()
        watches.connect_records(plugged.cache, sightings, "pod-1", plugged.queue)

    def tell(self, status: Status, journal: Journal | None = None) -> None:
        self.seen.tell(Update(SECRET, None, RecordSummary("web", 1, status, journal, "uid", "7")))


@pytest.mark.parametrize(
    ("journal", "expected"),
    [
        pytest.param(None, {"web"}, id="helm or a person"),
        pytest.param(Journal("uid-1", 1, "", "pod-0"), {"web"}, id="another process"),
        pytest.param(Journal("uid-1", 1, "", "pod-1"), set(), id="we ourselves"),
    ],
)
async def test_what_others_do_to_its_records_wakes_a_release(journal: Journal | None, expected: set[str]):
    plugged = Plugged()

    Records(plugged).tell(Status.DEPLOYED, journal)

    assert await plugged.woken() == expected


async def test_what_helm_is_in_the_middle_of_wakes_nobody_until_it_is_done():
    plugged = Plugged()
    records = Records(plugged)

    for status in (Status.PENDING_UPGRADE, Status.SUPERSEDED, Status.UNINSTALLING, Status.UNINSTALLED):
        records.tell(status)
    assert await plugged.woken() == set()

    uninstalled = RecordSummary("web", 1, Status.UNINSTALLED, None, "uid", "8")
    records.seen.tell(Update(SECRET, uninstalled, None))
    assert await plugged.woken() == {"web"}
