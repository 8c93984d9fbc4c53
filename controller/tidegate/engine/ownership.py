"""Whose object is it: owner labels, and the traces of field managers that came before us."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from tidegate.engine import normalize
from tidegate_api.codec import JsonObject

KUSTOMIZE_GROUP = "kustomize.toolkit.fluxcd.io"
HELM_GROUP = "helm.toolkit.fluxcd.io"
_OWNER_KINDS = {KUSTOMIZE_GROUP: "Kustomization", HELM_GROUP: "HelmRelease"}

_DEAD_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/checksum",
    "fluxcd.io/sync-checksum",
)
# `kubectl rollout restart` is a wish about pods, not a change of ours: taking it over would restart them once more.
_RESTART = ("f:spec", "f:template", "f:metadata", "f:annotations", "f:kubectl.kubernetes.io/restartedAt")
_DEAD_LABELS = ("fluxcd.io/sync-gc-mark",)

JsonPatch = list[JsonObject]


class Owner(Struct, frozen=True, order=True, gc=False):
    """The applier of an object; `group` is the prefix of its labels."""

    group: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{_OWNER_KINDS.get(self.group, self.group)}/{self.namespace}/{self.name}"

    @property
    def labels(self) -> dict[str, str]:
        """The two labels that say so on an object."""
        return {f"{self.group}/name": self.name, f"{self.group}/namespace": self.namespace}


@dataclass(frozen=True)
class Migration:
    """Which managers' fields become ours: `manager` applies, `others` are `--override-manager` names or prefixes."""

    manager: str
    others: tuple[str, ...] = ()

    def takes(self, entry: Mapping[str, Any]) -> bool:
        """Whether this managedFields entry is to be merged into ours."""
        operation, name = entry.get("operation"), str(entry.get("manager") or "")
        if entry.get("subresource") or self.is_ours(entry) or _is_restart(entry):
            return False
        if operation == "Update" and name.startswith(("before-first-apply", self.manager)):
            return True
        return operation in {"Apply", "Update"} and name.startswith(("kubectl", *self.others))

    def is_ours(self, entry: Mapping[str, Any]) -> bool:
        """Whether this is the entry of our own applies."""
        return (
            entry.get("manager") == self.manager and entry.get("operation") == "Apply" and not entry.get("subresource")
        )


def set_owner(obj: JsonObject, owner: Owner) -> JsonObject:
    """`obj` with the labels of `owner`."""
    return normalize.with_metadata(obj, owner.labels, {})


def is_owned(obj: JsonObject, owner: Owner) -> bool:
    """Whether `obj` carries both labels of `owner`."""
    labels = _texts(obj, "labels")
    return all(labels.get(key) == value for key, value in owner.labels.items())


def find_owners(obj: JsonObject) -> list[Owner]:
    """Every Kustomization and HelmRelease that claims `obj` by both labels."""
    labels = _texts(obj, "labels")
    claims = ((group, labels.get(f"{group}/namespace"), labels.get(f"{group}/name")) for group in _OWNER_KINDS)
    return [Owner(group, namespace, name) for group, namespace, name in claims if namespace and name]


def other_owners(obj: JsonObject, owner: Owner) -> list[Owner]:
    """Those of `find_owners` that are not `owner`."""
    return [other for other in find_owners(obj) if other != owner]


def without_marks(obj: JsonObject) -> JsonObject:
    """A wanted object without the marks that `cleanup_patch` removes: in Git they would come and go for ever."""
    metadata = obj.get("metadata") or {}
    kept = {field: _unmarked(metadata[field]) for field in ("annotations", "labels") if metadata.get(field)}
    return {**obj, "metadata": {**metadata, **kept}} if any(kept[field] != metadata[field] for field in kept) else obj


