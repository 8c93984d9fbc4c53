"""The shape that every built object must have, and the metadata that all of them are given. Pure."""

from typing import Any

from tidegate.kustomize.errors import BuildError
from tidegate_api.codec import JsonObject
from tidegate_api.meta.kustomize import CommonMetadata

MAX_OBJECTS = 10_000
_MAX_PROBLEMS = 20


def require_valid(objects: list[Any]) -> list[JsonObject]:
    """`objects`, if each is one that the API server could take at all.

    Raises:
        BuildError: names every object that is not, and why.
    """
    if len(objects) > MAX_OBJECTS:
        raise BuildError(f"{len(objects)} objects are more than {MAX_OBJECTS}")
    problems = [
        f"{_name(obj, position)}: {problem}" for position, obj in enumerate(objects) if (problem := _check(obj))
    ]
    if problems:
        more = f"\n… and {len(problems) - _MAX_PROBLEMS} more" if len(problems) > _MAX_PROBLEMS else ""
        raise BuildError("invalid objects:\n" + "\n".join(problems[:_MAX_PROBLEMS]) + more)
    return objects


def apply_common_metadata(obj: JsonObject, common: CommonMetadata | None) -> JsonObject:
    """`obj` with the common labels and annotations; they replace equal keys. `obj` itself stays as it is."""
    if common is None or not (common.labels or common.annotations):
        return obj
    metadata = dict(obj.get("metadata") or {})
    for name, more in (("labels", common.labels), ("annotations", common.annotations)):
        if more:
            metadata[name] = {**(metadata.get(name) or {}), **more}
    return {**obj, "metadata": metadata}


def _check(obj: Any) -> str:
    if not isinstance(obj, dict):
        return "not a mapping"
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        return "metadata is missing" if metadata is None else "metadata is not a mapping"
    for where, value in (
        ("apiVersion", obj.get("apiVersion")),
        ("kind", obj.get("kind")),
        ("metadata.name", metadata.get("name")),
    ):
        if not isinstance(value, str) or not value:
            return f"{where} is missing" if value in (None, "") else f"{where} must be a string"
    if obj["kind"].endswith("List") and isinstance(obj.get("items"), list):
        return "a list inside a list"
    if not isinstance(metadata.get("namespace") or "", str):
        return "metadata.namespace must be a string"
    return _check_texts(metadata, "labels") or _check_texts(metadata, "annotations")


def _check_texts(metadata: JsonObject, name: str) -> str:
    texts = metadata.get(name)
    if texts is None:
        return ""
    if not isinstance(texts, dict):
        return f"metadata.{name} is not a mapping"
    wrong = [key for key, value in texts.items() if not isinstance(value, str)]
    return f"metadata.{name}[{wrong[0]!r}] must be a string" if wrong else ""


def _name(obj: Any, position: int) -> str:
    """Kind/namespace/name as far as they are there, with the position where they are not enough."""
    if not isinstance(obj, dict):
        return f"object {position + 1}"
    metadata = obj.get("metadata")
    parts = [
        obj.get("kind"),
        *((metadata.get("namespace"), metadata.get("name")) if isinstance(metadata, dict) else ()),
    ]
    named = "/".join(str(part)[:253] for part in parts if isinstance(part, str) and part)
    return named or f"object {position + 1}"
