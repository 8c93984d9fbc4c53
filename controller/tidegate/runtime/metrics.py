"""Metrics under controller-runtime's and Flux's names. THE door to prometheus_client.

Series of an object are removed with the object, so cardinality is bounded by what exists in the cluster.
"""

import prometheus_client
from prometheus_client import Counter, Gauge, Histogram

# Go's client has no such series, and they would double the number of ours.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

DURATION_BUCKETS = tuple(0.01 * (1800 / 0.01) ** (step / 9) for step in range(10))

RECONCILE_DURATION = Histogram(
    "gotk_reconcile_duration_seconds",
    "How long a reconcile of an object took, in seconds.",
    ["kind", "name", "namespace"],
    buckets=DURATION_BUCKETS,
)
RECONCILES = Counter("controller_runtime_reconcile", "Reconciles by controller and result.", ["controller", "result"])
RECONCILE_ERRORS = Counter("controller_runtime_reconcile_errors", "Failed reconciles by controller.", ["controller"])
RECONCILE_TIME = Histogram(
    "controller_runtime_reconcile_time_seconds", "How long a reconcile took, in seconds.", ["controller"]
)
ACTIVE_WORKERS = Gauge("controller_runtime_active_workers", "Slots in use by controller.", ["controller"])
MAX_WORKERS = Gauge("controller_runtime_max_concurrent_reconciles", "Slots by controller.", ["controller"])
QUEUE_DEPTH = Gauge("workqueue_depth", "Keys that wait for a slot.", ["name", "controller"])
QUEUE_ADDS = Counter("workqueue_adds", "Keys added.", ["name", "controller"])
QUEUE_RETRIES = Counter("workqueue_retries", "Keys tried again after a failure.", ["name", "controller"])
REST_REQUESTS = Counter("rest_client_requests", "Requests to the API server by code and method.", ["code", "method"])
LEADER = Gauge("leader_election_master_status", "1 while this process leads under the Lease.", ["name"])
WATCH_RESTARTS = Counter("tidegate_watch_restarts", "Watches opened again, by cause.", ["resource", "cause"])
LOOP_LAG = Gauge("tidegate_event_loop_lag_seconds", "How late the event loop ran its last timer, in seconds.")


def forget_object(kind: str, name: str, namespace: str) -> None:
    """Remove the series of an object that is gone."""
    try:
        RECONCILE_DURATION.remove(kind, name, namespace)
    except KeyError:
        return


def render() -> tuple[bytes, str]:
    """The exposition text and its content type."""
    return prometheus_client.generate_latest(), prometheus_client.CONTENT_TYPE_LATEST
