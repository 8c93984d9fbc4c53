"""A watch in a world that closes, forgets, lies and falls silent."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tidegate.runtime import metrics
from tidegate.runtime.client import Client, Preconditions
from tidegate.runtime.resources import CONFIG_MAPS, Resource
from tidegate.runtime.testing import faults
from tidegate.runtime.testing import loop as loops
from tidegate.runtime.testing.api_server import FakeAPIServer, Fault
from tidegate.runtime.tests.conformance import a_config_map
from tidegate.runtime.watch import Change, Changed, Gone, Listed, Selection, Watch
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

ALL = Selection(CONFIG_MAPS)
ONE = ObjectKey("default", "one")


class Follower:
    """A watch, and what it has told so far."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.told: list[Change] = []

    async def run(self) -> None:
        async for change in self.watch.changes():
            self.told.append(change)

    @property
    def names(self) -> list[str]:
        """What was told, in short: `+one` for a change, `-one` for a deletion, `[one, two]` for a list."""
        return [_short(change) for change in self.told]


def _short(change: Change) -> str:
    if isinstance(change, Listed):
        return "[" + ", ".join(item["metadata"]["name"] for item in change.items) + "]"
    return ("-" if change.event == "DELETED" else "+") + str(change.obj["metadata"]["name"])


@asynccontextmanager
async def following(client: Client, selection: Selection = ALL) -> AsyncIterator[Follower]:
    follower = Follower(Watch(client.transport, selection))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(follower.run())
        try:
            yield follower
        finally:
            task.cancel()


async def opened(server: FakeAPIServer) -> None:
    """Wait until a watch is open, on this side too."""
    await loops.until(lambda: server.store.watchers)
    await loops.settle()


async def create(client: Client, name: str) -> JsonObject:
    return await client.create(CONFIG_MAPS, a_config_map("default", name))


def watches(server: FakeAPIServer) -> list[dict[str, str]]:
    return [asked.query for asked in server.asked if asked.query.get("watch")]


def lists(server: FakeAPIServer) -> int:
    return sum(asked.method == "GET" and not asked.query.get("watch") for asked in server.asked)


async def test_all_pages_are_one_list(server: FakeAPIServer, client: Client):
    for number in range(1001):
        server.store.create(CONFIG_MAPS, a_config_map("default", f"n{number}"))

    async with following(client) as follower:
        await loops.until(lambda: follower.told)

    (listed,) = follower.told
    assert isinstance(listed, Listed)
    assert len(listed.items) == 1001
    assert lists(server) == 3


async def test_selection_is_told_to_the_server(server: FakeAPIServer, client: Client):
    async with following(client, Selection(CONFIG_MAPS, "ns", "a=b", "metadata.name=one", metadata_only=True)):
        await loops.until(lambda: watches(server))

    for asked in server.asked:
        assert asked.path == "/api/v1/namespaces/ns/configmaps"
        assert (asked.query["labelSelector"], asked.query["fieldSelector"]) == ("a=b", "metadata.name=one")
        assert "PartialObjectMetadata" in asked.headers["Accept"]


async def test_watch_that_ends_goes_on_where_it_was(server: FakeAPIServer, client: Client):
    async with following(client) as follower:
        await opened(server)
        loops.skip(2)
        created = await create(client, "one")
        await loops.until(lambda: len(follower.told) == 2)
        server.end_watches()
        await loops.until(lambda: len(watches(server)) == 2)
        await create(client, "two")
        await loops.until(lambda: len(follower.told) == 3)

    assert follower.names == ["[]", "+one", "+two"]
    assert watches(server)[1]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_bookmark_moves_the_version_on(server: FakeAPIServer, client: Client):
    async with following(client) as follower:
        await opened(server)
        loops.skip(2)
        server.store.version += 500
        server.bookmark()
        server.end_watches()
        await loops.until(lambda: len(watches(server)) == 2)

    assert watches(server)[1]["resourceVersion"] == str(server.store.version)
    assert follower.names == ["[]"]


async def test_f2_410_on_a_watch_lists_again(server: FakeAPIServer, client: Client):
    await create(client, "one")
    async with following(client) as follower:
        await opened(server)
        loops.skip(2)
        server.store.version += 1
        server.expire()
        server.end_watches()
        await loops.hurry(lambda: len(follower.told) == 2)

    assert follower.names == ["[one]", "[one]"]


async def test_f2_410_in_the_middle_of_a_list_lists_again(server: FakeAPIServer, client: Client):
    for number in range(501):
        server.store.create(CONFIG_MAPS, a_config_map("default", f"n{number}"))
    server.faults.extend([faults.serve, faults.refuse(410, "Expired")])

    async with following(client) as follower:
        await loops.hurry(lambda: follower.told)

    assert isinstance(follower.told[0], Listed)
    assert len(follower.told[0].items) == 501
    assert lists(server) == 4


