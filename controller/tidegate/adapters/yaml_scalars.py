"""What a YAML scalar means to Kubernetes and to Kustomize, and how Go writes numbers. Pure: no parser in here.

Two readers meet in one build. Kubernetes' (sigs.k8s.io/yaml: go-yaml v2, YAML 1.1, `yes` is true) reads what is sent to
the API server, Kustomize's (go-yaml v3, `yes` is a text) the files of an artifact. Both hand on JSON.
"""

import base64
import binascii
import math
import re
import struct
from decimal import Decimal

Scalar = str | int | float | bool | None

TAG_PREFIX = "tag:yaml.org,2002:"
STR, BOOL, INT, FLOAT, NULL, TIMESTAMP, BINARY, MERGE = (
    TAG_PREFIX + name for name in ("str", "bool", "int", "float", "null", "timestamp", "binary", "merge")
)
_TYPED: dict[str, tuple[type, ...]] = {BOOL: (bool,), INT: (int,), FLOAT: (int, float), NULL: (type(None),)}

_CORE: dict[str, Scalar] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
KUSTOMIZE_WORDS = _CORE
KUBERNETES_WORDS: dict[str, Scalar] = {
    **_CORE,
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}

_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
_RADIX = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_POINT_FLOAT = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_TIMESTAMP = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"(?:(?P<separator>[Tt ])(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2}):(?P<second>[0-9]{1,2})(?:[.,][0-9]+)?"
    r"(?P<zone>Z|[-+](?P<zone_hour>[0-9]{2}):(?P<zone_minute>[0-9]{2}))?)?"
)
_NUMBER_START = frozenset("+-.0123456789")


class ScalarError(ValueError):
    """A scalar does not fit the tag that it carries, or the place that it stands in; `excerpt` is its text."""

    def __init__(self, problem: str, excerpt: str = "") -> None:
        self.problem = problem
        self.excerpt = excerpt
        super().__init__(problem)


def resolve(text: str, words: dict[str, Scalar]) -> Scalar:
    """What the unquoted, untagged `text` means; `words` are the reader's names for booleans, null and infinities."""
    if text in words:
        return words[text]
    return _number(text) if text[0] in _NUMBER_START else text


def resolve_tagged(tag: str, text: str, words: dict[str, Scalar]) -> Scalar:
    """What `text` means under an explicit `tag`; a tag that Go does not know leaves it a text.

    Raises:
        ScalarError: the text is not of the tag's type.
    """
    if tag == BINARY:
        return _binary(text)
    if tag == TIMESTAMP and is_timestamp(text):
        return text
    if tag not in _TYPED and tag != TIMESTAMP:
        return text
    value = resolve(text, words)
    if tag == TIMESTAMP or not isinstance(value, _TYPED[tag]) or (isinstance(value, bool) and tag != BOOL):
        raise ScalarError(f"cannot decode a scalar as a !!{tag.removeprefix(TAG_PREFIX)}", text)
    return float(value) if tag == FLOAT and value is not None else value


def is_timestamp(text: str) -> bool:
    """Whether go-yaml takes the unquoted `text` for a date or a time."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None or (found["separator"] in ("T", "t")) != bool(found["zone"]):
        return False
    part = {name: int(value) for name, value in found.groupdict("0").items() if value.isascii() and value.isdigit()}
    is_leap = part["year"] % 4 == 0 and (part["year"] % 100 != 0 or part["year"] % 400 == 0)
    days = (31, 28 + is_leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    is_date = 1 <= part["month"] <= 12 and 1 <= part["day"] <= days[part["month"] - 1]
    is_time = part["hour"] < 24 and part["minute"] < 60 and part["second"] < 60
    return is_date and is_time and part["zone_hour"] <= 24 and part["zone_minute"] <= 60


def json_value(value: Scalar) -> Scalar:
    """`value` after a round trip through Go's JSON: a float without a fraction comes back as an integer.

    Raises:
        ScalarError: JSON has no notation for it.
    """
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise ScalarError("unsupported value", str(value))
    if not value.is_integer() or abs(value) > 1 << 64:
        return value
    # Go writes the shortest digits and fills up with zeros, which beyond 2^53 is not the number's exact value.
    whole = int(Decimal(repr(value)))
    return whole if -(1 << 63) <= whole < 1 << 64 else value


def key_text(value: Scalar) -> str:
    """The JSON key that Kubernetes makes of a mapping's key.

    Raises:
        ScalarError: null, and what only fits an unsigned integer, are no keys.
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() if value < 1 << 63:
            return str(value)
        case float():
            return _key_float(value)
        case _:
            raise ScalarError("unsupported map key", str(value))


def format_float(value: float, digits: str = "") -> str:
    """`value` as Go's FormatFloat(value, 'g', -1, 64); `digits` are its shortest ones where Python has others."""
    sign, figures, exponent = Decimal(digits or repr(value)).normalize().as_tuple()
    if not isinstance(exponent, int):
        return ".nan" if math.isnan(value) else "-.inf" if value < 0 else ".inf"
    shortest, point = "".join(map(str, figures)), len(figures) + exponent
    text = _positional(shortest, point) if value == 0 or -4 <= point - 1 < 6 else _scientific(shortest, point)
    return f"-{text}" if sign else text


def _number(text: str) -> Scalar:
    if text[0] == ".":
        return _float(text) if _POINT_FLOAT.fullmatch(text) else text
    plain = text.replace("_", "")
    integer = _integer(plain)
    if integer is not None:
        return integer
    value = _float(plain) if _FLOAT.fullmatch(plain) else text
    return value if isinstance(value, float) else text


def _integer(plain: str) -> int | None:
    found = _INTEGER.fullmatch(plain)
    # No 64-bit number has more than 64 digits behind its zeros; int() is quadratic, so nothing longer is tried.
    if found is None or found.lastgroup is None or len(plain.lstrip("+-0xXbBoO")) > 64:
        return None
    value = int(found[found.lastgroup], _RADIX[found.lastgroup])
    if found["sign"] == "-":
        return -value if value <= 1 << 63 else None
    # What exceeds 63 bits is read as an unsigned number, and that has no sign.
    return value if value < (1 << 63 if found["sign"] else 1 << 64) else None


def _float(text: str) -> float | str:
    value = float(text)
    return text if math.isinf(value) else value


def _binary(text: str) -> str:
    try:
        decoded = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ScalarError("!!binary value contains invalid base64 data") from error
    # Bytes that are no text are lost one by one, as in Go's JSON encoder.
    return decoded.decode("utf-8", "surrogateescape").translate(_LOST_BYTES)


_LOST_BYTES = dict.fromkeys(range(0xDC80, 0xDD00), 0xFFFD)


def _key_float(value: float) -> str:
    """Keys are written with the digits of a 32-bit float, whatever their value."""
    try:
        narrow = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        narrow = math.copysign(math.inf, value)
    tries = (f"{narrow:.{precision}g}" for precision in range(1, 10))
    shortest = next((text for text in tries if struct.pack("f", float(text)) == struct.pack("f", narrow)), "")
    return format_float(narrow, shortest if math.isfinite(narrow) else "")


def _positional(digits: str, point: int) -> str:
    if point <= 0:
        return f"0.{'0' * -point}{digits}" if digits != "0" else "0"
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return f"{digits[:point]}.{digits[point:]}"


def _scientific(digits: str, point: int) -> str:
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+03d}"
