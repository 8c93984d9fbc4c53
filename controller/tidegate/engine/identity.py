"""What names an object whatever its API version, and the texts it is written as."""

import re
from enum import StrEnum
from typing import Any

from msgspec import Struct

from tidegate.runtime import resources
from tidegate.runtime.errors import TidegateError
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

_RBAC = "rbac.authorization.k8s.io"
_NAMES_WITH_COLONS = frozenset((_RBAC, kind) for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"))

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_GROUP = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")
# What the API server lets stand in a path: object names may be more than DNS names (RBAC, IPAddress).
_NAME = re.compile(r"[^/%\s\x00-\x1f\x7f]{1,253}")


class InvalidId(TidegateError):
    """A stored text names no object."""


class ChangeAction(StrEnum):
    """What became of one object, in the word that change sets use."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


class ObjectId(Struct, frozen=True, order=True, gc=False):
    """Namespace (empty: cluster-scoped), name, group and kind; two versions of one object have one id."""

    namespace: str
    name: str
    group: str
    kind: str

    def __str__(self) -> str:
        """The form for users: `Kind/namespace/name`, or `Kind/name`."""
        if self.namespace:
            return f"{self.kind}/{self.namespace}/{self.name}"
        return f"{self.kind}/{self.name}"

    @property
    def group_kind(self) -> tuple[str, str]:
        """Group and kind."""
        return self.group, self.kind

    @property
    def key(self) -> ObjectKey:
        """Where the object is among those of its kind."""
        return ObjectKey(self.namespace, self.name)

    @property
    def inventory_id(self) -> str:
        """The form of inventories: `namespace_name_group_kind`, with `__` for a colon in an RBAC name."""
        name = self.name.replace(":", "__") if self.group_kind in _NAMES_WITH_COLONS else self.name
        return f"{self.namespace}_{name}_{self.group}_{self.kind}"


def object_id(obj: JsonObject) -> ObjectId:
    """The id of an object; parts that are missing or no text are empty (see `shape_problem`)."""
    metadata = obj.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    group, _ = resources.split_api_version(_text(obj.get("apiVersion")))
    return ObjectId(_text(metadata.get("namespace")), _text(metadata.get("name")), group, _text(obj.get("kind")))


def version_of(obj: JsonObject) -> str:
    """The API version of an object without its group."""
    _, version = resources.split_api_version(_text(obj.get("apiVersion")))
    return version


def join_api_version(group: str, version: str) -> str:
    """`apps` and `v1` to `apps/v1`; the core group has no prefix."""
    return f"{group}/{version}" if group else version


def parse_inventory_id(text: str) -> ObjectId:
    """The id that an inventory entry stands for. Raises: InvalidId, also for parts that no object can have."""
    namespace, separator, rest = text.partition("_")
    parts = rest.rsplit("_", 2)
    if not separator or len(parts) != 3:
        raise InvalidId(f"unable to parse stored object metadata: {text}")
    name, group, kind = parts
    if (group, kind) in _NAMES_WITH_COLONS:
        name = name.replace("__", ":")
    if not _is_valid(namespace, name, group, kind):
        raise InvalidId(f"unable to parse stored object metadata: {text}")
    return ObjectId(namespace, name, group, kind)


def is_version(text: str) -> bool:
    """Whether `text` can be an API version such as `v1beta2`."""
    return _LABEL.fullmatch(text) is not None


def change_line(oid: ObjectId, action: ChangeAction) -> str:
    """One line of a change set, as events and logs show it."""
    return f"{oid} {action}"


def shape_problem(obj: Any) -> str | None:
    """Why `obj` cannot be sent to an API server as one object, or None."""
    if not isinstance(obj, dict):
        return "is not an object"
    for field in ("apiVersion", "kind"):
        if not isinstance(obj.get(field), str) or not obj[field]:
            return f"{field} is missing"
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        return "metadata.name is missing"
    if not isinstance(metadata.get("namespace"), str | None):
        return "metadata.namespace is not a string"
    if obj["kind"].endswith("List") and isinstance(obj.get("items"), list):
        return "is a list of objects"
    return _texts_problem(metadata, "labels") or _texts_problem(metadata, "annotations")


def _texts_problem(metadata: JsonObject, field: str) -> str | None:
    texts = metadata.get(field)
    if texts is None:
        return None
    if not isinstance(texts, dict):
        return f"metadata.{field} is not a map"
    for key, value in texts.items():
        if not isinstance(key, str) or not isinstance(value, str | None):
            return f"metadata.{field}: the value of {key!r} is not a string"
    return None


def _is_valid(namespace: str, name: str, group: str, kind: str) -> bool:
    return (
        (not namespace or _LABEL.fullmatch(namespace) is not None)
        and (not group or _GROUP.fullmatch(group) is not None)
        and _KIND.fullmatch(kind) is not None
        and _NAME.fullmatch(name) is not None
        and name not in {".", ".."}
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
