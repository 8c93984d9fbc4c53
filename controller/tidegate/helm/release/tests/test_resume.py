"""What a process leaves behind when it ends in the middle of an action, and what the next makes of it (DESIGN §7)."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from aiohttp import web

from tidegate.helm.release.tests import bed
from tidegate.helm.release.tests.bed import JOBS, Bed, Chart, a_config_map, a_hook, manifest
from tidegate.runtime.controller import Superseded
from tidegate.runtime.errors import Conflict, Unreachable
from tidegate.runtime.resources import CONFIG_MAPS, SECRETS
from tidegate.runtime.testing import faults
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.runtime.testing.store import Event

OLD = Chart(manifest(a_config_map("one", a="1"), a_config_map("two", a="1")))
NEW = Chart(
    manifest(a_config_map("one", a="2"), a_config_map("three")),
    [
        a_hook("before", "pre-upgrade", "pre-install", "pre-delete"),
        a_hook("both", "pre-upgrade", "post-upgrade", "pre-install", "post-install"),
        a_hook("after", "post-upgrade", "post-install", "post-delete", policies=["hook-succeeded"]),
    ],
)


@pytest.fixture
async def server() -> AsyncIterator[FakeAPIServer]:
    async with FakeAPIServer(bed.RESOURCES).running() as running:
        running.store.tracks_fields = True
        yield running


async def killed(process: Bed, action: Coroutine[Any, Any, Any], writes: int) -> None:
    """Run `action` until so many changes were made in the cluster, and not a step further."""
    queue: asyncio.Queue[Event | None] = asyncio.Queue()
    process.server.store.watchers.add(queue)
    task = process.group.create_task(action)
    async with asyncio.timeout(5):
        for _ in range(writes):
            await queue.get()
    process.server.store.watchers.discard(queue)
    task.cancel()
    await asyncio.wait([task])


async def killed_by_request(process: Bed, action: Coroutine[Any, Any, Any], number: int) -> None:
    """Run `action` until its request of this number, whose answer it never sees."""
    task = process.group.create_task(action)

    async def kill(_request: web.Request) -> None:
        task.cancel()

    process.server.faults.extend([*[faults.serve] * number, kill])
    await asyncio.wait([task])
    process.server.faults.clear()


def runs(server: FakeAPIServer) -> dict[str, int]:
    """How often each hook was created."""
    created = [event for event in server.store.history if event.type == "ADDED" and event.resource == JOBS]
    names = [event.obj["metadata"]["name"] for event in created]
    return {name: names.count(name) for name in names}


async def carry_on(process: Bed) -> None:
    """What the reconciler does with what it finds."""
    newest = await process.session().newest()
    if newest is None:
        await process.install(NEW)
    elif newest.record.status.is_pending:
        await process.resume()
    elif newest.record.manifest != NEW.manifest:
        await process.upgrade(NEW)


@pytest.mark.parametrize("writes", range(18))
async def test_f16_an_install_that_was_killed_anywhere_is_finished_as_it_was_begun(server: FakeAPIServer, writes: int):
    async with bed.a_process(server) as process, bed.ending_jobs(process):
        await killed(process, process.install(NEW), writes)
    async with bed.a_process(server) as process, bed.ending_jobs(process):
        await carry_on(process)

        assert await process.statuses() == [(1, "deployed")]
        assert process.names(CONFIG_MAPS) == ["one", "three"]
        assert not process.renderer.requests or not writes
    counted = runs(server)
    assert counted["before"] == 1
    assert 2 <= counted["both"] <= 3
    assert 1 <= counted["after"] <= 2


@pytest.mark.parametrize("writes", range(21))
async def test_f16_an_upgrade_that_was_killed_anywhere_is_finished_as_it_was_begun(server: FakeAPIServer, writes: int):
    async with bed.a_process(server) as process:
        await process.install(OLD)
    async with bed.a_process(server) as process, bed.ending_jobs(process):
        await killed(process, process.upgrade(NEW), writes)
    async with bed.a_process(server) as process, bed.ending_jobs(process):
        await carry_on(process)

        assert await process.statuses() == [(2, "deployed"), (1, "superseded")]
        assert process.names(CONFIG_MAPS) == ["one", "three"]
        assert process.get(CONFIG_MAPS, "one")["data"] == {"a": "2"}
    counted = runs(server)
    assert counted["before"] == 1
    assert 2 <= counted["both"] <= 3
    assert 1 <= counted["after"] <= 2


@pytest.mark.parametrize("writes", range(12))
async def test_f16_hooks_that_do_nothing_are_made_again_until_what_they_are_for_has_begun(
    server: FakeAPIServer, writes: int
):
    settings = a_hook("settings", "pre-install", weight=-1, obj=a_config_map("settings"))
    chart = Chart(NEW.manifest, [settings, *NEW.hooks])
    async with bed.a_process(server) as process, bed.ending_jobs(process):
        await killed(process, process.install(chart), writes)
    async with bed.a_process(server) as process, bed.ending_jobs(process):
        newest = await process.session().newest()
        await (process.install(chart) if newest is None else process.resume())

        assert await process.statuses() == [(1, "deployed")]
        assert process.names(CONFIG_MAPS) == ["one", "settings", "three"]
    assert runs(server)["before"] == 1


@pytest.mark.parametrize("requests", range(26))
async def test_f16_an_upgrade_that_never_saw_an_answer_is_finished_as_it_was_begun(
    server: FakeAPIServer, requests: int
):
    async with bed.a_process(server) as process:
        await process.install(OLD)
    async with bed.a_process(server) as process, bed.ending_jobs(process):
        await killed_by_request(process, process.upgrade(NEW), requests)
    async with bed.a_process(server) as process, bed.ending_jobs(process):
        await carry_on(process)

        assert await process.statuses() == [(2, "deployed"), (1, "superseded")]
        assert process.names(CONFIG_MAPS) == ["one", "three"]
    counted = runs(server)
    assert counted["before"] == 1
    assert 2 <= counted["both"] <= 3
    assert 1 <= counted["after"] <= 2


@pytest.mark.parametrize("writes", range(12))
async def test_f16_an_uninstall_that_was_killed_anywhere_is_finished(server: FakeAPIServer, writes: int):
    async with bed.a_process(server) as process, bed.ending_jobs(process):
        await process.install(NEW)
        server.store.history.clear()
        await killed(process, process.session().uninstall(process.on_stored), writes)
    async with bed.a_process(server) as process, bed.ending_jobs(process):
        await process.session().uninstall(process.on_stored)

        assert not process.names(SECRETS)
        assert not process.names(CONFIG_MAPS)
    assert runs(server)["before"] == 1
    assert 1 <= runs(server)["after"] <= 2


async def test_touched_while_it_waits_the_record_stays_pending_and_the_hook_goes_on(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        process.renderer.chart = Chart(manifest(a_config_map("one")), [a_hook("slow", "pre-install")])
        turn = process.turn()
        turn.touched.set()
        with pytest.raises(Superseded):
            await process.session_of(turn).install(bed.desired(), process.on_stored)
        assert await process.statuses() == [(1, "pending-install")]
        uid = process.get(JOBS, "slow")["metadata"]["uid"]
        bed.end_job(server, process.get(JOBS, "slow"))
        record = await process.resume()

        assert process.get(JOBS, "slow")["metadata"]["uid"] == uid
        assert (record.version, record.info.status) == (1, "deployed")
        assert len(process.renderer.requests) == 1


async def test_an_api_server_that_goes_away_fails_nothing(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        await process.install(OLD)
        process.renderer.chart = NEW
        session = process.session(hooks_disabled=True)
        newest = await session.newest()
        assert newest is not None
        server.faults.extend([faults.serve] * 2)  # the version, and the record
        server.faults.extend([faults.reset] * 20)
        with pytest.raises(Unreachable):
            await session.upgrade(bed.desired(), newest.record, process.on_stored)
        server.faults.clear()

        assert await process.statuses() == [(2, "pending-upgrade"), (1, "deployed")]
        assert (await process.resume(hooks_disabled=True)).info.description == "Upgrade complete"


async def test_a_record_that_somebody_else_wrote_meanwhile_is_not_overwritten(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        await process.install(OLD)
        newest = await process.session().newest()
        assert newest is not None
        newest.record.info.status = "pending-upgrade"
        stale = await process.session()._storage.update(newest)
        stale.record.info.description = "by hand"
        await process.session()._storage.update(stale)
        with pytest.raises(Conflict):
            await process.session().resume(stale, process.on_stored)

        assert await process.statuses() == [(1, "pending-upgrade")]
