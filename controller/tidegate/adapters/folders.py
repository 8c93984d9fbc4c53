"""Trees of files as a walk sees them, wherever they are kept: on disk here, in Git objects elsewhere.

Only regular files and folders exist: links, devices and submodules never show. Items come in the order of their names'
bytes, which is the order that artifacts have.
"""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tidegate.runtime.errors import TidegateError

CHUNK = 1 << 20
LONGEST_NAME = 255  # what file systems hold: a longer name could be archived, but never unpacked

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class FileChanged(TidegateError):
    """A file is not what it was a moment ago; `path` says which."""


class PathNotFound(TidegateError):
    """A folder that was asked for is not in the tree; `path` says which."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"directory '{path[:256]}' does not exist")


class IllegalPath(TidegateError):
    """A path that was given is absolute or leads upward; `path` is it."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"illegal path '{path[:256]}'")


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a file: exactly `size` of them, in pieces."""

    size: int
    pieces: Iterator[bytes]


class Folder(Protocol):
    """A folder: its items are read when asked for."""

    def items(self) -> "Sequence[Item]":
        """What is in it, sorted by name."""


class Item(Protocol):
    """A file or a folder in a folder."""

    @property
    def name(self) -> bytes:
        """One path component."""

    @property
    def is_folder(self) -> bool:
        """Whether `folder` may be called, `content` otherwise."""

    @property
    def is_executable(self) -> bool:
        """Whether a file has any execute bit."""

    @property
    def fingerprint(self) -> bytes | None:
        """What names the content of a file without reading it, where something does."""

    def folder(self) -> Folder:
        """The folder that this is."""

    def content(self) -> Content:
        """The file that this is."""


@dataclass(frozen=True, slots=True)
class DiskFolder:
    """A folder on disk; every read starts at `root` anew, and links on the way below it are refused."""

    root: Path
    path: tuple[bytes, ...] = ()

    def items(self) -> "list[DiskItem]":
        descriptor = self._open()
        try:
            with os.scandir(descriptor) as entries:
                found = [self._item(entry) for entry in entries]
        finally:
            os.close(descriptor)
        return sorted((item for item in found if item is not None), key=lambda item: item.name)

    def open_file(self, name: bytes) -> int:
        """A descriptor to read the file `name` from."""
        folder = self._open()
        try:
            return os.open(name, _FILE, dir_fd=folder)
        finally:
            os.close(folder)

    def _open(self) -> int:
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for name in self.path:
            parent = descriptor
            try:
                descriptor = os.open(name, _FOLDER, dir_fd=parent)
            finally:
                os.close(parent)
        return descriptor

    def _item(self, entry: os.DirEntry[str]) -> "DiskItem | None":
        mode = entry.stat(follow_symlinks=False).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return None
        return DiskItem(self, os.fsencode(entry.name), stat.S_ISDIR(mode), bool(mode & 0o111))


@dataclass(frozen=True, slots=True)
class DiskItem:
    """A file or folder on disk."""

    parent: DiskFolder
    name: bytes
    is_folder: bool
    is_executable: bool
    fingerprint: bytes | None = None

    def folder(self) -> DiskFolder:
        return DiskFolder(self.parent.root, (*self.parent.path, self.name))

    def content(self) -> Content:
        descriptor = self.parent.open_file(self.name)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise FileChanged("a file was replaced while it was read")
        return Content(status.st_size, _read(descriptor, status.st_size))


def _read(descriptor: int, size: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while size > 0:
            piece = file.read(min(size, CHUNK))
            if not piece:
                raise FileChanged("a file became shorter while it was read")
            size -= len(piece)
            yield piece


@dataclass(frozen=True, slots=True)
class _Made:
    """A folder that exists only to hold what is mounted below it."""

    name: bytes
    held: Folder
    is_folder: bool = True
    is_executable: bool = False
    fingerprint: bytes | None = None

    def folder(self) -> Folder:
        return self.held

    def content(self) -> Content:
        raise TypeError("a folder has no content")


@dataclass(frozen=True, slots=True)
class Mounted:
    """`below` with other folders put into it, each at a path; what stood there is hidden."""

    below: Folder | None
    mounts: Mapping[tuple[bytes, ...], Folder]

    def items(self) -> list[Item]:
        kept = {item.name: item for item in self.below.items()} if self.below else {}
        for name in {path[0] for path in self.mounts}:
            kept[name] = _Made(name, self._mounted(name, kept.get(name)))
        return sorted(kept.values(), key=lambda item: item.name)

    def _mounted(self, name: bytes, hidden: Item | None) -> Folder:
        if (name,) in self.mounts:
            return self.mounts[(name,)]
        under = hidden.folder() if hidden and hidden.is_folder else None
        return Mounted(under, {path[1:]: mount for path, mount in self.mounts.items() if path[0] == name})


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Only what lies in the folders at `paths`, and the way to them."""

    whole: Folder
    paths: frozenset[tuple[bytes, ...]]

    def items(self) -> list[Item]:
        return [narrow for item in self.whole.items() if (narrow := self._narrow(item)) is not None]

    def _narrow(self, item: Item) -> Item | None:
        below = frozenset(path[1:] for path in self.paths if path[0] == item.name)
        if not below or not item.is_folder:
            return None
        return item if () in below else _Made(item.name, Narrowed(item.folder(), below))


def find_folder(folder: Folder, path: Sequence[bytes]) -> Folder:
    """The folder at `path` below `folder`.

    Raises:
        PathNotFound: there is none.
    """
    for name in path:
        found = next((item for item in folder.items() if item.name == name and item.is_folder), None)
        if found is None:
            raise PathNotFound(os.fsdecode(b"/".join(path)))
        folder = found.folder()
    return folder
