import base64
import contextlib
import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters import tar_headers
from tidegate.adapters.tar_headers import BLOCK, Header, InvalidHeader

# Written by Go's archive/tar from headers without owner and time, which is what Flux puts into artifacts.
GO = json.loads((Path(__file__).parent / "testdata/go_tar_headers.json").read_text())


@pytest.mark.parametrize("entry", [pytest.param(entry, id=f"{at}-{entry['kind']}") for at, entry in enumerate(GO)])
def test_headers_are_those_that_go_writes(entry):
    header = Header(bytes.fromhex(entry["name"]), entry["kind"].encode(), entry["mode"], entry["size"])

    assert tar_headers.encode(header) == zlib.decompress(base64.b64decode(entry["header"]))


@given(st.binary(min_size=1, max_size=90).filter(lambda name: b"\0" not in name and name.isascii()))
def test_short_ascii_names_come_back(name):
    header = Header(name, tar_headers.REGULAR, 0o600, 7)

    assert tar_headers.decode(tar_headers.encode(header)) == header


@pytest.mark.parametrize("size", [8 << 30, 1 << 62])
def test_sizes_in_base_256_are_read(size):
    block = bytearray(tar_headers.encode(Header(b"x", tar_headers.REGULAR, 0o600, 0)))
    block[124:136] = b"\x80" + size.to_bytes(11)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)

    assert tar_headers.decode(bytes(block)).size == size


@given(st.binary(min_size=BLOCK, max_size=BLOCK))
def test_p3_any_block_is_a_header_or_refused(block):
    repaired = block[:148] + b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:])) + block[156:]
    for candidate in (block, repaired):
        with contextlib.suppress(InvalidHeader):
            assert tar_headers.decode(candidate).size >= 0


@given(st.binary(max_size=100))
def test_p3_any_bytes_are_records_or_refused(text):
    with contextlib.suppress(InvalidHeader):
        assert isinstance(tar_headers.decode_records(text), dict)


@pytest.mark.parametrize("text", [b"0 a=b\n", b"-1 a=b\n", b"99 a=b\n", b"5 ab\n", b"6 a=b\n\n", b"x", b"6 a=bc"])
def test_records_that_do_not_add_up_are_refused(text):
    with pytest.raises(InvalidHeader):
        tar_headers.decode_records(text)
