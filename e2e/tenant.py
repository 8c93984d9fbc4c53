"""One test's share of the cluster: a namespace, its repositories, and what users do and see there."""

import asyncio
import base64
import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from e2e import manifests
from hack.controlplane.api import Api, JsonObject, Refused
from hack.testbed.git_repo import GitRepo
from hack.testbed.git_server import GitServer

SOURCE, KUSTOMIZATION = "GitRepository", "Kustomization"
HELM_REPOSITORY, OCI_REPOSITORY, CHART, RELEASE = "HelmRepository", "OCIRepository", "HelmChart", "HelmRelease"
OWNERS = (KUSTOMIZATION, RELEASE, CHART, HELM_REPOSITORY, OCI_REPOSITORY, SOURCE)
"""Appliers first: what they own goes before what they read."""
SHARD = "sharding.fluxcd.io/key"
REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
SECONDS = 20.0
POLL_SECONDS = 0.05

Holds = Callable[[JsonObject], bool]

GROUPS = {
    SOURCE: "apis/source.toolkit.fluxcd.io/v1",
    HELM_REPOSITORY: "apis/source.toolkit.fluxcd.io/v1",
    OCI_REPOSITORY: "apis/source.toolkit.fluxcd.io/v1",
    CHART: "apis/source.toolkit.fluxcd.io/v1",
    KUSTOMIZATION: "apis/kustomize.toolkit.fluxcd.io/v1",
    RELEASE: "apis/helm.toolkit.fluxcd.io/v2",
    "Deployment": "apis/apps/v1",
    "Job": "apis/batch/v1",
    "Role": "apis/rbac.authorization.k8s.io/v1",
    "RoleBinding": "apis/rbac.authorization.k8s.io/v1",
}
PLURALS = {SOURCE: "gitrepositories", HELM_REPOSITORY: "helmrepositories", OCI_REPOSITORY: "ocirepositories"}


