"""Leader election: of several candidates one acts, and who may not act any more says so in time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from tidegate.runtime import clock, metrics
from tidegate.runtime.client import Client
from tidegate.runtime.leases import Lease, LeaseTimes, LostLeadership
from tidegate.runtime.resources import LEASES
from tidegate.runtime.testing import faults
from tidegate.runtime.testing import loop as loops
from tidegate.runtime.testing.api_server import FakeAPIServer, Fault
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

KEY = ObjectKey("flux-system", "source-controller-leader-election")


def a_lease(client: Client, identity: str = "us", *, releases: bool = True) -> Lease:
    return Lease(client, KEY, identity, LeaseTimes(), releases=releases)


def spec(server: FakeAPIServer) -> JsonObject:
    found: JsonObject = server.store.get(LEASES, KEY)["spec"]
    return found


def edit(server: FakeAPIServer, **changes: object) -> None:
    """Somebody else writes the Lease."""
    server.store.update(LEASES, KEY, lambda live: {**live, "spec": {**live["spec"], **changes}})


def is_leader() -> float:
    return float(metrics.LEADER.labels(name=KEY.name)._value.get())


@asynccontextmanager
async def doing(work: Callable[[], Awaitable[None]]) -> AsyncIterator[asyncio.Task[float]]:
    """Does `work` beside the block; the task's result is when it ended, by its end or by LostLeadership."""

    async def timed() -> float:
        with suppress(LostLeadership):
            await work()
        return clock.monotonic()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(timed())
        try:
            yield task
        finally:
            task.cancel()


async def test_free_lease_is_claimed(server: FakeAPIServer, client: Client):
    await a_lease(client).acquire()

    found = spec(server)
    assert (found["holderIdentity"], found["leaseDurationSeconds"], found["leaseTransitions"]) == ("us", 35, 0)
    assert found["renewTime"].endswith("Z")
    assert is_leader() == 1


async def test_held_lease_is_waited_for_until_it_is_given_up(server: FakeAPIServer, client: Client):
    ours, theirs = a_lease(client), a_lease(client, "them")
    await theirs.acquire()
    async with doing(ours.acquire) as acquiring:
        await loops.until(lambda: server.count("GET") == 2)
        await loops.settle()
        await theirs.release()
        assert not acquiring.done()
        await loops.hurry(acquiring.done, step=0.05)

    assert (spec(server)["holderIdentity"], spec(server)["leaseTransitions"]) == ("us", 1)


async def test_f25_silent_holder_is_replaced_by_our_own_clock(server: FakeAPIServer, client: Client):
    await a_lease(client, "them").acquire()
    edit(server, renewTime="2099-01-01T00:00:00.000000Z")
    started = clock.monotonic()
    async with doing(a_lease(client).acquire) as acquiring:
        await loops.hurry(acquiring.done, step=0.05)

    assert 35 <= await acquiring - started < 42


async def test_holder_that_renews_is_not_replaced(server: FakeAPIServer, client: Client):
    await a_lease(client, "them").acquire()
    async with doing(a_lease(client).acquire) as acquiring:
        for number in range(10):
            edit(server, renewTime=f"2026-01-01T00:00:{number:02}.000000Z")
            asked = server.count("GET")
            await loops.hurry(lambda asked=asked: server.count("GET") >= asked + 3, step=0.05)  # type: ignore[misc]

        assert not acquiring.done()


async def test_two_candidates_for_a_free_lease_are_one_leader(server: FakeAPIServer, client: Client):
    first, second = a_lease(client, "a"), a_lease(client, "b")
    async with doing(first.acquire) as one, doing(second.acquire) as other:
        await loops.hurry(lambda: one.done() or other.done(), step=0.05)
        await loops.settle()

        assert one.done() != other.done()


