"""Owner labels, and the clean-up of field managers before us."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.engine import ownership
from tidegate.engine.ownership import HELM_GROUP, KUSTOMIZE_GROUP, Migration, Owner
from tidegate_api.codec import JsonObject

# Written by a 1.37 API server: kubectl's and our applies of one object, see test_fingerprint.py.
RECORDED: dict[str, JsonObject] = json.loads((Path(__file__).parent / "testdata" / "recorded.json").read_text())
OURS = Migration("kustomize-controller", ("old-gitops",))
APPS = Owner(KUSTOMIZE_GROUP, "flux-system", "apps")


def an_entry(manager: str, operation: str = "Update", fields: JsonObject | None = None, **more: str) -> JsonObject:
    fields = {"f:data": {f"f:{manager}": {}}} if fields is None else fields
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **more,
    }


def an_object(*entries: JsonObject, **metadata: Any) -> JsonObject:
    return {"kind": "ConfigMap", "metadata": {"name": "a", "managedFields": list(entries), **metadata}}


def test_owner_labels_are_set_and_recognised():
    obj = ownership.set_owner({"metadata": {"name": "a", "labels": {"x": "y"}}}, APPS)

    assert obj["metadata"]["labels"] == {
        "x": "y",
        "kustomize.toolkit.fluxcd.io/name": "apps",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }
    assert ownership.is_owned(obj, APPS)
    assert not ownership.is_owned(obj, Owner(KUSTOMIZE_GROUP, "flux-system", "other"))
    assert not ownership.is_owned(obj, Owner(HELM_GROUP, "flux-system", "apps"))


def test_f43_other_owners_are_named():
    helm = Owner(HELM_GROUP, "apps", "podinfo")
    obj = ownership.set_owner(ownership.set_owner({"metadata": {}}, APPS), helm)

    assert ownership.find_owners(obj) == [APPS, helm]
    assert [str(owner) for owner in ownership.other_owners(obj, APPS)] == ["HelmRelease/apps/podinfo"]
    assert str(APPS) == "Kustomization/flux-system/apps"


def test_half_an_owner_is_none():
    assert ownership.find_owners({"metadata": {"labels": {"helm.toolkit.fluxcd.io/name": "x"}}}) == []


@pytest.mark.parametrize(
    ("entry", "taken"),
    [
        pytest.param(an_entry("kubectl-client-side-apply"), True, id="kubectl-apply"),
        pytest.param(an_entry("kubectl-edit"), True, id="kubectl-edit"),
        pytest.param(an_entry("kubectl", "Apply"), True, id="kubectl-server-side"),
        pytest.param(an_entry("before-first-apply"), True, id="before-first-apply"),
        pytest.param(an_entry("before-first-apply", "Apply"), False, id="before-first-apply-never-applies"),
        pytest.param(an_entry("kustomize-controller"), True, id="our-updates"),
        pytest.param(an_entry("kustomize-controller", "Apply"), False, id="our-applies"),
        pytest.param(an_entry("old-gitops-2", "Apply"), True, id="override-manager"),
        pytest.param(an_entry("old-gitops"), True, id="override-manager-updates"),
        pytest.param(an_entry("helm", "Apply"), False, id="somebody-else"),
        pytest.param(an_entry("kube-controller-manager"), False, id="controller"),
        pytest.param(an_entry("kubectl", subresource="scale"), False, id="subresource"),
    ],
)
def test_which_managers_become_ours(entry, taken):
    assert OURS.takes(entry) is taken
    assert ownership.needs_cleanup(an_object(entry), OURS) is taken


def test_clean_object_needs_nothing():
    live = an_object(an_entry("kustomize-controller", "Apply"), an_entry("hpa"), annotations={"a": "b"}, labels=None)

    assert not ownership.needs_cleanup(live, OURS)
    assert ownership.cleanup_patch(live, OURS) == []


def test_fields_are_merged_into_our_entry():
    ours = an_entry("kustomize-controller", "Apply", {"f:data": {"f:a": {}}}, time="2026-01-01T00:00:00Z")
    other = an_entry("hpa")
    live = an_object(an_entry("kubectl", fields={"f:data": {".": {}, "f:b": {}}}), other, ours, resourceVersion="7")

    assert ownership.cleanup_patch(live, OURS) == [
        {
            "op": "replace",
            "path": "/metadata/managedFields",
            "value": [other, {**ours, "fieldsV1": {"f:data": {".": {}, "f:a": {}, "f:b": {}}}}],
        },
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
    ]


def test_first_match_becomes_ours_when_we_never_applied():
    live = an_object(an_entry("kubectl-edit", time="1"), an_entry("before-first-apply", time="2"))

    [patch] = ownership.cleanup_patch(live, OURS)

    fields: JsonObject = {"f:data": {"f:kubectl-edit": {}, "f:before-first-apply": {}}}
    assert patch["value"] == [an_entry("kustomize-controller", "Apply", fields, time="1")]


def test_dead_marks_are_removed_with_escaped_keys():
    live = an_object(
        annotations={
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "fluxcd.io/sync-checksum": "x",
            "a": "b",
        },
        labels={"fluxcd.io/sync-gc-mark": "x"},
    )

    assert ownership.needs_cleanup(live, OURS)
    assert ownership.cleanup_patch(live, OURS) == [
        {"op": "remove", "path": "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"},
        {"op": "remove", "path": "/metadata/annotations/fluxcd.io~1sync-checksum"},
        {"op": "remove", "path": "/metadata/labels/fluxcd.io~1sync-gc-mark"},
    ]


def test_restart_by_kubectl_stays_kubectls():
    restarted = RECORDED["deployment/restarted"]

    assert any(entry["manager"] == "kubectl-rollout" for entry in restarted["metadata"]["managedFields"])
    assert not ownership.needs_cleanup(restarted, OURS)


@pytest.mark.parametrize("state", ["variable added", "client-side applied", "annotation added", "image changed"])
def test_recorded_changes_by_kubectl_are_taken_over(state: str):
    live = RECORDED[f"deployment/{state}"]
    before = copy.deepcopy(live)

    entries = next(op["value"] for op in ownership.cleanup_patch(live, OURS) if op["path"].endswith("managedFields"))

    assert live == before
    assert [entry["manager"] for entry in entries if entry["operation"] == "Apply"] == ["kustomize-controller"]
    assert not any(OURS.takes(entry) for entry in entries)


def test_version_patch_dates_every_entry():
    live = an_object(an_entry("a"), {**an_entry("b"), "apiVersion": "v1beta1"}, resourceVersion="3")

    replace, guard = ownership.version_patch(live, "v1")

    assert [entry["apiVersion"] for entry in replace["value"]] == ["v1", "v1"]
    assert guard["value"] == "3"
    assert ownership.version_patch(an_object(an_entry("a")), "v1") == []


steps = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"s"'])
empty: JsonObject = {}
tries = st.recursive(st.just(empty), lambda below: st.dictionaries(steps, below, max_size=3), max_leaves=8)


def members(node: JsonObject, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if not node:
        return {path} if path else set()
    found: set[tuple[str, ...]] = set()
    for step, below in node.items():
        found |= {path} if step == "." else members(below, (*path, step))
    return found


@settings(deadline=None)
@given(tries, tries)
def test_merged_fields_are_the_union_of_both(first: JsonObject, second: JsonObject):
    assert members(ownership.merge_fields(first, second)) - {()} == members(first) | members(second)
    assert ownership.merge_fields(first, first) == first


def test_marks_of_kubectl_in_git_are_not_wanted():
    marked = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "yes"}
    obj = {"kind": "ConfigMap", "metadata": {"name": "a", "annotations": marked}}

    assert ownership.without_marks(obj)["metadata"] == {"name": "a", "annotations": {"kept": "yes"}}
    plain = {"kind": "ConfigMap", "metadata": {"name": "a", "labels": {"app": "a"}}}
    assert ownership.without_marks(plain) is plain
