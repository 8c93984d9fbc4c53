"""What a pass over a GitRepository says and serves, with a repository of one commit that costs nothing to ask."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tidegate.adapters.git_errors import RemoteTimedOut
from tidegate.adapters.git_refs import Refs
from tidegate.adapters.packing import ArchiveInfo
from tidegate.runtime import clock, threads
from tidegate.runtime.cache import Cache
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn
from tidegate.runtime.queue import Held
from tidegate.runtime.resources import resource_of
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.source import conditions
from tidegate.source.git_repository import GitRepositoryReconciler
from tidegate.source.pipeline import Pipeline
from tidegate.source.polls import Polls
from tidegate.source.storage import Storage
from tidegate.toolkit.attempt import Tools
from tidegate.toolkit.events import Recorder
from tidegate.toolkit.status import StatusWriter
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.source.v1.git_repository import GitRepository

REPOSITORIES = resource_of(GitRepository)
KEY = ObjectKey("flux-system", "app")
COMMIT = "a" * 40
PATH = f"gitrepository/flux-system/app/{COMMIT}.tar.gz"


@dataclass
class Remote:
    """Stands for a repository of one commit, on every reference that it is asked for."""

    refs: tuple[str, ...] = ("refs/heads/main", "refs/pull/1/head")
    is_down: bool = False
    content: bytes = b"content"
    seen: list[str] = field(default_factory=list)
    before_archive: asyncio.Event | None = None

    async def list_refs(self, _budget: timedelta, prefixes: Sequence[str] = ("refs/heads/", "refs/tags/")) -> Refs:
        if self.is_down:
            raise RemoteTimedOut("no answer")
        return Refs(oids={name: COMMIT for name in self.refs if name.startswith(tuple(prefixes))})

    def known_refs(self) -> None:
        return None

    async def fetch(self, *_args: object) -> None:
        return None

    async def read_commit(self, _oid: str) -> Any:
        return type("Commit", (), {"subject": "first"})

    async def write_archive(self, _oid: str, target: Path, _writing: object) -> ArchiveInfo:
        await threads.run(target.write_bytes, self.content)
        return ArchiveInfo("sha256:" + hashlib.sha256(self.content).hexdigest(), len(self.content), 1, 0)


class Remotes:
    """Stands for all remotes: there is one."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def remote(self, *_args: object) -> Any:
        return self._remote

    async def collect(self, _in_use: object) -> None:
        return None


class Events(Recorder):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def event(self, _obj: object, _severity: object, reason: str, message: str, _metadata: object = None) -> None:
        self.told.append((reason, message))


@dataclass
class Source:
    """One GitRepository, and all that reconciles it."""

    server: FakeAPIServer
    reconciler: GitRepositoryReconciler
    remote: Remote
    events: Events
    cache: Any

    async def reconcile(self) -> JsonObject:
        """One turn; the status after it."""
        self.cache.put(self.server.store.get(REPOSITORIES, KEY))
        async with asyncio.TaskGroup() as group:
            await self.reconciler.reconcile(Turn(Held(KEY), asyncio.Semaphore(1), group))
        return self.status()

    def status(self) -> JsonObject:
        found: JsonObject = self.server.store.get(REPOSITORIES, KEY).get("status") or {}
        return found

    def condition(self, kind: str) -> JsonObject | None:
        return next((item for item in self.status()["conditions"] if item["type"] == kind), None)


class One(Cache[GitRepository]):
    """A cache of what it is given."""

    def __init__(self) -> None:
        self._one: GitRepository | None = None

    def put(self, obj: JsonObject) -> None:
        self._one = codec.decode(GitRepository, obj)

    def find(self, _key: ObjectKey) -> GitRepository | None:
        return self._one


