"""Artifacts: a tree of files as a tar.gz, written the same way every time.

`.` first, then a lexical walk of folders and regular files; no owner, no time, three modes only; what is ignored is not
there. The same tree gives the same bytes, on disk or in Git, and whether or not pieces of it were compressed before.
Blocks: belongs into a thread; `stop` ends it early.
"""

import dataclasses
import hashlib
import os
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tidegate.adapters import bounds, segments, tar_headers
from tidegate.adapters.bounds import LIMITS, ArchiveLimits, ArchiveTooLarge
from tidegate.adapters.folders import DiskFolder, Folder, Item
from tidegate.adapters.segments import Segment, SegmentStore
from tidegate.adapters.tar_headers import Header
from tidegate.adapters.walking import Entry, Walk

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x03\x00"
_PORTION = 1 << 16
_LARGEST_KEPT = 32 << 20
# Whatever changes the bytes that the same files give, belongs here: segments of other makes are not mixed in.
_FORMAT = f"1 zlib {zlib.ZLIB_RUNTIME_VERSION} ".encode()


@dataclass(frozen=True)
class ArchiveInfo:
    """A finished archive: `digest` ("sha256:…") and `size` are of the file; `skipped` entries could not be held."""

    digest: str
    size: int
    files: int
    skipped: int


@dataclass
class Writing:
    """How to write an archive: what to leave out (None: nothing), the bounds, the digest, and whether to go on."""

    spec_ignore: str | None = ""
    limits: ArchiveLimits = LIMITS
    algorithm: str = "sha256"
    stop: threading.Event = field(default_factory=threading.Event)


def pack(
    folder: Folder | Path, target: Path, writing: Writing | None = None, store: SegmentStore | None = None
) -> ArchiveInfo:
    """Write `folder` without what is ignored to the new file `target`, and to disk; `store` saves repeated work.

    Raises:
        ArchiveTooLarge: a bound is exceeded.
        InvalidIgnoreFile: the ignore patterns are beyond their bounds.
        Stopped: `writing.stop` was set.
        OSError: the file system refuses. The file may be there in part after any error.
    """
    writing = writing or Writing()
    tree = DiskFolder(folder) if isinstance(folder, Path) else folder
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        walk = Walk(tree, writing.spec_ignore, writing.limits, writing.stop)
        output = _Gzip(file, writing.algorithm)
        for entries in _groups(walk):
            _write_group(output, entries, writing, store)
        output.finish()
        file.flush()
        os.fsync(file.fileno())
    if store is not None:
        store.trim(3 * output.size)
    return ArchiveInfo(f"{writing.algorithm}:{output.digest.hexdigest()}", output.size, walk.files, walk.skipped)


def _groups(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """`entries` in groups that depend on nothing but their paths: a change moves no border of another group."""
    group: list[Entry] = []
    for entry in entries:
        if group and zlib.crc32(entry.path) % 64 == 0:
            yield group
            group = []
        group.append(entry)
    yield group


def _write_group(output: "_Gzip", entries: list[Entry], writing: Writing, store: SegmentStore | None) -> None:
    name = _name(entries, writing.limits) if store is not None else None
    known = store.find(name) if store is not None and name is not None else None
    if known is not None:
        output.append(known)
    else:
        tar = _Tar(entries, writing, output.files)
        segment = dataclasses.replace(segments.deflate(_cut(tar)), files=tar.size)
        output.append(segment)
        if store is not None and name is not None and segment.length <= _LARGEST_KEPT:
            store.keep(name, segment)
    if output.files > writing.limits.size:
        raise ArchiveTooLarge(f"{writing.limits.size} bytes in all")


def _name(entries: list[Entry], limits: ArchiveLimits) -> str | None:
    """A name for what `entries` hold, or None where that is not known without reading it."""
    digest = hashlib.blake2b(_FORMAT + b"%d" % limits.file_size, digest_size=20)
    for entry in entries:
        token = _token(entry.file)
        if token is None:
            return None
        digest.update(b"%d %b%d %b" % (len(entry.path), entry.path, len(token), token))
    return digest.hexdigest()


def _token(file: Item | None) -> bytes | None:
    if file is None:
        return b"folder"
    return b"%d %b" % (file.is_executable, file.fingerprint) if file.fingerprint is not None else None


class _Tar:
    """The blocks of `entries`; `before` is how much content the archive has already, `size` what these add."""

    def __init__(self, entries: list[Entry], writing: Writing, before: int) -> None:
        self._entries = entries
        self._limits = writing.limits
        self._stop = writing.stop
        self._before = before
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for entry in self._entries:
            bounds.require_wanted(self._stop)
            if entry.file is None:
                yield tar_headers.encode(Header(entry.path, tar_headers.DIRECTORY, 0o750, 0))
            else:
                yield from self._file(entry.path, entry.file)

    def _file(self, path: bytes, file: Item) -> Iterator[bytes]:
        content = file.content()
        self.size += content.size
        if content.size > self._limits.file_size:
            raise ArchiveTooLarge(f"{self._limits.file_size} bytes in one file", os.fsdecode(path))
        if self._before + self.size > self._limits.size:
            raise ArchiveTooLarge(f"{self._limits.size} bytes in all", os.fsdecode(path))
        mode = 0o700 if file.is_executable else 0o600
        yield tar_headers.encode(Header(path, tar_headers.REGULAR, mode, content.size))
        for piece in content.pieces:
            bounds.require_wanted(self._stop)
            yield piece
        yield tar_headers.padding(content.size)


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """`pieces` in portions of one size: fewer calls, and a compressor that cannot tell how the pieces came."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _PORTION:
            whole = len(waiting) // _PORTION * _PORTION
            yield from (bytes(waiting[start : start + _PORTION]) for start in range(0, whole, _PORTION))
            del waiting[:whole]
    yield bytes(waiting)


class _Gzip:
    """A gzip stream without name and time, hashed and counted on its way into `file`."""

    def __init__(self, file: BinaryIO, algorithm: str) -> None:
        self._file = file
        self._crc = 0
        self._length = 0
        self.files = 0
        self.digest = hashlib.new(algorithm)
        self.size = 0
        self._put(_GZIP_HEADER)

    def append(self, segment: Segment) -> None:
        self._crc = segments.combine(self._crc, segment.crc, segment.length)
        self._length += segment.length
        self.files += segment.files
        self._put(segment.compressed)

    def finish(self) -> None:
        self.append(segments.deflate([tar_headers.END]))
        self._put(_LAST_BLOCK + struct.pack("<II", self._crc, self._length & 0xFFFFFFFF))

    def _put(self, compressed: bytes) -> None:
        self.digest.update(compressed)
        self.size += len(compressed)
        self._file.write(compressed)
