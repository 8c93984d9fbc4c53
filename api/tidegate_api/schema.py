"""What a CustomResourceDefinition says beyond a Python type: marks for `Annotated` and for class constants.

Only the CRD generator reads them. Decoding enforces none of it: that is the API server's work.
"""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """Constraints of one field, named as in OpenAPI; `default` is what the API server writes into stored objects.

    `required` marks a field that the API server wants in spite of its default; those without one in Python always are.
    """

    default: Any = None
    enum: tuple[str, ...] | None = None
    format: str | None = None
    max_length: int | None = None
    min_length: int | None = None
    minimum: int | None = None
    pattern: str | None = None
    required: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """A CEL expression that must hold for an object of the class, and the text for users when it does not."""

    rule: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`."""

    name: str
    json_path: str
    type: str = "string"


AGE = Column("Age", ".metadata.creationTimestamp", "date")
READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
STATUS = Column("Status", '.status.conditions[?(@.type=="Ready")].message')
