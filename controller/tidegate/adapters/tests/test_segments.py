import gzip
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters import archive, packing, segments
from tidegate.adapters.archive import Writing
from tidegate.adapters.folders import Content, Item
from tidegate.adapters.segments import Segment, SegmentStore


class Memory:
    """A folder of files in memory, whose content is named, and which counts what is read."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.read: list[bytes] = []

    def items(self) -> list[Item]:
        return [MemoryFile(name.encode(), content, self.read) for name, content in sorted(self.files.items())]


class MemoryFile:
    is_folder = False
    is_executable = False

    def __init__(self, name: bytes, raw: bytes, read: list[bytes]) -> None:
        self.name = name
        self._raw = raw
        self._read = read

    @property
    def fingerprint(self) -> bytes:
        return zlib.crc32(self._raw).to_bytes(4)

    def folder(self) -> Memory:
        raise NotADirectoryError

    def content(self) -> Content:
        self._read.append(self.name)
        return Content(len(self._raw), iter([self._raw]))


@pytest.fixture
def store(tmp_path: Path) -> SegmentStore:
    return SegmentStore(tmp_path / "segments")


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_checksums_of_two_pieces_are_that_of_both(first, second):
    assert segments.combine(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


@pytest.mark.parametrize("length", [1 << 20, (1 << 20) + 17])
def test_checksums_of_long_pieces_are_combined(length):
    second = os.urandom(length)

    assert segments.combine(7, zlib.crc32(second), length) == zlib.crc32(second, 7)


def test_only_what_changed_is_read_and_the_bytes_are_the_same_as_without_a_store(store, tmp_path):
    tree = Memory({f"f{at}": os.urandom(200) + b"x" * at for at in range(1_000)})
    archive.pack(tree, tmp_path / "1", Writing(spec_ignore=None), store)
    tree.read.clear()
    tree.files["f500"] = b"changed"

    again = archive.pack(tree, tmp_path / "2", Writing(spec_ignore=None), store)

    assert b"f500" in tree.read
    assert len(tree.read) < 500
    assert archive.pack(tree, tmp_path / "3", Writing(spec_ignore=None)) == again
    assert (tmp_path / "2").read_bytes() == (tmp_path / "3").read_bytes()
    assert len(gzip.decompress((tmp_path / "2").read_bytes())) % 512 == 0


def test_another_name_mode_or_bound_is_another_segment(store, tmp_path):
    archive.pack(Memory({"a": b"1"}), tmp_path / "1", None, store)
    renamed = Memory({"b": b"1"})

    archive.pack(renamed, tmp_path / "2", None, store)

    assert renamed.read == [b"b"]


def test_a_harmed_segment_is_made_anew(store, tmp_path):
    tree = Memory({"a": b"1" * 1_000})
    whole = archive.pack(tree, tmp_path / "1", None, store)
    for file in (tmp_path / "segments").iterdir():
        raw = bytearray(file.read_bytes())
        raw[-1] ^= 1
        file.write_bytes(raw)

    assert archive.pack(tree, tmp_path / "2", None, store) == whole
    for file in (tmp_path / "segments").iterdir():
        file.write_bytes(b"")
    assert archive.pack(tree, tmp_path / "3", None, store) == whole


def test_what_was_used_longest_ago_goes_first(store, tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "LEAST_KEPT", 250)
    for at in range(4):
        store.keep(f"s{at}", Segment(0, 0, bytes(60)))
        os.utime(tmp_path / f"segments/s{at}", (at, at))
    assert store.find("s0") is not None

    store.trim(0)

    assert sorted(os.listdir(tmp_path / "segments")) == ["s0", "s3"]


def test_bounds_hold_for_what_was_compressed_before_too(store, tmp_path):
    tree = Memory({"a": b"1" * 1_000})
    archive.pack(tree, tmp_path / "1", None, store)

    with pytest.raises(archive.ArchiveTooLarge):
        archive.pack(tree, tmp_path / "2", Writing(limits=archive.ArchiveLimits(size=999)), store)
    with pytest.raises(archive.ArchiveTooLarge):
        archive.pack(tree, tmp_path / "3", Writing(limits=archive.ArchiveLimits(file_size=999)), store)


def test_a_disk_that_keeps_nothing_stops_nothing(store, tmp_path):
    os.rmdir(tmp_path / "segments")
    tree = Memory({"a": b"1"})
    (tmp_path / "segments").write_text("a file in the way")

    store.keep("x", Segment(0, 0, b""))

    assert store.find("x") is None
    assert packing.pack(tree, tmp_path / "1", None).files == 1
