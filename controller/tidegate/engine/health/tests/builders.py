"""Objects in the shapes that verdicts are about, and the check that every table of verdicts makes."""

from datetime import UTC, datetime
from typing import Any

from tidegate.engine import health
from tidegate.engine.health import HealthStatus

CURRENT = HealthStatus.CURRENT
IN_PROGRESS = HealthStatus.IN_PROGRESS
FAILED = HealthStatus.FAILED
TERMINATING = HealthStatus.TERMINATING
UNKNOWN = HealthStatus.UNKNOWN
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)

KINDS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "ReplicaSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "PodDisruptionBudget": "policy/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "Widget": "example.com/v1",
    "Kustomization": "kustomize.toolkit.fluxcd.io/v1",
}


def an_object(kind: str, status: Any = None, spec: Any = None, **metadata: Any) -> dict[str, Any]:
    obj = {"apiVersion": KINDS.get(kind, "v1"), "kind": kind, "metadata": {"name": "x", "generation": 1, **metadata}}
    return obj | ({"spec": spec} if spec is not None else {}) | ({"status": status} if status is not None else {})


def a_condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> dict[str, str]:
    texts = {"type": kind, "status": status, "reason": reason, "message": message}
    return {key: text for key, text in texts.items() if text} | {"lastTransitionTime": "2026-01-01T00:00:00Z"}


def replicas(count: int = 1, *fields: str, **more: Any) -> dict[str, Any]:
    return {"observedGeneration": 1, **dict.fromkeys(fields, count), **more}


def check(obj: dict[str, Any], status: HealthStatus, reason: str, message: str | None = None) -> None:
    found = health.compute_status(obj, NOW)

    assert (found.status, found.reason) == (status, reason)
    assert message is None or found.message == message
    assert health.compute_status(health.extract(obj), NOW) == found
