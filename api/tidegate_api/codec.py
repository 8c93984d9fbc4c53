"""JSON <-> typed structs, the way the API server's Go types do it. It checks shapes, never patterns or enums.

Stored objects may be older than a rule, so a value that breaks its schema still decodes: refusing it is the API
server's work. Durations are Go's ("1h30m"), times are RFC 3339 in whole UTC seconds, `null` is absent everywhere,
and fields that no struct knows are ignored.
"""

import functools
import re
from collections.abc import Hashable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Self, TypeVar

import msgspec

from tidegate_api.schema import Rule, Schema

JsonObject = dict[str, Any]
StructT = TypeVar("StructT", bound="ApiStruct")


class DecodeError(ValueError):
    """An object does not fit its type: `kind` is the type's name, `path` the field, `reason` what is wrong there."""

    def __init__(self, kind: str, path: str, reason: str) -> None:
        self.kind = kind
        self.path = path
        self.reason = reason
        super().__init__(f"{kind} {path}: {reason}" if path else f"{kind}: {reason}")


class InvalidDuration(ValueError):
    """A text is no Go duration, means more than Go can hold (292 years), or has more than 256 characters."""


class InvalidTime(ValueError):
    """A text is no RFC 3339 time with a zone."""


class Duration(timedelta):
    """A `timedelta` that JSON spells as Go does; below a microsecond it is cut off."""

    @classmethod
    def of(cls, delta: timedelta) -> Self:
        """The same length of time as `delta`."""
        return cls(delta.days, delta.seconds, delta.microseconds)


Time = Annotated[datetime, msgspec.Meta(tz=True), Schema(format="date-time")]


