"""Digests of what is ours, on objects as a 1.37 API server stored them.

testdata/recorded.json: a Deployment and a ConfigMap applied by kustomize-controller, then changed by kubectl and by
controllers as the keys say; before each change that touches our fields the objects were applied again.
"""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tidegate.engine import fingerprint
from tidegate_api.codec import JsonObject

RECORDED: dict[str, JsonObject] = json.loads((Path(__file__).parent / "testdata" / "recorded.json").read_text())
MANAGER = "kustomize-controller"


def recorded(state: str) -> JsonObject:
    return copy.deepcopy(RECORDED[state])


def owned(state: str) -> str:
    return fingerprint.owned_digest(RECORDED[state], MANAGER)


def fields(state: str) -> str:
    return fingerprint.fields_digest(RECORDED[state], MANAGER)


@pytest.mark.parametrize(
    "state",
    ["rolled out", "restarted", "scaled", "variable added", "applied again", "annotation added", "empty map filled"],
)
def test_changes_of_what_is_not_ours_are_no_drift(state: str):
    assert owned(f"deployment/{state}") == owned("deployment/applied")
    assert fields(f"deployment/{state}") == fields("deployment/applied")


@pytest.mark.parametrize(
    "state",
    ["image changed", "arguments changed", "variable removed", "label changed", "annotation removed", "cleaned up"],
)
def test_changes_of_what_is_ours_are_drift(state: str):
    assert owned(f"deployment/{state}") != owned("deployment/applied")
    assert fields(f"deployment/{state}") != fields("deployment/applied")


@pytest.mark.parametrize(
    ("state", "drifted"),
    [("key added", False), ("key changed", True), ("key removed", True), ("managers wiped", True)],
)
def test_metadata_alone_tells_drift(state: str, drifted):
    assert (fields(f"configmap metadata/{state}") != fields("configmap metadata/applied")) is drifted
    assert (owned(f"configmap/{state}") != owned("configmap/applied")) is drifted


@pytest.mark.parametrize("state", ["applied", "key added", "key changed", "managers wiped", "without labels"])
def test_metadata_of_an_object_digests_as_the_object(state: str):
    assert fields(f"configmap metadata/{state}") == fields(f"configmap/{state}")


def test_object_without_our_metadata_ignores_all_metadata():
    changed = recorded("configmap/without labels")
    changed["metadata"]["resourceVersion"] = "999999"

    assert fingerprint.fields_digest(changed, MANAGER) == fields("configmap/without labels")


def test_who_applied_nothing_owns_nothing():
    assert fingerprint.owned_fields(RECORDED["configmap/managers wiped"], MANAGER) is None
    assert owned("configmap/managers wiped") == fields("configmap/managers wiped") == ""
    assert fingerprint.owned_digest(RECORDED["deployment/applied"], "somebody") == ""
    assert fingerprint.owned_digest({"kind": "Widget"}, MANAGER) == ""


def our_entry(obj: JsonObject) -> JsonObject:
    entries = obj["metadata"]["managedFields"]
    ours: JsonObject = next(entry for entry in entries if entry["manager"] == MANAGER and entry["operation"] == "Apply")
    return ours


