"""A gzip of unknown origin, inflated piece by piece: never more in memory than was asked for, never past the bounds."""

import zlib
from typing import BinaryIO

from tidegate.adapters.bounds import ArchiveLimits, ArchiveTooLarge
from tidegate.adapters.tar_headers import BLOCK
from tidegate.runtime.errors import TidegateError

_INPUT = 1 << 16
_OUTPUT = 1 << 18
_GZIP = 31


class InvalidArchive(TidegateError):
    """Not a gzip of a tar, or a broken one."""


class GzipStream:
    """Reads exact numbers of bytes from the gzip members in `source`.

    What is read from, or written into, may not pass the limits' `size` and `ratio`.
    """

    def __init__(self, source: BinaryIO, limits: ArchiveLimits) -> None:
        self._source = source
        self._limits = limits
        self._inflate = zlib.decompressobj(_GZIP)
        self._input = b""
        self._buffer = bytearray()
        self._read = 0
        self._written = 0
        self._began = False

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes.

        Raises:
            InvalidArchive: the stream is broken or ends before.
            ArchiveTooLarge: a bound is exceeded.
        """
        while len(self._buffer) < size:
            piece = self._more()
            if not piece:
                raise InvalidArchive("the archive is truncated")
            self._buffer += piece
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        return piece

    def read_block(self) -> bytes | None:
        """The next tar block, or None where the stream ends cleanly."""
        if not self._buffer and not self._fill():
            return None
        return self.read(BLOCK)

    def require_only_zeros(self) -> None:
        """Read to the end of the stream and of the source.

        Raises:
            InvalidArchive: anything but zeros follows.
        """
        while self._buffer or self._fill():
            if self._buffer.strip(b"\0"):
                raise InvalidArchive("bytes follow the end of the archive")
            self._buffer.clear()

    def _fill(self) -> bool:
        self._buffer += self._more()
        return bool(self._buffer)

    def _more(self) -> bytes:
        """Some more bytes; none at the end."""
        while True:
            if self._inflate.eof:
                if not self._next_member():
                    return b""
            elif not self._input and not self._take_input():
                if self._began:
                    raise InvalidArchive("the archive is truncated")
                raise InvalidArchive("the archive is empty")
            if piece := self._decompress():
                return piece

    def _decompress(self) -> bytes:
        try:
            piece = self._inflate.decompress(self._input, _OUTPUT)
        except zlib.error as error:
            raise InvalidArchive("the archive is no valid gzip" if self._began else "not a gzip archive") from error
        self._began = True
        self._input = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        self._written += len(piece)
        self._require_bounds()
        return piece

    def _next_member(self) -> bool:
        """Go on with the member behind the one that ended, if there is one; zeros may pad the end."""
        while True:
            self._input = self._input.lstrip(b"\0")
            if self._input:
                break
            if not self._take_input():
                return False
        self._inflate = zlib.decompressobj(_GZIP)
        return True

    def _take_input(self) -> bool:
        self._input = self._source.read(_INPUT)
        self._read += len(self._input)
        return bool(self._input)

    def _require_bounds(self) -> None:
        limits = self._limits
        # Headers and padding come on top of the files' own bytes.
        if self._written > limits.size + 2 * BLOCK * limits.entries:
            raise ArchiveTooLarge(f"{limits.size} bytes unpacked")
        if self._written > limits.ratio_from and self._written > limits.ratio * self._read:
            raise ArchiveTooLarge(f"{limits.ratio}:1 compression")
