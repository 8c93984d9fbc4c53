"""Which paths of a source are left out: `.sourceignore` files and `spec.ignore`, in gitignore's language. Pure.

Patterns match as git's do. What they decide is Flux's: the last pattern in the nearest file that matches a path, or a
folder that it lies in, decides. So `/*` and `!/clusters/prod` together keep clusters/prod, which git would leave out,
because it never looks into an ignored folder. Every match is one linear pass over the path, however the patterns are
written.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.adapters.patterns import PatternSet, PatternsTooLarge
from tidegate.runtime.errors import TidegateError

FILE_NAME = b".sourceignore"
VCS = ".git/\n.gitignore\n.gitmodules\n.gitattributes\n"
DEFAULTS = """\
*.jpg
*.jpeg
*.gif
*.png
*.wmv
*.flv
*.tar.gz
*.zip
.github/
.circleci/
.travis.yml
.gitlab-ci.yml
appveyor.yml
.drone.yml
cloudbuild.yaml
codeship-services.yml
codeship-steps.yml
**/.goreleaser.yml
**/.sops.yaml
**/.flux.yaml
"""

LONGEST_TEXT = 8 << 20
MOST_PATTERNS = 200_000
MOST_GLOBS = 1_000
LONGEST_PATTERN = 4_096

_SPECIAL = frozenset(b"*?[\\")
_FOLDER_MARK = b"\0"  # ends the path of a folder; no name can hold it
_CLASSES: dict[bytes, frozenset[int]] = {
    b"alpha": frozenset((*range(65, 91), *range(97, 123))),
    b"digit": frozenset(range(48, 58)),
    b"alnum": frozenset((*range(48, 58), *range(65, 91), *range(97, 123))),
    b"upper": frozenset(range(65, 91)),
    b"lower": frozenset(range(97, 123)),
    b"space": frozenset(b" \t\n\r\v\f"),
    b"blank": frozenset(b" \t"),
    b"cntrl": frozenset((*range(32), 127)),
    b"print": frozenset(range(32, 127)),
    b"graph": frozenset(range(33, 127)),
    b"punct": frozenset(range(33, 127)) - frozenset((*range(48, 58), *range(65, 91), *range(97, 123))),
    b"xdigit": frozenset(b"0123456789abcdefABCDEF"),
}


class InvalidIgnoreFile(TidegateError):
    """The patterns are beyond a bound; `bound` names it."""

    def __init__(self, bound: str) -> None:
        self.bound = bound
        super().__init__(f"ignore patterns exceed the bound: {bound}")


@dataclass(frozen=True, slots=True)
class _Rule:
    """One line: `glob` without its marks; `anchored` ones match the whole path, others a name at any depth."""

    glob: bytes
    anchored: bool
    folders_only: bool
    keeps: bool


class Rules:
    """The patterns of one text; the paths they judge are relative to the folder that the text stands in."""

    def __init__(self, text: bytes) -> None:
        self._rules = list(_parse(text))
        # By whole path (1) and by name (0); each entry: index for anything, index for folders only.
        self._literals: tuple[dict[bytes, list[int]], dict[bytes, list[int]]] = ({}, {})
        self._globs: list[int] = []
        expressions: list[bytes] = []
        for index, rule in enumerate(self._rules):
            if not _SPECIAL.intersection(rule.glob):
                entry = self._literals[rule.anchored].setdefault(rule.glob, [-1, -1])
                entry[rule.folders_only] = index
            elif (expression := _expression(rule)) is not None:
                self._globs.append(index)
                expressions.append(expression)
                if len(expressions) > MOST_GLOBS:
                    raise InvalidIgnoreFile(f"{MOST_GLOBS} patterns with wildcards in one file")
        self._set = PatternSet(expressions) if expressions else None

    def __bool__(self) -> bool:
        return bool(self._rules)

    def find_last(self, path: bytes, *, is_folder: bool) -> int:
        """The number of the last pattern that matches `path`; -1 when none does."""
        name = path[path.rfind(b"/") + 1 :]
        last = -1
        for table, key in ((self._literals[1], path), (self._literals[0], name)):
            anything, folders = table.get(key, (-1, -1))
            last = max(last, anything, folders if is_folder else -1)
        if self._set is not None:
            found = self._set.last_match(path + _FOLDER_MARK if is_folder else path)
            last = max(last, -1 if found is None else self._globs[found])
        return last

    def keeps(self, index: int) -> bool:
        """Whether that pattern brings back what it matches."""
        return self._rules[index].keeps


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided of a path, and which pattern decided: the place of its text, then its own in there."""

    is_ignored: bool = False
    order: tuple[int, int] = (-1, -1)


