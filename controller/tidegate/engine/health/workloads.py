"""Deployment, StatefulSet, DaemonSet and ReplicaSet: have the pods of the newest template taken over."""

from datetime import datetime

from tidegate.engine.health import status
from tidegate.engine.health.status import Health, Rule
from tidegate_api.codec import JsonObject

# The controller's word for "no deadline"; without one it reports no progress either.
_NO_DEADLINE = 2**31 - 1


def deployment(obj: JsonObject, _now: datetime | None) -> Health:
    """Current when all replicas are updated and available; Failed when the progress deadline has passed."""
    conditions = status.conditions(obj)
    if any(found.type == "Progressing" and found.reason == "ProgressDeadlineExceeded" for found in conditions):
        return status.failed("ProgressDeadlineExceeded", "Progress deadline exceeded")
    behind = _deployment_replicas(obj)
    if behind:
        return behind
    true = {(found.type, found.reason) for found in conditions if found.status == "True"}
    deadline = status.integer(obj, ("spec", "progressDeadlineSeconds"), _NO_DEADLINE)
    if deadline != _NO_DEADLINE and ("Progressing", "NewReplicaSetAvailable") not in true:
        return status.in_progress("ReplicaSetNotAvailable", "ReplicaSet not Available")
    if not any(kind == "Available" for kind, _ in true):
        return status.in_progress("DeploymentNotAvailable", "Deployment not Available")
    return status.current(f"Deployment is available. Replicas: {_count(obj, 'replicas')}")


def stateful_set(obj: JsonObject, _now: datetime | None) -> Health:
    """Current when all replicas, or those above the partition, run the update revision."""
    if status.text(obj, ("spec", "updateStrategy", "type"), "") == "OnDelete":
        return status.current("StatefulSet is using the ondelete update strategy")
    wanted = status.integer(obj, ("spec", "replicas"), 1)
    behind = _behind(obj, wanted, (("LessReplicas", "Replicas", "replicas"), ("LessReady", "Ready", "readyReplicas")))
    return behind or _surplus(obj, wanted) or _stateful_set_revision(obj, wanted)


def daemon_set(obj: JsonObject, _now: datetime | None) -> Health:
    """Current when every node that should run a pod runs an updated, available one."""
    for reason, path in (("NoGeneration", ("metadata", "generation")), ("NoObservedGeneration", _OBSERVED)):
        if status.require_integer(obj, path) is None:
            return status.in_progress(reason, f"{obj.get('kind')} {'.'.join(path)} not found")
    wanted = _count(obj, "desiredNumberScheduled", -1)
    if wanted == -1:
        return status.in_progress("NoDesiredNumber", "Missing .status.desiredNumberScheduled")
    steps = (
        ("LessCurrent", "Current", "currentNumberScheduled"),
        ("LessUpdated", "Updated", "updatedNumberScheduled"),
        ("LessAvailable", "Available", "numberAvailable"),
        ("LessReady", "Ready", "numberReady"),
    )
    return _behind(obj, wanted, steps) or status.current(f"All replicas scheduled as expected. Replicas: {wanted}")


def replica_set(obj: JsonObject, _now: datetime | None) -> Health:
    """Current when all replicas are labelled, available and ready."""
    if any(found.type == "ReplicaFailure" and found.status == "True" for found in status.conditions(obj)):
        return status.in_progress("ReplicaFailure", "Replica Failure condition. Check Pods")
    wanted = status.integer(obj, ("spec", "replicas"), 1)
    steps = (
        ("LessLabelled", "Labelled", "fullyLabeledReplicas"),
        ("LessAvailable", "Available", "availableReplicas"),
        ("LessReady", "Ready", "readyReplicas"),
    )
    behind = _behind(obj, wanted, steps) or _surplus(obj, wanted)
    return behind or status.current(f"ReplicaSet is available. Replicas: {_count(obj, 'replicas')}")


def _deployment_replicas(obj: JsonObject) -> Health | None:
    wanted = status.integer(obj, ("spec", "replicas"), 1)
    steps = (("LessReplicas", "Replicas", "replicas"), ("LessUpdated", "Updated", "updatedReplicas"))
    behind = _behind(obj, wanted, steps) or _surplus(obj, wanted)
    if behind:
        return behind
    updated, available = _count(obj, "updatedReplicas"), _count(obj, "availableReplicas")
    if updated > available:
        return status.in_progress("LessAvailable", f"Available: {available}/{updated}")
    return _behind(obj, wanted, (("LessReady", "Ready", "readyReplicas"),))


def _stateful_set_revision(obj: JsonObject, wanted: int) -> Health:
    partition = status.integer(obj, ("spec", "updateStrategy", "rollingUpdate", "partition"), -1)
    if partition != -1:
        updated, above = _count(obj, "updatedReplicas"), wanted - partition
        if updated < above:
            return status.in_progress("PartitionRollout", f"updated: {updated}/{above}")
        return status.current(f"Partition rollout complete. updated: {updated}")
    behind = _behind(obj, wanted, (("LessCurrent", "current", "currentReplicas"),))
    if behind:
        return behind
    if status.text(obj, ("status", "currentRevision"), "") != status.text(obj, ("status", "updateRevision"), ""):
        return status.in_progress("RevisionMismatch", "Waiting for updated revision to match current")
    return status.current(f"All replicas scheduled as expected. Replicas: {_count(obj, 'replicas')}")


def _surplus(obj: JsonObject, wanted: int) -> Health | None:
    replicas = _count(obj, "replicas")
    if replicas > wanted:
        return status.in_progress("ExtraPods", f"Pending termination: {replicas - wanted}")
    return None


def _behind(obj: JsonObject, wanted: int, steps: tuple[tuple[str, str, str], ...]) -> Health | None:
    """The first of (reason, word, status field) whose count is below `wanted`."""
    for reason, word, field in steps:
        count = _count(obj, field)
        if wanted > count:
            return status.in_progress(reason, f"{word}: {count}/{wanted}")
    return None


def _count(obj: JsonObject, field: str, default: int = 0) -> int:
    return status.integer(obj, ("status", field), default)


def _status_fields(*names: str) -> tuple[status.Path, ...]:
    return tuple(("status", name) for name in names)


_OBSERVED = ("status", "observedGeneration")
_REPLICAS = ("spec", "replicas")

_DEPLOYMENT = Rule(
    deployment,
    (
        _REPLICAS,
        ("spec", "progressDeadlineSeconds"),
        *_status_fields("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"),
    ),
    frozenset({"Progressing", "Available"}),
)
_STATEFUL_SET = Rule(
    stateful_set,
    (
        _REPLICAS,
        ("spec", "updateStrategy", "type"),
        ("spec", "updateStrategy", "rollingUpdate", "partition"),
        *_status_fields("replicas", "readyReplicas", "currentReplicas", "updatedReplicas"),
        *_status_fields("currentRevision", "updateRevision"),
    ),
)
_DAEMON_SET = Rule(
    daemon_set,
    _status_fields(
        "desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady"
    ),
)
_REPLICA_SET = Rule(
    replica_set,
    (_REPLICAS, *_status_fields("replicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas")),
    frozenset({"ReplicaFailure"}),
)

RULES = {
    ("apps", "Deployment"): _DEPLOYMENT,
    ("extensions", "Deployment"): _DEPLOYMENT,
    ("apps", "StatefulSet"): _STATEFUL_SET,
    ("apps", "DaemonSet"): _DAEMON_SET,
    ("extensions", "DaemonSet"): _DAEMON_SET,
    ("apps", "ReplicaSet"): _REPLICA_SET,
    ("extensions", "ReplicaSet"): _REPLICA_SET,
}
