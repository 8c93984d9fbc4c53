"""The kustomization that is built is the one that Flux would write."""

import os
from pathlib import Path
from typing import Any

import pytest

from tidegate.kustomize import overlay
from tidegate.kustomize.errors import BuildError
from tidegate.kustomize.tests.trees import a_config_map, a_spec, built, names, plant
from tidegate_api.codec import JsonObject

HEAD = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
FIFO = {"sortOptions": {"order": "fifo"}}


def laid(root: Path, **fields: Any) -> JsonObject:
    """The kustomization of `root` without what every one of them has."""
    content = overlay.make(root, root, a_spec(**fields)).content
    return {name: value for name, value in content.items() if (name, value) not in [*HEAD.items(), *FIFO.items()]}


def test_manifests_below_are_listed_in_the_order_of_a_sorted_walk(tmp_path: Path) -> None:
    manifest = a_config_map("x")
    plant(tmp_path, dict.fromkeys(["b.yaml", "b/z.yml", "b-c/a.yaml", "B.yaml", ".hidden/a.yaml", ".x.yaml"], manifest))
    plant(tmp_path, {"b/base/kustomization.yml": "{}", "b/base/y.yaml": "no manifest", "README.md": "", "c.json": "{}"})

    assert laid(tmp_path) == {
        "resources": ["./.hidden/a.yaml", "./.x.yaml", "./B.yaml", "./b/base", "./b/z.yml", "./b-c/a.yaml", "./b.yaml"]
    }


def test_without_manifests_there_is_a_placeholder(tmp_path: Path) -> None:
    plant(tmp_path, {"README.md": "", "empty/x": ""})

    assert laid(tmp_path) == {"namespace": "_placeholder"}


@pytest.mark.parametrize(
    "files", [{"README.md": ""}, {"kustomization.yaml": "resources: []"}, {"kustomization.yaml": ""}]
)
async def test_k15_nothing_to_build_is_no_failure(tmp_path: Path, files: dict[str, str]) -> None:
    assert await built(plant(tmp_path, files)) == []


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        pytest.param("a: b", "missing Resource metadata", id="no-manifest"),
        pytest.param("- a", "missing Resource metadata", id="list"),
        pytest.param("x", "missing Resource metadata", id="text"),
        pytest.param("apiVersion: v1\nmetadata: {name: x}", "missing kind in object v1/x", id="no-kind"),
        pytest.param("apiVersion: v1\nkind: X", "missing metadata.name in object v1/X", id="no-name"),
        pytest.param("kind: X\nmetadata: {generateName: x-}", "missing metadata.name in object X", id="generated-name"),
        pytest.param("kind: X\nmetadata: {name: x}\n---\na: b", "missing Resource metadata", id="second-document"),
        pytest.param("a: [", "line 2, column 1: while parsing a flow node", id="no-yaml"),
        pytest.param(
            "kind: X\nmetadata: {name: x, name: y}", "line 2, column 27: mapping key already defined", id="k8-keys"
        ),
        pytest.param("a: {{ .Values.b }}", "line 1, column 5: a mapping's key is not a scalar", id="template"),
    ],
)
async def test_k8_a_scanned_file_that_is_no_manifest_is_named(tmp_path: Path, text: str, cause: str) -> None:
    plant(tmp_path, {"apps/sub/broken.yaml": text, "apps/good.yaml": a_config_map("good")})

    with pytest.raises(BuildError) as caught:
        await built(tmp_path, path="apps")
    assert str(caught.value).startswith(f"failed to decode Kubernetes YAML from apps/sub/broken.yaml: {cause}")


async def test_a_scanned_file_that_only_kustomize_understands_is_built(tmp_path: Path) -> None:
    plant(tmp_path, {"a.yaml": a_config_map("a", data="{a: &x b, c: *x, d: 2001-01-01}")})

    assert (await built(tmp_path))[0]["data"] == {"a": "b", "c": "b", "d": "2001-01-01T00:00:00Z"}


def test_an_existing_file_keeps_what_flux_knows_of_it(tmp_path: Path) -> None:
    text = "resources: [a.yaml]\nunknown: 1\nNAMEPREFIX: p-\nnameSuffix: 1\ncommonLabels: {version: 1.10}\nvars: null\n"
    plant(
        tmp_path,
        {
            "Kustomization": text
            + "images: [{name: a, newTag: 1.16, x: y}]\npatches: [{target: {kind: A}}, {target: {}}]"
        },
    )

    assert laid(tmp_path) == {
        "resources": ["a.yaml"],
        "namePrefix": "p-",
        "nameSuffix": "1",
        "commonLabels": {"version": "1.1"},
        "images": [{"name": "a", "newTag": "1.16"}],
        "patches": [{"target": {"kind": "A"}}, {"target": {}}],
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *[("resources: x", "resources: must be a list"), ("namePrefix: [a]", "namePrefix: must be a text")],
        *[("commonLabels: x", "commonLabels: must be a mapping"), ("- a", "not a mapping"), ("a: [", "line 2")],
        *[("images: [x]", "images: must be a mapping"), ("resources: [[a]]", "resources: must be a text")],
    ],
)
async def test_a_file_of_the_wrong_shape_is_named(tmp_path: Path, text: str, problem: str) -> None:
    plant(tmp_path, {"apps/kustomization.yaml": text})

    with pytest.raises(BuildError) as caught:
        await built(tmp_path, path="apps")
    assert str(caught.value).startswith(f"apps/kustomization.yaml: {problem}")


