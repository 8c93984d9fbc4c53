"""Records in Secrets, as Helm labels them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.helm.release import secrets
from tidegate.helm.release.model import Journal, RecordSummary, Stored
from tidegate.helm.release.record import Info, InvalidRecord, Record, Status
from tidegate.helm.release.sightings import Sightings
from tidegate.helm.release.storage import Storage
from tidegate.runtime import clock, errors
from tidegate.runtime.cache import Update
from tidegate.runtime.client import Client
from tidegate.runtime.resources import SECRETS
from tidegate.runtime.testing import faults
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

KEY = ObjectKey("apps", "sh.helm.release.v1.web.v1")
JOURNAL = Journal("uid", 3, "sha256:inputs", "pod-1")


def a_record(version: int = 1, status: str = "deployed") -> Record:
    return Record(name="web", version=version, namespace="apps", info=Info(status=status))


@pytest.fixture
async def server() -> AsyncIterator[FakeAPIServer]:
    async with FakeAPIServer([SECRETS]).running() as running:
        yield running


@pytest.fixture
async def client(server: FakeAPIServer) -> AsyncIterator[Client]:
    async with server.client() as connected:
        yield connected


@pytest.fixture
def storage(client: Client) -> Storage:
    """Its watch does not run, and is not believed."""
    return Storage(client, "apps", "web", Sightings(client.transport))


def metadata(server: FakeAPIServer, version: int = 1) -> JsonObject:
    found = server.store.get(SECRETS, ObjectKey("apps", f"sh.helm.release.v1.web.v{version}"))
    assert found["type"] == "helm.sh/release.v1"
    return dict(found["metadata"])


async def test_a_record_is_labelled_as_helm_does_when_it_creates_and_when_it_updates(
    server: FakeAPIServer, storage: Storage
):
    stored = await storage.create(a_record(status="pending-install"), JOURNAL)
    created = metadata(server)["labels"]
    stored.record.info.status = "deployed"
    await storage.update(stored)

    assert int(created.pop("createdAt")) > 0
    assert created == {"name": "web", "owner": "helm", "status": "pending-install", "version": "1"}
    updated = metadata(server)["labels"]
    assert int(updated.pop("modifiedAt")) > 0
    assert updated == {"name": "web", "owner": "helm", "status": "deployed", "version": "1"}
    assert (await storage.find(1)) == Stored(a_record(), JOURNAL, metadata(server)["resourceVersion"])


async def test_a_record_that_could_not_be_deleted_is_still_there(server: FakeAPIServer, client: Client):
    async with asyncio.TaskGroup() as group:
        sightings = Sightings(client.transport)
        watching = group.create_task(sightings.cache.run())
        storage = Storage(client, "apps", "web", sightings)
        await storage.create(a_record(), JOURNAL)
        (summary,) = await storage.history()
        server.faults.append(faults.refuse(403, "Forbidden"))
        with pytest.raises(errors.Forbidden):
            await storage.delete(summary)

        assert await storage.history() == [summary]
        await storage.delete(summary)
        assert await storage.history() == []
        watching.cancel()


async def test_history_is_read_from_metadata_newest_first(server: FakeAPIServer, storage: Storage):
    for version in (1, 2, 10):
        await storage.create(a_record(version), JOURNAL)
    server.store.create(
        SECRETS,
        {"metadata": {"name": "mine", "namespace": "apps", "labels": {"owner": "helm", "name": "web", "version": "3"}}},
    )

    history = await storage.history()
    assert [(one.version, one.status, one.journal) for one in history] == [
        (version, Status.DEPLOYED, JOURNAL) for version in (10, 2, 1)
    ]


async def test_h16_what_is_no_record_any_more_is_overlooked(server: FakeAPIServer, storage: Storage):
    await storage.create(a_record(1), JOURNAL)
    await storage.create(a_record(2), JOURNAL)
    broken = ObjectKey("apps", "sh.helm.release.v1.web.v2")
    server.store.update(SECRETS, broken, lambda live: {**live, "data": {"release": "%"}})

    newest = await storage.find_newest(await storage.history())
    assert newest is not None
    assert newest.record.version == 1


async def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(storage: Storage):
    stored = await storage.create(a_record(), JOURNAL)
    await storage.update(stored)

    with pytest.raises(errors.Conflict):
        await storage.update(stored)
    with pytest.raises(errors.AlreadyExists):
        await storage.create(a_record(), JOURNAL)


async def test_only_what_is_deployed_is_superseded(server: FakeAPIServer, storage: Storage):
    await storage.create(a_record(1), JOURNAL)
    await storage.create(a_record(2, "failed"), JOURNAL)
    await storage.supersede(await storage.history(), [], replace(JOURNAL, holder="pod-2"))

    assert [(one.version, one.status, one.journal and one.journal.holder) for one in await storage.history()] == [
        (2, Status.FAILED, "pod-1"),
        (1, Status.SUPERSEDED, "pod-2"),
    ]


@pytest.mark.parametrize(
    ("journal", "is_foreign"),
    [
        pytest.param(JOURNAL, False, id="ours"),
        pytest.param(replace(JOURNAL, holder="pod-2"), True, id="of-another-process"),
        pytest.param(None, True, id="helms"),
    ],
)
def test_what_others_write_is_told_from_our_own(client: Client, journal: Journal | None, is_foreign: bool):  # noqa: FBT001
    sightings = Sightings(client.transport)
    summary = RecordSummary("web", 1, Status.DEPLOYED, journal, "uid", "7")

    assert sightings.is_foreign(Update(KEY, None, summary), "pod-1") is is_foreign
    assert sightings.is_foreign(Update(KEY, summary, None), "pod-1")
    sightings.deleted("apps", "web", "uid")
    assert not sightings.is_foreign(Update(KEY, summary, None), "pod-1")


@pytest.mark.parametrize("data", [None, {}, {"release": "%"}, {"release": 1}])
def test_a_secret_without_a_record_is_refused(data: object):
    with pytest.raises(InvalidRecord):
        secrets.read({"metadata": {}, "data": data})


@pytest.mark.parametrize("note", [None, "", "{}", "no json", '{"uid": 1}'])
def test_a_mark_that_is_not_ours_is_none(note: str | None):
    assert secrets.read_journal({"annotations": {secrets.JOURNAL: note}}) is None


async def test_what_the_watch_shows_need_not_be_asked_for_unless_we_wrote_since(server: FakeAPIServer, client: Client):
    sightings = Sightings(client.transport)
    storage = Storage(client, "apps", "web", sightings)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(sightings.cache.run())
        await sightings.cache.synced.wait()
        await storage.create(a_record(1), JOURNAL)
        assert [one.version for one in await storage.history()] == [1]
        async with asyncio.timeout(5):
            while sightings.find_history("apps", "web") is None:
                await clock.pause(timedelta(milliseconds=1))
        lists = server.count("GET")
        (summary,) = await storage.history()
        await storage.delete(summary)
        assert await storage.history() == []
        assert server.count("GET") == lists
        running.cancel()
