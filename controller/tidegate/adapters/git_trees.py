"""Trees of a Git repository as folders: entries read from the raw object, names kept byte for byte, oddities refused.

Links and submodules are left out. Names that would harm whoever writes them to disk are refused wherever they stand,
whether ignored or not (G1).
"""

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tidegate.adapters.folders import CHUNK, Content
from tidegate.adapters.git_errors import UnsafeTree
from tidegate.adapters.redaction import readable

_OID_SIZE = 20
_SUBMODULE = 0o160000

Read = Callable[[str, bytes], bytes]
"""Gives the content of the object of a kind ("tree", "blob") and name; raises CorruptRepository where it is missing."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a tree: `mode` as in stat, `oid` as raw bytes."""

    name: bytes
    mode: int
    oid: bytes

    @property
    def is_folder(self) -> bool:
        """Another tree of the repository."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """A regular file, and no link."""
        return stat.S_ISREG(self.mode)

    @property
    def is_submodule(self) -> bool:
        """A commit of another repository."""
        return stat.S_IFMT(self.mode) == _SUBMODULE


def parse(raw: bytes) -> list[TreeEntry]:
    """The entries of a tree object.

    Raises:
        UnsafeTree: it is malformed, or has a name that no artifact may have.
    """
    entries: list[TreeEntry] = []
    position = 0
    while position < len(raw):
        space = raw.find(b" ", position, position + 8)
        end = raw.find(b"\0", space + 1)
        if space < 0 or end < 0 or end + _OID_SIZE >= len(raw):
            raise UnsafeTree("", "the tree is malformed")
        name = raw[space + 1 : end]
        entries.append(TreeEntry(_checked(name), _mode(raw[position:space]), raw[end + 1 : end + 1 + _OID_SIZE]))
        position = end + 1 + _OID_SIZE
    if len({entry.name for entry in entries}) != len(entries):
        raise UnsafeTree("", "a name occurs twice in one tree")
    return entries


@dataclass(frozen=True, slots=True)
class TreeFolder:
    """The folder that the tree `oid` describes."""

    oid: bytes
    read: Read

    def items(self) -> "list[TreeItem]":
        entries = [entry for entry in parse(self.read("tree", self.oid)) if entry.is_folder or entry.is_file]
        return sorted((TreeItem(entry, self.read) for entry in entries), key=lambda item: item.name)


@dataclass(frozen=True, slots=True)
class TreeItem:
    """A file or folder in a tree."""

    entry: TreeEntry
    read: Read

    @property
    def name(self) -> bytes:
        return self.entry.name

    @property
    def is_folder(self) -> bool:
        return self.entry.is_folder

    @property
    def is_executable(self) -> bool:
        return bool(self.entry.mode & 0o111)

    @property
    def fingerprint(self) -> bytes:
        return self.entry.oid

    def folder(self) -> TreeFolder:
        return TreeFolder(self.entry.oid, self.read)

    def content(self) -> Content:
        blob = self.read("blob", self.entry.oid)
        return Content(len(blob), _pieces(blob))


def _pieces(blob: bytes) -> Iterator[bytes]:
    if len(blob) <= CHUNK:
        yield blob
        return
    for start in range(0, len(blob), CHUNK):
        yield blob[start : start + CHUNK]


def _mode(digits: bytes) -> int:
    if not digits or digits.strip(b"01234567"):
        raise UnsafeTree("", "the tree is malformed")
    return int(digits, 8)


def _checked(name: bytes) -> bytes:
    if name in (b"", b".", b"..") or name.lower() == b".git":
        raise UnsafeTree(readable(name, 100), "no file may have this name")
    if b"/" in name or b"\\" in name:
        raise UnsafeTree(readable(name, 100), "the name has a slash or backslash")
    return name
