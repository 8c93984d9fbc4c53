"""Verdicts on objects, as kstatus gives them, and the extracts that keep them.

The rules were compared with fluxcd/cli-utils' and fluxcd/pkg's own code over random objects; these tables pin them.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.engine import health, policy
from tidegate.engine.health import Health, HealthStatus, jobs, pods
from tidegate.engine.health.tests.builders import (
    CURRENT,
    FAILED,
    IN_PROGRESS,
    KINDS,
    NOW,
    TERMINATING,
    UNKNOWN,
    a_condition,
    an_object,
    check,
)
from tidegate.engine.ownership import KUSTOMIZE_GROUP, Owner

UNSCHEDULABLE = {"phase": "Pending", "conditions": [a_condition("PodScheduled", "False", "Unschedulable")]}


def looping(*names: str) -> list[dict[str, Any]]:
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}
    return [{"name": name, "state": waiting, "lastState": {"terminated": {}}} for name in names]


@pytest.mark.parametrize(
    ("status", "verdict", "reason", "message"),
    [
        pytest.param(None, IN_PROGRESS, "PodNotObserved", None, id="no-status"),
        pytest.param({"phase": "Running", "conditions": [a_condition("Ready")]}, CURRENT, "", None, id="ready"),
        pytest.param({"phase": "Running"}, IN_PROGRESS, "PodRunningNotReady", None, id="not-ready"),
        pytest.param({"phase": "Succeeded"}, CURRENT, "", None, id="succeeded"),
        pytest.param({"phase": "Failed"}, CURRENT, "", "Pod has completed, but not successfully", id="failed"),
        pytest.param({"phase": "Pending"}, IN_PROGRESS, "PodPending", None, id="pending"),
        pytest.param(UNSCHEDULABLE, FAILED, "PodUnschedulable", None, id="unschedulable"),
        pytest.param({"phase": "Odd"}, UNKNOWN, "", "unknown phase Odd", id="odd"),
        pytest.param(
            {"phase": "Running", "containerStatuses": [*looping("a", "b"), {"name": "c", "state": {"running": {}}}]},
            FAILED,
            "ContainerCrashLooping",
            "Containers in CrashLoop state: a,b",
            id="crash-loop",
        ),
        pytest.param(
            {"phase": "Running", "containerStatuses": ["x", {"state": "y"}, {"name": "c"}]},
            IN_PROGRESS,
            "PodRunningNotReady",
            None,
            id="odd-containers",
        ),
    ],
)
def test_pod(status, verdict, reason, message):
    check(an_object("Pod", status), verdict, reason, message)


@pytest.mark.parametrize(
    ("age", "now", "verdict"),
    [
        (timedelta(seconds=14), NOW, IN_PROGRESS),
        (timedelta(seconds=15), NOW, FAILED),
        (timedelta(hours=1), None, IN_PROGRESS),
    ],
)
def test_pod_has_a_while_to_find_a_node(age: timedelta, now: datetime | None, verdict: HealthStatus):
    created = (NOW - age).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert health.compute_status(an_object("Pod", UNSCHEDULABLE, creationTimestamp=created), now).status is verdict


def test_stateful_set_fails_with_its_pods():
    waiting = Health(IN_PROGRESS, "Ready: 0/1", "LessReady")
    broken = an_object("Pod", {"phase": "Running", "containerStatuses": looping("a")})
    leaving = an_object("Pod", {"phase": "Running", "containerStatuses": looping("a")}, deletionTimestamp="2026")
    homeless = an_object("Pod", UNSCHEDULABLE)
    verdicts = [(pod, health.compute_status(pod, NOW)) for pod in (broken, homeless)]

    assert pods.with_pods(("apps", "StatefulSet"), waiting, verdicts) == Health(
        FAILED, "1 pods have failed", "PodsFailed"
    )
    assert pods.with_pods(("apps", "StatefulSet"), waiting, verdicts[1:]) is waiting
    assert pods.with_pods(("apps", "StatefulSet"), waiting, [(leaving, Health(FAILED, "x"))]) is waiting
    assert pods.with_pods(("apps", "Deployment"), waiting, verdicts) is waiting
    assert pods.with_pods(("apps", "ReplicaSet"), Health(CURRENT, "x"), verdicts) == Health(CURRENT, "x")


@pytest.mark.parametrize(
    ("status", "spec", "verdict", "reason", "message"),
    [
        pytest.param(None, None, IN_PROGRESS, "JobNotStarted", "Job not started. active: 0/1", id="no-status"),
        pytest.param(
            {"startTime": "2026-01-01T00:00:00Z", "active": 2, "succeeded": 3, "failed": 1},
            {"parallelism": 2, "completions": 10},
            IN_PROGRESS,
            "JobInProgress",
            "Job in progress. success:3, active: 2, failed: 1",
            id="running-is-not-done",
        ),
        pytest.param(
            {"succeeded": 1, "conditions": [a_condition("Complete")]},
            None,
            CURRENT,
            "",
            "Job Completed. succeeded: 1/1",
            id="complete",
        ),
        pytest.param(
            {"failed": 1, "conditions": [a_condition("Complete", "False"), a_condition("Failed", message="x")]},
            {"completions": 4},
            FAILED,
            "JobFailed",
            "Job Failed. failed: 1/4",
            id="failed",
        ),
        pytest.param({"conditions": [a_condition("Failed")]}, {"suspend": True}, CURRENT, "", None, id="suspended"),
    ],
)
def test_job(status, spec, verdict, reason, message):
    check(an_object("Job", status, spec), verdict, reason, message)


def test_job_that_is_being_deleted_counts_by_its_outcome():
    done = {"observedGeneration": 7, "conditions": [a_condition("Complete")]}

    check(an_object("Job", done, deletionTimestamp="2026-01-01T00:00:00Z"), CURRENT, "")


def test_finished_job_may_be_gone_if_it_asked_for_that():
    assert jobs.may_be_gone(an_object("Job", spec={"ttlSecondsAfterFinished": 0}))
    assert not jobs.may_be_gone(an_object("Job", spec={}))
    assert not jobs.may_be_gone(an_object("Widget", spec={"ttlSecondsAfterFinished": 0}))


ESTABLISHED = [a_condition("NamesAccepted", reason="NoConflicts"), a_condition("Established", reason="Accepted")]
INSTALLING = [a_condition("NamesAccepted"), a_condition("Established", "False", "Installing")]


@pytest.mark.parametrize(
    ("obj", "verdict", "reason"),
    [
        pytest.param(an_object("PersistentVolumeClaim"), IN_PROGRESS, "NotBound", id="claim-fresh"),
        pytest.param(an_object("PersistentVolumeClaim", {"phase": "Bound"}), CURRENT, "", id="claim-bound"),
        pytest.param(an_object("Service"), CURRENT, "", id="service"),
        pytest.param(an_object("Service", spec={"type": "NodePort"}), CURRENT, "", id="service-port"),
        pytest.param(
            an_object("Service", spec={"type": "LoadBalancer", "clusterIP": "10.0.0.1"}), CURRENT, "", id="balancer"
        ),
        pytest.param(
            an_object("Service", spec={"type": "LoadBalancer"}), IN_PROGRESS, "NoIPAssigned", id="balancer-fresh"
        ),
        pytest.param(an_object("CustomResourceDefinition"), IN_PROGRESS, "Installing", id="definition-fresh"),
        pytest.param(
            an_object("CustomResourceDefinition", {"conditions": INSTALLING}),
            IN_PROGRESS,
            "Installing",
            id="installing",
        ),
        pytest.param(an_object("CustomResourceDefinition", {"conditions": ESTABLISHED}), CURRENT, "", id="established"),
        pytest.param(
            an_object("CustomResourceDefinition", {"conditions": [a_condition("NamesAccepted", "False", "Taken")]}),
            FAILED,
            "Taken",
            id="names-taken",
        ),
        pytest.param(
            an_object("CustomResourceDefinition", {"conditions": [a_condition("Established", "False", "Broken")]}),
            FAILED,
            "Broken",
            id="not-established",
        ),
        pytest.param(an_object("PodDisruptionBudget", {"observedGeneration": 1}), CURRENT, "", id="budget"),
        pytest.param(
            an_object("PodDisruptionBudget", {"observedGeneration": 0}),
            IN_PROGRESS,
            "LatestGenerationNotObserved",
            id="budget-unseen",
        ),
        pytest.param(an_object("CronJob", {}), CURRENT, "", id="cron-job"),
        pytest.param(an_object("ConfigMap"), CURRENT, "", id="config-map"),
        pytest.param(an_object("Secret"), CURRENT, "", id="secret"),
        pytest.param(an_object("Namespace", {"phase": "Active"}), CURRENT, "", id="namespace"),
        pytest.param(an_object("Namespace", deletionTimestamp="2026"), TERMINATING, "", id="namespace-leaving"),
    ],
)
def test_other_kinds(obj, verdict, reason):
    check(obj, verdict, reason)


@pytest.mark.parametrize(
    ("status", "verdict", "reason", "message"),
    [
        pytest.param(None, CURRENT, "", "Resource is current", id="no-status"),
        pytest.param({"conditions": [a_condition("Other", "False")]}, CURRENT, "", "Resource is current", id="unknown"),
        pytest.param(
            {"conditions": [a_condition("Ready", message="fine")]}, CURRENT, "", "Resource is Ready", id="ready"
        ),
        pytest.param(
            {"conditions": [a_condition("Ready", "False", "Broken", "no luck")]},
            IN_PROGRESS,
            "Broken",
            "no luck",
            id="not-ready",
        ),
        pytest.param({"conditions": [a_condition("Ready", "Unknown", "Busy")]}, IN_PROGRESS, "Busy", "", id="perhaps"),
        pytest.param(
            {"conditions": [a_condition("Ready"), a_condition("Reconciling", reason="Progressing", message="at it")]},
            IN_PROGRESS,
            "Progressing",
            "at it",
            id="reconciling",
        ),
        pytest.param(
            {"conditions": [a_condition("Stalled", reason="BadSpec", message="fix me"), a_condition("Ready", "False")]},
            FAILED,
            "BadSpec",
            "fix me",
            id="stalled",
        ),
        pytest.param(
            {"conditions": [a_condition("Stalled", "False"), a_condition("Ready")]}, CURRENT, "", None, id="free"
        ),
        pytest.param(
            {"observedGeneration": -1, "conditions": [a_condition("Ready")]},
            IN_PROGRESS,
            "LatestGenerationNotObserved",
            "Kustomization generation is 1, but latest observed generation is -1",
            id="flux-default-status",
        ),
    ],
)
def test_kind_without_a_rule(status, verdict, reason, message):
    check(an_object("Kustomization", status), verdict, reason, message)


def test_deletion_comes_before_everything():
    status = {"observedGeneration": 0, "conditions": [a_condition("Stalled")]}

    check(an_object("Widget", status, deletionTimestamp="2026-01-01T00:00:00Z"), TERMINATING, "")


@pytest.mark.parametrize(
    "status",
    [
        pytest.param("Ready", id="status"),
        pytest.param({"conditions": {"Ready": True}}, id="conditions"),
        pytest.param({"conditions": ["Ready"]}, id="condition"),
        pytest.param({"conditions": [{"type": "Ready", "status": True}]}, id="condition-status"),
        pytest.param({"observedGeneration": "1"}, id="generation"),
    ],
)
@pytest.mark.parametrize("kind", ["Widget", "Deployment"])
def test_unreadable_status_is_unknown(kind: str, status):
    check(an_object(kind, status), UNKNOWN, "")


def test_absent_object_is_not_found():
    assert health.compute_status(None) == health.NOT_FOUND


def test_extract_keeps_identity_owner_and_wishes_but_no_content():
    owner = Owner(KUSTOMIZE_GROUP, "flux-system", "apps")
    wishes = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
    obj = an_object(
        "Deployment",
        {"observedGeneration": 1, "terminatingReplicas": 2, "conditions": [a_condition("Available")]},
        {"replicas": 1, "template": {"spec": {"containers": [{"env": [{"value": "secret"}]}]}}},
        uid="u",
        resourceVersion="5",
        labels={**owner.labels, "app": "web"},
        annotations={**wishes, "note": "long"},
        managedFields=[{"manager": "x"}],
    )

    small = health.extract(obj)

    assert small["metadata"] == {
        "name": "x",
        "generation": 1,
        "uid": "u",
        "resourceVersion": "5",
        "labels": owner.labels,
        "annotations": wishes,
    }
    assert small["spec"] == {"replicas": 1}
    assert policy.prune_refusal(small, owner) is policy.prune_refusal(obj, owner)
    assert "lastTransitionTime" not in str(small)


texts = st.sampled_from(["", "True", "False", "Ready", "Stalled", "Unschedulable", "Running", "Pending", "Bound", "1"])
leaves = st.one_of(st.none(), st.booleans(), st.integers(0, 3), texts)
NAMES = """replicas readyReplicas phase conditions type status reason rollingUpdate partition updateStrategy startTime
suspend containerStatuses observedGeneration succeeded"""
names = st.sampled_from(NAMES.split())
trees = st.recursive(
    leaves, lambda below: st.lists(below, max_size=2) | st.dictionaries(names, below, max_size=3), max_leaves=10
)


@settings(deadline=None)
@given(
    st.sampled_from([*KINDS, "Pod", "Service", "PersistentVolumeClaim", "ConfigMap"]),
    trees,
    trees,
    st.dictionaries(st.sampled_from(["generation", "deletionTimestamp", "creationTimestamp"]), leaves),
)
def test_p3_any_object_has_a_verdict_and_its_extract_has_the_same(kind: str, status, spec, metadata):
    obj = {"apiVersion": KINDS.get(kind, "v1"), "kind": kind, "metadata": metadata, "spec": spec, "status": status}

    small = health.extract(obj)

    assert health.compute_status(small, NOW) == health.compute_status(obj, NOW)
    assert health.extract(small) == small


@pytest.mark.parametrize(
    ("group", "kind", "has_status"),
    [
        ("", "ConfigMap", False),
        ("", "Secret", False),
        ("", "ServiceAccount", False),
        ("rbac.authorization.k8s.io", "ClusterRole", False),
        ("networking.k8s.io", "NetworkPolicy", False),
        ("networking.k8s.io", "Ingress", True),
        ("apps", "Deployment", True),
        ("", "Namespace", True),
        ("example.com", "Secret", True),
    ],
)
def test_kinds_that_are_never_anything_but_there(group: str, kind: str, has_status):
    assert health.has_status(group, kind) is has_status
