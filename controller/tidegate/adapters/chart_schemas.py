"""What a chart's schema for its values may say: nothing that makes a validator leave the document. Pure.

Helm's validator fetches what a schema refers to, by HTTP and from the disk, and quotes it in its errors
(helm/helm#32245). A `$id` alone fetches nothing, but a reference to one may: what looks like a `$id` can lie in a
`default` or an `enum`, where the validator does not see it. Only a fragment is sure to stay inside.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from tidegate.runtime.errors import TidegateError

MAX_DEPTH = 500
MAX_REFERENCES = 10_000
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
# The drafts that the validator carries in itself; it fetches their neighbours.
_DRAFTS = frozenset(
    f"{scheme}://json-schema.org/{draft}schema"
    for scheme in ("http", "https")
    for draft in ("", "draft-04/", "draft-06/", "draft-07/", "draft/2019-09/", "draft/2020-12/")
)


class SchemaRefused(TidegateError):
    """A schema is no JSON, is beyond a bound, or refers to something outside itself."""


def require_self_contained(schema: bytes) -> None:
    """Raises: SchemaRefused."""
    try:
        texts = list(_texts(msgspec.json.decode(schema)))
    except msgspec.DecodeError as error:
        raise SchemaRefused(f"values.schema.json is no JSON: {error}") from error
    except RecursionError as error:
        raise SchemaRefused(f"values.schema.json is nested deeper than {MAX_DEPTH}") from error
    references = [(key, value) for key, value in texts if key in _REFERENCES]
    if len(references) > MAX_REFERENCES:
        raise SchemaRefused(f"values.schema.json has more than {MAX_REFERENCES} references")
    dialects = [(key, value) for key, value in texts if key == "$schema"]
    for key, value in [*references, *dialects]:
        document = value.partition("#")[0]
        if document and document not in _DRAFTS and not document.startswith("urn:"):
            raise SchemaRefused(f"external {key} in values.schema.json is not allowed: {value[:128]!r}")


def _texts(document: Any) -> Iterator[tuple[str, str]]:
    """Every member whose value is a text, at any depth. Raises: SchemaRefused."""
    pending = [(document, 0)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise SchemaRefused(f"values.schema.json is nested deeper than {MAX_DEPTH}")
        if isinstance(node, dict):
            yield from ((key, value) for key, value in node.items() if isinstance(value, str))
        inner = node.values() if isinstance(node, dict) else node
        pending += [(value, depth + 1) for value in inner if isinstance(value, dict | list)]