async def test_lease_is_renewed_every_retry_period(server: FakeAPIServer, client: Client):
    lease = a_lease(client)
    await lease.acquire()
    before = spec(server)
    started = clock.monotonic()
    async with doing(lease.keep):
        await loops.hurry(lambda: server.count("PATCH") == 4, step=0.05)

    assert 18 < clock.monotonic() - started < 24
    assert spec(server)["renewTime"] != before["renewTime"]
    assert spec(server)["acquireTime"] == before["acquireTime"]


async def test_promise_5_lease_taken_by_another_is_lost_at_once(server: FakeAPIServer, client: Client):
    lease = a_lease(client)
    await lease.acquire()
    edit(server, holderIdentity="them")

    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(lost(lease))
        await loops.hurry(keeping.done, step=0.05)

    assert server.count("PATCH") == 1
    assert is_leader() == 0
    await lease.release()
    assert spec(server)["holderIdentity"] == "them"


async def lost(lease: Lease) -> None:
    with pytest.raises(LostLeadership):
        await lease.keep()


@pytest.mark.parametrize("fault", [faults.reset, faults.hang, faults.refuse(500), faults.refuse(429, retry_after="1")])
async def test_promise_5_leader_that_cannot_renew_stops_before_its_time_is_over(
    server: FakeAPIServer, client: Client, fault: Fault
):
    lease = a_lease(client)
    started = clock.monotonic()
    await lease.acquire()
    server.faults.extend([fault] * 1000)
    async with doing(lease.keep) as keeping:
        await loops.hurry(keeping.done, step=0.05)

    assert 25 < await keeping - started < 31


async def test_f9_leader_that_can_renew_again_in_time_goes_on(server: FakeAPIServer, client: Client):
    lease = a_lease(client)
    await lease.acquire()
    server.faults.extend([faults.refuse(500)] * 4)
    async with doing(lease.keep) as keeping:
        await loops.hurry(lambda: server.count("PATCH") == 12, step=0.05)

        assert not keeping.done()


async def test_f6_renewal_whose_answer_was_lost_is_still_ours(server: FakeAPIServer, client: Client):
    lease = a_lease(client)
    await lease.acquire()
    edit(server, renewTime="2026-01-01T00:00:00.000000Z")
    async with doing(lease.keep) as keeping:
        await loops.hurry(lambda: server.count("PATCH") == 4, step=0.05)

        assert not keeping.done()


async def test_lease_deleted_by_hand_is_made_anew(server: FakeAPIServer, client: Client):
    lease = a_lease(client)
    await lease.acquire()
    server.store.delete(LEASES, KEY)
    async with doing(lease.keep) as keeping:
        await loops.hurry(lambda: server.count("PATCH") == 3, step=0.05)

        assert not keeping.done()
    assert spec(server)["holderIdentity"] == "us"


async def test_release_leaves_nobody_as_holder(server: FakeAPIServer, client: Client):
    lease = a_lease(client)
    await lease.acquire()

    await lease.release()

    assert (spec(server)["holderIdentity"], spec(server)["leaseDurationSeconds"]) == ("", 1)
    assert is_leader() == 0


async def test_release_can_be_switched_off(server: FakeAPIServer, client: Client):
    lease = a_lease(client, releases=False)
    await lease.acquire()

    await lease.release()

    assert spec(server)["holderIdentity"] == "us"


async def test_release_of_what_is_not_held_asks_nobody(server: FakeAPIServer, client: Client):
    await a_lease(client).release()

    assert server.asked == []


async def test_release_gives_up_after_two_seconds(server: FakeAPIServer, client: Client):
    lease = a_lease(client)
    await lease.acquire()
    server.faults.append(faults.hang)
    started = clock.monotonic()
    async with doing(lease.release) as releasing:
        await loops.hurry(releasing.done, step=0.05)

    assert timedelta(seconds=await releasing - started) < timedelta(seconds=4)


async def test_f1_unreachable_server_is_waited_for_while_acquiring(server: FakeAPIServer, client: Client):
    server.faults.extend([faults.refuse(500)] * 3)
    async with doing(a_lease(client).acquire) as acquiring:
        await loops.hurry(acquiring.done, step=0.05)

    assert spec(server)["holderIdentity"] == "us"