@dataclass
class Tenant:
    """`async with` makes the namespace and removes it; objects in it are finalized by `controllers`, if they run.

    With a `shard`, its objects are labelled for controllers of their own (Flux's sharding convention).
    """

    api: Api
    git: GitServer
    said: Callable[[int], str]
    """So many lines of the end of the controllers' log, for whoever reads a failure."""
    shard: str = ""
    namespace: str = field(default_factory=lambda: f"team-{secrets.token_hex(4)}")

    async def __aenter__(self) -> Self:
        await self.api.create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Deletes appliers, then sources, then the namespace; a stuck deletion fails a test that had passed."""
        try:
            for owner in OWNERS:
                await self._delete_all(owner, patient=error is None and not self.shard)
        finally:
            await self.api.delete(f"/api/v1/namespaces/{self.namespace}")

    def path(self, kind: str, name: str = "") -> str:
        """Where the API server has objects of a kind."""
        plural = PLURALS.get(kind, kind.lower() + "s")
        return f"/{GROUPS.get(kind, 'api/v1')}/namespaces/{self.namespace}/{plural}{f'/{name}' if name else ''}"

    async def create(self, obj: JsonObject) -> JsonObject:
        """Creates an object of any kind in the namespace."""
        return await self.api.create(self.path(obj["kind"]), self.labelled(obj))

    async def find(self, kind: str, name: str) -> JsonObject | None:
        return await self.api.find(self.path(kind, name))

    async def get(self, kind: str, name: str) -> JsonObject:
        return await self.api.get(self.path(kind, name))

    async def names(self, kind: str) -> set[str]:
        """The names of all objects of a kind, without those that Kubernetes puts into each namespace."""
        listed = await self.api.get(self.path(kind))
        return {item["metadata"]["name"] for item in listed["items"]} - {"kube-root-ca.crt", "default"}

    async def data(self, name: str) -> Any:
        """The data of a ConfigMap, or None when there is none."""
        found = await self.find("ConfigMap", name)
        return None if found is None else found.get("data")

    async def change(self, kind: str, name: str, patch: JsonObject) -> JsonObject:
        """What a person does with `kubectl edit`."""
        return await self.api.merge(self.path(kind, name), patch)

    async def set_spec(self, kind: str, name: str, **fields: Any) -> JsonObject:
        return await self.change(kind, name, {"spec": fields})

    async def delete(self, kind: str, name: str) -> None:
        await self.api.delete(self.path(kind, name))

    def repository(self, files: Mapping[str, str | bytes] | None = None, name: str = "app") -> GitRepo:
        """A repository of this tenant; empty without files."""
        repo = self.git.create(f"{self.namespace}/{name}")
        if files is not None:
            repo.commit(files, message="first")
        return repo

    def url(self, name: str = "app") -> str:
        return self.git.url(f"{self.namespace}/{name}")

    async def follow(self, name: str = "app", **spec: Any) -> JsonObject:
        """Creates the GitRepository of a repository."""
        url = spec.pop("url", None) or self.url(name)
        return await self.create(manifests.a_git_repository(name, url, **spec))

    async def kustomization(self, name: str = "all", **spec: Any) -> JsonObject:
        """Creates a Kustomization of the source `app` into this namespace."""
        return await self.create(manifests.a_kustomization(name, **{"targetNamespace": self.namespace, **spec}))

    async def deploy(self, files: Mapping[str, str | bytes], **spec: Any) -> GitRepo:
        """A repository, followed as `app` and applied as `all`, in place."""
        repo = self.repository(files)
        await self.follow()
        await self.kustomization(**spec)
        await self.until_ready(KUSTOMIZATION, "all", revision(repo))
        return repo

    async def push(
        self, repo: GitRepo, files: Mapping[str, str | bytes] | None = None, remove: Iterable[str] = ()
    ) -> str:
        """A commit, of which the source `app` is told; returns its revision."""
        repo.commit(files, remove=remove)
        await self.request(SOURCE, "app")
        return revision(repo)

    async def request(self, kind: str, name: str) -> str:
        """What `flux reconcile` and webhooks do; returns the token."""
        token = f"{time.time_ns()}"
        await self.change(kind, name, {"metadata": {"annotations": {REQUESTED_AT: token}}})
        return token

    async def reconcile(self, kind: str, name: str) -> JsonObject:
        """Requests a reconcile and waits until it is answered."""
        token = await self.request(kind, name)
        return await self.until(kind, name, lambda found: found["status"].get("lastHandledReconcileAt") == token)

    async def until(self, kind: str, name: str, holds: Holds, seconds: float = SECONDS) -> JsonObject:
        """The object as it is when it is as wanted.

        Raises:
            AssertionError: it never was; with conditions, events and the end of the controllers' log.
        """
        deadline = time.monotonic() + seconds
        while True:
            found = await self.find(kind, name)
            if found is not None and holds(found):
                return found
            if time.monotonic() > deadline:
                raise AssertionError(await self._story_of(kind, name, found, seconds))
            await asyncio.sleep(POLL_SECONDS)

    async def until_gone(self, kind: str, name: str, seconds: float = SECONDS) -> None:
        """Waits until there is no such object."""
        deadline = time.monotonic() + seconds
        while (found := await self.find(kind, name)) is not None:
            if time.monotonic() > deadline:
                raise AssertionError(await self._story_of(kind, name, found, seconds))
            await asyncio.sleep(POLL_SECONDS)

    async def until_data(self, name: str, seconds: float = SECONDS, **data: str) -> JsonObject:
        """Waits until a ConfigMap holds exactly this."""
        return await self.until("ConfigMap", name, lambda found: found.get("data") == data, seconds)

    async def until_ready(self, kind: str, name: str, at: str = "", seconds: float = SECONDS) -> JsonObject:
        """Waits for Ready, at a revision if one is named."""
        return await self.until(kind, name, lambda found: is_ready(found) and at in ("", applied(found)), seconds)

    async def until_failed(self, kind: str, name: str, reason: str, text: str = "") -> JsonObject:
        """Waits for Ready=False with this reason, and a text in its message."""

        def holds(found: JsonObject) -> bool:
            ready = condition(found, "Ready")
            return (ready["status"], ready["reason"]) == ("False", reason) and text in ready["message"]

        return await self.until(kind, name, holds)

    async def events(self, kind: str, name: str) -> list[JsonObject]:
        """The events on an object, oldest first."""
        listed = await self.api.get(
            f"{self.path('Event')}?fieldSelector=involvedObject.kind={kind},involvedObject.name={name}"
        )
        return sorted(listed["items"], key=lambda event: str(event["firstTimestamp"]))

    async def until_event(self, kind: str, name: str, reason: str = "", text: str = "") -> JsonObject:
        """Waits for an event with this reason, or any, and a text in its message."""
        deadline = time.monotonic() + SECONDS
        while True:
            for event in await self.events(kind, name):
                if reason in ("", event["reason"]) and text in event["message"]:
                    return event
            if time.monotonic() > deadline:
                story = await self._story_of(kind, name, await self.find(kind, name), SECONDS)
                raise AssertionError(f"no event {reason} with {text!r}\n{story}")
            await asyncio.sleep(POLL_SECONDS)

    def labelled(self, obj: JsonObject) -> JsonObject:
        """The object, for the controllers of this tenant's shard where it has one."""
        if not self.shard:
            return obj
        labels = {"labels": {SHARD: self.shard}}
        labelled = {**obj, "metadata": {**obj["metadata"], **labels}}
        if obj["kind"] == RELEASE:  # the chart that is made of it is for the same controllers
            labelled["spec"] = {**obj["spec"], "chart": {**obj["spec"]["chart"], "metadata": labels}}
        return labelled

    async def _story_of(self, kind: str, name: str, found: JsonObject | None, seconds: float) -> str:
        """What anybody needs to find out why."""
        lines = [f"{kind} {self.namespace}/{name} is not as wanted after {seconds:g} s"]
        if found is None:
            lines.append("it is not there")
        else:
            status = {**found.get("status", {}), "conditions": "…"}
            lines += [f"  {entry}" for entry in conditions(found)]
            lines.append(
                json.dumps({**found, "metadata": {**found["metadata"], "managedFields": "…"}, "status": status})
            )
        for owner in OWNERS:
            for item in (await self.api.get(self.path(owner)))["items"]:
                lines.append(f"{owner} {item['metadata']['name']}: {conditions(item)}")
        for event in (await self.api.get(self.path("Event")))["items"]:
            about = event["involvedObject"]
            if about["kind"] in GROUPS:
                lines.append(f"event {about['kind']}/{about['name']} {event['reason']}: {event['message']}")
        about = [line[:2000] for line in self.said(500).splitlines() if self.namespace in line]
        return "\n".join([*lines, "--- log", *about[-20:]])

    async def _delete_all(self, kind: str, *, patient: bool) -> None:
        names = await self.names(kind)
        for name in names:
            # Its owner may have been faster: a HelmRelease takes its HelmChart along.
            await self.api.discard(self.path(kind, name))
        try:
            for name in names if patient else ():
                await self.until_gone(kind, name)
        finally:
            for name in await self.names(kind):
                with contextlib.suppress(Refused):
                    await self.change(kind, name, {"metadata": {"finalizers": None}})


