"""All rules together: the verdict on an object, and the smallest part of an object that gives the same verdict."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate.engine.health import generic, jobs, objects, pods, status, workloads
from tidegate.engine.health.status import NOT_FOUND, Health, HealthStatus, Path, Rule, Unreadable
from tidegate.runtime import resources
from tidegate_api.codec import JsonObject

_RULES: Mapping[tuple[str, str], Rule] = {**workloads.RULES, **pods.RULES, **jobs.RULES, **objects.RULES}
_BY_READY = Rule(lambda obj, _now: generic.by_ready(obj), (), generic.READY)

_METADATA = ("name", "namespace", "uid", "resourceVersion", "generation", "deletionTimestamp", "ownerReferences")
# Owner labels and what users allow: what pruning asks of a live object.
_MARKS = ("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/")

_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
_WITHOUT_STATUS = frozenset(
    {
        *(("", kind) for kind in ("ConfigMap", "Secret", "ServiceAccount", "LimitRange", "Endpoints", "PodTemplate")),
        *((_RBAC, kind) for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")),
        *((_ADMISSION, f"{verb}WebhookConfiguration") for verb in ("Mutating", "Validating")),
        *((_ADMISSION, f"{verb}AdmissionPolicyBinding") for verb in ("Mutating", "Validating")),
        (_ADMISSION, "MutatingAdmissionPolicy"),
        ("apps", "ControllerRevision"),
        ("coordination.k8s.io", "Lease"),
        ("discovery.k8s.io", "EndpointSlice"),
        ("networking.k8s.io", "IngressClass"),
        ("networking.k8s.io", "NetworkPolicy"),
        ("node.k8s.io", "RuntimeClass"),
        ("resource.k8s.io", "DeviceClass"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSIStorageCapacity"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttributesClass"),
    }
)


def has_status(group: str, kind: str) -> bool:
    """Whether objects of a kind can be anything but there: if not, watching their metadata is enough."""
    return (group, kind) not in _WITHOUT_STATUS


def compute_status(obj: JsonObject | None, now: datetime | None = None) -> Health:
    """The verdict on a whole object or its extract; None is not found.

    `now` matters for pods alone: without it, one that finds no node is in progress for ever.
    """
    if obj is None:
        return NOT_FOUND
    rule = _rule(obj)
    try:
        verdict = generic.find_verdict(obj) if rule.generic_first else None
        return verdict or rule.judge(obj, now)
    except Unreadable as error:
        return Health(HealthStatus.UNKNOWN, str(error))


def extract(obj: JsonObject) -> JsonObject:
    """What caches keep of `obj`: enough for the same verdict, its identity, its owner's labels and users' marks."""
    rule = _rule(obj)
    small: JsonObject = {key: obj[key] for key in ("apiVersion", "kind") if key in obj}
    small["metadata"] = _metadata(obj.get("metadata"))
    for path in (("status", "observedGeneration"), *rule.fields):
        _copy(obj, small, path)
    if not isinstance(obj.get("status"), dict | None):
        small["status"] = obj["status"]
    elif status.find(obj, ("status", "conditions")) is not None:
        small.setdefault("status", {})["conditions"] = _conditions(obj, rule)
    return small


def _rule(obj: JsonObject) -> Rule:
    group, _ = resources.split_api_version(str(obj.get("apiVersion") or ""))
    return _RULES.get((group, str(obj.get("kind") or "")), _BY_READY)


def _metadata(metadata: Any) -> Any:
    if not isinstance(metadata, dict):
        return metadata
    small = {key: metadata[key] for key in _METADATA if key in metadata}
    for field in ("labels", "annotations"):
        marks = {key: text for key, text in (metadata.get(field) or {}).items() if key.startswith(_MARKS)}
        if marks:
            small[field] = marks
    return small


def _copy(obj: JsonObject, small: JsonObject, path: Path) -> None:
    value = status.find(obj, path)
    if value is None:
        return
    if path == pods.CONTAINER_STATUSES:
        value = pods.waiting_containers(value)
    for step in path[:-1]:
        small = small.setdefault(step, {})
    small[path[-1]] = value


def _conditions(obj: JsonObject, rule: Rule) -> Any:
    try:
        found = status.conditions(obj)
    except Unreadable:
        return obj["status"]["conditions"]
    wanted = rule.conditions | generic.CONDITIONS
    return [
        {"type": item.type, "status": item.status, "reason": item.reason, "message": item.message}
        for item in found
        if item.type in wanted
    ]