async def test_f2_endless_410_is_no_hot_loop(server: FakeAPIServer, client: Client):
    expired = faults.send(json.dumps({"type": "ERROR", "object": {"code": 410}}).encode() + b"\n")
    server.faults.extend([faults.serve, expired] * 50)

    async with following(client):
        await run_for(60)

    assert len(server.asked) < 40


async def test_f3_watch_that_closes_at_once_is_backed_off_and_listed_after_each_third(
    server: FakeAPIServer, client: Client
):
    # The first is a list; after three watches there is one again.
    server.faults.extend([faults.serve, *[faults.close_at_once] * 3] * 50)

    async with following(client):
        await run_for(60)

    assert len(watches(server)) < 20
    assert lists(server) == pytest.approx(len(watches(server)) / 3, abs=1)


async def test_f3_watch_that_lives_again_is_not_held_back_any_more(server: FakeAPIServer, client: Client):
    server.faults.extend([faults.serve, *[faults.close_at_once] * 2])
    async with following(client):
        await loops.hurry(lambda: server.store.watchers, step=0.1)
        loops.skip(5)
        before = len(watches(server))
        server.end_watches()

        await loops.until(lambda: len(watches(server)) == before + 1)


async def run_for(seconds: float) -> None:
    """Let so much time pass, a tenth of a second in each round of the loop."""
    rounds = iter(range(int(seconds * 10)))
    await loops.hurry(lambda: next(rounds, None) is None, step=0.1)


async def test_f4_watch_without_a_byte_is_given_up_after_150_s(server: FakeAPIServer, client: Client):
    async with following(client) as follower:
        await opened(server)
        loops.skip(140)
        await run_for(2)
        assert len(watches(server)) == 1
        loops.skip(11)
        await loops.hurry(lambda: len(watches(server)) == 2)

    assert follower.names == ["[]"]


async def test_f4_watch_is_given_up_90_s_after_its_bookmark(server: FakeAPIServer, client: Client):
    async with following(client):
        await bookmarked(server)
        loops.skip(85)
        await run_for(2)
        assert len(watches(server)) == 1
        loops.skip(6)
        await loops.hurry(lambda: len(watches(server)) == 2)


async def test_f4_next_watch_has_150_s_for_its_own_first_bookmark(server: FakeAPIServer, client: Client):
    async with following(client):
        await bookmarked(server)
        loops.skip(2)
        server.end_watches()
        await loops.until(lambda: len(watches(server)) == 2)
        await loops.settle()
        loops.skip(140)
        await run_for(2)

        assert len(watches(server)) == 2


async def bookmarked(server: FakeAPIServer) -> None:
    """Wait until the watch has read a bookmark."""
    await opened(server)
    server.store.version += 1
    server.bookmark()
    await loops.until(lambda: all(queue.empty() for queue in server.store.watchers))
    for _ in range(3):
        await loops.settle()


async def test_watch_is_believed_for_150_s_before_its_first_bookmark(server: FakeAPIServer, client: Client):
    async with following(client) as follower:
        assert not follower.watch.believed
        await opened(server)
        assert follower.watch.believed
        loops.skip(149)
        assert follower.watch.believed
        loops.skip(2)
        assert not follower.watch.believed


async def test_watch_is_believed_for_90_s_after_a_bookmark(server: FakeAPIServer, client: Client):
    async with following(client) as follower:
        loops.skip(100)
        await bookmarked(server)
        assert follower.watch.believed
        loops.skip(91)

        assert not follower.watch.believed


async def test_new_connection_is_believed_where_the_server_sends_bookmarks(server: FakeAPIServer, client: Client):
    async with following(client) as follower:
        await bookmarked(server)
        loops.skip(80)
        server.end_watches()
        await loops.until(lambda: len(watches(server)) == 2)
        await loops.settle()
        loops.skip(120)

        assert follower.watch.believed


async def test_server_without_bookmarks_is_not_believed_for_connecting(server: FakeAPIServer, client: Client):
    async with following(client) as follower:
        await opened(server)
        loops.skip(151)
        await loops.hurry(lambda: len(watches(server)) == 2)
        await loops.settle()

        assert not follower.watch.believed


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.reset, id="reset"),
        pytest.param(faults.refuse(500, "InternalError"), id="500"),
        pytest.param(faults.refuse(401, "Unauthorized"), id="401"),
        pytest.param(faults.send(b"no json\n"), id="no-json"),
        pytest.param(faults.send(b"[]\n"), id="no-event"),
        pytest.param(faults.send(b'{"type": "ADDED"}\n'), id="no-object"),
        pytest.param(faults.send(b'{"type": "ADDED", "object": {"metadata": {}}}\n'), id="no-version"),
        pytest.param(faults.send(b'{"type": "ERROR", "object": {"code": 500}}\n'), id="error-event"),
        pytest.param(faults.send(b'{"type": "MODIFIED", "object": {"meta'), id="torn-line"),
        pytest.param(faults.close_at_once, id="closed"),
    ],
)
@pytest.mark.parametrize("at_list", [True, False])
async def test_f31_watch_survives(fault: Fault, server: FakeAPIServer, client: Client, *, at_list: bool):
    server.faults.extend([fault] if at_list else [faults.serve, fault])
    async with following(client) as follower:
        await loops.hurry(lambda: server.store.watchers, step=0.1)
        await create(client, "one")
        await loops.until(lambda: "+one" in follower.names or "[one]" in follower.names)


