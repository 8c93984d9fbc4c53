import subprocess
from pathlib import Path

import pytest
import yaml

from hack.controlplane import builds
from hack.demo.acts import crash, mistakes
from hack.demo.stage import manifests


def a_checkout(directory: Path, files: manifests.Files) -> Path:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


def build(checkout: Path) -> subprocess.CompletedProcess[str]:
    argv = [str(builds.kubectl()), "kustomize", "--load-restrictor=LoadRestrictionsNone", f"{checkout}/apps/production"]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)


def test_overlay_sets_image_namespace_and_replicas(tmp_path: Path) -> None:
    files = manifests.application("web") | manifests.overlay({"web": "1.0.0"})

    service, deployment = yaml.safe_load_all(build(a_checkout(tmp_path, files)).stdout)

    assert {service["metadata"]["namespace"], deployment["metadata"]["namespace"]} == {manifests.NAMESPACE}
    assert deployment["spec"]["replicas"] == manifests.WEB_REPLICAS
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == manifests.image("web", "1.0.0")


def test_file_without_its_quote_is_no_yaml() -> None:
    (text,) = manifests.without_a_quote(manifests.application("web"), mistakes.DEPLOYMENT).values()

    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(text)


def test_plain_yaml_of_the_infrastructure_names_its_namespace() -> None:
    found = [yaml.safe_load(text) for text in manifests.infrastructure().values()]

    assert {one["metadata"].get("namespace", one["metadata"]["name"]) for one in found} == {manifests.NAMESPACE}


def test_commit_of_the_kill_adds_what_the_act_counts(tmp_path: Path) -> None:
    files = manifests.application("web") | manifests.orders() | manifests.overlay(crash.AFTER)

    built = yaml.safe_load_all(build(a_checkout(tmp_path, files)).stdout)

    names = {(one["kind"], one["metadata"]["name"]) for one in built}
    assert names - {("Deployment", "web"), ("Service", "web")} == {(key.kind, key.name) for key in crash.ADDED}