def conditions(found: JsonObject) -> list[tuple[str, str, str, str]]:
    """Type, status, reason and message, in their order."""
    entries = found.get("status", {}).get("conditions", [])
    return [(entry["type"], entry["status"], entry["reason"], entry["message"]) for entry in entries]


def condition(found: JsonObject, kind: str) -> JsonObject:
    """The condition of a type, or one with empty words."""
    entries = found.get("status", {}).get("conditions", [])
    nothing = {"status": "", "reason": "", "message": ""}
    return next((entry for entry in entries if entry["type"] == kind), nothing)


def is_ready(found: JsonObject) -> bool:
    """Current, as kstatus reads it."""
    if found["metadata"]["generation"] != found.get("status", {}).get("observedGeneration"):
        return False
    is_busy = any(condition(found, kind)["status"] == "True" for kind in ("Reconciling", "Stalled"))
    return condition(found, "Ready")["status"] == "True" and not is_busy


def applied(found: JsonObject) -> str:
    """The revision that a source serves, or that a Kustomization applied last."""
    status = found.get("status", {})
    if found["kind"] == SOURCE:
        return str((status.get("artifact") or {}).get("revision", ""))
    return str(status.get("lastAppliedRevision", ""))


def revision(repo: GitRepo, branch: str = "main") -> str:
    """How Flux writes the tip of a branch."""
    return f"{branch}@sha1:{repo.resolve(f'refs/heads/{branch}')}"


def inventory(found: JsonObject) -> set[str]:
    """The ids of what a Kustomization answers for."""
    return {entry["id"] for entry in (found["status"].get("inventory") or {}).get("entries", [])}


def decoded(secret: JsonObject) -> dict[str, str]:
    """The values of a Secret."""
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}


def is_released(release: JsonObject, version: str) -> bool:
    """Whether a HelmRelease is ready, for its present spec, with its chart in this version."""
    status = release.get("status", {})
    is_observed = status.get("observedGeneration") == release["metadata"]["generation"]
    return is_observed and is_ready(release) and status["history"][0]["chartVersion"] == version
