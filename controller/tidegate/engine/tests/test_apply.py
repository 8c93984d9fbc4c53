"""What a pass does about each object, against an API server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from aiohttp import web

from tidegate.engine import identity, inventory, ownership, recreate
from tidegate.engine.apply import ApplyError, ApplySet, Change, Options
from tidegate.engine.identity import ChangeAction
from tidegate.engine.inventory import Inventory
from tidegate.engine.members import Members
from tidegate.engine.ownership import Migration, Owner
from tidegate.runtime import clock
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn
from tidegate.runtime.queue import Held
from tidegate.runtime.resources import CONFIG_MAPS, NAMESPACES, Resource
from tidegate.runtime.testing import faults
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

OWNER = Owner(ownership.KUSTOMIZE_GROUP, "flux-system", "app")
ROLES = Resource("rbac.authorization.k8s.io", "v1", "Role", "roles", namespaced=True)
BINDINGS = replace(ROLES, kind="RoleBinding", plural="rolebindings")
NAMESPACE: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}


def a_config_map(**data: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "apps"}, "data": data}


def a_role(kind: str) -> JsonObject:
    return {"apiVersion": ROLES.api_version, "kind": kind, "metadata": {"name": "one", "namespace": "apps"}}


@dataclass
class Process:
    """One life of a controller: what it knows of members ends with it."""

    client: Client
    members: Members
    group: asyncio.TaskGroup

    async def apply(self, objects: Sequence[JsonObject], known: Inventory, *, force: bool = False) -> list[Change]:
        turn = Turn(Held(ObjectKey("flux-system", "app")), asyncio.Semaphore(1), self.group)
        work = ApplySet(self.client, self.members, OWNER, Options(force=force), turn, _nothing)
        return await work.apply([ownership.set_owner(obj, OWNER) for obj in objects], known)

    async def sees(self, resource: Resource, obj: JsonObject, *, there: bool = True) -> None:
        """Wait until the watch shows the object, or shows it no more."""
        async with asyncio.timeout(5):
            while (self.members.find(resource, identity.object_id(obj)) is not None) != there:
                await clock.pause(timedelta(milliseconds=5))


@asynccontextmanager
async def a_process(client: Client) -> AsyncIterator[Process]:
    members = Members(client.transport, ownership.KUSTOMIZE_GROUP, Migration("kustomize-controller"), lambda *_: None)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(members.run())
        try:
            yield Process(client, members, group)
        finally:
            running.cancel()


@pytest.fixture
async def server() -> AsyncIterator[FakeAPIServer]:
    async with FakeAPIServer([NAMESPACES, CONFIG_MAPS, ROLES, BINDINGS]).running() as running:
        yield running


async def _nothing() -> None:
    pass


def insist_on_namespaces(server: FakeAPIServer) -> None:
    """As a real API server: 404 to what is written into a namespace that is not there."""

    async def fault(request: web.Request) -> web.StreamResponse | None:
        server.faults.appendleft(fault)
        namespace = request.path.partition("/namespaces/")[2].partition("/")
        there = {obj["metadata"]["name"] for obj in server.store.items(NAMESPACES)}
        if request.method == "PATCH" and namespace[2] and namespace[0] not in there:
            return await faults.refuse(404, "NotFound", message=f'namespaces "{namespace[0]}" not found')(request)
        return None

    server.faults.append(fault)


async def test_p11_a_namespace_that_was_deleted_while_we_were_down_comes_back_with_all_in_it(server: FakeAPIServer):
    insist_on_namespaces(server)
    known = inventory.of_objects([NAMESPACE, a_config_map()])

    async with server.client() as client, a_process(client) as process:
        changes = await process.apply([NAMESPACE, a_config_map(a="2")], known)

    assert [change.action for change in changes] == [ChangeAction.CREATED, ChangeAction.CREATED]
    assert server.store.get(CONFIG_MAPS, ObjectKey("apps", "one"))["data"] == {"a": "2"}


async def test_p11_a_namespace_that_is_wanted_otherwise_comes_back_too(server: FakeAPIServer):
    insist_on_namespaces(server)
    known = inventory.of_objects([NAMESPACE, a_config_map()])
    labelled = {**NAMESPACE, "metadata": {"name": "apps", "labels": {"wanted": "otherwise"}}}

    async with server.client() as client, a_process(client) as process:
        await process.apply([NAMESPACE, a_config_map(a="1")], {})
        await process.sees(CONFIG_MAPS, a_config_map())
        server.store.delete(CONFIG_MAPS, ObjectKey("apps", "one"))
        server.store.delete(NAMESPACES, ObjectKey("", "apps"))
        await process.sees(NAMESPACES, NAMESPACE, there=False)
        await process.apply([labelled, a_config_map(a="2")], known)

    assert server.store.get(CONFIG_MAPS, ObjectKey("apps", "one"))["data"] == {"a": "2"}


async def test_a_binding_that_comes_with_its_role_is_not_rehearsed_before_it(server: FakeAPIServer):
    role = a_role("Role")
    binding = {**a_role("RoleBinding"), "roleRef": {"apiGroup": ROLES.group, "kind": "Role", "name": "one"}}

    async def insist_on_roles(request: web.Request) -> web.StreamResponse | None:
        """As a real API server to who may bind only what they hold themselves."""
        server.faults.appendleft(insist_on_roles)
        is_unbound = request.method == "PATCH" and BINDINGS.plural in request.path and not server.store.items(ROLES)
        return await faults.refuse(404, "NotFound")(request) if is_unbound else None

    server.faults.append(insist_on_roles)
    async with server.client() as client, a_process(client) as process:
        changes = await process.apply([role, binding], inventory.of_objects([a_config_map()]))

    assert [change.action for change in changes] == [ChangeAction.CREATED, ChangeAction.CREATED]


async def test_another_spelling_of_what_is_there_is_no_change(server: FakeAPIServer):
    async with server.client() as client, a_process(client) as process:
        await process.apply([a_config_map(a="1")], {})
        await process.sees(CONFIG_MAPS, a_config_map())

        changes = await process.apply([a_config_map()], inventory.of_objects([a_config_map()]))

    assert [change.action for change in changes] == [ChangeAction.UNCHANGED]


async def test_an_old_object_that_does_not_go_is_told_and_not_taken_for_an_outage(
    server: FakeAPIServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recreate, "GONE_WITHIN", timedelta(milliseconds=50))
    held = a_config_map(a="1")
    server.store.create(CONFIG_MAPS, {**held, "metadata": {**held["metadata"], "finalizers": ["example.com/held"]}})

    async def refuse_changes(request: web.Request) -> web.StreamResponse | None:
        server.faults.appendleft(refuse_changes)
        return await faults.refuse(422, "Invalid")(request) if request.method == "PATCH" else None

    server.faults.append(refuse_changes)
    async with server.client() as client, a_process(client) as process:
        with pytest.raises(ApplyError, match="ConfigMap/apps/one apply failed: the old object is still being deleted"):
            await process.apply([a_config_map(a="2")], inventory.of_objects([held]), force=True)


async def test_a_strangers_object_is_rehearsed_before_it_is_taken_over(server: FakeAPIServer):
    async with server.client() as client, a_process(client) as process:
        await client.create(NAMESPACES, NAMESPACE)
        await client.create(CONFIG_MAPS, a_config_map(a="theirs"))

        await process.apply([a_config_map(a="ours")], inventory.of_objects([NAMESPACE]))

    patches = [one.query.get("dryRun", "") for one in server.asked if one.method == "PATCH"]
    assert patches == ["All", "All", ""]
