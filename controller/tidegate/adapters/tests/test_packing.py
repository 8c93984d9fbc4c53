import gzip
import hashlib
import os
import tarfile
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.adapters import archive, folders
from tidegate.adapters.archive import ArchiveLimits, ArchiveTooLarge, Stopped, Writing
from tidegate.adapters.folders import DiskFolder, Mounted, Narrowed
from tidegate.adapters.ignore import InvalidIgnoreFile

NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: not set(name) & set(b"/\0\\") and name not in (b".", b"..")
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
TREES = st.dictionaries(PATHS, st.tuples(st.binary(max_size=40), st.booleans()), max_size=8)


def write_tree(root: Path, tree: Mapping[str, str | bytes]) -> Path:
    for name, content in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def names_in(path: Path) -> list[str]:
    with tarfile.open(path) as tar:
        return tar.getnames()


def pack(tmp_path: Path, tree: Mapping[str, str | bytes], spec: str | None = "") -> list[str]:
    root = write_tree(tmp_path / "tree", tree)
    root.mkdir(exist_ok=True)
    archive.pack(root, tmp_path / "out.tar.gz", Writing(spec_ignore=spec))
    return names_in(tmp_path / "out.tar.gz")


def test_entries_are_in_lexical_order_and_without_traces(tmp_path):
    root = write_tree(tmp_path / "tree", {"a-b": "1", "a/x": "2", "B": "3", "run.sh": "4"})
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("a-b")
    os.mkfifo(root / "pipe")

    info = archive.pack(root, tmp_path / "out.tar.gz")

    with tarfile.open(tmp_path / "out.tar.gz") as tar:
        members = [(m.name, m.mode, m.mtime, m.uid, m.gid, m.uname, m.gname) for m in tar.getmembers()]
    assert members == [
        (".", 0o750, 0, 0, 0, "", ""),
        ("B", 0o600, 0, 0, 0, "", ""),
        ("a", 0o750, 0, 0, 0, "", ""),
        ("a/x", 0o600, 0, 0, 0, "", ""),
        ("a-b", 0o600, 0, 0, 0, "", ""),
        ("run.sh", 0o700, 0, 0, 0, "", ""),
    ]
    assert info.files == 4


def test_digest_and_size_are_of_the_file_which_is_private(tmp_path):
    root = write_tree(tmp_path / "tree", {"a": "1" * 100_000})

    info = archive.pack(root, tmp_path / "out.tar.gz")

    raw = (tmp_path / "out.tar.gz").read_bytes()
    assert info.digest == f"sha256:{hashlib.sha256(raw).hexdigest()}"
    assert info.size == len(raw)
    assert (tmp_path / "out.tar.gz").stat().st_mode & 0o777 == 0o600


