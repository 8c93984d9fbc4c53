import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.adapters import archive
from tidegate.adapters.archive import ArchiveLimits, ArchiveTooLarge, InvalidArchive, LinkPolicy, RefusedEntry


def tar_of(*entries: tuple[str, bytes, bytes] | tarfile.TarInfo, **options) -> bytes:
    """Entries are (name, kind, content)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
                continue
            info = tarfile.TarInfo(entry[0])
            info.type = entry[1]
            info.size = len(entry[2]) if entry[1] == tarfile.REGTYPE else 0
            if entry[1] in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = entry[2].decode()
            tar.addfile(info, io.BytesIO(entry[2]))
    return buffer.getvalue()


def unpack(tmp_path: Path, compressed: bytes, **options) -> list[str]:
    """What lies in the directory afterwards, and nothing beside it."""
    target = tmp_path / "jail" / "out"
    target.mkdir(parents=True)
    try:
        archive.unpack(io.BytesIO(compressed), target, **options)
    finally:
        assert os.listdir(tmp_path / "jail") == ["out"]
    return sorted(str(path.relative_to(target)) for path in target.rglob("*"))


FILE, LINK, HARD, FOLDER = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


def test_files_and_folders_are_written_for_this_user_alone(tmp_path):
    run = tarfile.TarInfo("d/run.sh")
    run.mode = 0o755
    found = unpack(tmp_path, gzip.compress(tar_of((".", FOLDER, b""), ("./a", FILE, b"1"), ("d", FOLDER, b""), run)))

    out = tmp_path / "jail/out"
    assert found == ["a", "d", "d/run.sh"]
    assert [(out / name).stat().st_mode & 0o777 for name in found] == [0o600, 0o700, 0o700]


def test_what_was_held_is_counted(tmp_path):
    tar = tar_of(("a", FILE, b"123"), ("l", LINK, b"a"), ("d", FOLDER, b""))

    result = archive.unpack(io.BytesIO(gzip.compress(tar)), tmp_path)

    assert (result.files, result.folders, result.skipped, result.size) == (1, 1, 1, 3)


@pytest.mark.parametrize("style", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_long_and_odd_names_are_read_in_every_style(tmp_path, style):
    name = "d" * 90 + "/" + "é" * 30 + "/" + "n" * (60 if style == tarfile.USTAR_FORMAT else 150)

    found = unpack(tmp_path, gzip.compress(tar_of((name, FILE, b"1"), format=style, encoding="utf-8")))

    assert found[-1] == name


def test_a_global_header_as_git_archive_writes_it_is_passed_over(tmp_path):
    tar = tar_of(("a", FILE, b"1"), format=tarfile.PAX_FORMAT, pax_headers={"comment": "0" * 40})

    assert unpack(tmp_path, gzip.compress(tar)) == ["a"]


def test_o8_links_are_skipped_and_nothing_is_written_through_them(tmp_path):
    (tmp_path / "outside").mkdir()
    tar = tar_of(
        ("l", LINK, b"../../outside"), ("l/x", FILE, b"1"), ("abs", LINK, b"/etc/passwd"), ("self", LINK, b"self")
    )

    assert unpack(tmp_path, gzip.compress(tar)) == ["l", "l/x"]
    assert os.listdir(tmp_path / "outside") == []


def test_o8_links_are_refused_where_asked(tmp_path):
    with pytest.raises(RefusedEntry, match="'l' is neither a file nor a directory"):
        unpack(tmp_path, gzip.compress(tar_of(("l", LINK, b"a"))), links=LinkPolicy.REFUSE)


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([("../x", FILE, b"1")], id="upward"),
        pytest.param([("a/../../x", FILE, b"1")], id="upward-inside"),
        pytest.param([("..", FOLDER, b"")], id="upward-folder"),
        pytest.param([("/x", FILE, b"1")], id="absolute"),
        pytest.param([("a\\x", FILE, b"1")], id="backslash"),
        pytest.param([("h", HARD, b"/etc/passwd")], id="hard-link"),
        pytest.param([("a", FILE, b"1"), ("h", HARD, b"a")], id="hard-link-inside"),
        pytest.param([("c", tarfile.CHRTYPE, b"")], id="character-device"),
        pytest.param([("b", tarfile.BLKTYPE, b"")], id="block-device"),
        pytest.param([("f", tarfile.FIFOTYPE, b"")], id="fifo"),
        pytest.param([("s", tarfile.GNUTYPE_SPARSE, b"")], id="sparse"),
        pytest.param([("7", tarfile.CONTTYPE, b"")], id="contiguous"),
        pytest.param([("a", FILE, b"1"), ("a", FILE, b"2")], id="double"),
        pytest.param([("a", FILE, b"1"), ("./a", FILE, b"2")], id="double-otherwise-spelt"),
        pytest.param([("a", FILE, b"1"), ("a/b", FILE, b"2")], id="file-as-folder"),
        pytest.param([("a/b", FILE, b"1"), ("a", FILE, b"2")], id="folder-as-file"),
        pytest.param([(".", FILE, b"")], id="no-name"),
    ],
)
def test_o8_entries_that_no_archive_needs_are_refused(tmp_path, entries):
    with pytest.raises(InvalidArchive):
        unpack(tmp_path, gzip.compress(tar_of(*entries, format=tarfile.GNU_FORMAT)))


def test_o8_pax_sparse_files_are_refused(tmp_path):
    info = tarfile.TarInfo("s")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.name": "s"}

    with pytest.raises(RefusedEntry, match="sparse"):
        unpack(tmp_path, gzip.compress(tar_of(info, format=tarfile.PAX_FORMAT)))


@pytest.mark.parametrize(
    "compressed",
    [
        pytest.param(gzip.compress(tar_of(("a", FILE, b"1")) + b"more"), id="after-the-tar"),
        pytest.param(gzip.compress(tar_of(("a", FILE, b"1"))) + b"more", id="after-the-gzip"),
        pytest.param(gzip.compress(tar_of(("a", FILE, b"1"))) + gzip.compress(b"x"), id="another-member"),
    ],
)
def test_o8_bytes_after_the_end_are_refused(tmp_path, compressed):
    with pytest.raises(InvalidArchive):
        unpack(tmp_path, compressed)


def test_members_and_zeros_after_the_end_are_the_same_archive(tmp_path):
    tar = tar_of(("a", FILE, b"1"))

    assert unpack(tmp_path, gzip.compress(tar[:700]) + gzip.compress(tar[700:] + bytes(9_000)) + bytes(100)) == ["a"]


def test_o7_a_gzip_bomb_is_refused_before_it_is_inflated(tmp_path):
    limits = ArchiveLimits(ratio_from=1 << 20)
    bomb = gzip.compress(tar_of(("zeros", FILE, bytes(8 << 20))))

    with pytest.raises(ArchiveTooLarge, match="200:1"):
        unpack(tmp_path, bomb, limits=limits)
    assert (tmp_path / "jail/out/zeros").stat().st_size <= 2 << 20


@pytest.mark.parametrize(
    ("limits", "entries"),
    [
        pytest.param(ArchiveLimits(entries=2), [(name, FILE, b"") for name in "abc"], id="entries"),
        pytest.param(ArchiveLimits(file_size=2), [("a", FILE, b"123")], id="file"),
        pytest.param(ArchiveLimits(size=1_000, entries=0), [("a", FILE, b"1" * 2_000)], id="all"),
        pytest.param(ArchiveLimits(path=5), [("abc/de", FILE, b"")], id="path"),
        pytest.param(ArchiveLimits(depth=2), [("a/b/c", FILE, b"")], id="depth"),
    ],
)
def test_archives_beyond_a_bound_are_refused(tmp_path, limits, entries):
    with pytest.raises(ArchiveTooLarge):
        unpack(tmp_path, gzip.compress(tar_of(*entries)), limits=limits)


@pytest.mark.parametrize("cut", [0, 1, 9, 40, -20, -9, -4, -1])
def test_f34_truncated_archives_are_refused(tmp_path, cut):
    compressed = gzip.compress(tar_of(("a", FILE, os.urandom(3_000))))

    with pytest.raises(InvalidArchive):
        unpack(tmp_path, compressed[:cut])


@pytest.mark.parametrize("at", [-1, -5, 100])
def test_f34_damaged_archives_are_refused(tmp_path, at):
    compressed = bytearray(gzip.compress(tar_of(("a", FILE, os.urandom(3_000)))))
    compressed[at] ^= 0x55

    with pytest.raises(InvalidArchive):
        unpack(tmp_path, bytes(compressed))


@pytest.mark.parametrize("raw", [b"", b"plain", b"\x28\xb5\x2f\xfd" + bytes(50), tar_of(("a", FILE, b"1"))])
def test_o7_what_is_no_gzip_is_refused(tmp_path, raw):
    with pytest.raises(InvalidArchive):
        unpack(tmp_path, raw)


NAMES = st.text(alphabet="ab./\\\0é ", min_size=1, max_size=8)
KINDS = st.sampled_from([FILE, LINK, HARD, FOLDER, tarfile.FIFOTYPE, tarfile.REGTYPE])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, KINDS, st.sampled_from([b"a", b"..", b"/tmp", b"../../x"])), max_size=6), st.data())
def test_p1_p4_whatever_an_archive_says_only_the_directory_is_written(tmp_path_factory, entries, data):
    raw = tar_of(*entries, format=tarfile.GNU_FORMAT)
    flips = data.draw(st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=2))
    damaged = bytearray(raw)
    for at, byte in flips:
        damaged[at] = byte

    try:
        found = unpack(tmp_path_factory.mktemp("p4"), gzip.compress(bytes(damaged), 1))
    except (InvalidArchive, ArchiveTooLarge):
        found = []

    assert not any("link" in name for name in found)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_p3_any_bytes_are_an_archive_or_refused(tmp_path_factory, raw):
    target = tmp_path_factory.mktemp("p3")
    for candidate in (raw, gzip.compress(raw, 1)):
        try:
            archive.unpack(io.BytesIO(candidate), target)
        except (InvalidArchive, ArchiveTooLarge):
            assert os.listdir(target) == []


def test_a_folder_planted_as_a_link_in_the_directory_is_not_entered(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "d").symlink_to(tmp_path / "outside")

    with pytest.raises(RefusedEntry, match="a link stands"):
        archive.unpack(io.BytesIO(gzip.compress(tar_of(("d/x", FILE, b"1")))), tmp_path / "out")
    assert os.listdir(tmp_path / "outside") == []
