"""Which tag a version range means: Masterminds' semver, as Flux uses it for tags and charts. Pure.

The grammar of a range is upstream's own expressions on the same engine; what they accept and ignore, we do.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tidegate.adapters.patterns import Pattern
from tidegate.runtime.errors import TidegateError

LONGEST_VERSION = 256
LONGEST_RANGE = 512
MOST_ALTERNATIVES = 32

_LARGEST = (1 << 64) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SUFFIX = r"(?:-([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?(?:\+([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?"
# Every part ends where the next begins, so that this cannot backtrack; Pattern would cost ten times as much a tag.
_VERSION = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?{_SUFFIX}", re.ASCII)

_OPERATOR = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^"
_PARTIAL = (
    r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?"
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
    r"(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
)
_HYPHEN = Pattern(rf"\s*({_PARTIAL})\s+-\s+({_PARTIAL})\s*")
_TERM = Pattern(rf"({_OPERATOR})\s*({_PARTIAL})")
_WHOLE_TERM = Pattern(rf"\s*({_OPERATOR})\s*({_PARTIAL})\s*")
_TERMS = Pattern(rf"(\s*({_OPERATOR})\s*({_PARTIAL})\s*)((?:\s+|,\s*)({_OPERATOR})\s*({_PARTIAL})\s*)*")

_Prerelease = tuple[tuple[int, int, str], ...]


class InvalidRange(TidegateError):
    """A text is no version range."""


class NoMatchingVersion(TidegateError):
    """None of the tags is a version in the range; `constraint` is the range."""

    def __init__(self, constraint: str) -> None:
        self.constraint = constraint
        super().__init__(f"no match found for semver: {constraint}")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A semantic version without its metadata, which takes no part in any comparison."""

    numbers: tuple[int, int, int]
    is_release: bool
    prerelease: _Prerelease

    @property
    def major(self) -> int:
        return self.numbers[0]

    @property
    def minor(self) -> int:
        return self.numbers[1]


@dataclass(frozen=True, slots=True)
class _Term:
    """One comparison; a wildcard or a missing part is `open_from` 0 (major), 1 or 2, 3 where all are given."""

    operator: str
    version: Version
    open_from: int

    def accepts(self, version: Version) -> bool:
        """Whether `version` is on the right side."""
        return _OPERATIONS[self.operator](self, version)

    def equals(self, version: Version) -> bool:
        """Without an operator, a wildcard means what "~" would."""
        return self.is_near(version) if self.open_from < 3 else version == self.version

    def differs(self, version: Version) -> bool:
        """!=1.2.3; !=1.2 leaves all of 1.2 out."""
        if self.open_from == 3:
            return version != self.version
        if version.major != self.version.major:
            return True
        if self.open_from == 1:
            return False
        if version.minor != self.version.minor:
            return True
        if self.open_from == 2:
            has_prerelease = not version.is_release or not self.version.is_release
            return has_prerelease and version.prerelease != self.version.prerelease
        return version.numbers[2] != self.version.numbers[2] or version != self.version

    def is_greater(self, version: Version) -> bool:
        """>1.2.3; >1.2 begins at 1.3."""
        if self.open_from == 3 or version.major != self.version.major:
            return version > self.version
        if self.open_from == 1:
            return False
        return version.minor > self.version.minor if self.open_from == 2 else version > self.version

    def is_at_most(self, version: Version) -> bool:
        """<=1.2.3; <=1.2 ends with the last 1.2."""
        if self.open_from == 3:
            return version <= self.version
        if version.major != self.version.major:
            return version.major < self.version.major
        return self.open_from == 1 or version.minor <= self.version.minor

    def is_near(self, version: Version) -> bool:
        """~1.2.3 and ~1.2 stay in 1.2, ~1 in 1."""
        if version < self.version:
            return False
        if self.version.numbers == (0, 0, 0) and self.open_from in (0, 3):
            return True
        return version.major == self.version.major and (self.open_from == 1 or version.minor == self.version.minor)

    def is_compatible(self, version: Version) -> bool:
        """^1.2.3 stays in 1, ^0.2.3 in 0.2, ^0.0.3 is 0.0.3."""
        if version < self.version:
            return False
        if version.major != self.version.major:
            return False
        if self.version.major > 0 or self.open_from == 1:
            return True
        if version.minor != self.version.minor:
            return False
        return self.version.minor > 0 or self.open_from == 2 or version.numbers[2] == self.version.numbers[2]


_OPERATIONS: Mapping[str, Callable[[_Term, Version], bool]] = {
    "": _Term.equals,
    "=": _Term.equals,
    "!=": _Term.differs,
    ">": _Term.is_greater,
    "<": lambda term, version: version < term.version,
    ">=": lambda term, version: version >= term.version,
    "=>": lambda term, version: version >= term.version,
    "<=": _Term.is_at_most,
    "=<": _Term.is_at_most,
    "~": _Term.is_near,
    "~>": _Term.is_near,
    "^": _Term.is_compatible,
}


