"""Releases installed, upgraded and uninstalled against an API server on loopback."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web

from tidegate.adapters.chart_jobs import Crd
from tidegate.adapters.chart_renderer import RenderLimit
from tidegate.helm.release.model import ActionFailed
from tidegate.helm.release.record import Record
from tidegate.helm.release.tests import bed
from tidegate.helm.release.tests.bed import CRDS, JOBS, Chart, a_config_map, a_hook, a_job, manifest
from tidegate.runtime import clock
from tidegate.runtime.resources import CONFIG_MAPS, NAMESPACES, SECRETS
from tidegate.runtime.testing import faults
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate_api.codec import JsonObject
from tidegate_api.helm.v2.actions import CRDsPolicy
from tidegate_api.meta.objects import ObjectKey

ONE, TWO = a_config_map("one", a="1"), a_config_map("two", a="1")
UNKNOWN: JsonObject = {"apiVersion": "example.com/v1", "kind": "Unknown", "metadata": {"name": "one"}}
CRD: JsonObject = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gauges.example.com"},
    "spec": {"group": "example.com", "names": {"kind": "Gauge"}, "scope": "Namespaced"},
    "status": {"conditions": [{"type": "Established", "status": "True"}]},
}


@pytest.fixture
async def server() -> AsyncIterator[FakeAPIServer]:
    async with FakeAPIServer(bed.RESOURCES).running() as running:
        running.store.tracks_fields = True
        yield running


async def test_an_install_is_two_writes_of_the_record_and_one_of_each_object(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        record = await process.install(Chart(manifest(ONE, TWO), notes="hello"))

        assert (record.info.status, record.info.description, record.info.notes) == (
            "deployed",
            "Install complete",
            "hello",
        )
        assert process.told == [(1, "pending-install"), (1, "deployed")]
        assert process.names(CONFIG_MAPS) == ["one", "two"]
        assert server.count("POST") == 1
        assert server.count("PATCH") == 3


async def test_objects_carry_helms_marks_and_the_owners_labels(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(ONE)), labels={"team": "a"}, annotations={"note": "b"})

        metadata = process.get(CONFIG_MAPS, "one")["metadata"]
    assert metadata["labels"] == {
        "team": "a",
        "helm.toolkit.fluxcd.io/name": "web",
        "helm.toolkit.fluxcd.io/namespace": "flux-system",
        "app.kubernetes.io/managed-by": "Helm",
    }
    assert metadata["annotations"] == {
        "note": "b",
        "meta.helm.sh/release-name": "web",
        "meta.helm.sh/release-namespace": "apps",
    }


async def test_the_stored_manifest_is_the_rendered_one(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(ONE)))
        newest = await process.session().newest()

    assert newest is not None
    assert newest.record.manifest == manifest(ONE)
    assert newest.journal is not None
    assert newest.journal.inputs == "sha256:inputs"


async def test_an_upgrade_applies_what_changed_and_deletes_what_is_gone(server: FakeAPIServer):
    three = a_config_map("three")
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(ONE, TWO, three)))
        server.asked.clear()
        record = await process.upgrade(Chart(manifest(ONE, a_config_map("two", a="2"))))

        assert record.version == 2
        assert record.info.description == "Upgrade complete"
        assert await process.statuses() == [(2, "deployed"), (1, "superseded")]
        assert process.names(CONFIG_MAPS) == ["one", "two"]
        assert server.count("PATCH", "configmaps/one") == 0
        assert process.get(CONFIG_MAPS, "two")["data"] == {"a": "2"}


async def test_an_upgrade_leaves_what_is_to_be_kept(server: FakeAPIServer):
    kept = a_config_map("two")
    kept["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(ONE, kept)))
        await process.upgrade(Chart(manifest(ONE)))

        assert process.names(CONFIG_MAPS) == ["one", "two"]


async def test_h16_what_helm_installed_is_adopted_and_what_it_released_no_more_is_deleted(server: FakeAPIServer):
    two = {**TWO, "metadata": {"name": "two", "namespace": "apps", **_helms_marks("web")}}
    foreign = {**TWO, "metadata": {"name": "three", "namespace": "apps", **_helms_marks("other")}}
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(ONE, TWO, a_config_map("three"))))
        for obj in (two, foreign):
            if obj["metadata"]["name"] in process.names(CONFIG_MAPS):
                server.store.delete(CONFIG_MAPS, ObjectKey("apps", obj["metadata"]["name"]))
            server.store.create(CONFIG_MAPS, obj)
        await process.upgrade(Chart(manifest(ONE)))

        assert process.names(CONFIG_MAPS) == ["one", "three"]


async def test_h16_without_taking_ownership_an_object_of_another_release_is_refused(server: FakeAPIServer):
    server.store.create(CONFIG_MAPS, {**ONE, "metadata": {"name": "one", "namespace": "apps", **_helms_marks("other")}})
    async with bed.a_process(server) as process:
        with pytest.raises(ActionFailed) as failure:
            await process.install(Chart(manifest(ONE, TWO)), take_ownership=False)

        assert failure.value.record is None
        assert str(failure.value) == (
            'unable to continue with install: ConfigMap "one" in namespace "apps" exists and cannot be imported into '
            "the current release: invalid ownership metadata; annotation validation error: key "
            '"meta.helm.sh/release-name" must equal "web": current value is "other"'
        )
        assert process.names(CONFIG_MAPS) == ["one"]
        assert not process.names(SECRETS)


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        pytest.param([ONE, UNKNOWN], "no matches for kind", id="unknown-kind"),
        pytest.param([ONE, ONE], "already registered id", id="twice"),
        pytest.param([{**ONE, "metadata": {"name": "one", "labels": {"a": 1}}}], "is not a string", id="label"),
    ],
)
async def test_h14_what_cannot_be_applied_fails_the_release_as_a_whole(
    server: FakeAPIServer, objects: list[JsonObject], words: str
):
    async with bed.a_process(server) as process:
        with pytest.raises(ActionFailed, match=words) as failure:
            await process.install(Chart(manifest(*objects)))

        assert failure.value.record is not None
        assert await process.statuses() == [(1, "failed")]
        assert failure.value.record.info.description.startswith('Release "web" failed: ')


async def test_h14_a_refusal_of_the_api_server_is_in_the_record_and_the_last_good_one_stays(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(ONE)))
        _refuse_writes_of(server, "configmaps/two", 413, "too big")
        with pytest.raises(ActionFailed, match="too big"):
            await process.upgrade(Chart(manifest(ONE, TWO)))

        assert await process.statuses() == [(2, "failed"), (1, "deployed")]
        server.faults.clear()
        await process.upgrade(Chart(manifest(TWO)))
        assert await process.statuses() == [(3, "deployed"), (2, "failed"), (1, "superseded")]
        assert process.names(CONFIG_MAPS) == ["two"]


async def test_h10_a_chart_that_is_not_rendered_leaves_everything_as_it_was(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(ONE)))
        process.renderer.failure = RenderLimit("rendering took longer than 60s")
        with pytest.raises(ActionFailed, match="rendering took longer than 60s") as failure:
            await process.upgrade(Chart(manifest(TWO)), max_history=1)

        assert failure.value.record is None
        assert await process.statuses() == [(1, "deployed")]
        assert process.names(CONFIG_MAPS) == ["one"]


async def test_h14_what_its_account_may_not_write_fails_the_release_in_the_api_servers_words(server: FakeAPIServer):
    elsewhere = {**TWO, "metadata": {"name": "two", "namespace": "other"}}
    _refuse_writes_of(server, "namespaces/other/", 403, 'cannot patch resource "configmaps" in the namespace "other"')
    async with bed.a_process(server) as process:
        with pytest.raises(ActionFailed, match='in the namespace "other"'):
            await process.install(Chart(manifest(ONE, elsewhere)))

        assert await process.statuses() == [(1, "failed")]


async def test_h15_a_record_that_does_not_fit_is_refused_before_any_object_is_touched(server: FakeAPIServer):
    noise = "".join(chr(0x4E00 + n * 7919 % 20000) for n in range(700_000))
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(ONE)))
        server.asked.clear()
        with pytest.raises(ActionFailed, match="Too long: may not be more than 1048576 bytes") as failure:
            await process.upgrade(Chart(manifest(TWO), notes=noise))

        assert failure.value.record is None
        assert server.count("PATCH") == server.count("POST") == 0
        assert await process.statuses() == [(1, "deployed")]


async def test_h17_only_definitions_of_crds_are_applied_and_rendering_sees_them(server: FakeAPIServer):
    chart = Chart(manifest(ONE), crds=[Crd(name="crds/all.yaml", text=manifest(CRD, TWO))])
    async with bed.a_process(server) as process:
        process.group.create_task(_establish(server))
        await process.install(chart)

        assert process.names(CRDS) == ["gauges.example.com"]
        assert process.names(CONFIG_MAPS) == ["one"]
        assert len(process.renderer.requests) == 2


async def test_definitions_that_are_there_stay_as_they_are_and_are_not_applied_when_skipped(server: FakeAPIServer):
    chart = Chart(manifest(ONE), crds=[Crd(name="crds/all.yaml", text=manifest(CRD))])
    async with bed.a_process(server) as process:
        await process.install(chart, crds=CRDsPolicy.SKIP)
        assert not process.names(CRDS)
        server.store.create(CRDS, {**CRD, "spec": {}})
        await process.upgrade(chart)

        assert server.store.items(CRDS)[0]["spec"] == {}


async def test_hooks_run_by_weight_and_name_around_the_objects(server: FakeAPIServer):
    hooks = [
        a_hook("z", "pre-install"),
        a_hook("a", "pre-install", "pre-upgrade"),
        a_hook("first", "pre-install", weight=-5),
        a_hook("last", "post-install"),
        a_hook("never", "pre-rollback"),
    ]
    async with bed.a_process(server) as process, bed.ending_jobs(process):
        record = await process.install(Chart(manifest(ONE), hooks))

    created = [event.obj["metadata"]["name"] for event in server.store.history if event.type == "ADDED"]
    assert [name for name in created if not name.startswith("sh.")] == ["first", "a", "z", "one", "last"]
    assert {hook.name: hook.last_run.phase for hook in record.hooks} == {
        "first": "Succeeded", "a": "Succeeded", "z": "Succeeded", "last": "Succeeded", "never": "",
    }  # fmt: skip


async def test_hooks_that_do_nothing_are_not_worth_a_write_of_the_record(server: FakeAPIServer):
    rights = [a_hook(name, "pre-install", weight=-1, obj=a_config_map(name)) for name in ("a", "b", "c")]
    async with bed.a_process(server) as process, bed.ending_jobs(process):
        await process.install(Chart(manifest(a_config_map("one")), [*rights, a_hook("job", "pre-install")]))

    # Before the job, after the hooks, and what became of it.
    assert server.count("PATCH", "/secrets/") == 3


async def test_hooks_are_deleted_by_their_policies(server: FakeAPIServer):
    hooks = [
        a_hook("stays", "pre-install", weight=1),
        a_hook("succeeded", "pre-install", weight=2, policies=["hook-succeeded"]),
        a_hook("failed", "pre-install", weight=3, policies=["hook-failed", "before-hook-creation"]),
    ]
    async with bed.a_process(server) as process, bed.ending_jobs(process, ["failed"]):
        with pytest.raises(ActionFailed) as failure:
            await process.install(Chart(manifest(ONE), hooks))

        assert process.names(JOBS) == ["stays"]
        assert str(failure.value) == (
            "failed pre-install: hook Job/apps/failed failed: BackoffLimitExceeded: "
            "Job has reached the specified backoff limit"
        )
        assert not process.names(CONFIG_MAPS)


async def test_what_is_no_hook_is_not_deleted_for_one(server: FakeAPIServer):
    server.store.create(JOBS, {**a_job("migrate"), "metadata": {"name": "migrate", "namespace": "apps"}})
    async with bed.a_process(server) as process:
        with pytest.raises(ActionFailed, match="exists and is no hook of this release"):
            await process.install(Chart(manifest(ONE), [a_hook("migrate", "pre-install")]))


async def test_a_hook_that_does_not_end_in_time_fails_the_release(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        with pytest.raises(ActionFailed, match="hook Job/apps/slow did not end within 50ms: Job"):
            await process.install(
                Chart(manifest(ONE), [a_hook("slow", "post-install")]), timeout=timedelta(seconds=0.05)
            )


async def test_while_a_hook_runs_the_turn_holds_no_slot(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        process.renderer.chart = Chart(manifest(ONE), [a_hook("slow", "pre-install")])
        turn = process.turn()
        task = process.group.create_task(process.session_of(turn).install(bed.desired(), process.on_stored))
        async with asyncio.timeout(5):
            while not (turn.parked_now and process.names(JOBS)):
                await clock.pause(timedelta(milliseconds=1))
            bed.end_job(server, process.get(JOBS, "slow"))
            await task
        assert not turn.parked_now


async def test_what_belongs_to_a_release_is_its_manifest_and_its_definitions(server: FakeAPIServer):
    stored = Record(
        manifest=manifest(ONE), chart={"files": [a_file("crds/a.yaml", manifest(CRD)), a_file("README", "")]}
    )
    async with bed.a_process(server) as process:
        inventory = await process.session().inventory(stored)

    assert [oid.inventory_id for oid in inventory] == [
        "apps_one__ConfigMap",
        "_gauges.example.com_apiextensions.k8s.io_CustomResourceDefinition",
    ]


async def test_a_wait_that_fails_names_the_object(server: FakeAPIServer):
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {}}
    async with bed.a_process(server) as process:
        with pytest.raises(ActionFailed, match="Deployment/apps/web status: 'InProgress'"):
            await process.install(Chart(manifest(deployment)), timeout=timedelta(seconds=0.05))
        await process.upgrade(Chart(manifest(deployment)), wait=False)

        assert await process.statuses() == [(2, "deployed"), (1, "failed")]


async def test_an_uninstall_deletes_everything_but_what_is_kept(server: FakeAPIServer):
    kept = a_config_map("two")
    kept["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    hooks = [a_hook("before", "pre-delete"), a_hook("after", "post-delete")]
    async with bed.a_process(server) as process, bed.ending_jobs(process):
        await process.install(Chart(manifest(ONE, kept), hooks))
        await process.upgrade(Chart(manifest(ONE, kept), hooks))
        record = await process.session().uninstall(process.on_stored)

        assert record is not None
        assert (record.info.status, record.info.description) == ("uninstalled", "Uninstallation complete")
        assert process.names(CONFIG_MAPS) == ["two"]
        assert not process.names(SECRETS)
        assert process.names(JOBS) == ["after", "before"]
        assert process.told[-2:] == [(2, "uninstalling"), (2, "uninstalled")]


async def test_h16_an_uninstall_of_what_helm_released_needs_no_labels_of_ours(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(ONE, TWO)))
    for obj, release in ((ONE, "web"), (TWO, "other")):
        name = obj["metadata"]["name"]
        server.store.delete(CONFIG_MAPS, ObjectKey("apps", name))
        server.store.create(
            CONFIG_MAPS, {**obj, "metadata": {"name": name, "namespace": "apps", **_helms_marks(release)}}
        )
    async with bed.a_process(server) as process:
        await process.session().uninstall(process.on_stored)

        assert process.names(CONFIG_MAPS) == ["two"]
        assert not process.names(SECRETS)


async def test_an_uninstall_forgets_nothing_that_a_failed_upgrade_left(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(ONE, TWO)))
        with pytest.raises(ActionFailed):
            await process.upgrade(Chart(manifest(a_config_map("three"), UNKNOWN)))
        await process.session().uninstall(process.on_stored)

        assert not process.names(CONFIG_MAPS)
        assert not process.names(SECRETS)


async def test_an_uninstall_may_keep_history_and_is_nothing_where_there_is_none(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        assert await process.session().uninstall(process.on_stored) is None
        await process.install(Chart(manifest(ONE)))
        await process.session(keep_history=True).uninstall(process.on_stored)

        assert await process.statuses() == [(1, "uninstalled")]
        with pytest.raises(ActionFailed, match="cannot reuse a name that is still in use"):
            await process.install(Chart(manifest(ONE)))
        assert (await process.install(Chart(manifest(ONE)), replace=True)).version == 2


async def test_an_uninstall_waits_for_what_is_held_by_a_finalizer(server: FakeAPIServer):
    held = a_config_map("one")
    held["metadata"]["finalizers"] = ["example.com/held"]
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(held)))
        with pytest.raises(ActionFailed, match="ConfigMap/apps/one"):
            await process.session(timeout=timedelta(seconds=0.05)).uninstall(process.on_stored)

        assert not process.names(SECRETS)


async def test_f17_a_foreign_pending_record_is_unlocked(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(ONE)))
        session = process.session()
        newest = await session.newest()
        assert newest is not None
        newest.record.info.status = "pending-upgrade"
        pending = await session._storage.update(newest)
        record = await session.unlock(replace(pending, journal=None))

        assert record.info.description == "Release unlocked from stale 'pending-upgrade' state"
        assert await process.statuses() == [(1, "failed")]


async def test_history_is_trimmed_to_its_length_and_never_loses_the_deployed_revision(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(ONE)))
        for number in range(3):
            await process.upgrade(Chart(manifest(a_config_map("one", a=str(number)))), max_history=2)

        assert await process.statuses() == [(4, "deployed"), (3, "superseded")]
        await process.session().trim(1)
        assert await process.statuses() == [(4, "deployed")]


async def test_the_namespace_is_created_where_wanted_and_left_alone_where_it_is(server: FakeAPIServer):
    async with bed.a_process(server) as process:
        await process.install(Chart(manifest(ONE)), create_namespace=True)

        assert server.store.items(NAMESPACES)[0]["metadata"]["labels"] == {"name": "apps"}


def a_file(name: str, text: str) -> JsonObject:
    return {"name": name, "data": base64.b64encode(text.encode()).decode()}


def _refuse_writes_of(server: FakeAPIServer, path: str, code: int, words: str) -> None:
    async def fault(request: web.Request) -> web.StreamResponse | None:
        server.faults.appendleft(fault)
        refused = request.method == "PATCH" and path in request.path
        return await faults.refuse(code, message=words)(request) if refused else None

    server.faults.append(fault)


async def _establish(server: FakeAPIServer) -> None:
    """Be the API server that makes a definition serve; ours drops the status of what is applied."""
    while not server.store.items(CRDS):
        await clock.pause(timedelta(milliseconds=1))
    key = ObjectKey("", CRD["metadata"]["name"])
    server.store.update(CRDS, key, lambda live: {**live, "status": CRD["status"]})


def _helms_marks(release: str) -> JsonObject:
    return {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": "apps"},
    }
