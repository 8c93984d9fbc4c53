import json
from typing import Any

import pytest

from tidegate.adapters import chart_schemas
from tidegate.adapters.chart_schemas import SchemaRefused


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"$ref": "#/definitions/b"}}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.com/values.json"},
        {"$schema": "http://json-schema.org/schema#", "$ref": "https://json-schema.org/draft/2020-12/schema"},
        {"$ref": "urn:example:part"},
        {"properties": {"$ref": {"type": "string"}}},
    ],
    ids=["draft-07", "id", "draft", "urn", "property"],
)
def test_what_stays_inside_is_accepted(schema: dict[str, Any]) -> None:
    chart_schemas.require_self_contained(json.dumps(schema).encode())


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "http://10.0.0.1/x.json"}}},
        {"items": [{"$ref": "file:///etc/passwd"}]},
        {"$ref": "/etc/passwd"},
        {"$ref": "x.json"},
        {"$id": "http://example.com/", "$ref": "x.json#/a"},
        {"$dynamicRef": "https://example.com/x"},
        {"$recursiveRef": "//example.com/x"},
        {"$schema": "http://example.com/my-draft"},
        {"$schema": "file:///dev/zero"},
        {"$ref": "http://json-schema.org.example.com/x"},
        {"$ref": "http://json-schema.org/draft-07/x"},
        {"$ref": "http://json-schema.org/draft-07/../x"},
        # The validator does not see these identifiers, and fetches.
        {"default": {"$id": "file:///etc/passwd"}, "$ref": "file:///etc/passwd"},
        {"$schema": "http://json-schema.org/draft-04/schema", "$id": "file:///x", "$ref": "file:///x"},
    ],
    ids=lambda schema: json.dumps(schema)[:40],
)
def test_h9_what_leads_outside_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaRefused, match=r"^external \$"):
        chart_schemas.require_self_contained(json.dumps(schema).encode())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param('{"a":' * 100_000 + "1" + "}" * 100_000, "nested deeper", id="nested"),
        pytest.param('{"a":' * 600 + "1" + "}" * 600, "nested deeper", id="less-nested"),
        pytest.param(json.dumps([{"$ref": "#"}] * 10_001), "more than 10000 references", id="many"),
        pytest.param("{", "no JSON", id="broken"),
    ],
)
def test_h9_bounds_of_a_schema(text: str, reason: str) -> None:
    with pytest.raises(SchemaRefused, match=reason):
        chart_schemas.require_self_contained(text.encode())
