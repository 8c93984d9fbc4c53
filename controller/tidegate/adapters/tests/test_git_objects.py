import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hack.testbed.git_repo import GitRepo
from tidegate.adapters import git_objects
from tidegate.adapters.bounds import Stopped
from tidegate.adapters.git_errors import CorruptRepository, ReferenceNotFound
from tidegate.adapters.git_gateway import Gateway, Offer
from tidegate.adapters.git_objects import ObjectStore
from tidegate.runtime import threads


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo(tmp_path / "upstream")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    prepared = ObjectStore(tmp_path / "store")
    prepared.prepare()
    return prepared


def make_pack(repo: GitRepo, directory: Path, oid: str, *haves: str) -> Path:
    """What a server would send for `oid` to who has `haves`: a thin pack without history."""
    (repo.directory / "shallow").write_text("".join(f"{one}\n" for one in (oid, *haves)))
    path = directory / f"{oid}.pack"
    revisions = "\n".join([oid, *(f"^{have}" for have in haves), ""])
    options = ["--revs", "--thin", "--stdout", "--quiet", "--shallow", "--delta-base-offset"]
    path.write_bytes(git(repo.directory, "pack-objects", *options, stdin=revisions))
    (repo.directory / "shallow").unlink()
    return path


async def receive(store: ObjectStore, pack: Path, oid: str, key: str = "main") -> None:
    async with Gateway() as gateway:
        with pack.open("rb") as file, gateway.offer(Offer(oid, (oid,), file)) as url:
            await threads.run(store.receive, url, key, oid, threading.Event())


def git(directory: Path, *words: str, stdin: str = "") -> bytes:
    done = subprocess.run(["git", *words], cwd=directory, input=stdin.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fsck(store: ObjectStore) -> bytes:
    return git(store.path, "fsck", "--full")


def packs(store: ObjectStore) -> list[Path]:
    return list((store.path / "objects/pack").glob("*.pack"))


async def test_packs_build_on_one_another_and_git_finds_nothing_wrong(repo, store, tmp_path):
    first = repo.commit({"a": "x\n" * 5_000})
    await receive(store, make_pack(repo, tmp_path, first), first)
    second = repo.commit({"a": "x\n" * 5_000 + "y\n"})
    thin = make_pack(repo, tmp_path, second, first)
    await receive(store, thin, second)

    assert thin.stat().st_size < 1_000
    assert store.tips().oids == tuple(sorted((first, second)))
    assert store.tips().shallow == store.tips().oids
    assert fsck(store) == b""


async def test_only_the_newest_and_the_one_before_are_kept(repo, store, tmp_path):
    oids = [repo.commit({"a": str(at)}) for at in range(4)]
    for oid in oids:
        await receive(store, make_pack(repo, tmp_path, oid), oid)

    assert store.tips().oids == tuple(sorted(oids[2:]))


async def test_what_is_here_needs_no_pack_and_what_is_not_does(repo, store, tmp_path):
    oids = [repo.commit({"a": str(at)}) for at in range(4)]
    for oid in oids:
        await receive(store, make_pack(repo, tmp_path, oid), oid)

    assert store.keep("other", oids[0])
    assert oids[0] in store.tips().oids
    assert not store.keep("other", "0" * 39 + "1")


async def test_a_commit_whose_files_are_missing_is_not_here(repo, store, tmp_path):
    whole = repo.commit({"a": "1", "b": "2"})
    raw = repo.git("cat-file", "commit", whole).encode()
    other = GitRepo(tmp_path / "half")
    oid = other.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw).strip()
    pack = tmp_path / "half.pack"
    pack.write_bytes(git(other.directory, "pack-objects", "--stdout", "--quiet", stdin=f"{oid}\n"))
    await receive(store, pack, oid, "half")
    for reference in (store.path / "refs/tidegate").iterdir():
        shutil.rmtree(reference)

    assert not store.keep("main", oid)
    with pytest.raises(CorruptRepository):
        store.open_tree(oid).items()


