"""Shell patterns over bytes, as Go's path.Match without its rule about slashes. Pure, and linear in the value.

All prefixes of a value are matched in one pass: a set of states, one bit a pattern element, moves along the bytes.
"""

from dataclasses import dataclass, field

from tidegate.kustomize.errors import SubstitutionError

MAX_STEPS = 1 << 21
_LOST = 0xFFFD


class MalformedPattern(Exception):
    """A class does not end, or is empty: such a pattern matches nothing."""


def trim_prefix(value: bytes, pattern: bytes, *, longest: bool) -> bytes:
    """`value` without its shortest or longest non-empty prefix that matches all of `pattern`.

    Raises:
        SubstitutionError: value and pattern are too long for each other.
    """
    if len(value) * (len(pattern) // 64 + 1) > MAX_STEPS:
        raise SubstitutionError("a pattern or the value that it is matched with is too long")
    try:
        lengths = _Program(pattern).matches(value)
    except MalformedPattern:
        return value
    return value[(max(lengths) if longest else min(lengths)) :] if lengths else value


@dataclass
class _Program:
    """The pattern as bit masks over its elements: which match a byte, which any character, which a class."""

    pattern: bytes
    size: int = 0
    loops: int = 0
    literals: dict[int, int] = field(default_factory=dict)
    any_mask: int = 0
    classes: list[tuple[int, bool, list[tuple[int, int]]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rest = self.pattern
        while rest:
            stars = len(rest) - len(rest.lstrip(b"*"))
            self.loops |= 1 << self.size if stars else 0
            chunk, rest = _split_chunk(rest[stars:])
            self._compile(chunk)

    def _compile(self, chunk: bytes) -> None:
        while chunk:
            bit = 1 << self.size
            if chunk[0] == ord("["):
                negated, ranges, chunk = _parse_class(chunk[1:])
                self.classes.append((bit, negated, ranges))
            elif chunk[0] == ord("?"):
                self.any_mask |= bit
                chunk = chunk[1:]
            else:
                chunk = chunk[1:] if chunk[0] == ord("\\") else chunk
                if not chunk:
                    raise MalformedPattern
                self.literals[chunk[0]] = self.literals.get(chunk[0], 0) | bit
                chunk = chunk[1:]
            self.size += 1

    def matches(self, value: bytes) -> list[int]:
        """The lengths of all non-empty prefixes of `value` that match."""
        accepted = 1 << self.size
        states = [1, *([0] * (len(value) + 3))]
        found = []
        for position, byte in enumerate(value):
            now = states[position]
            if position and now & accepted:
                found.append(position)
            rune, width = _decode(value, position)
            states[position + 1] |= self._step_byte(now, byte)
            states[position + width] |= self._step_rune(now, rune)
            found += self._cut_matches(value, position, width, now, accepted)
        if value and states[len(value)] & accepted:
            found.append(len(value))
        return found

    def _cut_matches(self, value: bytes, position: int, width: int, states: int, accepted: int) -> list[int]:
        """Prefixes that end inside a character: there each of its bytes counts as one lost character."""
        found = []
        for cut in range(1, width):
            byte = value[position + cut - 1]
            states = self._step_byte(states, byte) | self._step_rune(states, _LOST)
            if states & accepted:
                found.append(position + cut)
        return found

    def _step_byte(self, states: int, byte: int) -> int:
        return (states & self.loops) | ((states & self.literals.get(byte, 0)) << 1)

    def _step_rune(self, states: int, rune: int) -> int:
        mask = self.any_mask
        for bit, negated, ranges in self.classes:
            if any(low <= rune <= high for low, high in ranges) != negated:
                mask |= bit
        return (states & mask) << 1


def _split_chunk(pattern: bytes) -> tuple[bytes, bytes]:
    """What stands before the next star; one inside of a class is not one."""
    in_class = False
    position = 0
    while position < len(pattern):
        match pattern[position : position + 1]:
            case b"\\":
                position += 1
            case b"[":
                in_class = True
            case b"]":
                in_class = False
            case b"*" if not in_class:
                break
        position += 1
    return pattern[:position], pattern[position:]


def _parse_class(chunk: bytes) -> tuple[bool, list[tuple[int, int]], bytes]:
    negated = chunk.startswith(b"^")
    chunk = chunk[1:] if negated else chunk
    ranges: list[tuple[int, int]] = []
    while not (ranges and chunk.startswith(b"]")):
        low, chunk = _class_member(chunk)
        high = low
        if chunk.startswith(b"-"):
            high, chunk = _class_member(chunk[1:])
        ranges.append((low, high))
    return negated, ranges, chunk[1:]


def _class_member(chunk: bytes) -> tuple[int, bytes]:
    if not chunk or chunk[:1] in (b"-", b"]"):
        raise MalformedPattern
    chunk = chunk[1:] if chunk[:1] == b"\\" else chunk
    if not chunk:
        raise MalformedPattern
    rune, width = _decode(chunk, 0)
    if (rune == _LOST and width == 1) or len(chunk) <= width:
        raise MalformedPattern
    return rune, chunk[width:]


def _decode(data: bytes, position: int) -> tuple[int, int]:
    """The character at `position` and its width; a byte that starts none is a lost character of width 1."""
    first = data[position]
    if first < 0x80:
        return first, 1
    width = 2 if 0xC2 <= first <= 0xDF else 3 if 0xE0 <= first <= 0xEF else 4 if 0xF0 <= first <= 0xF4 else 1
    try:
        return ord(data[position : position + width].decode()), width
    except (UnicodeDecodeError, TypeError):
        return _LOST, 1