def test_gzip_header_has_neither_name_nor_time(tmp_path):
    pack(tmp_path, {"a": "1"})

    assert (tmp_path / "out.tar.gz").read_bytes()[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


@settings(max_examples=40, deadline=None)
@given(TREES)
def test_p1_p2_a_tree_comes_back_and_gives_the_same_bytes(tmp_path_factory, tree):
    base = tmp_path_factory.mktemp("p1")
    root = base / "tree"
    root.mkdir()
    expected = {}
    for path, (content, executable) in tree.items():
        target = os.path.join(os.fsencode(root), *path)
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "xb") as file:
                file.write(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue
        os.chmod(target, 0o755 if executable else 0o640)
        expected[b"/".join(path)] = (content, 0o700 if executable else 0o600)
    writing = Writing(spec_ignore=None)

    first = archive.pack(root, base / "1.tar.gz", writing)
    second = archive.pack(root, base / "2.tar.gz", writing)
    (base / "out").mkdir()
    archive.unpack(base / "1.tar.gz", base / "out")

    found = {}
    for folder, _, names in os.walk(os.fsencode(base / "out")):
        for name in names:
            path = os.path.join(folder, name)
            content = Path(os.fsdecode(path)).read_bytes()
            found[os.path.relpath(path, os.fsencode(base / "out"))] = (content, os.stat(path).st_mode & 0o777)
    assert found == expected
    assert first == second
    assert (base / "1.tar.gz").read_bytes() == (base / "2.tar.gz").read_bytes()


def test_names_stay_byte_for_byte(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    names = [b"bad\xff\xfe", b"new\nline", b"-rf", "e\u0301".encode(), "\u00e9".encode(), b"n" * 200]
    for name in names:
        Path(os.fsdecode(os.path.join(os.fsencode(root), name))).write_text("x")

    archive.pack(root, tmp_path / "out.tar.gz")

    assert [os.fsencode(name) for name in names_in(tmp_path / "out.tar.gz")] == [b".", *sorted(names)]


def test_default_patterns_hold_only_where_nobody_wrote_one(tmp_path):
    tree = {"a.jpg": "", ".github/x": "", "k.yaml": "", ".gitignore": "*"}

    assert pack(tmp_path / "plain", tree) == [".", "k.yaml"]
    assert pack(tmp_path / "comment", tree, "# nothing\n\n") == [".", "k.yaml"]
    assert pack(tmp_path / "spec", tree, "/other") == [".", ".github", ".github/x", "a.jpg", "k.yaml"]
    assert "a.jpg" in pack(tmp_path / "file", {**tree, "deep/.sourceignore": "x"})


def test_a_pattern_in_an_ignored_folder_still_switches_the_defaults_off(tmp_path):
    names = pack(tmp_path, {"a.jpg": "", ".github/.sourceignore": "zzz"})

    assert "a.jpg" in names


def test_ignore_files_hold_for_their_folder_and_the_spec_for_all(tmp_path):
    tree = {"a.md": "", "d/b.md": "", "d/c.txt": "", "d/.sourceignore": "*.md\n", "e/b.md": ""}

    assert pack(tmp_path / "1", tree) == [".", "a.md", "d", "d/.sourceignore", "d/c.txt", "e", "e/b.md"]
    assert pack(tmp_path / "2", tree, "!b.md\n/e/\n") == [".", "a.md", "d", "d/.sourceignore", "d/b.md", "d/c.txt"]


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        pytest.param(
            "/*\n!/deploy\n/deploy/**/*.md\n",
            [".", "deploy", "deploy/app", "deploy/app/a.yaml"],
            id="a folder of the root",
        ),
        pytest.param("/*\n!/deploy/app\n", [".", "deploy/app", "deploy/app/a.yaml"], id="a folder further down"),
        pytest.param("*\n!*.yaml\n", [".", "deploy/app/a.yaml", "other/b.yaml", "root.yaml"], id="a kind of file"),
        pytest.param("/other/\n!/other/b.yaml\n/deploy\n", [".", "other/b.yaml", "root.yaml"], id="a file"),
        pytest.param("!/deploy/app\n/deploy\n/other\n", [".", "root.yaml"], id="the last one decides"),
    ],
)
def test_the_last_pattern_for_a_path_or_its_folders_decides_as_in_flux(tmp_path, spec, names):
    tree = {"deploy/app/a.yaml": "", "deploy/x.md": "", "other/b.yaml": "", "root.yaml": ""}

    assert pack(tmp_path, tree, spec) == names


def test_p1_a_file_whose_folders_have_no_entry_is_unpacked(tmp_path):
    root = write_tree(tmp_path / "tree", {"deploy/app/a.yaml": "content", "x": ""})
    archive.pack(root, tmp_path / "out.tar.gz", archive.Writing(spec_ignore="/*\n!/deploy/app/a.yaml\n"))
    (tmp_path / "unpacked").mkdir()

    archive.unpack(tmp_path / "out.tar.gz", tmp_path / "unpacked")

    assert (tmp_path / "unpacked/deploy/app/a.yaml").read_text() == "content"


def test_a_link_named_as_an_ignore_file_is_no_ignore_file(tmp_path):
    root = write_tree(tmp_path / "tree", {"a.jpg": "", "k.yaml": "", "rules": "*"})
    (root / ".sourceignore").symlink_to("rules")

    archive.pack(root, tmp_path / "out.tar.gz")

    assert names_in(tmp_path / "out.tar.gz") == [".", "k.yaml", "rules"]


def test_without_rules_everything_is_kept(tmp_path):
    assert pack(tmp_path, {"a.jpg": "", ".gitignore": ""}, None) == [".", ".gitignore", "a.jpg"]