async def test_f5_429_without_end_on_a_watch_waits_as_long_as_it_says(server: FakeAPIServer, client: Client):
    server.faults.extend([faults.serve, faults.refuse(429, "TooManyRequests", "20")])
    async with following(client):
        await loops.until(lambda: len(server.asked) == 2)
        await loops.settle()
        loops.skip(15)
        await loops.settle()
        assert len(server.asked) == 2

        await loops.hurry(lambda: server.store.watchers)


async def test_refusals_of_a_version_end_in_a_new_list(server: FakeAPIServer, client: Client):
    too_large = faults.refuse(504, "Timeout", message="Too large resource version")
    server.faults.extend([faults.serve, *[too_large] * 3])

    async with following(client):
        await loops.hurry(lambda: server.store.watchers, step=0.1)

    assert lists(server) == 2


async def test_f1_server_that_is_away_costs_no_list(server: FakeAPIServer, client: Client):
    async with following(client):
        await opened(server)
        loops.skip(2)
        server.faults.extend([faults.reset] * 20)
        server.end_watches()
        await loops.hurry(lambda: not server.faults, step=0.1)
        await loops.hurry(lambda: server.store.watchers, step=0.1)

    assert lists(server) == 1


@pytest.mark.parametrize("code", [403, 404])
@pytest.mark.parametrize("at_list", [True, False])
async def test_f13_kind_that_may_not_be_watched_is_gone(
    server: FakeAPIServer, client: Client, code: int, *, at_list: bool
):
    server.faults.extend([faults.refuse(code)] if at_list else [faults.serve, faults.refuse(code)])

    with pytest.raises(Gone):
        async for _change in Watch(client.transport, ALL).changes():
            pass


async def test_kind_that_comes_back_is_listed_again(server: FakeAPIServer, client: Client):
    things = Resource("example.com", "v1", "Thing", "things", namespaced=True)
    server.resources.append(things)
    follower = Follower(Watch(client.transport, Selection(things)))
    server.faults.extend([faults.serve, faults.refuse(404)])
    with pytest.raises(Gone):
        await follower.run()

    async with asyncio.TaskGroup() as group:
        again = group.create_task(follower.run())
        await opened(server)
        again.cancel()

    assert follower.names == ["[]", "[]"]


async def test_p7_object_nested_too_deep_is_listed_and_watched_like_others(server: FakeAPIServer, client: Client):
    deep = b"[" * 3000 + b"]" * 3000
    listed = b'{"metadata": {"resourceVersion": "5"}, "items": [{"metadata": {"name": "deep"}, "spec": %s}]}' % deep
    event = b'{"type": "ADDED", "object": {"metadata": {"name": "deep", "resourceVersion": "6"}, "spec": %s}}\n' % deep
    server.faults.extend([faults.send(listed), faults.send(event)])

    async with following(client) as follower:
        await loops.until(lambda: len(follower.told) == 2)

    assert follower.names == ["[deep]", "+deep"]


async def test_end_of_a_follower_ends_its_connection(server: FakeAPIServer, client: Client):
    async with following(client):
        await opened(server)

    await loops.until(lambda: not server.store.watchers)


async def test_restarts_are_counted_by_cause(server: FakeAPIServer, client: Client):
    closed = metrics.WATCH_RESTARTS.labels(resource="configmaps", cause="closed")
    before = closed._value.get()
    async with following(client):
        await opened(server)
        loops.skip(2)
        server.end_watches()
        await loops.until(lambda: len(watches(server)) == 2)

    assert closed._value.get() == before + 1


async def test_deletion_has_the_last_state(server: FakeAPIServer, client: Client):
    created = await create(client, "one")
    async with following(client) as follower:
        await opened(server)
        await client.delete(CONFIG_MAPS, ONE, Preconditions(created["metadata"]["uid"]))
        await loops.until(lambda: len(follower.told) == 2)

    deleted = follower.told[1]
    assert isinstance(deleted, Changed)
    assert (deleted.event, deleted.obj["metadata"]["uid"]) == ("DELETED", created["metadata"]["uid"])
