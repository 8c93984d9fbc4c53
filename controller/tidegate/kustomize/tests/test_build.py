"""A directory of an artifact becomes objects."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tidegate.kustomize import build
from tidegate.kustomize.errors import BuildError
from tidegate.kustomize.tests.trees import a_config_map, a_spec, built, kustomized, names, plant

APP = {
    "base/kustomization.yaml": "resources: [deployment.yaml, config.yaml]\n"
    "configMapGenerator: [{name: gen, files: [../x.env]}]",
    "base/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\n"
    "spec:\n  template:\n    spec:\n      containers: [{name: app, image: 'app:1'}]\n"
    "      volumes: [{name: v, configMap: {name: gen}}]\n",
    "base/config.yaml": a_config_map("config", data="{a: 'yes', b: '0644'}"),
    "x.env": "a=b\n",
    "prod/kustomization.yaml": "resources: [../base, extra.yaml]\nnamePrefix: prod-\n"
    "images: [{name: app, newTag: '2'}]\npatches: [{path: replicas.yaml}]\nreplacements: [{path: replacement.yaml}]\n",
    "prod/extra.yaml": a_config_map("extra"),
    "prod/replicas.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec: {replicas: 3}\n",
    "prod/replacement.yaml": "source: {kind: ConfigMap, name: extra}\ntargets: [{select: {kind: Deployment}, "
    "fieldPaths: [metadata.annotations.from], options: {create: true}}]\n",
}


async def test_overlays_are_built_as_kustomize_builds_them(tmp_path: Path) -> None:
    expected = kustomized(plant(tmp_path / "expected", APP) / "prod")

    objects = await built(plant(tmp_path / "artifact", APP), path="./prod")
    assert sorted(names(objects)) == sorted(names(expected))
    assert {str(obj) for obj in objects} == {str(obj) for obj in expected}


@pytest.mark.parametrize("prefix", ["", "p-"])
async def test_objects_keep_the_order_of_the_files(tmp_path: Path, prefix: str) -> None:
    kinds = ["ConfigMap", "Namespace", "Service", "CustomResourceDefinition", "Deployment"]
    manifests = {f"{i}.yaml": f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: x}}\n" for i, kind in enumerate(kinds)}

    objects = await built(plant(tmp_path, manifests), namePrefix=prefix)
    assert [obj["kind"] for obj in objects] == kinds


async def test_the_spec_changes_the_objects(tmp_path: Path) -> None:
    patch = "- op: add\n  path: /metadata/labels\n  value: {a: b}\n"
    fields: dict[str, Any] = {
        "targetNamespace": "apps",
        "nameSuffix": "-x",
        "patches": [{"patch": patch, "target": {"kind": "ConfigMap"}}],
    }

    objects = await built(plant(tmp_path, {"a.yaml": a_config_map("a")}), **fields)
    assert objects[0]["metadata"] == {"name": "a-x", "namespace": "apps", "labels": {"a": "b"}}


async def test_origin_annotations_name_the_file(tmp_path: Path) -> None:
    objects = await built(plant(tmp_path, {"a.yaml": a_config_map("a")}), buildMetadata=["originAnnotations"])

    assert objects[0]["metadata"]["annotations"] == {"config.kubernetes.io/origin": "path: a.yaml\n"}


async def test_messages_do_not_say_where_the_artifact_lies(tmp_path: Path) -> None:
    plant(tmp_path, {"apps/kustomization.yaml": "resources: [missing.yaml, ../base]"})

    with pytest.raises(BuildError) as caught:
        await built(tmp_path, path="apps")
    assert "open apps/missing.yaml: no such file or directory" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: b\x00c", id="nul"),
        pytest.param("data: {a: b, a: c}", id="duplicate-key"),
        pytest.param("data: {a: .inf}", id="infinity"),
        pytest.param("data: {1: a}", id="number-as-a-key"),
    ],
)
async def test_k8_what_kustomize_refuses_is_refused(tmp_path: Path, text: str) -> None:
    plant(tmp_path, {"a.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\n{text}\n"})
    plant(tmp_path, {"kustomization.yaml": "resources: [a.yaml]"})

    with pytest.raises(BuildError):
        await built(tmp_path)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("\ufeffapiVersion: v1\r\nkind: X\r\nmetadata:\r\n  name: a\r\n", None, id="mark-and-windows"),
        pytest.param("apiVersion: v1\nkind: X\nmetadata: {name: a}\nspec: !!python/name:os x\n", "x", id="python-tag"),
        pytest.param("apiVersion: v1\nkind: X\nmetadata: {name: a}\nspec: 1e400\n", "1e400", id="1e400"),
    ],
)
async def test_k8_what_kustomize_accepts_is_accepted(tmp_path: Path, data: str, expected: Any) -> None:
    objects = await built(plant(tmp_path, {"a.yaml": data}))

    assert (names(objects), objects[0].get("spec")) == (["a"], expected)


async def test_builds_run_beside_one_another(tmp_path: Path) -> None:
    async def one(position: int) -> list[str]:
        root = plant(tmp_path / str(position), {"a.yaml": a_config_map(f"a{position}")})
        return names(await built(root, namePrefix="p-" if position % 2 else ""))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(position)) for position in range(8)]

    assert [task.result() for task in tasks] == [[f"{'p-' if i % 2 else ''}a{i}"] for i in range(8)]


def test_the_digest_has_the_build_fields_and_nothing_else() -> None:
    spec = a_spec(
        path="./apps",
        targetNamespace="x",
        images=[{"name": "a"}],
        postBuild={"substitute": {"a": "b"}},
        wait=True,
        force=True,
    )

    assert build.build_digest_fields(spec) == {"path": "./apps", "targetNamespace": "x", "images": [{"name": "a"}]}
    assert build.build_digest_fields(a_spec()) == {}
