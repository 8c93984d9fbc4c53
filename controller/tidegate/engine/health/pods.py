"""Pod, and what failed pods say of the set that owns them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate.engine.health import status
from tidegate.engine.health.status import Health, HealthStatus, Rule
from tidegate_api.codec import JsonObject

SCHEDULE_WINDOW = timedelta(seconds=15)
"""How long a pod may go without a node before it counts as failed: the verdict changes then without an event."""

CONTAINER_STATUSES = ("status", "containerStatuses")
_SETS = frozenset({("apps", "StatefulSet"), ("apps", "ReplicaSet")})


def pod(obj: JsonObject, now: datetime | None) -> Health:
    """Current when ready or done, even if not successfully; Failed in a crash loop or, given `now`, without a node."""
    phase = status.text(obj, ("status", "phase"), "")
    match phase:
        case "Succeeded":
            return status.current("Pod has completed successfully")
        case "Failed":
            return status.current("Pod has completed, but not successfully")
        case "Running":
            return _running(obj)
        case "Pending":
            return _pending(obj, now)
        case "":
            return status.in_progress("PodNotObserved", "Pod phase not available")
        case _:
            return Health(HealthStatus.UNKNOWN, f"unknown phase {phase}")


def with_pods(group_kind: tuple[str, str], health: Health, pods: Iterable[tuple[JsonObject, Health]]) -> Health:
    """The verdict on a StatefulSet or ReplicaSet once its pods, each with its own verdict, are known too.

    A pod that is being deleted or finds no node says nothing: a rollout or an autoscaler will see to it.
    """
    if group_kind not in _SETS or health.status is not HealthStatus.IN_PROGRESS:
        return health
    broken = [member for member, verdict in pods if verdict.status is HealthStatus.FAILED and not _is_transient(member)]
    return status.failed("PodsFailed", f"{len(broken)} pods have failed") if broken else health


def waiting_containers(container_statuses: Any) -> list[JsonObject]:
    """Of status.containerStatuses what a verdict reads: names of waiting containers and why they wait."""
    found = container_statuses if isinstance(container_statuses, list) else []
    reasons = ((status.find(item, ("name",)), status.find(item, ("state", "waiting", "reason"))) for item in found)
    return [{"name": name, "state": {"waiting": {"reason": reason}}} for name, reason in reasons if reason]


def _running(obj: JsonObject) -> Health:
    if any(found.type == "Ready" and found.status == "True" for found in status.conditions(obj)):
        return status.current("Pod is Ready")
    waiting = waiting_containers(status.find(obj, CONTAINER_STATUSES))
    looping = [item["name"] for item in waiting if item["state"]["waiting"]["reason"] == "CrashLoopBackOff"]
    names = [name for name in looping if isinstance(name, str)]
    if names:
        return status.failed("ContainerCrashLooping", f"Containers in CrashLoop state: {','.join(names)}")
    return status.in_progress("PodRunningNotReady", "Pod is running but is not Ready")


def _pending(obj: JsonObject, now: datetime | None) -> Health:
    if not _is_unschedulable(obj):
        return status.in_progress("PodPending", "Pod is in the Pending phase")
    if now is None or now - SCHEDULE_WINDOW < _created(obj):
        return status.in_progress("PodNotScheduled", "Pod has not been scheduled")
    return status.failed("PodUnschedulable", "Pod could not be scheduled")


def _is_transient(obj: JsonObject) -> bool:
    return bool(status.find(obj, ("metadata", "deletionTimestamp"))) or _is_unschedulable(obj)


def _is_unschedulable(obj: JsonObject) -> bool:
    # Only the first such condition counts.
    scheduled = (found for found in status.conditions(obj) if found.type == "PodScheduled" and found.status == "False")
    first = next(scheduled, None)
    return first is not None and first.reason == "Unschedulable"


def _created(obj: JsonObject) -> datetime:
    try:
        return datetime.fromisoformat(status.text(obj, ("metadata", "creationTimestamp"), "")).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


RULES = {
    ("", "Pod"): Rule(
        pod,
        (("metadata", "creationTimestamp"), ("status", "phase"), CONTAINER_STATUSES),
        frozenset({"Ready", "PodScheduled"}),
    ),
}
