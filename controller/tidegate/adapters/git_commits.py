"""Commits and tags read from their raw objects: whatever stands in them, a commit comes out or an error of ours."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from tidegate.adapters import git_refs
from tidegate.adapters.git_errors import CorruptRepository

_SIGNED = re.compile(rb"(?P<who>.*?) ?(?P<seconds>-?[0-9]{1,20}) ?[+-]?[0-9]{0,6}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
_LONGEST_SUBJECT = 1_024
_LONGEST_MESSAGE = 1 << 20
# What people commit in. Python knows more, some of which cost square time.
_ENCODINGS = frozenset(
    {
        "utf-8",
        "ascii",
        "iso-8859-1",
        "iso-8859-2",
        "iso-8859-15",
        "windows-1250",
        "windows-1251",
        "windows-1252",
        "koi8-r",
        "shift_jis",
        "euc-jp",
        "iso-2022-jp",
        "euc-kr",
        "gbk",
        "gb18030",
        "big5",
        "utf-16",
    }
)


@dataclass(frozen=True)
class Commit:
    """A commit: `author` and `committer` are "Name <address>", `time` is the committer's, `raw` what signatures cover.

    Times that no calendar holds are the nearest that one does; what is not UTF-8 is replaced.
    """

    oid: str
    tree: str
    subject: str
    author: str
    committer: str
    time: datetime
    message: str
    raw: bytes


def parse_commit(oid: str, raw: bytes) -> Commit:
    """The commit in the object `raw`.

    Raises:
        CorruptRepository: it names no tree.
    """
    headers, _, body = raw.partition(b"\n\n")
    fields = _first_fields(headers)
    tree = fields.get(b"tree", b"").decode("ascii", "replace")
    if not git_refs.is_oid(tree):
        raise CorruptRepository(f"commit {oid} has no tree")
    encoding = fields.get(b"encoding", b"utf-8").decode("ascii", "replace")
    message = _decoded(body, encoding)
    author, _ = _signed(fields.get(b"author", b""), encoding)
    committer, time = _signed(fields.get(b"committer", b""), encoding)
    subject = next((line.strip() for line in message.splitlines() if line.strip()), "")
    return Commit(oid, tree, subject[:_LONGEST_SUBJECT], author, committer, time, message, raw)


def parse_tag_target(oid: str, raw: bytes) -> str:
    """What the tag object `raw` points at.

    Raises:
        CorruptRepository: it points at nothing.
    """
    target = _first_fields(raw.partition(b"\n\n")[0]).get(b"object", b"").decode("ascii", "replace")
    if not git_refs.is_oid(target):
        raise CorruptRepository(f"tag {oid} points at nothing")
    return target


def _first_fields(headers: bytes) -> dict[bytes, bytes]:
    """The headers by name; of a doubled one the first, as Git reads them. Continued lines belong to signatures."""
    fields: dict[bytes, bytes] = {}
    for line in headers.split(b"\n"):
        name, _, value = line.partition(b" ")
        if name:
            fields.setdefault(name, value)
    return fields


def _signed(value: bytes, encoding: str) -> tuple[str, datetime]:
    found = _SIGNED.fullmatch(value)
    if found is None:
        return _decoded(value, encoding), _EPOCH
    seconds = min(max(int(found["seconds"]), 0), _LATEST)
    return _decoded(found["who"], encoding), datetime.fromtimestamp(seconds, UTC)


def _decoded(text: bytes, encoding: str) -> str:
    known = encoding.lower() if encoding.lower() in _ENCODINGS else "utf-8"
    return text[:_LONGEST_MESSAGE].decode(known, "replace")