def needs_cleanup(live: JsonObject, migration: Migration) -> bool:
    """Whether `cleanup_patch` would change anything."""
    return bool(
        any(migration.takes(entry) for entry in _managed_fields(live))
        or not _texts(live, "annotations").keys().isdisjoint(_DEAD_ANNOTATIONS)
        or not _texts(live, "labels").keys().isdisjoint(_DEAD_LABELS)
    )


def cleanup_patch(live: JsonObject, migration: Migration) -> JsonPatch:
    """A JSON patch that makes the fields of earlier managers ours and drops their marks; empty when there is nothing.

    With them ours, a field that our next apply leaves out is removed. The patch is refused with a Conflict when `live`
    is not the newest version, since it replaces all of managedFields.
    """
    patch = [
        *_removals("annotations", _texts(live, "annotations"), _DEAD_ANNOTATIONS),
        *_removals("labels", _texts(live, "labels"), _DEAD_LABELS),
    ]
    entries = _managed_fields(live)
    if any(migration.takes(entry) for entry in entries):
        patch.append(_replace_entries(_merged(entries, migration)))
    return _guarded(live, patch)


def version_patch(live: JsonObject, api_version: str) -> JsonPatch:
    """A JSON patch that dates all managedFields entries to `api_version`; empty when they are.

    An entry of an older version lacks fields that a newer one defaults, and the next apply fails on them.
    """
    entries = _managed_fields(live)
    dated = [{**entry, "apiVersion": api_version} for entry in entries]
    return [] if dated == entries else _guarded(live, [_replace_entries(dated)])


def merge_fields(first: JsonObject, second: JsonObject) -> JsonObject:
    """The union of two fieldsV1 sets."""
    if not first or not second:
        # An empty node is a member without members below it; beside some, it is written as a dot.
        below = first or second
        return {".": {}, **below} if below else {}
    merged = {key: merge_fields(below, second[key]) if key in second else below for key, below in first.items()}
    merged.update((key, below) for key, below in second.items() if key not in first)
    return merged


def _is_restart(entry: Mapping[str, Any]) -> bool:
    fields = entry.get("fieldsV1") or {}
    for step in _RESTART:
        if step not in fields or not fields.keys() <= {step, "."}:
            return False
        fields = fields[step]
    return True


def _merged(entries: list[JsonObject], migration: Migration) -> list[JsonObject]:
    taken = [entry for entry in entries if migration.takes(entry)]
    ours = next((entry for entry in entries if migration.is_ours(entry)), None)
    kept = [entry for entry in entries if entry is not ours and not migration.takes(entry)]
    result = {**(ours or taken[0]), "manager": migration.manager, "operation": "Apply"}
    sets = [entry["fieldsV1"] for entry in ([ours] if ours else []) + taken if entry.get("fieldsV1")]
    if sets:
        result["fieldsV1"] = _union(sets)
    return [*kept, result]


def _union(sets: list[JsonObject]) -> JsonObject:
    result = sets[0]
    for fields in sets[1:]:
        result = merge_fields(result, fields)
    return result


def _guarded(live: JsonObject, patch: JsonPatch) -> JsonPatch:
    version = (live.get("metadata") or {}).get("resourceVersion")
    if not patch or not version:
        return patch
    return [*patch, {"op": "replace", "path": "/metadata/resourceVersion", "value": version}]


def _replace_entries(entries: list[JsonObject]) -> JsonObject:
    return {"op": "replace", "path": "/metadata/managedFields", "value": entries}


def _removals(field: str, present: Mapping[str, str], keys: Iterable[str]) -> JsonPatch:
    return [{"op": "remove", "path": f"/metadata/{field}/{_pointer(key)}"} for key in keys if key in present]


def _unmarked(texts: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in texts.items() if key not in (*_DEAD_ANNOTATIONS, *_DEAD_LABELS)}


def _pointer(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _texts(obj: JsonObject, field: str) -> dict[str, str]:
    return (obj.get("metadata") or {}).get(field) or {}


def _managed_fields(obj: JsonObject) -> list[JsonObject]:
    return (obj.get("metadata") or {}).get("managedFields") or []