async def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.yaml")).write_text(a_config_map("a"))

    with pytest.raises(BuildError, match=r"file name is not a text: '\\udcff.yaml'"):
        await built(tmp_path)


@pytest.mark.parametrize(
    "files", [{"d/" * 300 + "a.yaml": a_config_map("a")}, {"kustomization.yaml": f"resources: [{'x' * 300}]"}]
)
async def test_what_the_file_system_or_nobody_takes_is_refused(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(BuildError, match=r"nested deeper|cannot read the artifact|name too long"):
        await built(plant(tmp_path, files))


@pytest.mark.parametrize("kustomization", [{}, {"kustomization.yaml": "resources: [a.yaml, b.yaml]"}])
async def test_more_manifests_than_a_build_may_yield_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kustomization: dict[str, str]
) -> None:
    monkeypatch.setattr("tidegate.kustomize.manifests.MAX_BYTES", 150)
    plant(tmp_path, {"a.yaml": a_config_map("a"), "b.yaml": a_config_map("b", data="{x: " + "y" * 100 + "}")})

    with pytest.raises(BuildError, match="MiB of manifests"):
        await built(plant(tmp_path, kustomization))


async def test_two_kustomization_files_are_refused(tmp_path: Path) -> None:
    plant(tmp_path, {"apps/kustomization.yaml": "{}", "apps/kustomization.yml": "{}"})

    with pytest.raises(BuildError, match="found multiple kustomization files under: apps"):
        await built(tmp_path, path="apps")


def test_the_spec_is_laid_over_the_file(tmp_path: Path) -> None:
    text = "resources: [a.yaml]\nnamespace: old\nnamePrefix: o-\npatches: [{path: x}]\n"
    text += "components: [c]\nbuildMetadata: [x]"
    plant(tmp_path, {"kustomization.yaml": text})
    patch = {"patch": "- op: remove", "target": {"kind": "Deployment", "labelSelector": "a=b"}}

    assert laid(
        tmp_path,
        targetNamespace="new",
        namePrefix="new-",
        nameSuffix="-new",
        patches=[patch],
        components=["d"],
        buildMetadata=["originAnnotations"],
    ) == {
        "resources": ["a.yaml"],
        "namespace": "new",
        "namePrefix": "new-",
        "nameSuffix": "-new",
        "patches": [{"path": "x"}, patch],
        "components": ["c", "d"],
        "buildMetadata": ["originAnnotations"],
    }


@pytest.mark.parametrize(
    ("more", "merged"),
    [
        pytest.param({"newName": "z"}, {"newName": "z", "newTag": "1", "digest": "d"}, id="name-alone"),
        pytest.param({"newTag": "2"}, {"newName": "img", "newTag": "2", "digest": ""}, id="tag-drops-digest"),
        pytest.param({"digest": "e"}, {"newName": "img", "newTag": "", "digest": "e"}, id="digest-drops-tag"),
        pytest.param({}, {"newName": "img", "newTag": "1", "digest": "d"}, id="nothing"),
    ],
)
def test_images_are_merged_field_by_field(tmp_path: Path, more: JsonObject, merged: JsonObject) -> None:
    plant(tmp_path, {"kustomization.yaml": "resources: [a]\nimages: [{name: x, newName: img, newTag: '1', digest: d}]"})

    images = laid(tmp_path, images=[{"name": "x", **more}, {"name": "other", "newTag": "3"}])["images"]
    assert images == [{"name": "x", **merged}, {"name": "other", "newTag": "3"}]


@pytest.mark.parametrize("component", ["https://x/y", "git@x:y", "github.com/o/r", "/etc", "file:///etc", "SSH://x"])
async def test_components_have_to_be_local(tmp_path: Path, component: str) -> None:
    plant(tmp_path, {"a.yaml": a_config_map("a")})

    with pytest.raises(BuildError, match=f"component path '{component}' must be local and relative"):
        await built(tmp_path, components=[component])


async def test_a_missing_component_can_be_ignored(tmp_path: Path) -> None:
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: c-\n"
    plant(tmp_path, {"apps/a.yaml": a_config_map("a"), "parts/kustomization.yaml": component})
    fields: dict[str, Any] = {"path": "apps", "components": ["../parts", "../missing"]}

    assert names(await built(tmp_path, **fields, ignoreMissingComponents=True)) == ["c-a"]


async def test_a_missing_component_is_named(tmp_path: Path) -> None:
    plant(tmp_path, {"apps/a.yaml": a_config_map("a")})

    with pytest.raises(BuildError, match=r"^kustomize build failed: .*missing"):
        await built(tmp_path, path="apps", components=["../missing"])
