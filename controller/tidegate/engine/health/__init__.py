"""Is an object as its controller wants it: kstatus' verdicts, a file per group of kinds.

status.py       the verdict, what a rule is, and how it reads an object
workloads.py    Deployment, StatefulSet, DaemonSet, ReplicaSet
pods.py         Pod, and what failed pods say of their owner
jobs.py         Job, as Flux reads it
objects.py      Service, PersistentVolumeClaim, CustomResourceDefinition and the kinds that are always well
generic.py      what holds for every kind: deletion, generation, Reconciling, Stalled, Ready
verdict.py      compute_status and extract: all rules together

Rules are pure and know only the object; none waits, reads or logs.
"""

from tidegate.engine.health.status import NOT_FOUND, Health, HealthStatus
from tidegate.engine.health.verdict import compute_status, extract, has_status

__all__ = ["NOT_FOUND", "Health", "HealthStatus", "compute_status", "extract", "has_status"]
