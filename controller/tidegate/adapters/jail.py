"""A directory that writes cannot leave: every step is taken from a descriptor and no link is ever followed."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tidegate.runtime.errors import TidegateError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NameTaken(TidegateError):
    """Something else, a link perhaps, stands where a file or folder should be made."""


class Jail:
    """Makes files and folders below `root`, which must exist; a context manager.

    Paths are lists of names, so that no separator, `..` or absolute path can occur: a name that is one is refused.
    Descriptors of the folder worked in last are kept, which makes a walk in order cheap.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open: list[tuple[bytes, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(0)
        os.close(self._root)

    def make_folder(self, path: Sequence[bytes]) -> None:
        """Make the folder and what is missing above it; one that is there is left as it is."""
        self._enter(path)

    def create_file(self, path: Sequence[bytes], *, executable: bool) -> int:
        """The descriptor of a new file, open for writing and for this user alone.

        Raises:
            NameTaken: the file is there already, or a part of its path is no folder.
            OSError: the file system refuses.
        """
        folder = self._enter(path[:-1])
        try:
            return os.open(_name(path[-1]), _NEW_FILE, 0o700 if executable else 0o600, dir_fd=folder)
        except (FileExistsError, IsADirectoryError) as error:
            raise NameTaken("a path occurs twice") from error

    def _enter(self, path: Sequence[bytes]) -> int:
        shared = 0
        for (name, _), wanted in zip(self._open, path, strict=False):
            if name != wanted:
                break
            shared += 1
        self._leave(shared)
        for name in path[shared:]:
            self._open.append((name, _open_folder(_name(name), self._current())))
        return self._current()

    def _leave(self, depth: int) -> None:
        while len(self._open) > depth:
            os.close(self._open.pop()[1])

    def _current(self) -> int:
        return self._open[-1][1] if self._open else self._root


def _open_folder(name: bytes, parent: int) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        os.mkdir(name, 0o700, dir_fd=parent)
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        raise NameTaken("a file or a link stands where a folder should be") from error


def _name(name: bytes) -> bytes:
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        raise NameTaken("a path has an empty, absolute or upward part")
    return name
