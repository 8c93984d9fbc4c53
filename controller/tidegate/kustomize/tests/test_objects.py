"""The shape of objects, and common metadata."""

from typing import Any

import pytest

from tidegate.kustomize import objects
from tidegate.kustomize.errors import BuildError
from tidegate.kustomize.tests.trees import built, plant
from tidegate_api.codec import JsonObject
from tidegate_api.meta.kustomize import CommonMetadata


def an_object(**metadata: Any) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app", **metadata}}


@pytest.mark.parametrize(
    ("obj", "problem"),
    [
        *[([], "object 1: not a mapping"), ("x", "object 1: not a mapping"), ({}, "object 1: metadata is missing")],
        *[({"metadata": []}, "object 1: metadata is not a mapping")],
        *[({"metadata": {"name": "a"}}, "a: apiVersion is missing")],
        *[({"apiVersion": "v1", "metadata": {"name": "a"}}, "a: kind is missing")],
        *[({"apiVersion": "v1", "kind": "X", "metadata": {}}, "X: metadata.name is missing")],
        *[({"apiVersion": 1, "kind": "X", "metadata": {"name": "a"}}, "X/a: apiVersion must be a string")],
        *[(an_object(name=1), "ConfigMap: metadata.name must be a string")],
        *[(an_object(namespace=1), "ConfigMap/app: metadata.namespace must be a string")],
        *[(an_object(labels={"a": 1}), "ConfigMap/app: metadata.labels['a'] must be a string")],
        *[(an_object(annotations={"a": True}), "ConfigMap/app: metadata.annotations['a'] must be a string")],
        *[(an_object(labels=[]), "ConfigMap/app: metadata.labels is not a mapping")],
        *[({**an_object(), "kind": "List", "items": []}, "List/app: a list inside a list")],
    ],
)
def test_k9_an_object_of_the_wrong_shape_is_refused(obj: Any, problem: str) -> None:
    with pytest.raises(BuildError) as caught:
        objects.require_valid([obj])

    assert str(caught.value) == f"invalid objects:\n{problem}"


def test_k9_every_bad_object_is_listed() -> None:
    with pytest.raises(BuildError) as caught:
        objects.require_valid([an_object(), an_object(labels={"a": 1}), {"kind": "X"}, *[{}] * 30])

    assert str(caught.value).splitlines()[1:3] == [
        "ConfigMap/app: metadata.labels['a'] must be a string",
        "X: metadata is missing",
    ]
    assert str(caught.value).endswith("… and 12 more")


async def test_k9_a_build_refuses_before_anything_is_applied(tmp_path: Any) -> None:
    plant(tmp_path, {"a.yaml": "apiVersion: v1\nkind: X\nmetadata: {name: a, labels: {x: 1}}\n"})
    plant(tmp_path, {"b.yaml": "kind: X\nmetadata: {name: b}\n"})

    with pytest.raises(BuildError, match=r"X/a: metadata.labels\['x'\] must be a string\nX/b: apiVersion is missing"):
        await built(tmp_path)


@pytest.mark.parametrize("metadata", [{"labels": None, "annotations": None}, {"namespace": None}, {"labels": {}}])
def test_absent_metadata_is_fine(metadata: JsonObject) -> None:
    assert objects.require_valid([an_object(**metadata)]) == [an_object(**metadata)]


def test_more_objects_than_the_bound_are_refused() -> None:
    with pytest.raises(BuildError, match="10001 objects are more than 10000"):
        objects.require_valid([an_object()] * 10_001)


def test_common_metadata_replaces_equal_keys_and_leaves_the_original() -> None:
    obj = an_object(labels={"a": "1", "b": "1"}, annotations=None)
    common = CommonMetadata(labels={"a": "2"}, annotations={"c": "3"})

    assert objects.apply_common_metadata(obj, common) == an_object(labels={"a": "2", "b": "1"}, annotations={"c": "3"})
    assert obj == an_object(labels={"a": "1", "b": "1"}, annotations=None)


@pytest.mark.parametrize("common", [None, CommonMetadata()])
def test_no_common_metadata_changes_nothing(common: CommonMetadata | None) -> None:
    obj = an_object()

    assert objects.apply_common_metadata(obj, common) is obj
