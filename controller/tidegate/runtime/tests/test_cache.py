"""What a watch has seen: versions only go on, and one bad object hides nobody."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import pytest
from msgspec import field

from tidegate.runtime.cache import Cache, Update
from tidegate.runtime.client import Client, Preconditions
from tidegate.runtime.errors import InvalidObject
from tidegate.runtime.resources import CONFIG_MAPS
from tidegate.runtime.testing import faults
from tidegate.runtime.testing import loop as loops
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.runtime.tests.conformance import a_config_map
from tidegate.runtime.watch import Selection
from tidegate_api import codec
from tidegate_api.codec import ApiStruct, JsonObject
from tidegate_api.meta.objects import ObjectKey, ObjectMeta

ONE = ObjectKey("default", "one")
TWO = ObjectKey("default", "two")


class ConfigMap(ApiStruct, kw_only=True):
    metadata: ObjectMeta
    data: dict[str, str] = field(default_factory=dict)


class Told:
    """The updates of a cache, in short."""

    def __init__(self) -> None:
        self.updates: list[tuple[str, dict[str, str] | None, dict[str, str] | None]] = []

    def __call__(self, update: Update[ConfigMap]) -> None:
        old, new = (one.data if one is not None else None for one in (update.old, update.new))
        self.updates.append((update.key.name, old, new))


@pytest.fixture
def cache(client: Client) -> Cache[ConfigMap]:
    return Cache(client.transport, Selection(CONFIG_MAPS), partial(codec.decode, ConfigMap))


@pytest.fixture
def told(cache: Cache[ConfigMap]) -> Told:
    told = Told()
    cache.subscribe(told)
    return told


@asynccontextmanager
async def running(cache: Cache[ConfigMap]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(cache.run())
        await cache.synced.wait()
        try:
            yield
        finally:
            task.cancel()


async def create(client: Client, name: str, **data: str) -> JsonObject:
    return await client.create(CONFIG_MAPS, a_config_map("default", name, **data))


async def patch(client: Client, **data: object) -> JsonObject:
    return await client.merge_patch(CONFIG_MAPS, ONE, {"data": data}, "m")


async def test_cache_is_synced_once_all_is_listed(cache: Cache[ConfigMap], client: Client):
    await create(client, "one", a="1")
    assert not cache.synced.is_set()
    assert not cache.believed

    async with running(cache):
        assert cache.believed
        assert list(cache.keys()) == [ONE]
        found = cache.find(ONE)
        assert found is not None
        assert found.data == {"a": "1"}
        assert cache.find(TWO) is None


async def test_handlers_are_told_old_and_new(cache: Cache[ConfigMap], told: Told, client: Client):
    created = await create(client, "one", a="1")
    async with running(cache):
        await patch(client, a="2")
        await client.delete(CONFIG_MAPS, ONE, Preconditions(created["metadata"]["uid"]))
        await loops.until(lambda: len(told.updates) == 3)

    assert told.updates == [
        ("one", None, {"a": "1"}),
        ("one", {"a": "1"}, {"a": "2"}),
        ("one", {"a": "2"}, None),
    ]


async def test_f2_what_a_new_list_lacks_was_deleted(
    cache: Cache[ConfigMap], told: Told, client: Client, server: FakeAPIServer
):
    await create(client, "one")
    await create(client, "two")
    async with running(cache):
        await loops.until(lambda: server.store.watchers)
        await loops.settle()
        server.faults.append(faults.reset)
        server.end_watches()
        await loops.until(lambda: not server.faults)
        server.store.delete(CONFIG_MAPS, ONE)
        server.store.create(CONFIG_MAPS, a_config_map("default", "three"))
        server.expire()
        await loops.hurry(lambda: len(told.updates) == 4, step=0.1)

    assert told.updates[2:] == [("one", {}, None), ("three", None, {})]


async def test_f8_own_write_is_there_at_once(cache: Cache[ConfigMap], told: Told, client: Client):
    await create(client, "one", a="1")
    async with running(cache):
        cache.observe(await patch(client, a="2"))

        found = cache.find(ONE)
        assert found is not None
        assert found.data == {"a": "2"}
        await loops.settle()
        assert len(told.updates) == 2


async def test_f8_older_version_is_old_news(cache: Cache[ConfigMap], told: Told, client: Client):
    first = await create(client, "one", a="1")
    async with running(cache):
        cache.observe(await patch(client, a="2"))
        cache.observe(first)

        assert told.updates[-1] == ("one", {"a": "1"}, {"a": "2"})
        assert len(told.updates) == 2


async def test_f8_older_version_in_a_list_is_old_news(
    cache: Cache[ConfigMap], told: Told, client: Client, server: FakeAPIServer
):
    first = await create(client, "one", a="1")
    await patch(client, a="2")
    async with running(cache):
        stale = msgspec.json.encode({"metadata": {"resourceVersion": "1"}, "items": [first]})
        await loops.until(lambda: server.store.watchers)
        await loops.settle()
        server.faults.extend([*[faults.close_at_once] * 3, faults.send(stale)])
        server.end_watches()
        await loops.hurry(lambda: not server.faults, step=0.1)
        await loops.settle()

    assert told.updates == [("one", None, {"a": "2"})]


async def test_f8_observing_brings_no_deleted_object_back(cache: Cache[ConfigMap], told: Told, client: Client):
    created = await create(client, "one")
    async with running(cache):
        await client.delete(CONFIG_MAPS, ONE, Preconditions(created["metadata"]["uid"]))
        await loops.until(lambda: cache.find(ONE) is None)
        cache.observe({**created, "metadata": {**created["metadata"], "resourceVersion": "99999"}})

        assert cache.find(ONE) is None


async def test_f8_observing_never_brings_an_unseen_object(cache: Cache[ConfigMap], client: Client):
    async with running(cache):
        cache.observe({"metadata": {"namespace": "default", "name": "one", "uid": "u", "resourceVersion": "9"}})

        assert cache.find(ONE) is None


async def test_f14_old_object_does_not_replace_its_successor(cache: Cache[ConfigMap], client: Client):
    first = await create(client, "one", a="1")
    await client.delete(CONFIG_MAPS, ONE, Preconditions(first["metadata"]["uid"]))
    second = await create(client, "one", a="2")
    async with running(cache):
        late = {**first, "metadata": {**first["metadata"], "resourceVersion": "99999"}}
        cache.observe(late)

        found = cache.find(ONE)
        assert found is not None
        assert found.metadata.uid == second["metadata"]["uid"]


async def test_object_that_goes_with_its_last_finalizer_is_not_kept(cache: Cache[ConfigMap], client: Client):
    body = a_config_map("default")
    body["metadata"]["finalizers"] = ["example.com/one"]
    created = await client.create(CONFIG_MAPS, body)
    async with running(cache):
        await client.delete(CONFIG_MAPS, ONE, Preconditions(created["metadata"]["uid"]))
        gone = await client.merge_patch(CONFIG_MAPS, ONE, {"metadata": {"finalizers": None}}, "m")
        await loops.until(lambda: cache.find(ONE) is None)
        cache.observe(gone)

        assert cache.find(ONE) is None


async def test_k17_object_that_does_not_decode_hides_nobody(cache: Cache[ConfigMap], told: Told, client: Client):
    await create(client, "one", a=1)  # type: ignore[arg-type]
    await create(client, "two")
    async with running(cache):
        with pytest.raises(InvalidObject, match="data"):
            cache.find(ONE)
        assert cache.find(TWO) is not None
        assert list(cache.keys()) == [ONE, TWO]
        assert [one.metadata.name for one in cache.values()] == ["two"]

        await patch(client, a="1")
        await loops.until(lambda: len(list(cache.values())) == 2)

    assert told.updates == [("one", None, None), ("two", None, {}), ("one", None, {"a": "1"})]


async def test_p7_object_that_breaks_the_decoder_hides_nobody(client: Client, logged: io.StringIO):
    def decode(obj: JsonObject) -> ConfigMap:
        if obj["metadata"]["name"] == "one":
            raise RecursionError
        return codec.decode(ConfigMap, obj)

    cache = Cache(client.transport, Selection(CONFIG_MAPS), decode)
    await create(client, "one")
    await create(client, "two")
    async with running(cache):
        assert cache.find(TWO) is not None
        with pytest.raises(InvalidObject):
            cache.find(ONE)

    assert "object not understood" in logged.getvalue()


async def test_f31_handler_that_fails_does_not_stop_others(cache: Cache[ConfigMap], client: Client):
    def fail(_update: Update[ConfigMap]) -> None:
        raise RuntimeError("of the test")

    cache.subscribe(fail)
    told = Told()
    cache.subscribe(told)
    await create(client, "one")
    async with running(cache):
        await create(client, "two")
        await loops.until(lambda: len(told.updates) == 2)


async def test_version_that_is_no_number_is_taken_for_newer(client: Client, server: FakeAPIServer):
    def page(value: str) -> bytes:
        metadata = {"namespace": "default", "name": "one", "resourceVersion": value}
        return msgspec.json.encode({"metadata": {}, "items": [{"metadata": metadata, "data": {"a": value}}]})

    cache = Cache(client.transport, Selection(CONFIG_MAPS), partial(codec.decode, ConfigMap))
    server.faults.extend([faults.send(page("x")), *[faults.close_at_once] * 3, faults.send(page("w"))])
    async with running(cache):
        await loops.hurry(lambda: (found := cache.find(ONE)) is not None and found.data == {"a": "w"}, step=0.1)