async def test_g7_a_pack_whose_base_is_missing_is_refused_and_the_repository_stays_whole(repo, store, tmp_path):
    first = repo.commit({"a": "x\n" * 5_000})
    second = repo.commit({"a": "x\n" * 5_000 + "y\n"})
    thin = make_pack(repo, tmp_path, second, first)

    with pytest.raises(CorruptRepository):
        await receive(store, thin, second)

    await receive(store, make_pack(repo, tmp_path, first), first)
    await receive(store, thin, second)
    assert fsck(store) == b""


async def test_a_pack_without_what_was_offered_is_refused(repo, store, tmp_path):
    first = repo.commit({"a": "1"})

    with pytest.raises((ReferenceNotFound, CorruptRepository)):
        await receive(store, make_pack(repo, tmp_path, first), "0" * 39 + "1")


async def test_nobody_waiting_ends_the_taking_in(repo, store, tmp_path):
    first = repo.commit({"a": "1"})
    stop = threading.Event()
    stop.set()

    async with Gateway() as gateway:
        file = make_pack(repo, tmp_path, first).open("rb")
        with file, gateway.offer(Offer(first, (first,), file)) as url, pytest.raises(Stopped):
            await threads.run(store.receive, url, "main", first, stop)

    await receive(store, make_pack(repo, tmp_path, first), first)


async def test_an_offer_is_taken_once_and_only_by_its_path(repo, store, tmp_path):
    first = repo.commit({"a": "1"})

    async with Gateway() as gateway:
        with make_pack(repo, tmp_path, first).open("rb") as file, gateway.offer(Offer(first, (), file)) as url:
            guess = url.rpartition("/")[0] + "/guess"
            with pytest.raises(CorruptRepository):
                await threads.run(store.receive, guess, "main", first, threading.Event())
            await threads.run(store.receive, url, "main", first, threading.Event())
            store.discard()
            store.prepare()
            with pytest.raises(CorruptRepository):
                await threads.run(store.receive, url, "main", first, threading.Event())


async def test_many_packs_become_two_and_nothing_that_is_kept_is_lost(repo, store, tmp_path, monkeypatch):
    monkeypatch.setattr(git_objects, "MOST_PACKS", 8)
    oids = [repo.commit({"big": "x\n" * 20_000, "a": "0", "d/b": "same"})]
    await receive(store, make_pack(repo, tmp_path, oids[0]), oids[0])
    for at in range(git_objects.MOST_PACKS):
        oids.append(repo.commit({"a": f"change {at}"}))
        await receive(store, make_pack(repo, tmp_path, oids[-1], oids[-2]), oids[-1])
    assert len(packs(store)) == git_objects.MOST_PACKS + 1

    store.tidy()

    assert len(packs(store)) == 2
    assert store.tips().oids == tuple(sorted(oids[-2:]))
    assert [item.name for item in store.open_tree(oids[-1]).items()] == [b"a", b"big", b"d"]
    assert b"".join(store.open_tree(oids[-1]).items()[0].content().pieces).startswith(b"change")
    assert not store.keep("old", oids[5])
    git(store.path, "fsck", "--connectivity-only")


async def test_the_list_of_shallow_commits_does_not_grow_for_ever(repo, store, tmp_path):
    first = repo.commit({"a": "1"})
    await receive(store, make_pack(repo, tmp_path, first), first)
    (store.path / "shallow").write_text("".join(f"{at:040x}\n" for at in range(1, 200)) + f"{first}\n")
    second = repo.commit({"a": "2"})

    await receive(store, make_pack(repo, tmp_path, second), second)

    assert sorted((store.path / "shallow").read_text().split()) == sorted([first, second])


