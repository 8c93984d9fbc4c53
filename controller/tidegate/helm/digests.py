"""Checksums of values and of stored releases, as Go's helm-controller computes them: put back, it upgrades nothing.

To Go, every number in values is a 64-bit float, and maps are sorted by the bytes of their keys. Pure.
"""

import hashlib
from decimal import Decimal
from typing import Any

import msgspec

from tidegate.adapters import yaml
from tidegate.helm.release import record as records
from tidegate.helm.release.record import Record
from tidegate_api.codec import JsonObject

_TEST = "test"


def of_values(values: JsonObject) -> str:
    """The digest of values: of their YAML with sorted keys, of nothing when there are none."""
    return _sha256(yaml.dump(_in_yaml(values), keeps_order=True).encode() if values else b"")


def of_record(record: Record, oci_digest: str = "") -> str:
    """The digest of a stored revision, by which it is known to be as it was left; what tests did does not count."""
    hooks = [hook for hook in record.hooks if _TEST not in hook.events]
    observed: dict[str, Any] = {
        "name": record.name,
        "version": record.version,
        "info": record.info,
        "chartMetadata": _metadata(record),
        "config": _in_json(record.config) if record.config else None,
        "manifest": record.manifest,
        "hooks": hooks or None,
        "namespace": record.namespace,
        **({"ociDigest": oci_digest} if oci_digest else {}),
    }
    return _sha256(records.go_json(observed) + b"\n")


def _metadata(record: Record) -> JsonObject:
    """The chart's metadata are a struct, whose order is given, but for the map in it."""
    metadata: JsonObject = record.chart.get("metadata") or {}
    notes = metadata.get("annotations")
    return {**metadata, "annotations": dict(sorted(notes.items()))} if notes else metadata


def _in_yaml(value: Any) -> Any:
    """Sorted maps, and whole numbers where a 64-bit one has the value of the float."""
    match value:
        case dict():
            return {key: _in_yaml(value[key]) for key in sorted(value)}
        case list():
            return [_in_yaml(item) for item in value]
        case bool():
            return value
        case int() | float():
            read = float(value)
            return int(read) if read.is_integer() and -(1 << 63) <= read < 1 << 64 else read
        case _:
            return value


def _in_json(value: Any) -> Any:
    """Sorted maps, and numbers as Go's encoder writes a float."""
    match value:
        case dict():
            return {key: _in_json(value[key]) for key in sorted(value)}
        case list():
            return [_in_json(item) for item in value]
        case bool():
            return value
        case int() | float():
            return msgspec.Raw(_number(float(value)).encode())
        case _:
            return value


def _number(value: float) -> str:
    """Positional from 1e-6 up to 1e21, else with an exponent of as many digits as it takes."""
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}"


def _sha256(text: bytes) -> str:
    return f"sha256:{hashlib.sha256(text).hexdigest()}"