@pytest.mark.parametrize(
    ("limits", "tree"),
    [
        pytest.param(ArchiveLimits(entries=3), {"a": "", "b": "", "c": "", "d": ""}, id="entries"),
        pytest.param(ArchiveLimits(file_size=3), {"a": "1234"}, id="file"),
        pytest.param(ArchiveLimits(size=5), {"a": "123", "b": "123"}, id="all"),
        pytest.param(ArchiveLimits(path=5), {"abc/def": ""}, id="path"),
        pytest.param(ArchiveLimits(depth=2), {"a/b/c/d": ""}, id="depth"),
    ],
)
def test_trees_beyond_a_bound_are_refused(tmp_path, limits, tree):
    root = write_tree(tmp_path / "tree", tree)

    with pytest.raises(ArchiveTooLarge, match="exceeds the bound of"):
        archive.pack(root, tmp_path / "out.tar.gz", Writing(limits=limits))


def test_g15_an_ignore_file_beyond_its_bound_is_refused(tmp_path):
    root = write_tree(tmp_path / "tree", {".sourceignore": "".join(f"*{at}*\n" for at in range(2_000))})

    with pytest.raises(InvalidIgnoreFile):
        archive.pack(root, tmp_path / "out.tar.gz")


def test_nobody_waiting_ends_the_work(tmp_path):
    root = write_tree(tmp_path / "tree", {"a": "1"})
    stop = threading.Event()
    stop.set()

    with pytest.raises(Stopped):
        archive.pack(root, tmp_path / "out.tar.gz", Writing(stop=stop))


def test_other_digests_can_be_asked_for(tmp_path):
    root = write_tree(tmp_path / "tree", {"a": "1"})

    info = archive.pack(root, tmp_path / "out.tar.gz", Writing(algorithm="sha512"))

    assert info.digest == f"sha512:{hashlib.sha512((tmp_path / 'out.tar.gz').read_bytes()).hexdigest()}"


def test_the_tar_is_whole_blocks_and_ends_with_two_empty_ones(tmp_path):
    root = write_tree(tmp_path / "tree", {"big": bytes(range(256)) * 20_000})
    archive.pack(root, tmp_path / "a.tar.gz")
    tar = gzip.decompress((tmp_path / "a.tar.gz").read_bytes())
    assert len(tar) % 512 == 0
    assert tar.endswith(bytes(1024))


def test_folders_can_be_mounted_into_others(tmp_path):
    below = DiskFolder(write_tree(tmp_path / "below", {"a/x": "", "b": "", "a/hidden/h": ""}))
    mount = DiskFolder(write_tree(tmp_path / "mount", {"m": ""}))

    archive.pack(Mounted(below, {(b"a", b"hidden"): mount, (b"new", b"deep"): mount}), tmp_path / "out.tar.gz")

    assert names_in(tmp_path / "out.tar.gz") == [
        ".", "a", "a/hidden", "a/hidden/m", "a/x", "b", "new", "new/deep", "new/deep/m",
    ]  # fmt: skip


def test_a_tree_can_be_narrowed_to_some_folders(tmp_path):
    whole = DiskFolder(write_tree(tmp_path / "whole", {"a/x": "", "a/b/y": "", "a/c/z": "", "d/w": "", "r": ""}))

    archive.pack(Narrowed(whole, frozenset({(b"a", b"b"), (b"d",)})), tmp_path / "out.tar.gz")

    assert names_in(tmp_path / "out.tar.gz") == [".", "a", "a/b", "a/b/y", "d", "d/w"]


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    whole = DiskFolder(write_tree(tmp_path / "whole", {"a/x": ""}))

    with pytest.raises(folders.PathNotFound, match="directory 'a/b' does not exist"):
        folders.find_folder(whole, [b"a", b"b"])


def test_a_folder_swapped_for_a_link_while_it_is_read_is_not_followed(tmp_path):
    root = write_tree(tmp_path / "tree", {"a/x": "1"})
    write_tree(tmp_path / "outside", {"x": "secret"})
    (item,) = DiskFolder(root).items()
    folder = item.folder()
    (root / "a" / "x").unlink()
    (root / "a").rmdir()
    (root / "a").symlink_to(tmp_path / "outside")

    with pytest.raises(OSError, match="a"):
        folder.items()