UNDECIDED = Verdict()
_ABOVE_ALL = 1 << 30


@dataclass(frozen=True)
class Ignore:
    """The rules that hold in one folder: what is outside it first, its own file last, `spec.ignore` above all.

    `levels` are (length of the path of the folder they stand in, rules), outermost first.
    """

    levels: tuple[tuple[int, Rules], ...]
    final: Rules

    def below(self, path: bytes, text: bytes) -> "Ignore":
        """The rules for the folder at `path` ("" for the root) whose own ignore file holds `text`."""
        rules = parse(text)
        depth = len(path) + 1 if path else 0
        return Ignore((*self.levels, (depth, rules)), self.final) if rules else self

    def judge(self, path: bytes, *, is_folder: bool, above: Verdict = UNDECIDED) -> Verdict:
        """The verdict on `path`; `above` is the one on the folder that it lies in."""
        try:
            for place, depth, rules in self._places():
                index = rules.find_last(path[depth:], is_folder=is_folder)
                if index >= 0:
                    own = Verdict(not rules.keeps(index), (place, index))
                    return own if own.order > above.order else above
        except PatternsTooLarge as error:
            raise InvalidIgnoreFile("memory for matching") from error
        return above

    def _places(self) -> Iterator[tuple[int, int, Rules]]:
        """The texts from the one that weighs most to the one that weighs least, each with its place."""
        yield _ABOVE_ALL, 0, self.final
        for place in range(len(self.levels) - 1, -1, -1):
            yield place, *self.levels[place]


def build_ignore(spec: str, *, with_defaults: bool) -> Ignore:
    """The rules at the root of a source: version control always, the defaults where no pattern of a user stands."""
    ground = parse((VCS + DEFAULTS if with_defaults else VCS).encode())
    return Ignore(((0, ground),), parse(spec.encode("utf-8", "surrogateescape")))


def parse(text: bytes) -> Rules:
    """The rules in `text`.

    Raises:
        InvalidIgnoreFile: beyond a bound.
    """
    if len(text) > LONGEST_TEXT:
        raise InvalidIgnoreFile(f"{LONGEST_TEXT} bytes in one file")
    try:
        return Rules(text)
    except PatternsTooLarge as error:
        raise InvalidIgnoreFile("memory for matching") from error


def _parse(text: bytes) -> Iterator[_Rule]:
    count = 0
    for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        rule = _parse_line(line.removesuffix(b"\r"))
        if rule is None:
            continue
        count += 1
        if count > MOST_PATTERNS:
            raise InvalidIgnoreFile(f"{MOST_PATTERNS} patterns in one file")
        if len(rule.glob) > LONGEST_PATTERN:
            raise InvalidIgnoreFile(f"{LONGEST_PATTERN} bytes in one pattern")
        yield rule


def _parse_line(line: bytes) -> _Rule | None:
    if line.startswith(b"#"):
        return None
    line = _trim(line)
    if not line:
        return None
    keeps = line.startswith(b"!")
    glob = line[1:] if keeps else line
    folders_only = glob.endswith(b"/")
    glob = glob.removesuffix(b"/")
    anchored = b"/" in glob
    return _Rule(glob.removeprefix(b"/"), anchored, folders_only, keeps)


def _trim(line: bytes) -> bytes:
    """`line` without the spaces at its end; an escaped one stays."""
    end = len(line)
    while end and line[end - 1 : end] == b" ":
        escapes = end - 1 - len(line[: end - 1].rstrip(b"\\"))
        if escapes % 2:
            break
        end -= 1
    return line[:end]


