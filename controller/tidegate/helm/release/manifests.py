"""The objects in a rendered manifest, and the marks that Helm and Flux put on them. Pure.

The stored manifest stays as it was rendered; the marks are added on the way to the API server.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.adapters import yaml
from tidegate.adapters.yaml import DuplicateKeys, YamlError
from tidegate.engine import identity, normalize, policy
from tidegate.engine.identity import ObjectId
from tidegate.engine.ownership import Owner
from tidegate.helm.release.model import ReleaseKey
from tidegate.runtime.errors import TidegateError
from tidegate_api.codec import JsonObject

MANAGED_BY = "app.kubernetes.io/managed-by"
HELM = "Helm"
RELEASE_NAME = "meta.helm.sh/release-name"
RELEASE_NAMESPACE = "meta.helm.sh/release-namespace"
HOOK = "helm.sh/hook"
_MAX_BYTES = 64 << 20


class InvalidManifest(TidegateError):
    """A manifest that was rendered holds something that cannot be sent to the API server."""


def read(manifest: str) -> list[JsonObject]:
    """The objects of a manifest in their order, whatever they are, lists taken apart. Raises: InvalidManifest."""
    try:
        documents = yaml.load_all(manifest.encode(), duplicate_keys=DuplicateKeys.LAST, max_bytes=_MAX_BYTES)
    except YamlError as error:
        # Not its excerpt: what is rendered may be a Secret.
        raise InvalidManifest(f"unable to parse the manifest: line {error.line}: {error.problem}") from error
    return [obj for document in documents if document for obj in _objects(document)]


def read_hook(manifest: str) -> list[JsonObject]:
    """The objects of a hook, which may leave their names to the server. Raises: InvalidManifest."""
    objects = read(manifest)
    for obj in objects:
        if (found := place_problem(obj)) is not None:
            raise InvalidManifest(f"{identity.object_id(obj)}: {found}")
    return objects


def sendable(objects: Iterable[JsonObject]) -> list[JsonObject]:
    """Those of `objects` that could ever have been applied."""
    return [obj for obj in objects if problem(obj) is None]


def require_sendable(objects: Iterable[JsonObject]) -> None:
    """Raises: InvalidManifest when an object cannot be sent as one, or is there twice."""
    problems: list[str] = []
    seen: Counter[ObjectId] = Counter()
    for obj in objects:
        oid = identity.object_id(obj)
        seen[oid] += 1
        if (found := problem(obj)) is not None:
            problems.append(f"{oid}: {found}")
        elif seen[oid] == 2:
            problems.append(f"{oid}: may not add resource with an already registered id")
    if problems:
        raise InvalidManifest("; ".join(problems[:10]))


def mark(
    obj: JsonObject, key: ReleaseKey, owner: Owner, labels: Mapping[str, str], notes: Mapping[str, str]
) -> JsonObject:
    """An object of the release as it is applied: common metadata, then the owner's labels, then Helm's marks."""
    common = normalize.with_metadata(obj, {**labels, **owner.labels}, notes)
    return normalize.with_metadata(
        common, {MANAGED_BY: HELM}, {RELEASE_NAME: key.name, RELEASE_NAMESPACE: key.namespace}
    )


def mark_hook(obj: JsonObject, owner: Owner, labels: Mapping[str, str], notes: Mapping[str, str]) -> JsonObject:
    """A hook as it is created: it does not belong to the release, so Helm does not mark it."""
    return normalize.with_metadata(obj, {**labels, **owner.labels}, notes)


def ownership_problem(live: JsonObject, key: ReleaseKey) -> str | None:
    """Why an object that is there is not the release's, in Helm's words; None when it is."""
    metadata = live.get("metadata") or {}
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    checks = (
        ("label", _difference(labels, MANAGED_BY, HELM)),
        ("annotation", _difference(notes, RELEASE_NAME, key.name)),
        ("annotation", _difference(notes, RELEASE_NAMESPACE, key.namespace)),
    )
    problems = [f"{where} validation error: {problem}" for where, problem in checks if problem]
    return f"invalid ownership metadata; {'; '.join(problems)}" if problems else None


def kept(objects: Iterable[JsonObject]) -> set[ObjectId]:
    """The objects that stay when the release goes, or stops wanting them."""
    return {identity.object_id(obj) for obj in objects if policy.is_kept(obj, policy.HELM)}


def place_problem(obj: JsonObject) -> str | None:
    """Why an object's name or namespace cannot stand in a path of the API; it may have neither."""
    metadata = obj.get("metadata")
    for field in ("name", "namespace"):
        value = metadata.get(field) if isinstance(metadata, dict) else None
        if not isinstance(value, str | None) or value in (".", ".."):
            return f"metadata.{field} is invalid"
    return None


def problem(obj: JsonObject) -> str | None:
    """Why `obj` cannot be sent to the API server as one object, or None."""
    return identity.shape_problem(obj) or place_problem(obj)


def _objects(document: Any) -> list[JsonObject]:
    if not isinstance(document, dict):
        raise InvalidManifest("the manifest holds a document that is no object")
    if str(document.get("kind")).endswith("List") and isinstance(document.get("items"), list):
        items = [item for item in document["items"] if item]
        if not all(isinstance(item, dict) for item in items):
            raise InvalidManifest("the manifest holds a list with items that are no objects")
        return items
    return [document]


def _difference(texts: Mapping[str, str], name: str, value: str) -> str | None:
    if name not in texts:
        return f'missing key "{name}": must be set to "{value}"'
    if texts[name] != value:
        return f'key "{name}" must equal "{value}": current value is "{texts[name]}"'
    return None
