"""Desired objects as they are sent."""

import base64
import copy
from typing import Any

import pytest

from tidegate.engine import normalize
from tidegate_api.codec import JsonObject

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUfxR7+gTTeS5ci5RIxKrEc8pP5A4wCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjMwNjIzMjdaGA8yMTI2MTAzMDA2MjMy
N1owDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFsU
qlUfLIOJnxrecZw+jR+gFnd1gR7VNbvQYU8b9SCyyVCSham9WL9OGeks8wA0dRAF
0aPgSud8YOx2JlYlR/SjUzBRMB0GA1UdDgQWBBSQwkN3O9RCkelVEQ1SsjNtm7Pw
rzAfBgNVHSMEGDAWgBSQwkN3O9RCkelVEQ1SsjNtm7PwrzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQCOy7qFZek4rD+TfnyEyLtbNwn12cn4assR
pgm1e96pyAIhAPeGTbYCJMjYBnQmgveVz8U9SKFIZm2soL0t4k7aJwrD
-----END CERTIFICATE-----
"""


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def a_secret(**fields: Any) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, **fields}


def a_workload(api_version: str, kind: str, *path: str) -> JsonObject:
    spec: JsonObject = {"containers": [{"name": "web", "ports": [{"containerPort": 80}]}]}
    for step in reversed(path):
        spec = {step: spec}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web"}, "spec": spec}


def a_definition(bundle: str) -> JsonObject:
    client_config = {"caBundle": bundle, "service": {"name": "web"}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": client_config}}},
        "status": {"storedVersions": ["v1"]},
    }


def test_what_the_server_writes_is_dropped():
    obj = {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "creationTimestamp": None},
        "spec": {"a": None},
        "status": {"ready": True},
    }

    assert normalize.normalize(obj) == {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "w"},
        "spec": {"a": None},
    }


def test_unchanged_parts_are_shared_and_the_input_is_left_alone():
    obj = a_workload("apps/v1", "Deployment", "template", "spec")
    before = copy.deepcopy(obj)

    result = normalize.normalize(obj)

    assert obj == before
    assert result["metadata"] is obj["metadata"]
    assert normalize.normalize(result) is result


@pytest.mark.parametrize(
    "obj",
    [
        pytest.param(a_workload("apps/v1", kind, "template", "spec"), id=kind)
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
    ]
    + [
        pytest.param(a_workload("batch/v1", "Job", "template", "spec"), id="Job"),
        pytest.param(a_workload("batch/v1", "CronJob", "jobTemplate", "spec", "template", "spec"), id="CronJob"),
        pytest.param(a_workload("v1", "Pod"), id="Pod"),
    ],
)
def test_container_ports_get_their_protocol(obj):
    spec = normalize.normalize(obj)["spec"]
    while "containers" not in spec:
        spec = spec.get("template") or spec.get("jobTemplate") or spec["spec"]

    assert spec["containers"] == [{"name": "web", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]


def test_protocols_that_are_set_stay():
    ports = [{"port": 53, "protocol": "UDP"}, {"port": 80, "protocol": ""}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": ports}}

    assert normalize.normalize(service)["spec"]["ports"] == [
        {"port": 53, "protocol": "UDP"},
        {"port": 80, "protocol": "TCP"},
    ]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(None, id="nothing"),
        pytest.param({"template": {"spec": {"containers": "web"}}}, id="text"),
        pytest.param({"template": {"spec": {"containers": [None, {"ports": {"a": 1}}, {"ports": [1]}]}}}, id="mixed"),
    ],
)
def test_misshapen_workload_is_left_to_the_server(spec):
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}

    assert normalize.normalize(obj) == obj


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"stringData": {"a": "1", "b": ""}}, {"data": {"a": "MQ==", "b": ""}}, id="folded"),
        pytest.param(
            {"stringData": {"a": "new"}, "data": {"a": b64("old"), "c": "eA=="}},
            {"data": {"a": b64("new"), "c": "eA=="}},
            id="text-wins",
        ),
        pytest.param({"stringData": {"a": None}, "data": None}, {"data": {"a": ""}}, id="nulls"),
        pytest.param({"stringData": {}}, {}, id="empty"),
        pytest.param({"stringData": None, "type": "Opaque"}, {"type": "Opaque"}, id="null"),
        pytest.param({"stringData": {"a": "1", "n": 5}}, {"stringData": {"a": "1", "n": 5}}, id="k12-number"),
        pytest.param({"stringData": "x"}, {"stringData": "x"}, id="no-map"),
        pytest.param({"stringData": {"a": "x"}, "data": []}, {"stringData": {"a": "x"}, "data": []}, id="no-data-map"),
    ],
)
def test_secret_texts_become_data(fields, expected):
    assert normalize.normalize(a_secret(**fields)) == a_secret(**expected)


@pytest.mark.parametrize(
    ("bundle", "kept"),
    [
        pytest.param(b64(CERTIFICATE), True, id="certificate"),
        pytest.param(b64("# issued by us\n" + CERTIFICATE), True, id="text-before"),
        pytest.param(
            b64("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + CERTIFICATE), True, id="bad"
        ),
        pytest.param(b64(CERTIFICATE)[:70] + "\n" + b64(CERTIFICATE)[70:], True, id="wrapped"),
        pytest.param("", True, id="empty"),
        pytest.param("Cg==", False, id="placeholder"),
        pytest.param("not base64!", False, id="no-base64"),
        pytest.param(b64("hello"), False, id="no-pem"),
        pytest.param(b64("-----BEGIN CERTIFICATE-----\n"), False, id="unfinished"),
        pytest.param(b64("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), False, id="no-certificate"),
    ],
)
def test_bundle_without_a_certificate_is_dropped_from_a_definition(bundle: str, kept):
    result = normalize.normalize(a_definition(bundle))

    assert ("caBundle" in result["spec"]["conversion"]["webhook"]["clientConfig"]) is kept
    assert result["status"] == {"storedVersions": ["v1"]}


def test_bundle_of_endless_beginnings_is_dropped_quickly():
    assert "caBundle" not in str(normalize.normalize(a_definition(b64("-----BEGIN CERTIFICATE-----\n" * 30_000))))


def test_rules_of_roles_are_untouched():
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"}, "rules": None}

    assert normalize.normalize(role) is role


def test_dry_run_of_an_old_server_repeats_no_metrics():
    cpu = {"type": "Resource", "resource": {"name": "cpu"}}
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "spec": {"metrics": [cpu, cpu, {}]},
    }

    assert normalize.dry_run(autoscaler)["spec"]["metrics"] == [cpu]
    assert normalize.dry_run({"kind": "Widget", "spec": {"metrics": [cpu, cpu]}})["spec"]["metrics"] == [cpu, cpu]


def test_metadata_is_added_over_what_is_there():
    obj: JsonObject = {"kind": "Widget", "metadata": {"name": "w", "labels": {"a": "1", "b": "1"}, "annotations": None}}

    result = normalize.with_metadata(obj, {"b": "2"}, {"c": "3"})

    assert result["metadata"] == {"name": "w", "labels": {"a": "1", "b": "2"}, "annotations": {"c": "3"}}
    assert obj["metadata"]["labels"] == {"a": "1", "b": "1"}