def test_time_and_version_of_our_entry_do_not_count():
    later = recorded("deployment/applied")
    our_entry(later).update(time="2030-01-01T00:00:00Z", apiVersion="apps/v2")

    assert fingerprint.owned_digest(later, MANAGER) == owned("deployment/applied")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda obj, web: web.update(image="example.com/web:9"), id="field"),
        pytest.param(lambda obj, web: web["args"].append("--c"), id="atomic-list"),
        pytest.param(lambda obj, web: obj["spec"]["selector"]["matchLabels"].update(x="y"), id="atomic-map"),
        pytest.param(lambda obj, web: web["env"][0].update(value="red"), id="member-by-key"),
        pytest.param(lambda obj, web: obj["metadata"]["labels"].pop("app"), id="label-gone"),
        pytest.param(lambda obj, web: obj["spec"]["template"]["spec"].pop("containers"), id="parent-gone"),
        pytest.param(lambda obj, web: obj["spec"]["template"]["spec"].update(containers="x"), id="other-type"),
    ],
)
def test_value_changed_without_a_trace_is_drift(change):
    obj = recorded("deployment/applied")
    change(obj, obj["spec"]["template"]["spec"]["containers"][0])

    assert fingerprint.owned_digest(obj, MANAGER) != owned("deployment/applied")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda obj, web: web["env"].append({"name": "NEW", "value": "1"}), id="member-added"),
        pytest.param(lambda obj, web: web["env"].insert(0, {"name": "NEW", "value": "1"}), id="member-first"),
        pytest.param(lambda obj, web: obj["status"].update(replicas=5), id="status"),
        pytest.param(lambda obj, web: obj["spec"].update(replicas=5), id="replicas"),
        pytest.param(lambda obj, web: obj["metadata"]["annotations"].update(x="y"), id="annotation"),
    ],
)
def test_value_of_others_changed_without_a_trace_is_no_drift(change):
    obj = recorded("deployment/applied")
    obj.setdefault("status", {})
    change(obj, obj["spec"]["template"]["spec"]["containers"][0])

    assert fingerprint.owned_digest(obj, MANAGER) == owned("deployment/applied")


def an_object(fields: JsonObject, *others: JsonObject, **content: Any) -> JsonObject:
    entries = [{"manager": MANAGER, "operation": "Apply", "fieldsV1": fields}]
    entries += [{"manager": "other", "operation": "Update", "fieldsV1": other} for other in others]
    return {"metadata": {"managedFields": entries}, **content}


@pytest.mark.parametrize(
    ("fields", "before", "after", "same"),
    [
        pytest.param({"f:set": {'v:"a"': {}}}, {"set": ["a"]}, {"set": ["b", "a"]}, True, id="set-member-stays"),
        pytest.param({"f:set": {'v:"a"': {}}}, {"set": ["a"]}, {"set": ["b"]}, False, id="set-member-goes"),
        pytest.param({"f:list": {"i:1": {}}}, {"list": [1, 2]}, {"list": [9, 2]}, True, id="other-index"),
        pytest.param({"f:list": {"i:1": {}}}, {"list": [1, 2]}, {"list": [1]}, False, id="index-gone"),
        pytest.param({"f:list": {"k:broken": {}}}, {"list": [{}]}, {"list": [{"a": 1}]}, True, id="unreadable-step"),
        pytest.param({"f:map": {}}, {"map": {}}, {}, True, id="empty-map-dropped"),
        pytest.param({"f:map": {}}, {"map": {"a": 1}}, {"map": {"a": 2}}, False, id="atomic-map"),
        pytest.param({"f:map": {".": {}, "f:a": {}}}, {"map": {"a": 1}}, {"map": {"a": 1, "b": 2}}, True, id="dot"),
    ],
)
def test_steps(fields, before, after, same):
    digests = {fingerprint.owned_digest(an_object(fields, **content), MANAGER) for content in (before, after)}

    assert (len(digests) == 1) is same


def test_what_others_own_below_our_empty_map_is_theirs():
    theirs: JsonObject = {"f:map": {"f:a": {}}}

    digests = {fingerprint.owned_digest(an_object({"f:map": {}}, theirs, map={"a": n}), MANAGER) for n in (1, 2)}

    assert len(digests) == 1


def test_desired_digest_ignores_the_order_of_keys_only():
    assert fingerprint.desired_digest({"a": 1, "b": [1, 2]}) == fingerprint.desired_digest({"b": [1, 2], "a": 1})
    assert fingerprint.desired_digest({"a": [1, 2]}) != fingerprint.desired_digest({"a": [2, 1]})
    assert fingerprint.desired_digest({"a": None}) != fingerprint.desired_digest({})
