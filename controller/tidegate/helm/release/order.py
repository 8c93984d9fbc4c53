"""In which order Helm installs and uninstalls objects: by kind, whatever their group."""

import itertools
from collections.abc import Collection, Iterable

from tidegate.adapters.chart_manifests import INSTALL_ORDER
from tidegate.engine import identity, stages
from tidegate.engine.identity import ObjectId
from tidegate.engine.stages import Rank
from tidegate_api.codec import JsonObject

# Not the reverse: what validates goes before what mutates, and services go before what they lead to.
UNINSTALL_ORDER = (
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "Ingress",
    "IngressClass",
    "Service",
    "CronJob",
    "Job",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "DaemonSet",
    "RoleBindingList",
    "RoleBinding",
    "RoleList",
    "Role",
    "ClusterRoleBindingList",
    "ClusterRoleBinding",
    "ClusterRoleList",
    "ClusterRole",
    "CustomResourceDefinition",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "ConfigMap",
    "SecretList",
    "Secret",
    "ServiceAccount",
    "PodDisruptionBudget",
    "PodSecurityPolicy",
    "LimitRange",
    "ResourceQuota",
    "NetworkPolicy",
    "Namespace",
    "PriorityClass",
)
_INSTALL = {kind: place for place, kind in enumerate(INSTALL_ORDER)}
_UNINSTALL = {kind: place for place, kind in enumerate(UNINSTALL_ORDER)}


def install_ranks(objects: Iterable[JsonObject], _custom: Collection[tuple[str, str]] = ()) -> list[Rank]:
    """One rank per kind, kinds that Helm does not know last and by name; in a rank the order that was given."""
    members = sorted(((identity.object_id(obj), obj) for obj in objects), key=lambda member: _rank(_INSTALL, member[0]))
    return [_build_rank(list(group)) for _, group in itertools.groupby(members, key=lambda member: member[0].kind)]


def uninstall_order(oids: Iterable[ObjectId]) -> list[ObjectId]:
    """The order in which objects are deleted, kinds that Helm does not know last."""
    return sorted(oids, key=lambda oid: _rank(_UNINSTALL, oid))


def _rank(places: dict[str, int], oid: ObjectId) -> tuple[int, str]:
    return (places[oid.kind], "") if oid.kind in places else (len(places), oid.kind)


def _build_rank(members: list[tuple[ObjectId, JsonObject]]) -> Rank:
    definitions = tuple(oid for oid, _ in members if oid.group_kind == stages.CRD)
    return Rank(tuple(obj for _, obj in members), definitions)