class ApiStruct(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Base of all API types: snake_case here is camelCase in JSON, and a field at its default is left out.

    `TYPE_META` is what JSON says beyond the fields: a kind's apiVersion and kind, nothing for parts of kinds.
    `RULES` are the CEL rules of the CRD for this object.
    """

    TYPE_META: ClassVar[Mapping[str, str]] = {}
    RULES: ClassVar[tuple[Rule, ...]] = ()


def decode(cls: type[StructT], obj: Mapping[str, Any]) -> StructT:
    """`obj` as a `cls`; values of free-form fields are shared with `obj`, not copied.

    Raises:
        DecodeError: a required field is missing, or a value has the wrong JSON type.
    """
    try:
        # Nulls are rare and a walk in Python is dear: only an object that does not fit is searched for them.
        return msgspec.convert(obj, cls, dec_hook=_decode_custom)
    except msgspec.ValidationError:
        pass
    try:
        return msgspec.convert(_without_nulls(obj, _type_info(cls)), cls, dec_hook=_decode_custom)
    except msgspec.ValidationError as error:
        raise _decode_error(cls, str(error)) from error


def encode(obj: ApiStruct) -> JsonObject:
    """`obj` as plain JSON types, without the fields that are at their defaults."""
    fields = msgspec.to_builtins(obj, enc_hook=_encode_custom, builtin_types=(datetime,))
    return {**obj.TYPE_META, **_format_times(fields)}


_LIMIT = 1 << 63  # Go keeps a duration in 63 bits of nanoseconds
_MAX_TEXT = 256  # Go has no bound here; a text that fills an object would hold up everybody else
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,  # U+00B5, the micro sign
    "\u03bcs": 10**3,  # U+03BC, the Greek letter mu
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_STEP = re.compile(r"(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]*))?(?P<unit>[^0-9.]+)")


def parse_duration(text: str) -> Duration:
    """What Go's time.ParseDuration reads: "1h30m", "250ms", "-1.5h", ".5s", "0".

    Raises:
        InvalidDuration: Go would refuse the text too.
    """
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    if unsigned == "0":
        return Duration()
    if len(text) > _MAX_TEXT:
        raise _invalid_duration(text)
    nanoseconds = _sum_steps(text, unsigned)
    negative = text.startswith("-")
    if nanoseconds > _LIMIT or (nanoseconds == _LIMIT and not negative):
        raise _invalid_duration(text)
    microseconds = nanoseconds // 1000
    return Duration(microseconds=-microseconds if negative else microseconds)


def format_duration(delta: timedelta) -> str:
    """What Go's Duration.String() writes: "0s", "250ms", "5.02s", "1m30s", "1h0m0s"."""
    microseconds = delta // timedelta(microseconds=1)
    sign, microseconds = ("-", -microseconds) if microseconds < 0 else ("", microseconds)
    if microseconds == 0:
        return "0s"
    if microseconds < 1000:
        return f"{sign}{microseconds}\u00b5s"
    if microseconds < 10**6:
        return f"{sign}{_decimal(microseconds, 1000)}ms"
    minutes, rest = divmod(microseconds, 60 * 10**6)
    hours, minutes = divmod(minutes, 60)
    prefix = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{prefix}{_decimal(rest, 10**6)}s"


def parse_time(text: str) -> datetime:
    """The aware datetime that an RFC 3339 `text` means.

    Raises:
        InvalidTime: the text is none, or names no zone.
    """
    try:
        return msgspec.convert(text, Time)
    except msgspec.ValidationError as error:
        raise InvalidTime(f"invalid time {text[:64]!r}") from error


def format_time(moment: datetime) -> str:
    """The aware `moment` in whole UTC seconds: "2026-11-23T05:33:00Z"."""
    return f"{moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()}Z"


def _sum_steps(text: str, unsigned: str) -> int:
    nanoseconds = 0
    position = 0
    while step := _STEP.match(unsigned, position):
        nanoseconds += _step_nanoseconds(text, step)
        position = step.end()
    if position == 0 or position != len(unsigned):
        raise _invalid_duration(text)
    return nanoseconds


def _step_nanoseconds(text: str, step: re.Match[str]) -> int:
    whole, fraction, unit = step["whole"], step["fraction"] or "", _NANOSECONDS.get(step["unit"])
    if unit is None or not (whole or fraction):
        raise _invalid_duration(text)
    return int(whole or "0") * unit + _fraction_nanoseconds(fraction, unit)


def _fraction_nanoseconds(digits: str, unit: int) -> int:
    """In floating point and with no more digits than Go takes, because Go's rounding is what others compute."""
    value, scale = 0, 1.0
    for digit in digits:
        if value > (_LIMIT - 1) // 10:
            break
        value = value * 10 + int(digit)
        scale *= 10
    return int(value * (unit / scale))


def _invalid_duration(text: str) -> InvalidDuration:
    return InvalidDuration(f"invalid duration {text[:64]!r}")


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    return f"{whole}.{rest:0{len(str(unit)) - 1}d}".rstrip("0").rstrip(".")


def _decode_custom(cls: type, value: Any) -> Any:
    if cls is not Duration:
        raise NotImplementedError(f"{cls.__name__} is no API type")
    if not isinstance(value, str):
        raise InvalidDuration(f"Expected a duration as `str`, got `{type(value).__name__}`")
    return parse_duration(value)


def _encode_custom(value: Any) -> Any:
    if not isinstance(value, timedelta):
        raise NotImplementedError(f"{type(value).__name__} is no API type")
    return format_duration(value)


def _format_times(value: Any) -> Any:
    """`value` with its datetimes as text; containers, which to_builtins made, are changed in place."""
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = _format_times(item)
    elif isinstance(value, list):
        value[:] = map(_format_times, value)
    elif isinstance(value, datetime):
        return format_time(value)
    return value


@functools.cache
def _type_info(cls: Hashable) -> msgspec.inspect.Type:
    return msgspec.inspect.type_info(cls)


def _without_nulls(value: Any, kind: msgspec.inspect.Type) -> Any:
    """`value` without the nulls in typed places; in free-form JSON a null says something, as in Helm's values."""
    match kind:
        case msgspec.inspect.UnionType():
            known = next(member for member in kind.types if not isinstance(member, msgspec.inspect.NoneType))
            return _without_nulls(value, known)
        case msgspec.inspect.StructType() if isinstance(value, Mapping):
            types = {field.encode_name: field.type for field in kind.fields}
            return {k: _without_nulls(v, types[k]) for k, v in value.items() if v is not None and k in types}
        case msgspec.inspect.DictType() if isinstance(value, Mapping):
            is_free = isinstance(kind.value_type, msgspec.inspect.AnyType)
            return {k: _without_nulls(v, kind.value_type) for k, v in value.items() if is_free or v is not None}
        case msgspec.inspect.ListType() if isinstance(value, list):
            return [_without_nulls(item, kind.item_type) for item in value if item is not None]
        case _:
            return value


_AT = re.compile(r"(?s)(?P<reason>.*?)(?: - at `(?:key in )?\$\.?(?P<path>[^`]*)`)?")
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]*)`")


def _decode_error(cls: type, message: str) -> DecodeError:
    at = _AT.fullmatch(message)
    reason, path = (at["reason"], at["path"] or "") if at else (message, "")
    if missing := _MISSING.fullmatch(reason):
        reason, path = "required field is missing", f"{path}.{missing['name']}".lstrip(".")
    return DecodeError(cls.__name__, path, reason)
