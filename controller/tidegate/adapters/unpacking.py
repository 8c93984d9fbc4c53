"""A stranger's tar.gz into a directory, within bounds: our own reader, since tarfile's has written outside (§3.1).

Regular files and folders only. Links are left out or refused; everything else that a tar can hold is refused, as are
paths that leave the directory, double names and bytes after the end. Blocks: belongs into a thread.
"""

import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from tidegate.adapters import tar_headers
from tidegate.adapters.bounds import LIMITS, ArchiveLimits, ArchiveTooLarge
from tidegate.adapters.gzip_stream import GzipStream, InvalidArchive
from tidegate.adapters.jail import Jail, NameTaken
from tidegate.adapters.tar_headers import BLOCK, Header, InvalidHeader

_PORTION = 1 << 20
_LONGEST_RECORDS = 1 << 20


class LinkPolicy(StrEnum):
    """What becomes of symbolic links: hard ones are always refused."""

    SKIP = "skip"
    REFUSE = "refuse"


class RefusedEntry(InvalidArchive):
    """An entry that no archive of ours may have; `entry` is its name as readable text, `reason` what is wrong."""

    def __init__(self, name: bytes, reason: str) -> None:
        self.entry = _readable(name)
        self.reason = reason
        super().__init__(f"entry '{self.entry}' {reason}")


@dataclass
class Unpacked:
    """What an archive held."""

    files: int = 0
    folders: int = 0
    skipped: int = 0
    size: int = 0


@dataclass
class _Extension:
    """What extended headers say about the entry behind them."""

    name: bytes | None = None
    size: int | None = None


def unpack(
    source: Path | BinaryIO, directory: Path, limits: ArchiveLimits = LIMITS, links: LinkPolicy = LinkPolicy.SKIP
) -> Unpacked:
    """Write what `source` holds into `directory`, which should be new and empty.

    Raises:
        InvalidArchive: not a gzip of a tar, broken, or with an entry that is refused.
        ArchiveTooLarge: a bound is exceeded.
        OSError: the file system refuses. After any error the directory holds a part: it is the caller's to remove.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return unpack(file, directory, limits, links)
    with Jail(directory) as jail:
        return _Unpacking(GzipStream(source, limits), jail, limits, links).run()


@dataclass
class _Unpacking:
    stream: GzipStream
    jail: Jail
    limits: ArchiveLimits
    links: LinkPolicy
    result: Unpacked = field(default_factory=Unpacked)
    extension: _Extension = field(default_factory=_Extension)
    seen: int = 0

    def run(self) -> Unpacked:
        while (header := self._next()) is not None:
            self._take(header)
        self.stream.require_only_zeros()
        return self.result

    def _next(self) -> Header | None:
        """The next header, or None at the end: two blocks of zeros, or one and nothing more, as old programs wrote."""
        block = self.stream.read_block()
        if block is None or not block.strip(b"\0"):
            return None
        try:
            return tar_headers.decode(block)
        except InvalidHeader as error:
            raise InvalidArchive(str(error)) from error

    def _take(self, header: Header) -> None:
        match header.kind:
            case tar_headers.PAX | tar_headers.GNU_LONG_NAME | tar_headers.GNU_LONG_LINK | tar_headers.PAX_GLOBAL:
                self._extend(header)
                return
        self.seen += 1
        if self.seen > self.limits.entries:
            raise ArchiveTooLarge(f"{self.limits.entries} entries")
        name = self.extension.name if self.extension.name is not None else header.name
        size = self.extension.size if self.extension.size is not None else header.size
        self.extension = _Extension()
        if header.kind == tar_headers.SYMBOLIC_LINK and self.links is LinkPolicy.SKIP:
            self.result.skipped += 1
            return
        self._write(Header(name, header.kind, header.mode, size))

    def _write(self, header: Header) -> None:
        path = self._path(header.name)
        is_folder = header.kind == tar_headers.DIRECTORY or header.name.endswith(b"/")
        if header.kind not in (tar_headers.REGULAR, b"\0", tar_headers.DIRECTORY):
            raise RefusedEntry(header.name, "is neither a file nor a directory")
        try:
            if is_folder:
                self.jail.make_folder(path)
                self.result.folders += 1
            elif path:
                self._write_file(path, header)
            else:
                raise RefusedEntry(header.name, "has no name")
        except NameTaken as error:
            raise RefusedEntry(header.name, f"is refused: {error}") from error

    def _write_file(self, path: list[bytes], header: Header) -> None:
        if header.size > self.limits.file_size:
            raise ArchiveTooLarge(f"{self.limits.file_size} bytes in one file", _readable(header.name))
        descriptor = self.jail.create_file(path, executable=bool(header.mode & 0o111))
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            self._copy(header.size, file)
        self.result.files += 1
        self.result.size += header.size

    def _copy(self, size: int, file: BinaryIO) -> None:
        left = size
        while left > 0:
            piece = self.stream.read(min(left, _PORTION))
            _write_all(file, piece)
            left -= len(piece)
        self.stream.read(-size % BLOCK)

    def _path(self, name: bytes) -> list[bytes]:
        if len(name) > self.limits.path:
            raise ArchiveTooLarge(f"{self.limits.path} bytes in one path", _readable(name))
        if not name or name.startswith(b"/") or b"\\" in name or b"\0" in name:
            raise RefusedEntry(name, "has an empty or absolute path, or one with a backslash")
        parts = [part for part in name.split(b"/") if part not in (b"", b".")]
        if b".." in parts:
            raise RefusedEntry(name, "leaves the directory")
        if len(parts) > self.limits.depth:
            raise ArchiveTooLarge(f"{self.limits.depth} folders in one another", _readable(name))
        return parts

    def _extend(self, header: Header) -> None:
        if header.size > _LONGEST_RECORDS:
            raise ArchiveTooLarge(f"{_LONGEST_RECORDS} bytes in one extended header")
        text = self.stream.read(header.size)
        self.stream.read(-header.size % BLOCK)
        match header.kind:
            case tar_headers.GNU_LONG_NAME:
                self.extension.name = text.rstrip(b"\0")
            case tar_headers.PAX:
                self._apply(text)

    def _apply(self, text: bytes) -> None:
        try:
            records = tar_headers.decode_records(text)
            if any(key.startswith(b"GNU.sparse.") for key in records):
                raise RefusedEntry(records.get(b"path", b""), "is a sparse file")
            self.extension.name = records.get(b"path", self.extension.name)
            if b"size" in records:
                self.extension.size = tar_headers.decimal(records[b"size"])
        except InvalidHeader as error:
            raise InvalidArchive(str(error)) from error


def _write_all(file: BinaryIO, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[file.write(view) :]


def _readable(name: bytes) -> str:
    text = name[:256].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "?" for character in text)
