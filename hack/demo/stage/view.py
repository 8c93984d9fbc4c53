"""The cluster as watches tell it. Whatever the demo times, it times by the moment at which a watch said so."""

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp

from hack.controlplane.api import JsonObject
from hack.controlplane.cluster import ControlPlane

PATHS = {
    "GitRepository": "/apis/source.toolkit.fluxcd.io/v1/gitrepositories",
    "Kustomization": "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations",
    "HelmRepository": "/apis/source.toolkit.fluxcd.io/v1/helmrepositories",
    "HelmChart": "/apis/source.toolkit.fluxcd.io/v1/helmcharts",
    "HelmRelease": "/apis/helm.toolkit.fluxcd.io/v2/helmreleases",
    "Deployment": "/apis/apps/v1/deployments",
    "Service": "/api/v1/services",
    "ConfigMap": "/api/v1/configmaps",
    "PodDisruptionBudget": "/apis/policy/v1/poddisruptionbudgets",
}
LINE_LIMIT = 4 * 1024 * 1024
RETRY_SECONDS = 0.1
CHECK_SECONDS = 0.25

Holds = Callable[[JsonObject | None], bool]


class Key(NamedTuple):
    """One object."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


class NotAsExpected(Exception):
    """The demo tells something that is not so."""

    def __init__(self, expected: str, found: str = "") -> None:
        self.expected = expected
        self.found = found
        super().__init__(f"expected: {expected}\nfound: {found}" if found else f"expected: {expected}")


@dataclass
class Milestone:
    """An object becoming as it should be, for the first time since this was asked for."""

    what: str
    key: Key
    holds: Holds
    at: float = 0.0
    """When, by time.monotonic(); 0 until then."""
    version: int = 0
    """The object's resource version then: of two milestones of one cluster it tells which came first."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def look(self, found: JsonObject | None) -> None:
        """Is it so now?"""
        if self.reached.is_set() or not self.holds(found):
            return
        self.at = time.monotonic()
        self.version = int(found["metadata"]["resourceVersion"]) if found else 0
        self.reached.set()


class View:
    """`async with`: follows all objects of some kinds. `check` is asked while something is waited for, and raises."""

    def __init__(self, plane: ControlPlane, check: Callable[[], None]) -> None:
        self._plane = plane
        self._check = check
        self._objects: dict[Key, JsonObject] = {}
        self._milestones: list[Milestone] = []
        self._tasks = asyncio.TaskGroup()
        self._watches: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        tls = ssl.create_default_context(cafile=self._plane.authority.certificate)
        self._session = aiohttp.ClientSession(
            self._plane.server,
            headers={"Authorization": f"Bearer {self._plane.token('admin')}", "User-Agent": "demo"},
            connector=aiohttp.TCPConnector(ssl=tls),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            read_bufsize=LINE_LIMIT,
        )
        await self._tasks.__aenter__()
        self._watches = [self._tasks.create_task(self._follow(kind, path)) for kind, path in PATHS.items()]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._watches:
            task.cancel()
        try:
            # What the body raised is not the group's: it would be wrapped. A cancellation is: it may come from a watch.
            is_cancelled = isinstance(error, asyncio.CancelledError)
            await self._tasks.__aexit__(*((kind, error, traceback) if is_cancelled else (None, None, None)))
        finally:
            assert self._session is not None
            await self._session.close()

    def find(self, key: Key) -> JsonObject | None:
        """The object as it was last seen."""
        return self._objects.get(key)

    def all(self, kind: str) -> list[JsonObject]:
        """The objects of a kind."""
        return [found for key, found in sorted(self._objects.items()) if key.kind == kind]

    def expect(self, what: str, key: Key, holds: Holds) -> Milestone:
        """From now on it is noticed when the object (None: it is not there) is so."""
        milestone = Milestone(what, key, holds)
        milestone.look(self.find(key))
        self._milestones.append(milestone)
        return milestone

    async def reach(self, milestones: Iterable[Milestone], seconds: float) -> float:
        """Returns when all have been reached: the moment of the last.

        Raises:
            NotAsExpected: one was not, in that time.
        """
        wanted = list(milestones)
        deadline = time.monotonic() + seconds
        for milestone in wanted:
            while not milestone.reached.is_set():
                self._check()
                if time.monotonic() > deadline:
                    raise NotAsExpected(f"{milestone.what} within {seconds:g} s", self._shown(milestone.key))
                await _wait(milestone.reached, CHECK_SECONDS)
        self._milestones = [milestone for milestone in self._milestones if not milestone.reached.is_set()]
        return max(milestone.at for milestone in wanted)

    def _shown(self, key: Key) -> str:
        found = self.find(key)
        if found is None:
            return f"{key}: there is none"
        facts = {name: found[name] for name in ("spec", "data", "status") if name in found}
        return f"{key}: {json.dumps(facts)[:1500]}"

    async def _follow(self, kind: str, path: str) -> None:
        """Watches a kind until cancelled; whatever ends a watch, the next one begins with all there is."""
        while True:
            try:
                await self._watch(kind, path)
            except (aiohttp.ClientError, OSError, TimeoutError, json.JSONDecodeError):
                await asyncio.sleep(RETRY_SECONDS)

    async def _watch(self, kind: str, path: str) -> None:
        assert self._session is not None
        async with self._session.get(path, params={"watch": "true"}) as response:
            if response.status != 200:
                await asyncio.sleep(RETRY_SECONDS)
                return
            async for line in response.content:
                self._observe(kind, json.loads(line))

    def _observe(self, kind: str, event: dict[str, Any]) -> None:
        if event["type"] == "ERROR":
            return
        found: JsonObject = event["object"]
        key = Key(kind, found["metadata"].get("namespace", ""), found["metadata"]["name"])
        if event["type"] == "DELETED":
            self._objects.pop(key, None)
        else:
            self._objects[key] = found
        for milestone in self._milestones:
            if milestone.key == key:
                milestone.look(self.find(key))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