@dataclass(frozen=True, slots=True)
class Range:
    """A set of versions: it has a version that all terms of one alternative accept."""

    alternatives: tuple[tuple[_Term, ...], ...]

    def has(self, version: Version) -> bool:
        """Whether `version` is in it; pre-releases only where a term of the alternative names one."""
        return any(
            (version.is_release or any(not term.version.is_release for term in terms))
            and all(term.accepts(version) for term in terms)
            for terms in self.alternatives
        )


def parse_version(text: str) -> Version | None:
    """The version that a tag means, or None: three dotted parts, an optional "v", leading zeros."""
    return _parse_loosely(text) if text.count(".") >= 2 else None


def parse_range(text: str) -> Range:
    """The range that `text` means: ">=1.2 <2", "~1.2", "^1", "1.x || 3.x", "1.2 - 1.4".

    Raises:
        InvalidRange: Masterminds would refuse it too.
    """
    if len(text) > LONGEST_RANGE:
        raise InvalidRange(f"constraint string is too long (max {LONGEST_RANGE} bytes)")
    if not text.isascii():
        raise InvalidRange(f"improper constraint: {text[:64]!a}")
    alternatives = _spell_out(text).split("||")
    if len(alternatives) > MOST_ALTERNATIVES:
        raise InvalidRange(f"too many constraint groups (max {MOST_ALTERNATIVES})")
    return Range(tuple(_parse_terms(alternative) for alternative in alternatives))


def find_highest(constraint: str, tags: Iterable[str]) -> list[str]:
    """All of `tags` that are the highest version in the range, sorted by name: more than one where only the
    metadata or the "v" differ.

    Raises:
        InvalidRange: `constraint` is no range.
        NoMatchingVersion: no tag is in it.
    """
    wanted = parse_range(constraint)
    best: Version | None = None
    found: list[str] = []
    for tag in tags:
        version = parse_version(tag)
        if version is None or (best is not None and version < best) or not wanted.has(version):
            continue
        if version != best:
            best = version
            found = []
        found.append(tag)
    if not found:
        raise NoMatchingVersion(constraint)
    return sorted(found)


def select_version(constraint: str, tags: Iterable[str], times: Mapping[str, datetime] | None = None) -> str:
    """The tag that `constraint` means: the highest, and of equal ones the one whose commit is the newest by `times`.

    Raises:
        InvalidRange: `constraint` is no range.
        NoMatchingVersion: no tag is in it.
    """
    known = times or {}
    return max(find_highest(constraint, tags), key=lambda tag: (known.get(tag, _EPOCH), tag))


def _parse_loosely(text: str) -> Version | None:
    if len(text) > LONGEST_VERSION:
        return None
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    major, minor, patch, prerelease, _ = found.groups()
    numbers = (int(major), int(minor or 0), int(patch or 0))
    if max(numbers) > _LARGEST:
        return None
    if prerelease is None:
        return Version(numbers, is_release=True, prerelease=())
    parts = prerelease.split(".")
    if any(part.isdigit() and part.startswith("0") and part != "0" for part in parts):
        return None
    return Version(numbers, is_release=False, prerelease=tuple(_rank(part) for part in parts))


def _rank(part: str) -> tuple[int, int, str]:
    """Numbers stand below words; a number that no machine word holds is a word."""
    if part.isdigit() and (number := int(part)) <= _LARGEST:
        return 0, number, ""
    return 1, 0, part


def _spell_out(text: str) -> str:
    """`text` with its hyphen ranges as two comparisons."""
    spelled = text
    for groups in _HYPHEN.find(text):
        # The second version stands behind the ten groups of the first.
        spelled = spelled.replace(groups[0], f">= {groups[1]}, <= {groups[11]} ", 1)
    return spelled


def _parse_terms(text: str) -> tuple[_Term, ...]:
    if _TERMS.groups(text) is None:
        raise InvalidRange(f"improper constraint: {text[:64]!a}")
    return tuple(_parse_term(groups[0]) for groups in _TERM.find(text))


def _parse_term(text: str) -> _Term:
    groups = _WHOLE_TERM.groups(text)
    if groups is None:
        raise InvalidRange(f"improper constraint: {text[:64]!a}")
    operator, major, minor, patch, suffix = groups[1], groups[3], groups[4], groups[5], groups[6]
    wildcards = ("", "x", "X", "*", ".x", ".X", ".*")
    open_from = next((at for at, part in enumerate((major, minor, patch)) if part in wildcards), 3)
    given = (major + minor + patch, "0.0.0", f"{major}.0.0", f"{major}{minor}.0")[(open_from + 1) % 4]
    version = _parse_loosely(given + suffix)
    if version is None:
        raise InvalidRange("constraint parser error")
    return _Term(operator, version, open_from)