def _expression(rule: _Rule) -> bytes | None:
    """`rule` as a regular expression over a path, or None where it can match nothing."""
    glob = rule.glob
    start = next((at for at, byte in enumerate(glob) if byte in _SPECIAL), len(glob))
    parts = [b"" if rule.anchored else b"(?:[^\\x00]*/)?", _literal(glob[:start])]
    at = start
    while at < len(glob):
        # Git cuts the literal start off before it looks at `**`, so that one right behind it counts as bounded too.
        is_bounded = at == start or glob[at - 1 : at] == b"/"
        step = _step(glob, at, bounded=is_bounded and rule.anchored)
        if step is None:
            return None
        parts.append(step[0])
        at = step[1]
    parts.append(b"\\x00" if rule.folders_only else b"\\x00?")
    return b"".join(parts)


def _step(glob: bytes, at: int, *, bounded: bool) -> tuple[bytes, int] | None:
    """The expression for what stands at `at`, and where the next begins; None for a glob that matches nothing."""
    match glob[at : at + 1]:
        case b"*":
            return _stars(glob, at, bounded=bounded)
        case b"?":
            return b"[^/\\x00]", at + 1
        case b"[":
            return _bracket(glob, at + 1)
        case b"\\":
            return (_literal(glob[at + 1 : at + 2]), at + 2) if at + 1 < len(glob) else None
        case other:
            return _literal(other), at + 1


def _stars(glob: bytes, at: int, *, bounded: bool) -> tuple[bytes, int]:
    end = at
    while glob[end : end + 1] == b"*":
        end += 1
    rest = glob[end : end + 2]
    if end - at < 2 or not bounded or not (rest == b"" or rest.startswith(b"/") or rest == b"\\/"):
        return b"[^/\\x00]*", end
    if rest.startswith(b"/"):
        return b"(?:[^\\x00]*/)?", end + 1
    return b"[^\\x00]*", end


def _bracket(glob: bytes, at: int) -> tuple[bytes, int] | None:
    """The class whose inside begins at `at`, read as git's wildmatch does."""
    negated = glob[at : at + 1] in (b"!", b"^")
    at += negated
    members: set[int] = set()
    previous = 0
    first = True
    while first or glob[at : at + 1] != b"]":
        first = False
        step = _member(glob, at, previous, members)
        if step is None:
            return None
        previous, at = step
    allowed = (set(range(256)) - members if negated else members) - {0, ord("/")}
    return (_class(allowed), at + 1) if allowed else None


def _member(glob: bytes, at: int, previous: int, members: set[int]) -> tuple[int, int] | None:
    """Add what stands at `at` to `members`; the byte that a range may begin with (0 for none), and the next place."""
    byte = glob[at : at + 1]
    if not byte:
        return None
    if byte == b"\\":
        members.update(glob[at + 1 : at + 2])
        return (glob[at + 1], at + 2) if at + 1 < len(glob) else None
    if byte == b"-" and previous and glob[at + 1 : at + 2] not in (b"", b"]"):
        at += 2 if glob[at + 1 : at + 2] == b"\\" else 1
        if at >= len(glob):
            return None
        members.update(range(previous, glob[at] + 1))
        return 0, at + 1
    if glob[at : at + 2] == b"[:":
        return _named(glob, at, members)
    members.update(byte)
    return byte[0], at + 1


def _named(glob: bytes, at: int, members: set[int]) -> tuple[int, int] | None:
    """`[:alpha:]` and its like; a `[:` that no `:]` follows is a plain bracket."""
    end = glob.find(b"]", at + 2)
    if end < 0:
        return None
    if end == at + 2 or glob[end - 1 : end] != b":":
        members.add(ord("["))
        return ord("["), at + 1
    named = _CLASSES.get(glob[at + 2 : end - 1])
    if named is None:
        return None
    members.update(named)
    return 0, end + 1


def _class(members: set[int]) -> bytes:
    return b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(members)) + b"]"


def _literal(text: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in text)
