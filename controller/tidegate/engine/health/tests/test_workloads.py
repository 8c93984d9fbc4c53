"""Verdicts on what runs pods, as kstatus gives them."""

import pytest

from tidegate.engine.health.tests.builders import CURRENT, FAILED, IN_PROGRESS, a_condition, an_object, check, replicas

D = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
ROLLED_OUT = [a_condition("Progressing", reason="NewReplicaSetAvailable"), a_condition("Available")]


@pytest.mark.parametrize(
    ("status", "spec", "verdict", "reason", "message"),
    [
        pytest.param(None, None, IN_PROGRESS, "LessReplicas", "Replicas: 0/1", id="no-status"),
        pytest.param(
            replicas(1, *D, conditions=ROLLED_OUT), None, CURRENT, "", "Deployment is available. Replicas: 1", id="done"
        ),
        pytest.param(
            replicas(1, *D, conditions=[a_condition("Available")]),
            None,
            CURRENT,
            "",
            None,
            id="no-deadline-no-progress",
        ),
        pytest.param(
            replicas(1, *D, conditions=[a_condition("Available")]),
            {"progressDeadlineSeconds": 2147483647},
            CURRENT,
            "",
            None,
            id="infinite-deadline",
        ),
        pytest.param(
            replicas(1, *D, conditions=[a_condition("Progressing", "False", "Other"), a_condition("Available")]),
            {"progressDeadlineSeconds": 45},
            IN_PROGRESS,
            "ReplicaSetNotAvailable",
            None,
            id="not-progressing",
        ),
        pytest.param(
            replicas(1, *D, conditions=[ROLLED_OUT[0], a_condition("Available", "False")]),
            None,
            IN_PROGRESS,
            "DeploymentNotAvailable",
            None,
            id="not-available",
        ),
        pytest.param(
            replicas(1, *D, conditions=[a_condition("Progressing", "False", "ProgressDeadlineExceeded")]),
            None,
            FAILED,
            "ProgressDeadlineExceeded",
            "Progress deadline exceeded",
            id="too-late",
        ),
        pytest.param(
            replicas(2, *D, updatedReplicas=1),
            {"replicas": 2},
            IN_PROGRESS,
            "LessUpdated",
            "Updated: 1/2",
            id="updating",
        ),
        pytest.param(replicas(2, *D), None, IN_PROGRESS, "ExtraPods", "Pending termination: 1", id="too-many"),
        pytest.param(
            replicas(2, *D, availableReplicas=1),
            {"replicas": 2},
            IN_PROGRESS,
            "LessAvailable",
            "Available: 1/2",
            id="few",
        ),
        pytest.param(
            replicas(2, *D, readyReplicas=1), {"replicas": 2}, IN_PROGRESS, "LessReady", "Ready: 1/2", id="not-ready"
        ),
    ],
)
def test_deployment(status, spec, verdict, reason, message):
    check(an_object("Deployment", status, spec), verdict, reason, message)


S = ("replicas", "readyReplicas", "currentReplicas")


@pytest.mark.parametrize(
    ("status", "spec", "verdict", "reason"),
    [
        pytest.param(None, {}, IN_PROGRESS, "LessReplicas", id="no-status"),
        pytest.param(replicas(4, *S), {"replicas": 4}, CURRENT, "", id="done"),
        pytest.param(replicas(4, *S, readyReplicas=2), {"replicas": 4}, IN_PROGRESS, "LessReady", id="not-ready"),
        pytest.param(replicas(4, *S, currentReplicas=2), {"replicas": 4}, IN_PROGRESS, "LessCurrent", id="not-current"),
        pytest.param(replicas(4, *S, replicas=8), {"replicas": 4}, IN_PROGRESS, "ExtraPods", id="too-many"),
        pytest.param(
            replicas(1, *S, currentRevision="a", updateRevision="b"), {}, IN_PROGRESS, "RevisionMismatch", id="revision"
        ),
        pytest.param(None, {"updateStrategy": {"type": "OnDelete"}}, CURRENT, "", id="on-delete"),
        pytest.param(
            replicas(4, *S, updatedReplicas=1),
            {"replicas": 4, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
            IN_PROGRESS,
            "PartitionRollout",
            id="partition-under-way",
        ),
        pytest.param(
            replicas(4, *S, updatedReplicas=2, currentReplicas=2),
            {"replicas": 4, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
            CURRENT,
            "",
            id="partition-done",
        ),
    ],
)
def test_stateful_set(status, spec, verdict, reason):
    check(an_object("StatefulSet", status, spec), verdict, reason)


N = ("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady")


@pytest.mark.parametrize(
    ("status", "verdict", "reason"),
    [
        pytest.param(None, IN_PROGRESS, "NoObservedGeneration", id="no-status"),
        pytest.param(replicas(1, "currentReplicas"), IN_PROGRESS, "NoDesiredNumber", id="no-numbers"),
        pytest.param(replicas(4, *N), CURRENT, "", id="done"),
        pytest.param(replicas(4, *N, currentNumberScheduled=3), IN_PROGRESS, "LessCurrent", id="not-current"),
        pytest.param(replicas(4, *N, updatedNumberScheduled=3), IN_PROGRESS, "LessUpdated", id="not-updated"),
        pytest.param(replicas(4, *N, numberAvailable=2), IN_PROGRESS, "LessAvailable", id="not-available"),
        pytest.param(replicas(4, *N, numberReady=2), IN_PROGRESS, "LessReady", id="not-ready"),
        pytest.param(replicas(4, *N, observedGeneration=0), IN_PROGRESS, "LatestGenerationNotObserved", id="unseen"),
    ],
)
def test_daemon_set(status, verdict, reason):
    check(an_object("DaemonSet", status), verdict, reason)


def test_daemon_set_needs_a_generation():
    check(an_object("DaemonSet", replicas(1, *N), generation=None), IN_PROGRESS, "NoGeneration")


R = ("replicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas")


@pytest.mark.parametrize(
    ("status", "verdict", "reason"),
    [
        pytest.param(None, IN_PROGRESS, "LessLabelled", id="no-status"),
        pytest.param(replicas(2, *R), CURRENT, "", id="done"),
        pytest.param(
            replicas(2, *R, conditions=[a_condition("ReplicaFailure", "False")]), CURRENT, "", id="no-failure"
        ),
        pytest.param(
            replicas(2, *R, conditions=[a_condition("ReplicaFailure")]), IN_PROGRESS, "ReplicaFailure", id="failure"
        ),
        pytest.param(replicas(2, *R, availableReplicas=1), IN_PROGRESS, "LessAvailable", id="not-available"),
        pytest.param(replicas(2, *R, readyReplicas=1), IN_PROGRESS, "LessReady", id="not-ready"),
        pytest.param(replicas(2, *R, replicas=3), IN_PROGRESS, "ExtraPods", id="too-many"),
    ],
)
def test_replica_set(status, verdict, reason):
    check(an_object("ReplicaSet", status, {"replicas": 2}), verdict, reason)
