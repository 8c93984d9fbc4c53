"""The order in which everything starts and stops, and what ends a run."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tidegate.runtime import metrics
from tidegate.runtime.cache import Cache
from tidegate.runtime.client import Client
from tidegate.runtime.leases import Lease, LeaseTimes, LostLeadership
from tidegate.runtime.manager import Manager, Runnable, Unit
from tidegate.runtime.probes import BadAddress
from tidegate.runtime.resources import CONFIG_MAPS, LEASES, Resource
from tidegate.runtime.testing import faults
from tidegate.runtime.testing import loop as loops
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.runtime.watch import Selection
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

KEY = ObjectKey("flux-system", "test-leader-election")


class Diary:
    """What began and ended, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def task(self, name: str, *, lingers: int = 0) -> Runnable:
        """A task that runs until cancelled, and takes some rounds of the loop to end."""

        async def run() -> None:
            self.lines.append(f"+{name}")
            try:
                await asyncio.Event().wait()
            finally:
                for _ in range(lingers):
                    await asyncio.sleep(0)
                self.lines.append(f"-{name}")

        return run


@pytest.fixture
def diary() -> Diary:
    return Diary()


def a_manager(*units: Unit) -> Manager:
    return Manager(units, metrics_addr="127.0.0.1:0", health_addr="0")


def a_cache(client: Client, resource: Resource = CONFIG_MAPS) -> Cache[JsonObject]:
    return Cache(client.transport, Selection(resource), lambda obj: obj)


def a_lease(client: Client) -> Lease:
    return Lease(client, KEY, "us", LeaseTimes())


@asynccontextmanager
async def running(manager: Manager) -> AsyncIterator[asyncio.Task[None]]:
    """Runs it beside the block and stops it by SIGTERM."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(manager.run())
        await loops.settle()
        try:
            yield task
        finally:
            if not task.done():
                os.kill(os.getpid(), signal.SIGTERM)


async def test_controllers_start_when_caches_are_synced(diary: Diary, server: FakeAPIServer, client: Client):
    server.faults.append(faults.hang)
    cache = a_cache(client)
    manager = a_manager(Unit("one", [cache], [diary.task("always")], [diary.task("leading")]))
    async with running(manager):
        await loops.until(lambda: server.asked)
        await loops.settle()
        assert diary.lines == ["+always"]
        assert not manager.ready()

        await loops.hurry(cache.synced.is_set)
        await loops.settle()
        assert diary.lines == ["+always", "+leading"]
        assert manager.ready()


async def test_controllers_start_when_the_lease_is_held(diary: Diary, server: FakeAPIServer, client: Client):
    await Lease(client, KEY, "them", LeaseTimes()).acquire()
    manager = a_manager(Unit("one", leading=[diary.task("leading")], lease=a_lease(client)))
    async with running(manager):
        await loops.until(lambda: server.count("GET") == 2)
        await loops.settle()
        assert diary.lines == []

        await loops.hurry(lambda: diary.lines)
    assert diary.lines == ["+leading", "-leading"]


async def test_f20_controllers_stop_before_what_they_stand_on(diary: Diary):
    unit = Unit("one", always=[diary.task("always")], leading=[diary.task("leading", lingers=5)])
    async with running(a_manager(unit)):
        pass

    assert diary.lines == ["+always", "+leading", "-leading", "-always"]


async def test_f20_lease_is_released_when_every_controller_has_stopped(
    diary: Diary, server: FakeAPIServer, client: Client
):
    manager = a_manager(Unit("one", leading=[diary.task("leading", lingers=5)], lease=a_lease(client)))
    async with running(manager):
        await loops.until(lambda: diary.lines)

        async def note(_request: object) -> None:
            diary.lines.append("released")

        server.faults.append(note)

    assert diary.lines == ["+leading", "-leading", "released"]
    assert server.store.get(LEASES, KEY)["spec"]["holderIdentity"] == ""


async def test_f20_sigterm_ends_a_run_without_an_error(diary: Diary):
    async with running(a_manager(Unit("one", leading=[diary.task("leading")]))) as run:
        pass

    assert run.exception() is None
    assert asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM) is False


async def test_f31_task_that_fails_ends_the_run(diary: Diary):
    async def fail() -> None:
        raise RuntimeError("of the test")

    units = Unit("one", leading=[diary.task("leading")]), Unit("two", leading=[fail])
    with pytest.raises(ExceptionGroup) as caught:
        await a_manager(*units).run()

    assert caught.group_contains(RuntimeError)
    assert diary.lines == ["+leading", "-leading"]


async def test_promise_5_lost_leadership_ends_the_run(diary: Diary, server: FakeAPIServer, client: Client):
    manager = a_manager(Unit("one", leading=[diary.task("leading")], lease=a_lease(client)))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(lost(manager))
        await loops.until(lambda: diary.lines)
        server.store.update(LEASES, KEY, lambda live: {**live, "spec": {**live["spec"], "holderIdentity": "them"}})
        await loops.hurry(task.done)

    assert diary.lines == ["+leading", "-leading"]
    assert server.store.get(LEASES, KEY)["spec"]["holderIdentity"] == "them"


async def lost(manager: Manager) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await manager.run()
    assert caught.group_contains(LostLeadership)


async def test_kind_that_is_not_served_is_waited_for(diary: Diary, server: FakeAPIServer, client: Client):
    things = Resource("example.com", "v1", "Thing", "things", namespaced=True)
    manager = a_manager(Unit("one", [a_cache(client, things)], leading=[diary.task("leading")]))
    async with running(manager):
        await loops.hurry(lambda: server.count("GET") == 5)
        assert diary.lines == []

        server.resources.append(things)
        await loops.hurry(lambda: diary.lines)


async def test_f13_kind_that_may_be_watched_again_is_watched_again(server: FakeAPIServer, client: Client):
    cache = a_cache(client)
    async with running(a_manager(Unit("one", [cache]))):
        await loops.until(lambda: server.store.watchers)
        await loops.settle()
        server.faults.extend([faults.refuse(403, "Forbidden")] * 3)
        server.end_watches()
        await loops.hurry(lambda: not server.faults)
        server.store.create(CONFIG_MAPS, {"metadata": {"namespace": "default", "name": "one"}})
        await loops.hurry(lambda: cache.find(ObjectKey("default", "one")))


async def test_address_that_is_taken_is_told(client: Client, server: FakeAPIServer):
    with pytest.raises(BadAddress):
        await Manager([], metrics_addr=server.url.removeprefix("http://"), health_addr="0").run()


async def test_f23_lag_of_the_loop_is_a_metric():
    async with running(a_manager()):
        loops.skip(11)
        await loops.settle()

        assert metrics.LOOP_LAG._value.get() > 9
