"""The 512-byte header blocks of a tar archive as values and back. Pure; knows no file and no stream.

What is written is what Go's archive/tar writes for the same entry, so that our artifacts and Flux's hold the same tar:
USTAR where it fits, one PAX record for a path that does not.
"""

from dataclasses import dataclass

from tidegate.runtime.errors import TidegateError

BLOCK = 512
END = bytes(2 * BLOCK)

REGULAR = b"0"
HARD_LINK = b"1"
SYMBOLIC_LINK = b"2"
DIRECTORY = b"5"
PAX = b"x"
PAX_GLOBAL = b"g"
GNU_LONG_NAME = b"L"
GNU_LONG_LINK = b"K"

_NAME_SIZE = 100
_PREFIX_SIZE = 155
_MAGIC = slice(257, 265)
_CHECKSUM = slice(148, 156)


class InvalidHeader(TidegateError):
    """A block is no tar header, or a record in it makes no sense."""


@dataclass(frozen=True, slots=True)
class Header:
    """One entry as its block tells it, before any extended header changes it."""

    name: bytes
    kind: bytes
    mode: int
    size: int


def encode(header: Header) -> bytes:
    """The blocks that stand before an entry's content: owner, group and time are always zero."""
    prefix, name = _split(header.name)
    if name is not None:
        return _block(name, prefix, header)
    record = _pax_record(b"path", header.name)
    extended = Header(_pax_name(header.name), PAX, 0, len(record))
    block = _block(_ascii(header.name)[:_NAME_SIZE], b"", header)
    return _block(extended.name, b"", extended, plain=True) + record + padding(len(record)) + block


def decode(block: bytes) -> Header:
    """The header in `block`.

    Raises:
        InvalidHeader: wrong checksum, or a number that is none.
    """
    if _number(block[_CHECKSUM]) not in _checksums(block):
        raise InvalidHeader("the checksum of a tar header is wrong")
    name = _text(block[0:100])
    if block[_MAGIC] == b"ustar\x0000" and (prefix := _text(block[345:500])):
        name = prefix + b"/" + name
    size = _number(block[124:136])
    return Header(name, block[156:157], _number(block[100:108]), size)


def decode_records(text: bytes) -> dict[bytes, bytes]:
    """The records of a PAX header: "LENGTH KEY=VALUE\\n" each; the last of a key counts.

    Raises:
        InvalidHeader: the records do not add up.
    """
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(text):
        space = text.find(b" ", position, position + 12)
        if space < 0:
            raise InvalidHeader("a PAX record has no length")
        end = position + decimal(text[position:space])
        key, equals, value = text[space + 1 : end - 1].partition(b"=")
        if end <= space + 1 or end > len(text) or text[end - 1 : end] != b"\n" or not equals:
            raise InvalidHeader("a PAX record is malformed")
        records[key] = value
        position = end
    return records


def decimal(digits: bytes) -> int:
    """The number in `digits`.

    Raises:
        InvalidHeader: they are not all digits, or more than fit any size.
    """
    if not digits.isdigit() or len(digits) > 19:
        raise InvalidHeader("a tar header holds no valid number")
    return int(digits)


def padding(size: int) -> bytes:
    """The zeros that fill the last block of `size` bytes."""
    return bytes(-size % BLOCK)


def _split(path: bytes) -> tuple[bytes, bytes | None]:
    """The prefix and name fields for `path`, or no name when they cannot hold it."""
    if not path.isascii():
        return b"", None
    if len(path) <= _NAME_SIZE:
        return b"", path
    slash = path[: _PREFIX_SIZE + 1].rfind(b"/")
    name = path[slash + 1 :]
    if slash <= 0 or not 0 < len(name) <= _NAME_SIZE:
        return b"", None
    return path[:slash], name


def _block(name: bytes, prefix: bytes, header: Header, *, plain: bool = False) -> bytes:
    """One header block; a `plain` one leaves the device numbers out, as Go does for PAX headers."""
    device = b"" if plain else b"0000000\0"
    fields = (
        (name, 100),
        (b"%07o\0" % header.mode, 8),
        (b"0000000\0", 8),
        (b"0000000\0", 8),
        (b"%011o\0" % header.size, 12),
        (b"00000000000\0", 12),
        (b" " * 8, 8),
        (header.kind, 1),
        (b"", 100),
        (b"ustar\x0000", 8),
        (b"", 64),
        (device, 8),
        (device, 8),
        (prefix, 155),
        (b"", 12),
    )
    block = b"".join(value.ljust(size, b"\0") for value, size in fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _pax_record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + len(str(len(body)))
    length = len(body) + len(str(length))
    return str(length).encode() + body


def _pax_name(path: bytes) -> bytes:
    directory, slash, name = path.rpartition(b"/")
    return _ascii(directory + slash + b"PaxHeaders.0/" + name)[:_NAME_SIZE].rstrip(b"/")


def _ascii(path: bytes) -> bytes:
    return bytes(byte for byte in path if byte < 0x80)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    """An octal number, or a base-256 one as GNU writes what octal cannot hold."""
    if field[:1] >= b"\x80":
        if field[0] != 0x80:
            raise InvalidHeader("a tar header holds a negative number")
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        raise InvalidHeader("a tar header holds no valid number")
    return int(digits, 8)


def _checksums(block: bytes) -> tuple[int, int]:
    """The sum of the bytes, and the one that old programs made of signed ones."""
    rest = block[:148] + b" " * 8 + block[156:]
    unsigned = sum(rest)
    return unsigned, unsigned - 256 * sum(byte >= 0x80 for byte in rest)
