"""What the operators of a substitution do to a value, as Go's string functions do it. Pure.

Lengths and positions count bytes. Half a character is kept as lone surrogates, so that its bytes can come together.
"""

import re
from collections.abc import Sequence

from tidegate.kustomize import globs
from tidegate.kustomize.errors import SubstitutionError

MAX_RESULT = 10 << 20
_NUMBER = re.compile(r"[-+]?[0-9]+")
_LOST = dict.fromkeys(range(0xDC80, 0xDD00), 0xFFFD)


def apply(operator: str, value: str, arguments: Sequence[str]) -> str:
    """`value` after `operator`; unknown operators are defaults, as upstream has it.

    Raises:
        SubstitutionError: the result would break a bound.
    """
    match operator:
        case "^" | "^^" | "," | ",,":
            return _change_case(operator, value)
        case "#" if not arguments:
            return str(len(_encode(value)))
        case "#" | "##" | "%" | "%%":
            return _trim(operator, value, arguments[0])
        case ":":
            return _decode(_slice(_encode(value), arguments))
        case "/" | "//" | "/#" | "/%":
            return _replace(operator, value, arguments)
        case _:
            return value or "".join(arguments)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _change_case(operator: str, value: str) -> str:
    change = _upper if operator[0] == "^" else _lower
    if len(operator) == 1:
        return change(value[:1].translate(_LOST)) + value[1:]
    if value.isascii():
        return value.upper() if operator == "^^" else value.lower()
    return "".join(map(change, value.translate(_LOST)))


def _upper(character: str) -> str:
    """One character for one, as Go's unicode.ToUpper: where Unicode's full mapping has several, title case counts."""
    upper = character.upper()
    if len(upper) > 1:
        upper = character.title()
    return upper if len(upper) == 1 else character


def _lower(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else lower[:1] if character == "\u0130" else character


def _trim(operator: str, value: str, pattern: str) -> str:
    """For a suffix upstream turns value and pattern around, which is no good for a pattern with a class."""
    longest = len(operator) == 2
    if operator[0] == "#":
        return _decode(globs.trim_prefix(_encode(value), _encode(pattern), longest=longest))
    turned, mirrored = value.translate(_LOST)[::-1], pattern.translate(_LOST)[::-1]
    trimmed = _decode(globs.trim_prefix(_encode(turned), _encode(mirrored), longest=longest))
    return trimmed.translate(_LOST)[::-1]


def _slice(value: bytes, arguments: Sequence[str]) -> bytes:
    numbers = [_integer(argument) for argument in arguments]
    if any(number is None for number in numbers):
        return value
    start, length = [*(number or 0 for number in numbers), len(value)][:2]
    start = max(len(value) + start, 0) if start < 0 else start
    end = len(value) + length if length < 0 else start + length
    return value[start : max(start, end)]


def _integer(text: str) -> int | None:
    """What Go's strconv.Atoi reads, None where it would fail."""
    if not _NUMBER.fullmatch(text) or len(text.lstrip("+-0")) > 19:
        return None
    value = int(text)
    return value if -(1 << 63) <= value < 1 << 63 else None


def _replace(operator: str, value: str, arguments: Sequence[str]) -> str:
    if operator in ("/#", "/%"):
        return _decode(_replace_end(operator, _encode(value), *map(_encode, arguments)))
    old, new = arguments[0], arguments[1] if len(arguments) > 1 else ""
    limit = 1 if operator == "/" else -1
    if limit < 0 and len(value) + value.count(old) * len(new) > MAX_RESULT:
        raise SubstitutionError(f"more than {MAX_RESULT >> 20} MiB of text")
    # Nothing is found between all characters, anything else wherever its bytes are.
    return _decode(_encode(value).replace(_encode(old), _encode(new), limit)) if old else value.replace(old, new, limit)


def _replace_end(operator: str, value: bytes, old: bytes, new: bytes | None = None) -> bytes:
    if new is None:
        return value
    if operator == "/#":
        return new + value[len(old) :] if value.startswith(old) else value
    return value[: len(value) - len(old)] + new if value.endswith(old) else value
