"""The words of failures, as Flux says them, and without the values of Secrets."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from tidegate.engine.health import Health
from tidegate.engine.identity import ObjectId
from tidegate.runtime import errors
from tidegate.runtime.errors import TidegateError
from tidegate_api.codec import JsonObject

MASK = "***"
_SHORT = 4  # a value below this stands in other words by chance
_LINE = 8


def dry_run_failed(oid: ObjectId, error: TidegateError, secrets: Iterable[str] = ()) -> str:
    """A refused dry-run; `secrets` are values to mask in the server's words."""
    words = mask(cause(error), secrets)
    if isinstance(error, errors.NotFound):
        # A namespaced object without a namespace asks for a path that does not exist.
        return f"{oid} not found: {words}" if oid.namespace else f"{oid} namespace not specified: {words}"
    reason = _reason(error)
    return f"{oid} dry-run failed ({reason}): {words}" if reason else f"{oid} dry-run failed: {words}"


def apply_failed(oid: ObjectId, error: TidegateError, secrets: Iterable[str] = ()) -> str:
    """A refused apply; `secrets` are values to mask in the server's words."""
    return f"{oid} apply failed: {mask(cause(error), secrets)}"


def delete_failed(oid: ObjectId, error: TidegateError) -> str:
    """A refused delete."""
    return f"{oid} delete failed: {cause(error)}"


def cause(error: TidegateError) -> str:
    """An error in its own words."""
    return str(error) or type(error).__name__


def prune_failed(problems: Iterable[str]) -> str:
    """All deletes of one pass that were refused."""
    return "delete failed, errors: " + "".join(f"{problem};" for problem in problems)


def wait_failed(unhealthy: Iterable[tuple[ObjectId, Health]], *, timed_out: bool) -> str:
    """A wait that ended before all were Current, with each object's state and what its status says of it."""
    states = (f"{oid} status: '{health.status}'{_detail(health)}" for oid, health in unhealthy)
    start = "timeout waiting for" if timed_out else "failed early due to stalled resources"
    return f"{start}: [{', '.join(states)}]"


def secret_values(obj: JsonObject) -> list[str]:
    """Everything confidential in a Secret: values of data and stringData, plain and as written; else nothing."""
    if obj.get("kind") != "Secret" or obj.get("apiVersion") != "v1":
        return []
    written = [value for field in ("data", "stringData") for value in _values(obj.get(field))]
    decoded = (_find_plain(value) for value in _values(obj.get("data")))
    return [*written, *(value for value in decoded if value is not None)]


def mask(text: str, values: Iterable[str]) -> str:
    """`text` with every value replaced, also where it is base64, URL- or JSON-escaped, or one line of the value.

    A value of up to three characters is replaced only where it stands alone.
    """
    found = {form for value in values for form in _forms(value, len(text)) if form in text and form.strip("*")}
    # Of two values that start alike the longer comes first, so that nothing of it is left over.
    patterns = [_pattern(form) for form in sorted(found, key=len, reverse=True)]
    return re.sub("|".join(patterns), MASK, text) if patterns else text


def mask_secret(text: str, obj: JsonObject) -> str:
    """`text` without the values of `obj`, should it be a Secret."""
    return mask(text, secret_values(obj))


def _reason(error: TidegateError) -> str:
    if not isinstance(error, errors.ApiError):
        return ""
    causes = (error.status.get("details") or {}).get("causes") or []
    if any(cause.get("reason") == "FieldManagerConflict" for cause in causes):
        return "FieldManagerConflict"
    return error.reason


def _detail(health: Health) -> str:
    return f": {health.message}" if health.message else ""


def _values(field: Any) -> Iterator[str]:
    for value in field.values() if isinstance(field, dict) else ():
        if isinstance(value, str):
            yield value
        elif value is not None:
            yield json.dumps(value)


def _find_plain(value: str) -> str | None:
    try:
        return base64.b64decode(value).decode()
    except (binascii.Error, ValueError):
        return None


def _forms(value: str, longest: int) -> Iterator[str]:
    """The spellings of `value` that are no longer than a text of `longest` characters."""
    yield from (line for line in map(str.strip, value.splitlines()) if len(line) >= _LINE)
    for text in {value, value.strip()}:
        if not text or len(text) > longest:
            continue
        encoded = text.encode("utf-8", "replace")
        yield text
        for coded in (base64.b64encode(encoded).decode(), base64.urlsafe_b64encode(encoded).decode()):
            yield from (coded, coded.rstrip("="))
        yield from (quote(encoded), quote(encoded, safe=""), quote_plus(encoded))
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])


def _pattern(form: str) -> str:
    escaped = re.escape(form)
    return rf"(?<!\w){escaped}(?!\w)" if len(form) < _SHORT else escaped
