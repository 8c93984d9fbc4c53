"""In which ranks a set of objects is applied, and in which order it is reported and pruned.

Ranks are ours and finer than Flux's stages: objects of one rank do not need each other and go at once. The total order
is Flux's, so that change sets and inventories read the same.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum

from tidegate.engine import identity
from tidegate.engine.identity import ObjectId
from tidegate_api.codec import JsonObject

CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")
RBAC = "rbac.authorization.k8s.io"


class Stage(IntEnum):
    """The ranks, in the order they are applied."""

    DEFINITIONS = 0
    CLASSES = 1  # Those that need one of the definitions; the API server's own go with the definitions.
    CUSTOM = 2
    ACCOUNTS = 3
    CONFIGURATION = 4
    WORKLOADS = 5
    ADMISSION = 6


_STAGES: dict[tuple[str, str], Stage] = {
    CRD: Stage.DEFINITIONS,
    ("", "Namespace"): Stage.DEFINITIONS,
    (RBAC, "ClusterRole"): Stage.DEFINITIONS,
    ("", "ResourceQuota"): Stage.ACCOUNTS,
    ("", "LimitRange"): Stage.ACCOUNTS,
    ("", "ServiceAccount"): Stage.ACCOUNTS,
    (RBAC, "Role"): Stage.ACCOUNTS,
    (RBAC, "RoleBinding"): Stage.CONFIGURATION,
    (RBAC, "ClusterRoleBinding"): Stage.CONFIGURATION,
    ("", "ConfigMap"): Stage.CONFIGURATION,
    ("", "Secret"): Stage.CONFIGURATION,
    ("", "Service"): Stage.CONFIGURATION,
    ("", "PersistentVolume"): Stage.CONFIGURATION,
    ("", "PersistentVolumeClaim"): Stage.CONFIGURATION,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): Stage.ADMISSION,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): Stage.ADMISSION,
    ("apiregistration.k8s.io", "APIService"): Stage.ADMISSION,
}
_BUILT_IN_CLASSES = frozenset(
    {
        ("networking.k8s.io", "IngressClass"),
        ("node.k8s.io", "RuntimeClass"),
        ("resource.k8s.io", "DeviceClass"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttributesClass"),
    }
)

# Flux's order of kinds, whatever their group; all others stand between the two.
_FIRST = (
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
)
_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_KIND_ORDER = {kind: place - len(_FIRST) for place, kind in enumerate(_FIRST)} | {
    kind: place + 1 for place, kind in enumerate(_LAST)
}

SortKey = tuple[int, str, str, str, str]


@dataclass(frozen=True)
class Rank:
    """Objects to apply at once, and the ones among them that must be Current before the next rank starts."""

    objects: tuple[JsonObject, ...]
    wait_for: tuple[ObjectId, ...]


def parse_kinds(text: str) -> frozenset[tuple[str, str]]:
    """The value of `--custom-apply-stage-kinds`, such as `apps/Deployment,Secret`, as (group, kind) pairs."""
    pairs = (item.strip().split("/", 1) for item in text.split(",") if item.strip())
    return frozenset((pair[0], pair[1]) if len(pair) == 2 else ("", pair[0]) for pair in pairs)


def stage_of(oid: ObjectId, custom: Collection[tuple[str, str]] = ()) -> Stage:
    """The rank that an object belongs to."""
    if _STAGES.get(oid.group_kind) is Stage.DEFINITIONS or oid.group_kind in _BUILT_IN_CLASSES:
        return Stage.DEFINITIONS
    if oid.kind.endswith("Class"):
        return Stage.CLASSES
    if oid.group_kind in custom:
        return Stage.CUSTOM
    return _STAGES.get(oid.group_kind, Stage.WORKLOADS)


def build_ranks(objects: Iterable[JsonObject], custom: Collection[tuple[str, str]] = ()) -> list[Rank]:
    """The non-empty ranks of a set, first to last, each in Flux's order."""
    by_stage: dict[Stage, list[tuple[ObjectId, JsonObject]]] = defaultdict(list)
    for obj in objects:
        oid = identity.object_id(obj)
        by_stage[stage_of(oid, custom)].append((oid, obj))
    return [_rank(by_stage[stage]) for stage in sorted(by_stage)]


def report_order(oids: Iterable[ObjectId], custom: Collection[tuple[str, str]] = ()) -> list[ObjectId]:
    """The order in which Flux lists what it applied: by its four stages, then by its order of kinds."""
    return sorted(oids, key=lambda oid: (_flux_stage(oid, custom), sort_key(oid)))


def prune_order(oids: Iterable[ObjectId]) -> list[ObjectId]:
    """The order in which Flux deletes: its order of kinds, backwards."""
    return sorted(oids, key=sort_key, reverse=True)


def sort_key(oid: ObjectId) -> SortKey:
    """Flux's total order: fixed kinds first and last, then group, kind, namespace and name."""
    return _KIND_ORDER.get(oid.kind, 0), oid.group, oid.kind, oid.namespace, oid.name


def _rank(members: list[tuple[ObjectId, JsonObject]]) -> Rank:
    members = sorted(members, key=lambda member: sort_key(member[0]))
    # An unestablished definition has no endpoint: its custom resources would be 404.
    waits = tuple(oid for oid, _ in members if oid.group_kind == CRD)
    return Rank(tuple(obj for _, obj in members), waits)


def _flux_stage(oid: ObjectId, custom: Collection[tuple[str, str]]) -> int:
    if _STAGES.get(oid.group_kind) is Stage.DEFINITIONS:
        return 0
    if oid.kind.endswith("Class"):
        return 1
    return 2 if oid.group_kind in custom else 3
