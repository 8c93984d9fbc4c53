"""The definitions in a chart's crds/: applied before the rest by their policy, and never deleted."""

import base64
from collections.abc import Sequence
from datetime import timedelta

from tidegate.adapters.chart_jobs import Crd
from tidegate.engine import identity, messages, normalize, ownership
from tidegate.engine.apply import CREATE_ONLY
from tidegate.engine.waits import HealthError
from tidegate.helm.release import manifests
from tidegate.helm.release.record import Record
from tidegate.helm.release.scope import CONCURRENT, Scope
from tidegate.runtime import bounded, errors, logs, threads
from tidegate.runtime.errors import TidegateError
from tidegate_api.codec import JsonObject
from tidegate_api.helm.v2.actions import CRDsPolicy
from tidegate_api.meta.objects import ObjectKey

log = logs.get_logger(__name__)

ESTABLISHED_WITHIN = timedelta(seconds=60)


class CrdFailed(TidegateError):
    """A definition could not be applied, or was not established in time."""


async def apply(scope: Scope, crds: Sequence[Crd]) -> bool:
    """Apply the definitions by the policy, wait until they are served, and say whether there were any to apply.

    Raises: CrdFailed, Superseded.
    """
    if scope.options.crds == CRDsPolicy.SKIP or not crds:
        return False
    definitions = await threads.run(_definitions, crds)
    written = await bounded.each(lambda obj: _apply_one(scope, obj), definitions, CONCURRENT)
    applied = [obj for obj, is_written in zip(definitions, written, strict=True) if is_written]
    if not applied:
        return False
    targets = [
        (await scope.client.discovery.find(obj["apiVersion"], obj["kind"]), identity.object_id(obj)) for obj in applied
    ]
    try:
        await scope.watcher.until_members(targets, ESTABLISHED_WITHIN)
    except HealthError as error:
        raise CrdFailed(f"failed to wait for CustomResourceDefinition(s): {error}") from error
    scope.client.discovery.invalidate()
    return True


def on_record(record: Record) -> list[JsonObject]:
    """The definitions in the crds/ of a chart as its release stores it; those of its subcharts are not stored."""
    found: list[JsonObject] = []
    for file in record.chart.get("files") or ():
        if str(file.get("name")).startswith("crds/"):
            found += _definitions_in(str(file.get("data") or ""))
    return found


def _definitions_in(data: str) -> list[JsonObject]:
    try:
        objects = manifests.read(base64.b64decode(data).decode())
    except (ValueError, manifests.InvalidManifest):
        return []
    return [obj for obj in objects if _is_definition(obj)]


def _is_definition(obj: JsonObject) -> bool:
    return normalize.is_crd(obj) and manifests.problem(obj) is None


def _definitions(crds: Sequence[Crd]) -> list[JsonObject]:
    """What in crds/ is a definition; the rest is nobody's there: charts have templates for it (H17)."""
    found: list[JsonObject] = []
    for crd in crds:
        try:
            objects = manifests.read(crd.text)
        except manifests.InvalidManifest as error:
            raise CrdFailed(f"failed to parse CustomResourceDefinitions from {crd.name}: {error}") from error
        found += [obj for obj in objects if _is_definition(obj)]
        others = [str(identity.object_id(obj)) for obj in objects if not normalize.is_crd(obj)]
        if others:
            log.warning("objects in crds/ ignored, they are no definitions", file=crd.name, objects=others[:10])
    return found


async def _apply_one(scope: Scope, definition: JsonObject) -> bool:
    """Whether it was applied: one that exists already stays as it is, unless the policy replaces it."""
    wanted = normalize.normalize(ownership.set_owner(definition, scope.owner))
    wanted = {name: value for name, value in wanted.items() if name != "status"}
    resource = await scope.client.discovery.find(wanted["apiVersion"], wanted["kind"])
    if scope.options.crds == CRDsPolicy.CREATE:
        # A definition has half a megabyte, and at an upgrade it is there.
        if await scope.client.find(resource, ObjectKey.of(wanted), metadata_only=True) is not None:
            return False
        wanted = {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": CREATE_ONLY}}
    scope.log(f"applying CustomResourceDefinition {definition['metadata']['name']} with policy {scope.options.crds}")
    try:
        await scope.client.apply(resource, wanted, scope.members.migration.manager)
    except errors.ApiError as error:
        if scope.options.crds == CRDsPolicy.CREATE and isinstance(error, errors.Conflict):
            return False
        said = messages.cause(error)
        raise CrdFailed(f"failed to apply CustomResourceDefinition {definition['metadata']['name']}: {said}") from error
    return True
