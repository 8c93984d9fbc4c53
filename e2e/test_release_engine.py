"""The release engine against a real API server, beside the real helm: each works on what the other released (P16)."""

import asyncio
import base64
import gzip
import json
import secrets
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hack.controlplane.api import Api, JsonObject
from hack.controlplane.cluster import ControlPlane
from tidegate.adapters.chart_renderer import Renderer
from tidegate.engine import ownership
from tidegate.engine.members import Members
from tidegate.engine.ownership import Migration, Owner
from tidegate.helm.release import record as records
from tidegate.helm.release.engine import Releases, Session
from tidegate.helm.release.model import ActionFailed, Desired, Options, ReleaseKey
from tidegate.helm.release.record import Record
from tidegate.helm.release.sightings import Sightings
from tidegate.runtime import credentials
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn
from tidegate.runtime.discovery import Discovery
from tidegate.runtime.queue import Held
from tidegate.runtime.transport import Connections, Transport
from tidegate_api.meta.objects import ObjectKey

CHART = """
apiVersion: v2
name: web
version: 1.0.0
appVersion: "7"
"""
TEMPLATES = {
    "config.yaml": """
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  color: {{ .Values.color | quote }}
""",
    "deployment.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.com/web}]}
""",
    "hook.yaml": """
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrate
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: example.com/migrate, command: [sh, -c, "exit {{ .Values.code }}"]}]
""",
    "NOTES.txt": "color {{ .Values.color }}\n",
}


@dataclass
class Helm:
    """The real helm in one namespace, and the chart that it and we release."""

    program: Path
    kubeconfig: Path
    namespace: str
    chart: Path

    async def run(self, *words: str) -> str:
        argv = [str(self.program), *words, "--namespace", self.namespace, "--kubeconfig", str(self.kubeconfig)]
        done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def package(self) -> Path:
        """The chart as it is published."""
        written = await self.run("package", str(self.chart), "--destination", str(self.chart.parent))
        return Path(written.split(": ", 1)[1].strip())

    async def install(self, name: str, *words: str) -> None:
        await self.run("install", name, str(await self.package()), "--wait", *words)


@dataclass
class Place:
    """A namespace with our engine and the real helm at work in it."""

    api: Api
    client: Client
    members: Members
    group: asyncio.TaskGroup
    renderer: Renderer
    helm: Helm

    def session(self, name: str, target: str = "", **options: Any) -> Session:
        """Of a release into namespace `target`, recorded in ours."""
        namespace = self.helm.namespace
        turn = Turn(Held(ObjectKey(namespace, name)), asyncio.Semaphore(1), self.group)
        releases = Releases(self.members, Sightings(self.client.transport), self.renderer, "pod-1")
        owner = Owner(ownership.HELM_GROUP, namespace, name)
        key = ReleaseKey(name, target or namespace, namespace)
        return releases.session(key, owner, self.client, turn, Options(uid="uid", generation=1, **options))

    async def install(self, name: str, **values: Any) -> Record:
        return await self.session(name).install(await self.desired(**values), _told)

    async def upgrade(self, name: str, **values: Any) -> Record:
        session = self.session(name)
        newest = await session.newest()
        assert newest is not None
        return await session.upgrade(await self.desired(**values), newest.record, _told)

    async def desired(self, **values: Any) -> Desired:
        chart = await asyncio.to_thread((await self.helm.package()).read_bytes)
        return Desired(chart, "web", "1.0.0", values, "sha256:inputs")

    async def stored(self, name: str, version: int) -> bytes:
        """The JSON of a record, as it is in the cluster."""
        path = f"/api/v1/namespaces/{self.helm.namespace}/secrets/sh.helm.release.v1.{name}.v{version}"
        secret = await self.api.get(path)
        return gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"])))

    async def data(self, name: str) -> JsonObject:
        found = await self.api.get(f"/api/v1/namespaces/{self.helm.namespace}/configmaps/{name}")
        return dict(found["data"])

    async def statuses(self, name: str) -> list[str]:
        return [
            f"{one['revision']} {one['status']}" for one in json.loads(await self.helm.run("history", name, "-ojson"))
        ]


@pytest_asyncio.fixture(loop_scope="session")
async def place(own_control_plane: ControlPlane, helm: Path, tmp_path: Path) -> AsyncIterator[Place]:
    namespace = f"team-{secrets.token_hex(4)}"
    chart = tmp_path / "web"
    for name, text in {"Chart.yaml": CHART, "values.yaml": "color: red\ncode: 0\n"}.items():
        _write(chart / name, text)
    for name, text in TEMPLATES.items():
        _write(chart / "templates" / name, text)
    cluster = await credentials.load(str(own_control_plane.admin))
    async with (
        own_control_plane.api() as api,
        Connections(cluster) as connections,
        Renderer() as renderer,
        asyncio.TaskGroup() as group,
    ):
        await api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        spoken = Transport(connections, "helm-controller")
        client = Client(spoken, Discovery(spoken))
        members = Members(spoken, ownership.HELM_GROUP, Migration("helm-controller"), lambda *_: None)
        running = group.create_task(members.run())
        yield Place(api, client, members, group, renderer, Helm(helm, own_control_plane.admin, namespace, chart))
        running.cancel()
        await api.delete(f"/api/v1/namespaces/{namespace}")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.lstrip())


async def _told(_record: Record) -> None:
    pass


def _comparable(written: bytes, name: str) -> JsonObject:
    """A record without its times, and with one name for all releases."""
    record = json.loads(written.decode().replace(name, "NAME"))
    for part in (record["info"], *(hook["last_run"] for hook in record.get("hooks", ()))):
        for moment in ("first_deployed", "last_deployed", "started_at", "completed_at"):
            part.pop(moment, None)
    for file in (*(record["chart"]["templates"] or ()), *(record["chart"]["files"] or ())):
        file.pop("modtime", None)
    return dict(record)


async def test_p16_what_helm_stored_is_written_by_us_as_the_same_bytes(place: Place) -> None:
    await place.helm.install("theirs", "--set=color=<b&w>", "--set=code=0")
    stored = await place.stored("theirs", 1)

    record = records.decode(base64.b64encode(stored).decode())
    written = gzip.decompress(base64.b64decode(records.encode(record)))
    assert written == stored


async def test_p16_our_record_is_the_one_that_helm_would_have_stored(place: Place) -> None:
    await place.helm.install("theirs", "--set=color=blue")
    await place.install("ours", color="blue")

    ours, theirs = await place.stored("ours", 1), await place.stored("theirs", 1)
    assert _comparable(ours, "ours") == _comparable(theirs, "theirs")
    for what in ("manifest", "hooks", "notes", "values"):
        assert await place.helm.run("get", what, "ours") == (await place.helm.run("get", what, "theirs")).replace(
            "theirs", "ours"
        )


async def test_helm_lists_rolls_back_and_uninstalls_what_we_released(place: Place) -> None:
    await place.install("web", color="red")
    await place.upgrade("web", color="blue")
    assert await place.statuses("web") == ["1 superseded", "2 deployed"]
    assert [one["name"] for one in json.loads(await place.helm.run("list", "-ojson"))] == ["web"]

    await place.helm.run("rollback", "web", "1", "--force-conflicts")
    assert await place.data("web") == {"color": "red"}
    await place.upgrade("web", color="green")
    assert await place.data("web") == {"color": "green"}
    assert await place.statuses("web") == ["1 superseded", "2 superseded", "3 superseded", "4 deployed"]
    await place.helm.run("uninstall", "web", "--wait")
    assert await place.session("web").newest() is None


async def test_h16_we_upgrade_and_uninstall_what_helm_installed(place: Place) -> None:
    await place.helm.install("web")
    (place.helm.chart / "templates" / "deployment.yaml").unlink()
    await place.upgrade("web", color="blue")

    found = f"/apis/apps/v1/namespaces/{place.helm.namespace}/deployments/web"
    assert await place.api.find(found) is None
    assert await place.data("web") == {"color": "blue"}
    uninstalled = await place.session("web").uninstall(_told)
    assert uninstalled is not None
    assert await place.api.find(f"/api/v1/namespaces/{place.helm.namespace}/configmaps/web") is None
    assert json.loads(await place.helm.run("list", "-ojson")) == []


async def test_a_hook_that_fails_fails_the_release_and_the_last_good_one_stays(place: Place) -> None:
    await place.install("web", color="red")
    with pytest.raises(ActionFailed, match=r"pre-upgrade hooks failed: hook Job/.*/web-migrate failed: .*Pod/"):
        await place.upgrade("web", color="blue", code=3)

    assert await place.data("web") == {"color": "red"}
    assert await place.statuses("web") == ["1 deployed", "2 failed"]
    await place.upgrade("web", color="blue")
    assert await place.statuses("web") == ["1 superseded", "2 failed", "3 deployed"]


async def test_an_object_that_the_api_server_refuses_fails_the_release_before_any_is_written(place: Place) -> None:
    await place.install("web", color="red")
    _write(
        place.helm.chart / "templates" / "bad.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {}\n"
    )
    with pytest.raises(ActionFailed, match=r"Service/.*/bad dry-run failed \(Invalid\): .*spec.ports: Required value"):
        await place.upgrade("web", color="blue")

    assert await place.data("web") == {"color": "red"}


async def test_a_release_may_bring_its_namespace_and_be_recorded_elsewhere(place: Place) -> None:
    target = f"{place.helm.namespace}-apps"
    await place.session("web", target, create_namespace=True).install(await place.desired(), _told)

    assert (await place.api.get(f"/api/v1/namespaces/{target}"))["metadata"]["labels"]["name"] == target
    assert await place.api.find(f"/api/v1/namespaces/{target}/configmaps/web") is not None
    (listed,) = json.loads(await place.helm.run("list", "-ojson"))
    assert (listed["name"], listed["namespace"], listed["chart"]) == ("web", target, "web-1.0.0")
    await place.session("web", target).uninstall(_told)
    assert await place.api.find(f"/api/v1/namespaces/{target}/configmaps/web") is None
    await place.api.delete(f"/api/v1/namespaces/{target}")


async def test_h16_what_another_release_has_is_left_to_it_where_taking_is_forbidden(place: Place) -> None:
    await place.install("web", color="red")
    _write(place.helm.chart / "templates" / "config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")
    with pytest.raises(ActionFailed, match=r'ConfigMap "web" in namespace ".*" exists and cannot be imported'):
        await place.session("other", take_ownership=False).install(await place.desired(), _told)

    assert await place.data("web") == {"color": "red"}
    assert await place.session("other").newest() is None
