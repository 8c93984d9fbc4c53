"""What both the FakeAPIServer and a real API server do: each check is given a client and a namespace of its own."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing

import msgspec
import pytest

from tidegate.runtime import errors
from tidegate.runtime.client import Client, Preconditions
from tidegate.runtime.resources import CONFIG_MAPS, Resource
from tidegate.runtime.transport import Request
from tidegate.runtime.watch import Changed, Listed, Selection, Watch
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

Check = Callable[[Client, str], Awaitable[None]]

DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments", namespaced=True)


def a_config_map(namespace: str, name: str = "one", **data: str) -> JsonObject:
    """A ConfigMap to create or apply."""
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _a_deployment(namespace: str) -> JsonObject:
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": pod}
    metadata = {"namespace": namespace, "name": "one"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def _version(obj: JsonObject) -> str:
    return str(obj["metadata"]["resourceVersion"])


async def a_name_is_taken_once(client: Client, namespace: str) -> None:
    """A second create is AlreadyExists."""
    created = await client.create(CONFIG_MAPS, a_config_map(namespace, a="1"))
    assert await client.get(CONFIG_MAPS, ObjectKey(namespace, "one")) == created
    with pytest.raises(errors.AlreadyExists):
        await client.create(CONFIG_MAPS, a_config_map(namespace))


async def a_version_in_a_patch_is_a_lock(client: Client, namespace: str) -> None:
    """A stale one is a Conflict; a patch without effect changes no version."""
    key = ObjectKey(namespace, "one")
    first = await client.create(CONFIG_MAPS, a_config_map(namespace, a="1"))
    second = await client.merge_patch(CONFIG_MAPS, key, {"data": {"a": "2", "b": "3"}}, "m")
    assert second["data"] == {"a": "2", "b": "3"}
    assert int(_version(second)) > int(_version(first))
    patch = {"metadata": {"resourceVersion": _version(first)}, "data": {"a": None}}
    with pytest.raises(errors.Conflict):
        await client.merge_patch(CONFIG_MAPS, key, patch, "m")
    same = await client.merge_patch(CONFIG_MAPS, key, {"data": {"a": "2"}}, "m")
    assert _version(same) == _version(second)


async def another_uid_in_a_patch_is_invalid(client: Client, namespace: str) -> None:
    """It guards against an object that was created anew, in patches of the status too."""
    created = await client.create(DEPLOYMENTS, _a_deployment(namespace))
    key = ObjectKey(namespace, "one")
    for uid, is_refused in (("00000000-0000-0000-0000-000000000000", True), (created["metadata"]["uid"], False)):
        patch = {"metadata": {"uid": uid}, "status": {"observedGeneration": 7}}
        for subresource in ("", "status"):
            try:
                await client.merge_patch(DEPLOYMENTS, key, patch, "m", subresource)
            except errors.Invalid:
                assert is_refused
            else:
                assert not is_refused


async def status_is_written_apart(client: Client, namespace: str) -> None:
    """A patch of the status changes nothing else, and no generation; a stale version is a Conflict there too."""
    key = ObjectKey(namespace, "one")
    created = await client.create(DEPLOYMENTS, _a_deployment(namespace))
    patch = {"spec": {"replicas": 5}, "status": {"observedGeneration": 7}}
    written = await client.merge_patch(DEPLOYMENTS, key, patch, "m", "status")
    assert written["spec"]["replicas"] == 0
    assert written["status"]["observedGeneration"] == 7
    assert written["metadata"]["generation"] == created["metadata"]["generation"] == 1
    stale = {"metadata": {"resourceVersion": _version(created)}, "status": {"observedGeneration": 8}}
    with pytest.raises(errors.Conflict):
        await client.merge_patch(DEPLOYMENTS, key, stale, "m", "status")
    changed = await client.merge_patch(DEPLOYMENTS, key, {"spec": {"replicas": 0, "paused": True}}, "m")
    assert changed["metadata"]["generation"] == 2


async def an_apply_with_version_one_only_creates(client: Client, namespace: str) -> None:
    """Absent: created. There: a Conflict, forced or not, whoever owns it."""
    body = a_config_map(namespace, a="1")
    body["metadata"]["resourceVersion"] = "1"
    created = await client.apply(CONFIG_MAPS, body, "m")
    assert created["data"] == {"a": "1"}
    for force in (True, False):
        with pytest.raises(errors.Conflict):
            await client.apply(CONFIG_MAPS, body, "m", force=force)


async def an_equal_apply_changes_nothing(client: Client, namespace: str) -> None:
    """And another one changes what differs."""
    first = await client.apply(CONFIG_MAPS, a_config_map(namespace, a="1"), "m")
    again = await client.apply(CONFIG_MAPS, a_config_map(namespace, a="1"), "m")
    assert _version(again) == _version(first)
    other = await client.apply(CONFIG_MAPS, a_config_map(namespace, a="2"), "m")
    assert other["data"] == {"a": "2"}


async def a_dry_run_stores_nothing(client: Client, namespace: str) -> None:
    """It answers with what would be."""
    would = await client.apply(CONFIG_MAPS, a_config_map(namespace, a="1"), "m", dry_run=True)
    assert would["data"] == {"a": "1"}
    assert await client.find(CONFIG_MAPS, ObjectKey(namespace, "one")) is None


async def a_delete_heeds_its_preconditions(client: Client, namespace: str) -> None:
    """Another UID or version is a Conflict; what is gone is NotFound."""
    key = ObjectKey(namespace, "one")
    created = await client.create(CONFIG_MAPS, a_config_map(namespace))
    uid = created["metadata"]["uid"]
    for wrong in (Preconditions("another"), Preconditions(uid, "1")):
        with pytest.raises(errors.Conflict):
            await client.delete(CONFIG_MAPS, key, wrong)
    await client.delete(CONFIG_MAPS, key, Preconditions(uid, _version(created)))
    with pytest.raises(errors.NotFound):
        await client.delete(CONFIG_MAPS, key, Preconditions(uid))


async def a_finalizer_holds_an_object(client: Client, namespace: str) -> None:
    """Deleted it stays, marked; without its last finalizer it goes."""
    key = ObjectKey(namespace, "one")
    body = a_config_map(namespace)
    body["metadata"]["finalizers"] = ["example.com/one"]
    created = await client.create(CONFIG_MAPS, body)
    await client.delete(CONFIG_MAPS, key, Preconditions(created["metadata"]["uid"]))
    assert (await client.get(CONFIG_MAPS, key))["metadata"]["deletionTimestamp"]
    last = await client.merge_patch(CONFIG_MAPS, key, {"metadata": {"finalizers": None}}, "m")
    assert "finalizers" not in last["metadata"]
    assert await client.find(CONFIG_MAPS, key) is None


async def a_list_comes_in_pages(client: Client, namespace: str) -> None:
    """Each names the next, all of one version."""
    for name in "abcde":
        await client.create(CONFIG_MAPS, a_config_map(namespace, name))
    labelled = {"metadata": {"labels": {"page": "yes"}}}
    for name in "abcde":
        await client.merge_patch(CONFIG_MAPS, ObjectKey(namespace, name), labelled, "m")
    found: list[str] = []
    versions = set()
    token = ""
    while token is not None:
        query = {"limit": "2", "labelSelector": "page=yes", **({"continue": token} if token else {})}
        page = await _read(client, Request("GET", CONFIG_MAPS.collection(namespace), query))
        found += [item["metadata"]["name"] for item in page["items"]]
        versions.add(page["metadata"]["resourceVersion"])
        token = page["metadata"].get("continue")
    assert found == list("abcde")
    assert len(versions) == 1


async def metadata_comes_alone_when_asked(client: Client, namespace: str) -> None:
    """In a get and in a watch."""
    await client.create(CONFIG_MAPS, a_config_map(namespace, a="1"))
    alone = await client.get(CONFIG_MAPS, ObjectKey(namespace, "one"), metadata_only=True)
    assert (alone["kind"], alone["metadata"]["name"]) == ("PartialObjectMetadata", "one")
    assert "data" not in alone
    selection = Selection(CONFIG_MAPS, namespace, field_selector="metadata.name=one", metadata_only=True)
    async with aclosing(Watch(client.transport, selection).changes()) as changes:
        listed = await anext(changes)
        assert isinstance(listed, Listed)
        assert all("data" not in item for item in listed.items)
        await client.merge_patch(CONFIG_MAPS, ObjectKey(namespace, "one"), {"data": {"a": "2"}}, "m")
        changed = await anext(changes)
        assert isinstance(changed, Changed)
        assert "data" not in changed.obj


async def a_watch_tells_each_change_in_order(client: Client, namespace: str) -> None:
    """Also what happened before it began; a deletion has a version of its own."""
    key = ObjectKey(namespace, "one")
    selection = Selection(CONFIG_MAPS, namespace, field_selector="metadata.name=one")
    async with aclosing(Watch(client.transport, selection).changes()) as changes:
        assert await anext(changes) == Listed([])
        created = await client.create(CONFIG_MAPS, a_config_map(namespace))
        patched = await client.merge_patch(CONFIG_MAPS, key, {"data": {"a": "1"}}, "m")
        await client.delete(CONFIG_MAPS, key, Preconditions(created["metadata"]["uid"]))
        told = [await anext(changes) for _ in range(3)]
    assert all(isinstance(change, Changed) for change in told)
    assert [change.event for change in told if isinstance(change, Changed)] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(_version(change.obj)) for change in told if isinstance(change, Changed)]
    assert versions[:2] == [int(_version(created)), int(_version(patched))]
    assert versions[2] > versions[1]


async def discovery_names_places(client: Client, _namespace: str) -> None:
    """With scope and verbs."""
    found = await client.discovery.find("apps/v1", "Deployment")
    assert (found.plural, found.namespaced) == ("deployments", True)
    assert {"get", "list", "watch", "patch"} <= found.verbs
    assert not (await client.discovery.find("v1", "Namespace")).namespaced


async def what_is_missing_is_not_found(client: Client, namespace: str) -> None:
    """An object as well as a kind."""
    unknown = Resource("nowhere.example.com", "v1", "Thing", "things", namespaced=True)
    for resource in (CONFIG_MAPS, unknown):
        with pytest.raises(errors.NotFound):
            await client.get(resource, ObjectKey(namespace, "missing"))


async def _read(client: Client, request: Request) -> JsonObject:
    page: JsonObject = msgspec.json.decode(await client.transport.request(request))
    return page


CHECKS: tuple[Check, ...] = (
    a_name_is_taken_once,
    a_version_in_a_patch_is_a_lock,
    another_uid_in_a_patch_is_invalid,
    status_is_written_apart,
    an_apply_with_version_one_only_creates,
    an_equal_apply_changes_nothing,
    a_dry_run_stores_nothing,
    a_delete_heeds_its_preconditions,
    a_finalizer_holds_an_object,
    a_list_comes_in_pages,
    metadata_comes_alone_when_asked,
    a_watch_tells_each_change_in_order,
    discovery_names_places,
    what_is_missing_is_not_found,
)
