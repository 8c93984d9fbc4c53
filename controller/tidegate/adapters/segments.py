"""Pieces of a gzip that stand for themselves, so that a piece whose files did not change is not compressed again.

A deflate stream may be cut wherever a compressor begins anew and flushes to a whole byte. Pieces are kept in a folder
under a name that says what is in them (paths, modes, object names), and are checked when they are read again.
"""

import contextlib
import functools
import hashlib
import os
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_POLYNOMIAL = 0xEDB88320
_HASH_SIZE = 20
_HEAD_SIZE = 20
_FORMAT = b"tidegate.2"  # of the files; those of another are unreadable, and made anew
LEAST_KEPT = 64 << 20


@dataclass(frozen=True, slots=True)
class Segment:
    """A compressed piece; `crc` and `length` are of what it holds, `files` is how much of that is files' content."""

    crc: int
    length: int
    compressed: bytes
    files: int = 0


class SegmentStore:
    """Segments in the folder `path`, by name. Losing any of them costs time and nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(mode=0o700, exist_ok=True)

    def find(self, name: str) -> Segment | None:
        """The segment of that name, if it is here and unharmed."""
        file = self._path / name
        try:
            raw = file.read_bytes()
            os.utime(file)
        except OSError:
            return None
        body = raw[_HASH_SIZE:]
        if len(body) < _HEAD_SIZE or _hash(body) != raw[:_HASH_SIZE]:
            return None
        numbers = (int.from_bytes(body[:4]), int.from_bytes(body[4:12]), int.from_bytes(body[12:_HEAD_SIZE]))
        return Segment(numbers[0], numbers[1], body[_HEAD_SIZE:], numbers[2])

    def keep(self, name: str, segment: Segment) -> None:
        """Keep `segment` under `name`; a full disk keeps nothing."""
        body = segment.crc.to_bytes(4) + segment.length.to_bytes(8) + segment.files.to_bytes(8) + segment.compressed
        new = self._path / f"{secrets.token_hex(8)}.new"
        try:
            new.write_bytes(_hash(body) + body)
            new.rename(self._path / name)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink()

    def trim(self, size: int) -> None:
        """Keep what was used last, as much as `size` bytes or a little."""
        left = max(size, LEAST_KEPT)
        for file, status in sorted(_files(self._path), key=lambda found: -found[1].st_mtime_ns):
            left -= status.st_size
            if left < 0:
                file.unlink(missing_ok=True)


def combine(crc: int, other: int, length: int) -> int:
    """The CRC-32 of two texts in a row from that of each, and the `length` of the second."""
    shift = 1 << 31
    for power in range(length.bit_length()):
        if length >> power & 1:
            shift = _multiply(_zeros(power), shift)
    return _multiply(shift, crc) ^ other


def deflate(pieces: Iterable[bytes]) -> Segment:
    """A segment that holds `pieces`."""
    compressor = zlib.compressobj(wbits=-15)
    crc, length, compressed = 0, 0, []
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
        length += len(piece)
        compressed.append(compressor.compress(piece))
    compressed.append(compressor.flush(zlib.Z_SYNC_FLUSH))
    return Segment(crc, length, b"".join(compressed))


@functools.cache
def _zeros(power: int) -> int:
    """What 2^power bytes of zeros do to a CRC: x to the power of 8 * 2^power, modulo the polynomial."""
    if power == 0:
        return 1 << 23
    half = _zeros(power - 1)
    return _multiply(half, half)


def _multiply(left: int, right: int) -> int:
    """The product of two polynomials modulo that of CRC-32; the highest bit is the lowest power."""
    product = 0
    for bit in range(31, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ (_POLYNOMIAL if right & 1 else 0)
    return product


def _hash(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_HASH_SIZE, person=_FORMAT).digest()


def _files(path: Path) -> list[tuple[Path, os.stat_result]]:
    found = []
    for entry in os.scandir(path):
        try:
            found.append((Path(entry.path), entry.stat()))
        except FileNotFoundError:
            continue  # another archive of this repository is being trimmed at the same time
    return found