IMPORTS = """
import os, signal, sys, threading
sys.path[:0] = {path!r}
from pathlib import Path
from tidegate.adapters import git_objects
store = git_objects.ObjectStore(Path({store!r}))
store.prepare()
"""
KILLED_AT_START = """
Path({store!r}, "shallow.lock").write_text("x")
Path({store!r}, "refs/tidegate").mkdir(parents=True, exist_ok=True)
Path({store!r}, "refs/tidegate/x.lock").write_text("x")
os.kill(os.getpid(), signal.SIGKILL)
"""
KILLED_IN_IMPORT = """
seen = []
def progress(self, stats):
    seen.append(stats)
    if len(seen) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
git_objects._Importing.transfer_progress = progress
store.receive({url!r}, "main", {oid!r}, threading.Event())
"""


def run_apart(script: str, store: Path, **facts: str) -> subprocess.CompletedProcess[bytes]:
    """`script` in a process of its own, with a prepared store."""
    root = Path(git_objects.__file__).parents[3]
    path = [str(root / "controller"), str(root / "api")]
    code = (IMPORTS + script).format(path=path, store=str(store), **facts)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)


@pytest.mark.parametrize("script", [KILLED_AT_START, KILLED_IN_IMPORT], ids=["start", "import"])
async def test_a_process_killed_in_the_middle_leaves_a_repository_that_works(repo, tmp_path, script):
    oid = repo.commit({f"f{at}": str(at) for at in range(30)})
    pack = make_pack(repo, tmp_path, oid)
    async with Gateway() as gateway:
        with pack.open("rb") as file, gateway.offer(Offer(oid, (oid,), file)) as url:
            done = await threads.run(run_apart, script, tmp_path / "store", url=url, oid=oid)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = {file.name for file in (tmp_path / "store").rglob("*") if file.is_file()}

    store = ObjectStore(tmp_path / "store")
    store.prepare()
    await receive(store, pack, oid)

    assert any(name.endswith(".lock") or name.startswith(("tmp_", "pack")) for name in left), left
    assert {file.name for file in (tmp_path / "store/objects/pack").iterdir()} == {
        f"{packs(store)[0].stem}{suffix}" for suffix in (".pack", ".idx")
    }
    assert not list((tmp_path / "store").rglob("*.lock"))
    assert fsck(store) == b""


@pytest.mark.parametrize("damage", ["config", "pack", "index", "reference", "everything"])
async def test_a_damaged_repository_begins_anew(repo, store, tmp_path, damage):
    oid = repo.commit({"a": "1" * 1_000})
    await receive(store, make_pack(repo, tmp_path, oid), oid)
    (pack,) = packs(store)
    files = {
        "config": [store.path / "config"],
        "pack": [pack],
        "index": [pack.with_suffix(".idx")],
        "reference": list((store.path / "refs/tidegate").rglob("tip")),
        "everything": [file for file in store.path.rglob("*") if file.is_file()],
    }[damage]
    for file in files:
        size = file.stat().st_size
        file.unlink()  # a pack that is cut while it is mapped would kill the process
        file.write_bytes(b"" if damage == "everything" else os.urandom(size))
    again = ObjectStore(store.path)
    again.prepare()
    if not again.keep("main", oid):
        await receive(again, make_pack(repo, tmp_path, oid), oid)

    assert again.read_commit(oid).oid == oid
    assert fsck(again) == b""


def test_what_is_missing_is_our_error(store):
    with pytest.raises(CorruptRepository):
        store.read_commit("0" * 39 + "1")


async def test_a_tag_leads_to_its_commit(repo, store, tmp_path):
    oid = repo.commit({"a": "1"})
    tag = repo.tag("v1", message="one")
    pack = tmp_path / "tag.pack"
    pack.write_bytes(git(repo.directory, "pack-objects", "--all", "--stdout", "--quiet"))
    await receive(store, pack, tag)

    assert store.read_commit(tag).oid == oid
    assert [item.name for item in store.open_tree(tag).items()] == [b"a"]
