"""One HelmRelease on the API server for tests: its chart is at hand, and rendered as it is told."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tidegate.adapters.tests.charts import a_chart
from tidegate.helm import summary
from tidegate.helm.parts import Parts, Settings
from tidegate.helm.reconciler import HelmReleaseReconciler
from tidegate.helm.release.engine import Releases
from tidegate.helm.release.tests.bed import (
    RESOURCES,
    Bed,
    Chart,
    a_config_map,
    a_hook,
    a_process,
    ending_jobs,
    manifest,
)
from tidegate.runtime import clock
from tidegate.runtime.cache import Cache
from tidegate.runtime.controller import Result
from tidegate.runtime.queue import Held
from tidegate.runtime.resources import SERVICE_ACCOUNTS, resource_of
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.runtime.testing.store import merge
from tidegate.toolkit.attempt import Tools
from tidegate.toolkit.events import Recorder
from tidegate.toolkit.sources import Source
from tidegate.toolkit.status import StatusWriter
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.helm.v2.helm_release import HelmRelease, HelmReleaseStatus
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.source.v1.helm_chart import HelmChart

RELEASES, CHARTS = resource_of(HelmRelease), resource_of(HelmChart)
KEY = ObjectKey("apps", "web")
CHART_KEY = ObjectKey("apps", "apps-web")
SPEC: JsonObject = {
    "interval": "10m",
    "chart": {"spec": {"chart": "app", "sourceRef": {"kind": "HelmRepository", "name": "charts"}}},
}
CHART_FILE = "apiVersion: v2\nname: web\nversion: 1.0.0\nappVersion: '9'\n"
GOOD = Chart(manifest(a_config_map("one")))
HOOK = a_hook("pre", "pre-install", "pre-upgrade", "pre-rollback")
HOOKED = Chart(manifest(a_config_map("one")), [HOOK])
HOLDING = Chart(manifest(a_config_map("one")), [a_hook("pre", "pre-delete")])


class Known(Cache[Any]):
    """A cache that reads through."""

    def __init__(self, read: Callable[[ObjectKey], Any]) -> None:
        self._read = read

    def find(self, key: ObjectKey) -> Any:
        return self._read(key)


class Archives:
    """Stands for the artifact server: every artifact is this chart."""

    def __init__(self) -> None:
        self.archive = a_chart(chart=CHART_FILE)

    async def content(self, *_args: object) -> bytes:
        return self.archive


@dataclass
class Desk:
    """A controller process at work on one HelmRelease; `source` is its HelmChart as the controller sees it."""

    process: Bed
    parts: Parts
    reconciler: HelmReleaseReconciler
    archives: Archives
    results: list[Result] = field(default_factory=list)

    @property
    def server(self) -> FakeAPIServer:
        return self.process.server

    def release(self) -> HelmRelease:
        return codec.decode(HelmRelease, self.server.store.get(RELEASES, KEY))

    @property
    def status(self) -> HelmReleaseStatus:
        return self.release().status

    @property
    def words(self) -> list[str]:
        """The stored conditions, in short."""
        return [f"{item.type}={item.status} {item.reason}" for item in self.status.conditions]

    def message(self, kind: str) -> str:
        return next(item.message for item in self.status.conditions if item.type == kind)

    @property
    def events(self) -> list[str]:
        return [note.reason for note in self.parts.tools.recorder._notes]

    @property
    def history(self) -> list[tuple[int, str, str]]:
        return [(one.version, one.status, one.action) for one in self.status.history]

    @property
    def inventory(self) -> list[str]:
        stored = self.status.inventory
        return [entry.id for entry in stored.entries] if stored is not None else []

    @property
    def failures(self) -> tuple[int, int, int]:
        status = self.status
        return status.failures, status.install_failures, status.upgrade_failures

    def edit(self, patch: JsonObject) -> None:
        def change(live: JsonObject) -> JsonObject:
            generation = live["metadata"].get("generation", 1) + int("spec" in patch)
            changed: JsonObject = merge(live, merge(patch, {"metadata": {"generation": generation}}))
            return changed

        self.server.store.update(RELEASES, KEY, change)

    def render(self, chart: Chart) -> None:
        self.process.renderer.chart = chart

    async def turn(self, times: int = 1, failing: Sequence[str] = ()) -> None:
        """So many turns, in which jobs end at once."""
        async with ending_jobs(self.process, failing):
            for _ in range(times):
                turn = self.process.turn()
                turn.key = KEY
                turn.touched = Held(KEY).touched
                self.results.append(await self.reconciler.reconcile(turn))

    async def quietly(self) -> list[str]:
        """What one more turn asks of the API server."""
        self.server.asked.clear()
        await self.turn()
        return [f"{one.method} {one.path}" for one in self.server.asked if "watch" not in one.query]


@asynccontextmanager
async def a_desk(spec: JsonObject | None = None, server: FakeAPIServer | None = None) -> AsyncIterator[Desk]:
    """One life of a controller on a HelmRelease with `spec` beside what it must have."""
    if server is not None:
        async with _a_life(server) as desk:
            yield desk
        return
    server = FakeAPIServer([*RESOURCES, RELEASES, CHARTS, SERVICE_ACCOUNTS])
    server.store.create(
        RELEASES,
        {"metadata": {"name": KEY.name, "namespace": KEY.namespace, "generation": 1}, "spec": {**SPEC, **(spec or {})}},
    )
    async with server.running(), _a_life(server) as desk:
        yield desk


@asynccontextmanager
async def _a_life(server: FakeAPIServer) -> AsyncIterator[Desk]:
    async with a_process(server) as process:
        process.renderer.chart = GOOD
        client, archives = process.client, Archives()
        writer = StatusWriter(client, RELEASES, "helm-controller", summary.OWNED, lambda _answer: None)
        any_archives: Any = archives
        parts = Parts(
            client=client,
            tools=Tools(writer, Recorder(client, "helm-controller")),
            releases=Releases(process.members, process.sightings, process.renderer, "pod-1"),
            artifacts=any_archives,
            cache=Known(lambda key: _find(server, RELEASES, HelmRelease, key)),
            charts=Known(lambda key: _find(server, CHARTS, HelmChart, key)),
            sources={"HelmChart": Known(lambda _key: a_source(server))},
            settings=Settings(
                jitter_percent=0,
                requeue_dependency=timedelta(seconds=30),
                cross_namespace=True,
                default_service_account="",
                external_artifacts=False,
            ),
        )
        yield Desk(process, parts, HelmReleaseReconciler(parts), archives)


def a_source(server: FakeAPIServer) -> Source | None:
    """The HelmChart with the artifact that source-controller would have made at once."""
    found: Source | None = _find(server, CHARTS, Source, CHART_KEY)
    if found is not None:
        found.metadata.generation = found.status.observed_generation = 1
        found.status.artifact = Artifact(
            path="a", url="http://a", revision="1.2.3", digest="sha256:1", last_update_time=clock.utc_now()
        )
    return found


def _find(server: FakeAPIServer, resource: Any, kind: type[Any], key: ObjectKey) -> Any:
    objects = {ObjectKey.of(obj): obj for obj in server.store.items(resource)}
    return codec.decode(kind, objects[key]) if key in objects else None
