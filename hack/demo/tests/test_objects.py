import pytest

from hack.controlplane.api import JsonObject
from hack.demo.stage import objects

COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


def a_kustomization(*, status: str = "True", revision: str = "main@sha1:a", observed: int = 2) -> JsonObject:
    ready = {"type": "Ready", "status": status, "reason": "BuildFailed", "message": "why"}
    reported = {"observedGeneration": observed, "conditions": [ready]}
    return {
        "metadata": {"generation": 2},
        "status": {**reported, "lastAppliedRevision": revision, "lastAttemptedRevision": revision},
    }


def a_deployment(image: str = "web:1", **counts: int) -> JsonObject:
    status = {"observedGeneration": 1, **dict.fromkeys(COUNTS, 3), **counts}
    template = {"spec": {"containers": [{"image": image}]}}
    return {"metadata": {"generation": 1}, "spec": {"replicas": 3, "template": template}, "status": status}


def test_ready_for_the_present_spec_and_revision() -> None:
    assert objects.is_ready(a_kustomization(), "main@sha1:a")


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(None, id="absent"),
        pytest.param({"metadata": {"generation": 1}}, id="no-status"),
        pytest.param(a_kustomization(status="False"), id="not-ready"),
        pytest.param(a_kustomization(revision="main@sha1:b"), id="other-revision"),
        pytest.param(a_kustomization(observed=1), id="older-spec"),
    ],
)
def test_not_ready(found: objects.Found) -> None:
    assert not objects.is_ready(found, "main@sha1:a")


def test_failed_means_this_reason_at_this_revision() -> None:
    found = a_kustomization(status="False")

    assert objects.has_failed(found, "main@sha1:a", "BuildFailed")
    assert not objects.has_failed(found, "main@sha1:a", "PruneFailed")
    assert not objects.has_failed(found, "main@sha1:b", "BuildFailed")


def test_available_when_all_replicas_are_of_the_image_and_up() -> None:
    assert objects.is_available(a_deployment(), "web:1")
    assert not objects.is_available(a_deployment(), "web:2")
    assert not objects.is_available(a_deployment(replicas=4), "web:1")
    assert not objects.is_available(a_deployment(availableReplicas=2), "web:1")


def test_fingerprint_leaves_out_what_each_object_has_of_its_own() -> None:
    def a_service(address: str, uid: str, time: str) -> JsonObject:
        entry = {"manager": "kustomize-controller", "operation": "Apply", "fieldsV1": {"f:spec": {}}, "time": time}
        metadata = {"uid": uid, "labels": {"a": "b"}, "managedFields": [entry]}
        return {"metadata": metadata, "spec": {"clusterIP": address, "ports": [80]}, "status": {"loadBalancer": {}}}

    assert objects.fingerprint(a_service("10.0.0.1", "x", "1")) == objects.fingerprint(a_service("10.0.0.2", "y", "2"))