@asynccontextmanager
async def a_source(root: Path, spec: JsonObject, status: JsonObject) -> AsyncIterator[Source]:
    server = FakeAPIServer([REPOSITORIES])
    metadata = {"name": KEY.name, "namespace": KEY.namespace, "finalizers": ["finalizers.fluxcd.io"]}
    whole = {"url": "https://git.example.com/app", "interval": "1m", "ref": {"branch": "main"}, **spec}
    server.store.create(REPOSITORIES, {"metadata": metadata, "spec": whole, "status": status})
    remote, events, cache = Remote(), Events(), One()
    storage = Storage(root, "artifacts.example.com")
    storage.prepare()
    async with server.running(), server.client() as client:
        tools = Tools(_writer(client), events)
        remotes: Any = Remotes(remote)
        pipeline = Pipeline(client, storage, 0)
        reconciler = GitRepositoryReconciler(pipeline, cache, tools, remotes, Polls(lambda _key: None))
        yield Source(server, reconciler, remote, events, cache)


def _writer(client: Client) -> StatusWriter:
    return StatusWriter(client, REPOSITORIES, "test", conditions.OWNED, lambda _obj: None)


def a_condition(kind: str, status: str) -> JsonObject:
    told = {"reason": "FromFlux", "message": "from Flux", "lastTransitionTime": codec.format_time(clock.from_epoch(0))}
    return {"type": kind, "status": status, **told}


@pytest.mark.parametrize(
    ("kind", "status"), [("SourceVerified", "False"), ("IncludeUnavailable", "True"), ("ArtifactOutdated", "True")]
)
async def test_f44_a_failure_that_flux_left_behind_does_not_outlive_its_cause(tmp_path: Path, kind: str, status: str):
    async with a_source(tmp_path, {}, {"conditions": [a_condition(kind, status)]}) as source:
        await source.reconcile()

        ready = source.condition("Ready")
        assert ready is not None
        assert (ready["status"], ready["message"]) == ("True", f"stored artifact for revision 'main@sha1:{COMMIT}'")


async def test_g5_a_url_that_can_never_work_is_a_failed_fetch_too(tmp_path: Path):
    async with a_source(tmp_path, {"url": "https://-oProxyCommand=x/app"}, {}) as source:
        await source.reconcile()

        fetch, stalled = source.condition("FetchFailed"), source.condition("Stalled")
        assert fetch is not None
        assert stalled is not None
        assert (fetch["status"], fetch["reason"], stalled["reason"]) == ("True", "URLInvalid", "URLInvalid")


async def test_a_reference_that_is_no_branch_nor_tag_is_found(tmp_path: Path):
    async with a_source(tmp_path, {"ref": {"name": "refs/pull/1/head"}}, {}) as source:
        status = await source.reconcile()

        assert status["artifact"]["revision"] == f"refs/pull/1/head@sha1:{COMMIT}"


async def test_f27_a_lost_artifact_stays_advertised_while_it_cannot_be_rebuilt(tmp_path: Path):
    async with a_source(tmp_path, {}, {}) as source:
        stored = (await source.reconcile())["artifact"]
        (tmp_path / PATH).unlink()
        source.remote.is_down = True

        assert (await source.reconcile())["artifact"] == stored
        fetch = source.condition("FetchFailed")
        assert fetch is not None
        assert fetch["status"] == "True"


async def test_f27_a_lost_artifact_is_rebuilt_and_is_no_news(tmp_path: Path):
    async with a_source(tmp_path, {}, {}) as source:
        stored = (await source.reconcile())["artifact"]
        (tmp_path / PATH).unlink()
        source.events.told.clear()

        rebuilt = (await source.reconcile())["artifact"]

    assert (rebuilt["digest"], (tmp_path / PATH).read_bytes()) == (stored["digest"], b"content")
    assert [reason for reason, _ in source.events.told] == ["ArtifactVerificationFailed"]


async def test_a_superseded_artifact_stays_until_the_next_pass(tmp_path: Path):
    old = tmp_path / "gitrepository/flux-system/app/old.tar.gz"
    async with a_source(tmp_path, {}, {}) as source:
        artifact = (await source.reconcile())["artifact"]
        (tmp_path / PATH).rename(old)
        served = {**artifact, "path": str(old.relative_to(tmp_path)), "revision": "main@sha1:0"}
        source.server.store.update(REPOSITORIES, KEY, lambda obj: {**obj, "status": {"artifact": served}})
        long_ago = clock.utc_now().timestamp() - 3600
        os.utime(old, (long_ago, long_ago))

        await source.reconcile()
        assert old.exists()
        await source.reconcile()
        assert not old.exists()
