"""The verdict on an object, what a rule for a kind is, and how rules read untyped objects."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from tidegate.runtime.errors import TidegateError
from tidegate_api.codec import JsonObject

Path = tuple[str, ...]


class HealthStatus(StrEnum):
    """kstatus' words."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """How an object is; `reason` is one word for machines and empty unless something is amiss or under way."""

    status: HealthStatus
    message: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """The part of a condition that rules read."""

    type: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True)
class Rule:
    """How a kind is judged, and all that the judgement reads beside metadata and the generic conditions."""

    judge: Callable[[JsonObject, datetime | None], Health]
    fields: tuple[Path, ...] = ()
    conditions: frozenset[str] = frozenset()
    generic_first: bool = True


class Unreadable(TidegateError):
    """A field that every kind shares has another type than it must have."""


NOT_FOUND = Health(HealthStatus.NOT_FOUND, "Resource not found")


def current(message: str) -> Health:
    """The object is as wanted."""
    return Health(HealthStatus.CURRENT, message)


def in_progress(reason: str, message: str) -> Health:
    """The object is on its way."""
    return Health(HealthStatus.IN_PROGRESS, message, reason)


def failed(reason: str, message: str) -> Health:
    """The object will not get there by itself."""
    return Health(HealthStatus.FAILED, message, reason)


def find(obj: Any, path: Path) -> Any:
    """What stands at `path`, or None."""
    for step in path:
        if not isinstance(obj, dict):
            return None
        obj = obj.get(step)
    return obj


def integer(obj: JsonObject, path: Path, default: int) -> int:
    """The integer at `path`; `default` for anything else."""
    value = find(obj, path)
    return value if type(value) is int else default


def text(obj: JsonObject, path: Path, default: str) -> str:
    """The text at `path`; `default` for anything else."""
    value = find(obj, path)
    return value if isinstance(value, str) else default


def require_integer(obj: JsonObject, path: Path) -> int | None:
    """The integer at `path`, None when there is nothing. Raises: Unreadable."""
    value = _shared(obj, path)
    if value is not None and type(value) is not int:
        raise Unreadable(f".{'.'.join(path)} is not an integer")
    return value


def require_text(obj: JsonObject, path: Path) -> str:
    """The text at `path`, empty when there is nothing. Raises: Unreadable."""
    value = _shared(obj, path)
    if not isinstance(value, str | None):
        raise Unreadable(f".{'.'.join(path)} is not a string")
    return value or ""


def conditions(obj: JsonObject) -> list[Condition]:
    """All of status.conditions. Raises: Unreadable."""
    found = _shared(obj, ("status", "conditions"))
    if found is None:
        return []
    if not isinstance(found, list):
        raise Unreadable(".status.conditions is not a list")
    return [_condition(item) for item in found]


def _condition(item: Any) -> Condition:
    if not isinstance(item, dict | None):
        raise Unreadable(".status.conditions holds something that is no condition")
    return Condition(*_texts(item or {}))


def _texts(condition: JsonObject) -> Iterator[str]:
    for field in ("type", "status", "reason", "message"):
        value = condition.get(field)
        if not isinstance(value, str | None):
            raise Unreadable(f".status.conditions: {field} is not a string")
        yield value or ""


def _shared(obj: JsonObject, path: Path) -> Any:
    parent = obj.get(path[0])
    if not isinstance(parent, dict | None):
        raise Unreadable(f".{path[0]} is not an object")
    return find(parent, path[1:])
