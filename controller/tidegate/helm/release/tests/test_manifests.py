"""From text to objects, and their marks."""

import pytest

from tidegate.engine import ownership
from tidegate.engine.ownership import Owner
from tidegate.helm.release import manifests
from tidegate.helm.release.manifests import InvalidManifest
from tidegate.helm.release.model import ReleaseKey
from tidegate_api.codec import JsonObject

KEY = ReleaseKey("web", "apps", "flux-system")
OWNER = Owner(ownership.HELM_GROUP, "flux-system", "web")


def a_config_map(name: str = "one", **metadata: object) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def test_h17_dashes_inside_of_values_do_not_split():
    text = """
---
# Source: web/templates/a.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
data:
  pem: |
    ---
    one
    --- two
  plain: "a
    ---
    b"
---
# Source: web/templates/empty.yaml
---
apiVersion: v1
kind: ConfigMap
metadata: {name: two}
"""

    one, two = manifests.read(text)
    assert one["data"]["pem"] == "---\none\n--- two\n"
    assert two["metadata"]["name"] == "two"


def test_of_two_equal_keys_the_last_counts():
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: '1'}\ndata: {a: '2'}\n"

    assert manifests.read(text)[0]["data"] == {"a": "2"}


def test_a_hook_may_leave_its_name_to_the_server_but_not_leave_its_kind():
    text = "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: migrate-}"

    assert manifests.read_hook(text)[0]["metadata"] == {"generateName": "migrate-"}
    with pytest.raises(InvalidManifest, match=r"metadata.namespace is invalid"):
        manifests.read_hook("apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, namespace: ..}")


def test_lists_are_taken_apart():
    text = """{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}}, null]}"""

    assert manifests.read(text) == [a_config_map()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a: [", "line", id="no-yaml"),
        pytest.param("- a", "a document that is no object", id="list"),
        pytest.param("kind: List\nitems: [1]", "items that are no objects", id="list-of-numbers"),
        pytest.param("kind: ConfigMap", "apiVersion is missing", id="no-version"),
        pytest.param("apiVersion: v1\nkind: A\nmetadata: {labels: {a: b}}", "metadata.name is missing", id="no-name"),
        pytest.param("apiVersion: v1\nkind: A\nmetadata: {name: a, labels: {b: 1}}", "not a string", id="label"),
        pytest.param("apiVersion: v1\nkind: A\nmetadata: {name: ..}", "metadata.name is invalid", id="path"),
        pytest.param("apiVersion: v1\nkind: A\nmetadata: {name: a}\n---\n" * 3, "already registered id", id="twice"),
    ],
)
def test_h14_what_cannot_be_sent_is_named(text: str, words: str):
    with pytest.raises(InvalidManifest, match=words):
        manifests.require_sendable(manifests.read(text))


def test_of_what_was_stored_before_only_what_could_be_applied_counts():
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n---\nkind: Broken\n"

    assert manifests.sendable(manifests.read(text)) == [a_config_map()]


def test_an_object_is_marked_by_its_users_then_its_owner_then_helm():
    obj = a_config_map(labels={"a": "own", "app.kubernetes.io/managed-by": "me"})
    common = {"a": "common", "helm.toolkit.fluxcd.io/name": "other"}

    marked = manifests.mark(obj, KEY, OWNER, common, {"note": "b"})["metadata"]
    assert marked["labels"] == {
        "a": "common",
        "helm.toolkit.fluxcd.io/name": "web",
        "helm.toolkit.fluxcd.io/namespace": "flux-system",
        "app.kubernetes.io/managed-by": "Helm",
    }
    assert marked["annotations"] == {
        "note": "b",
        "meta.helm.sh/release-name": "web",
        "meta.helm.sh/release-namespace": "apps",
    }


def test_a_hook_is_not_the_releases():
    marked = manifests.mark_hook(a_config_map(), OWNER, {}, {})["metadata"]

    assert marked["labels"] == OWNER.labels
    assert "annotations" not in marked


def test_h16_an_object_that_nobody_released_is_refused_in_helms_words():
    assert manifests.ownership_problem(a_config_map(), KEY) == (
        'invalid ownership metadata; label validation error: missing key "app.kubernetes.io/managed-by": must be set '
        'to "Helm"; annotation validation error: missing key "meta.helm.sh/release-name": must be set to "web"; '
        'annotation validation error: missing key "meta.helm.sh/release-namespace": must be set to "apps"'
    )
    assert manifests.ownership_problem(manifests.mark(a_config_map(), KEY, OWNER, {}, {}), KEY) is None


def test_what_has_the_resource_policy_keep_stays():
    objects = [a_config_map("one", annotations={"helm.sh/resource-policy": "Keep"}), a_config_map("two")]

    assert [oid.name for oid in manifests.kept(objects)] == ["one"]
