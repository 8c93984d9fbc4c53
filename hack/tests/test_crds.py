"""The CRDs against the contract: the extract beside this folder always, the whole of it where it is at hand."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack import crds, generated
from hack.generated import ROOT, JsonObject
from tidegate_api import codec

CONTRACT: JsonObject = json.loads((ROOT / "hack/contract/flux-crds.json").read_text())
KINDS = {f"{kind.KIND}.{kind.GROUP}/{kind.VERSION}": kind for kind in crds.KINDS}
COMPARED = (
    "type", "format", "enum", "default", "pattern", "minimum", "maximum", "minLength", "maxLength", "required",
)  # fmt: skip


def test_files_are_up_to_date() -> None:
    assert generated.stale(crds.FOLDER, crds.files()) == []


def test_the_contract_covers_every_kind() -> None:
    assert sorted(CONTRACT) == sorted(KINDS)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_fields_are_those_of_the_contract(name: str) -> None:
    fields = dict(_flatten(_schema(name)))

    assert fields == {path: _comparable(node) for path, node in CONTRACT[name]["fields"].items()}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_rules_are_those_of_the_contract(name: str) -> None:
    rules = {path: node["rules"] for path, node in CONTRACT[name]["fields"].items() if "rules" in node}

    assert dict(_rules(_schema(name))) == rules


@pytest.mark.parametrize("name", sorted(KINDS))
def test_names_and_columns_are_those_of_the_contract(name: str) -> None:
    spec = _definition(name)["spec"]
    (version,) = spec["versions"]

    assert {
        "columns": [[c["name"], c["jsonPath"], c["type"]] for c in version["additionalPrinterColumns"]],
        "deprecated": False,
        "plural": spec["names"]["plural"],
        "scope": spec["scope"],
        "shortNames": spec["names"]["shortNames"],
        "statusSubresource": "status" in version["subresources"],
        "storage": version["storage"],
    } == {key: value for key, value in CONTRACT[name].items() if key != "fields"}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_field_survives_decoding_and_encoding(name: str) -> None:
    kind = KINDS[name]
    full = _example(_schema(name)) | {"apiVersion": kind.API_VERSION, "kind": kind.KIND, "metadata": {"name": "a"}}

    assert codec.encode(codec.decode(kind, full)) == full


@pytest.mark.parametrize("name", sorted(KINDS))
def test_what_the_server_fills_in_is_what_python_assumes(name: str) -> None:
    absent, filled = (_example(_settled(_schema(name), fill=fill)) for fill in (False, True))

    assert absent != filled
    assert codec.decode(KINDS[name], absent) == codec.decode(KINDS[name], filled)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_field_has_a_description(name: str) -> None:
    undescribed = [path for path, node in _walk(_schema(name)) if not node.get("description", "").endswith(".")]

    assert undescribed == []


def test_definitions_are_recognised_as_flux() -> None:
    labels = [_definition(name)["metadata"]["labels"] for name in KINDS]

    assert [{key.removeprefix("app.kubernetes.io/"): value for key, value in each.items()} for each in labels] == [
        {"component": component, "managed-by": "tidegate", "part-of": "flux", "version": generated.FLUX_VERSION}
        for component in crds.KINDS.values()
    ]


def test_no_gap_to_the_full_contract() -> None:
    shared = Path(os.environ.get("TIDEGATE_CONTRACT", ROOT.parent / "shared"))
    tool = shared / "tools/crd_contract.py"
    if not tool.exists():
        pytest.skip(f"no {tool}: TIDEGATE_CONTRACT names the folder that holds tools/ and contract/")
    kinds = [argument for kind in crds.KINDS for argument in ("--kind", kind.KIND)]

    result = subprocess.run([sys.executable, tool, "check", crds.FOLDER, *kinds], capture_output=True, check=False)

    assert (result.returncode, "0 gaps" in result.stdout.decode()) == (0, True), result.stdout


def _definition(name: str) -> JsonObject:
    kind = KINDS[name]
    text = (crds.FOLDER / f"{kind.GROUP}_{kind.PLURAL}.yaml").read_text()
    definition: JsonObject = yaml.safe_load(text)
    return definition


def _schema(name: str) -> JsonObject:
    schema: JsonObject = _definition(name)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return {**schema, "properties": {key: schema["properties"][key] for key in ("spec", "status")}}


def _walk(schema: JsonObject, path: str = "") -> Iterator[tuple[str, JsonObject]]:
    """Every schema that stands for a field or for the object itself."""
    yield path or ".", schema
    for name, node in schema.get("properties", {}).items():
        yield from _walk(node, f"{path}.{name}")
    if "properties" in schema.get("items", {}):
        yield from _walk(schema["items"], f"{path}[]")


def _flatten(schema: JsonObject, path: str = "") -> Iterator[tuple[str, JsonObject]]:
    yield path or ".", _comparable(schema)
    for name, node in schema.get("properties", {}).items():
        yield from _flatten(node, f"{path}.{name}")
    for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from _flatten(schema[key], path + suffix)


def _comparable(node: JsonObject) -> JsonObject:
    return {key: node[key] for key in COMPARED if key in node}


def _rules(schema: JsonObject) -> Iterator[tuple[str, list[str]]]:
    for path, node in _walk(schema):
        if rules := node.get("x-kubernetes-validations"):
            yield path, sorted(rule["rule"] for rule in rules)


# Durations are strings without a mark; Go's own spelling of one is as good as any text in the other fields.
SCALARS = {"boolean": True, "integer": 7, "string": "1m30s"}


def _example(schema: JsonObject) -> Any:
    """A value that sets every field, to something that is not its default."""
    match schema:
        case {"properties": properties}:
            return {name: _example(node) for name, node in properties.items()}
        case {"additionalProperties": node}:
            return {"key": _example(node)}
        case {"items": node}:
            return [_example(node)]
        case {"enum": values}:
            return values[-1]
        case {"x-kubernetes-preserve-unknown-fields": True}:
            return {"any": ["thing"]}
    return "2026-11-23T05:33:00Z" if schema.get("format") == "date-time" else SCALARS[schema["type"]]


def _settled(schema: JsonObject, *, fill: bool) -> JsonObject:
    """`schema` with the fields that have a default at just that, or without them."""
    match schema:
        case {"properties": properties}:
            settled = {name: _settled(node, fill=fill) for name, node in properties.items()}
            return schema | {"properties": {name: node for name, node in settled.items() if node}}
        case {"items": node}:
            return schema | {"items": _settled(node, fill=fill)}
        case {"default": value}:
            return {"enum": [value]} if fill else {}
    return schema
