import os
import tarfile

import pytest

from hack.testbed.git_repo import EXECUTABLE, SUBMODULE, SYMLINK
from tidegate.adapters import archive
from tidegate.adapters.archive import ArchiveTooLarge, Writing
from tidegate.adapters.bounds import ArchiveLimits
from tidegate.adapters.folders import DiskFolder, IllegalPath, PathNotFound
from tidegate.adapters.git_errors import (
    UnsafeTree,
)
from tidegate.adapters.git_remote import Selection
from tidegate.adapters.tests.fetching import MAIN, OTHER, fetch_main, names_of


async def test_an_archive_is_the_one_of_the_same_files_on_disk(server, remotes, tmp_path):
    files = {"b/x.yaml": "1" * 3_000, "b-c": "2", "run.sh": "#!", ".sourceignore": "*.md", "a/r.md": "", "é ü": "3"}
    repo = server.create("app")
    repo.commit(files, modes={"run.sh": EXECUTABLE})
    remote = remotes.remote(server.url("app"))
    oid = await fetch_main(remote)
    for name, content in files.items():
        (tmp_path / "disk" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "disk" / name).write_text(content)
    (tmp_path / "disk/run.sh").chmod(0o755)

    from_git = await remote.write_archive(oid, tmp_path / "git.tar.gz", Writing(spec_ignore="!a/"))
    from_disk = archive.pack(tmp_path / "disk", tmp_path / "disk.tar.gz", Writing(spec_ignore="!a/"))

    assert from_git == from_disk
    assert (tmp_path / "git.tar.gz").read_bytes() == (tmp_path / "disk.tar.gz").read_bytes()


async def test_p2_the_same_commit_gives_the_same_bytes_in_any_copy(server, remotes, tmp_path):
    repo = server.create("app")
    repo.commit({"a": os.urandom(100_000), "b/c": "x"})
    remote = remotes.remote(server.url("app"))
    oid = await fetch_main(remote)
    first = await remote.write_archive(oid, tmp_path / "1")

    await remote.discard()
    await fetch_main(remote)

    assert await remote.write_archive(oid, tmp_path / "2") == first


async def test_g2_links_and_submodules_are_left_out(server, remotes, tmp_path):
    repo = server.create("app")
    repo.commit(
        {
            "abs": "/etc/passwd",
            "up": "../../x",
            "into": ".git/config",
            "self": "self",
            "sub": OTHER,
            "f": "1",
            "F": "2",
        },
        modes=dict.fromkeys(("abs", "up", "into", "self"), SYMLINK) | {"sub": SUBMODULE},
    )
    remote = remotes.remote(server.url("app"))

    assert await names_of(remote, await fetch_main(remote), tmp_path / "out") == [".", "F", "f"]


@pytest.mark.parametrize("name", [b".git", b".GIT", b"..", b"a\\b", b"a/b"])
async def test_g1_a_hostile_tree_is_refused_and_nothing_is_left(server, remotes, tmp_path, name):
    repo = server.create("app")
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"x").strip()
    raw = b"100644 " + name + b"\0" + bytes.fromhex(blob)
    tree = repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw).strip()
    outer = repo.git("hash-object", "-t", "tree", "-w", "--stdin", stdin=b"40000 d\0" + bytes.fromhex(tree)).strip()
    commit = repo.git("commit-tree", "-m", "hostile", outer).strip()
    repo.git("update-ref", MAIN, commit)
    remote = remotes.remote(server.url("app"))
    oid = await fetch_main(remote)

    with pytest.raises(UnsafeTree):
        await remote.write_archive(oid, tmp_path / "out")

    assert not (tmp_path / "out").exists()


async def test_g14_odd_names_stay_byte_for_byte(server, remotes, tmp_path):
    repo = server.create("app")
    blob = bytes.fromhex(repo.git("hash-object", "-w", "--stdin", stdin=b"x").strip())
    names = sorted([b"-rf", b"bad\xff", b"e\xcc\x81", b"n" * 255, b"new\nline", b"\xc3\xa9"])
    raw = b"".join(b"100644 " + name + b"\0" + blob for name in sorted([*names, b"x" * 4_096]))
    tree = repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw).strip()
    repo.git("update-ref", MAIN, repo.git("commit-tree", "-m", "odd", tree).strip())
    remote = remotes.remote(server.url("app"))
    oid = await fetch_main(remote)

    info = await remote.write_archive(oid, tmp_path / "out")

    with tarfile.open(tmp_path / "out") as tar:
        assert [os.fsencode(name) for name in tar.getnames()] == [b".", *names]
    assert info.skipped == 1


async def test_bounds_of_an_archive_hold_for_git_too(server, remotes, tmp_path):
    server.create("app").commit({"a": "1", "b": "2"})
    remote = remotes.remote(server.url("app"))
    oid = await fetch_main(remote)

    with pytest.raises(ArchiveTooLarge):
        await remote.write_archive(oid, tmp_path / "out", Writing(limits=ArchiveLimits(entries=1)))

    assert not (tmp_path / "out").exists()


async def test_an_archive_can_be_narrowed_and_added_to(server, remotes, tmp_path):
    server.create("app").commit({"a/b/x": "1", "a/c": "2", "d/e": "3", "root": "4"})
    remote = remotes.remote(server.url("app"))
    oid = await fetch_main(remote)
    (tmp_path / "more").mkdir()
    (tmp_path / "more/m").write_text("5")
    selection = Selection(only=("./a/b/", "d"), mounts={"included/x": DiskFolder(tmp_path / "more")})

    assert await names_of(remote, oid, tmp_path / "out", selection) == [
        ".", "a", "a/b", "a/b/x", "d", "d/e", "included", "included/x", "included/x/m",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("../x", IllegalPath),
        ("a/../../x", IllegalPath),
        ("/a", IllegalPath),
        ("missing", PathNotFound),
        ("link", PathNotFound),
        ("file", PathNotFound),
    ],
)
async def test_g12_paths_that_leave_the_tree_are_refused(server, remotes, tmp_path, path, error):
    server.create("app").commit({"a/b": "1", "file": "2", "link": "a"}, modes={"link": SYMLINK})
    remote = remotes.remote(server.url("app"))
    oid = await fetch_main(remote)

    with pytest.raises(error):
        await remote.write_archive(oid, tmp_path / "out", selection=Selection(only=(path,)))
