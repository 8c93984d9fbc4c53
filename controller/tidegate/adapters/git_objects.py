"""THE door to pygit2: one bare repository on disk that packs are taken into and objects are read from.

Everything here blocks and belongs into a thread; nothing here knows a server. References are named by a hash of what
they stand for, never by what a server calls them: `tip` is what was fetched last, `previous` what before.
A damaged repository is not repaired: `discard` it, and fetch anew.
"""

import hashlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pygit2
from pygit2.enums import ConfigLevel, ObjectType

from tidegate.adapters import bounds, git_commits, git_refs, git_trees
from tidegate.adapters.bounds import Stopped
from tidegate.adapters.git_commits import Commit
from tidegate.adapters.git_errors import BoundExceeded, CorruptRepository, ReferenceNotFound, UnsafeTree
from tidegate.adapters.git_trees import TreeFolder

R = TypeVar("R")

MOST_PACKS = 32
MOST_KEYS = 1_000
INCOMING = "refs/tidegate/incoming"

_NAMESPACE = "refs/tidegate/"
_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
_LARGEST = {ObjectType.COMMIT: 16 << 20, ObjectType.TAG: 16 << 20, ObjectType.TREE: 64 << 20}
_KINDS = {"commit": ObjectType.COMMIT, "tree": ObjectType.TREE, "blob": ObjectType.BLOB, "tag": ObjectType.TAG}
_DEEPEST_TAG = 16
_PACK_NAME = re.compile(r"pack-[0-9a-f]{40}\.(pack|idx)")
_FAILURES = (pygit2.GitError, KeyError, ValueError, OSError)


def _configure() -> None:
    """No user's configuration may change where we connect or what we accept; the directory is ours by position."""
    for level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL, ConfigLevel.PROGRAMDATA):
        pygit2.settings.search_path[level] = ""
    pygit2.settings.owner_validation = False
    pygit2.settings.mwindow_size = 32 << 20
    pygit2.settings.mwindow_mapped_limit = 256 << 20
    pygit2.settings.cache_max_size(16 << 20)
    # Only loopback is ever spoken to: this is the last rope if the event loop should die under a thread.
    pygit2.settings.server_connect_timeout = 10_000
    pygit2.settings.server_timeout = 120_000


_configure()


class _Importing(pygit2.RemoteCallbacks):
    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self._stop = stop

    def transfer_progress(self, stats: object) -> None:  # noqa: ARG002
        bounds.require_wanted(self._stop)


@dataclass(frozen=True)
class Tips:
    """What the repository has whole: `shallow` are the commits among `oids` whose parents are missing."""

    oids: tuple[str, ...]
    shallow: tuple[str, ...]


class ObjectStore:
    """A bare repository at `path`.

    All methods raise CorruptRepository where the repository is damaged or an object is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Make the repository ready: what a killed process left is cleared away, a damaged one begins anew."""
        _sweep(self.path)
        try:
            for oid in self.tips().oids:
                self._read(self._repository(), _KINDS.values(), oid)
        except CorruptRepository:
            self.discard()
            pygit2.init_repository(self.path, bare=True)
        _replace(self.path / "config", _CONFIG)
        _replace(self.path / "HEAD", "ref: refs/heads/main\n")

    def discard(self) -> None:
        """Remove the repository."""
        shutil.rmtree(self.path, ignore_errors=True)

    def tips(self) -> Tips:
        """What is here in whole, newest or not."""
        repository = self._repository()
        oids = {str(reference.target) for reference in _references(repository)}
        shallow = oids.intersection(_lines(self.path / "shallow"))
        return Tips(tuple(sorted(oids)), tuple(sorted(shallow)))

    def keep(self, key: str, oid: str) -> bool:
        """Remember `oid` under `key` if it is here with everything below it; whether it is."""
        repository = self._repository()
        targets = {str(reference.target) for reference in _references(repository)}
        if oid not in targets and not (oid in repository.odb and self._is_complete(repository, oid)):
            return False
        self._remember(repository, key, oid)
        return True

    def receive(self, url: str, key: str, oid: str, stop: threading.Event) -> None:
        """Take in the pack that is offered at `url`, and remember `oid` under `key`.

        Raises:
            CorruptRepository: the pack does not fit what is here.
            ReferenceNotFound: `oid` was not in it.
            Stopped: `stop` was set.
        """
        repository = self._repository()
        self._forget_shallow(repository)
        try:
            remote = repository.remotes.create_anonymous(url)
            remote.fetch([f"+{INCOMING}:{_NAMESPACE}{_hash(key)}/incoming"], callbacks=_Importing(stop), depth=1)
        except pygit2.GitError as error:
            raise CorruptRepository("the pack does not fit the objects at hand") from error
        repository = self._repository()
        if oid not in repository.odb:
            raise ReferenceNotFound(oid, f"the server did not send commit {oid}")
        self._remember(repository, key, oid)

    def read_commit(self, oid: str) -> Commit:
        """The commit `oid`, or the one behind it where `oid` is a tag."""
        repository = self._repository()
        for _ in range(_DEEPEST_TAG):
            kind, raw = self._read(repository, (ObjectType.COMMIT, ObjectType.TAG), oid)
            if kind == ObjectType.COMMIT:
                return git_commits.parse_commit(oid, raw)
            oid = git_commits.parse_tag_target(oid, raw)
        raise CorruptRepository("a tag points at too many others")

    def open_tree(self, oid: str) -> TreeFolder:
        """The root folder of the commit `oid`."""
        tree = self.read_commit(oid).tree
        repository = self._repository()
        return TreeFolder(bytes.fromhex(tree), lambda kind, name: self._read(repository, (_KINDS[kind],), name)[1])

    def tidy(self) -> None:
        """Put what many fetches brought into one pack: the largest stays, the rest keeps only what tips reach."""
        packs = sorted((self.path / "objects/pack").glob("pack-*.pack"), key=lambda path: path.stat().st_size)
        if len(packs) <= MOST_PACKS:
            return
        *small, largest = packs
        self._forget_keys()
        repository = self._repository()
        index = _PackIndex(largest.with_suffix(".idx").read_bytes())
        wanted = [oid for oid in self._reachable(repository) if oid not in index]
        workshop = self.path / "objects/tidy"
        workshop.mkdir(exist_ok=True)
        _guarded(lambda: repository.pack(workshop, lambda builder: _add_all(builder, wanted), n_threads=1))
        made = [workshop / f"{path.stem}{suffix}" for path in workshop.glob("*.idx") for suffix in (".pack", ".idx")]
        for path in made:
            path.rename(largest.with_name(path.name))
        for path in small:
            if path.name not in {new.name for new in made}:
                path.with_suffix(".idx").unlink()
                path.unlink()
        shutil.rmtree(workshop)

    def has_outgrown(self) -> bool:
        """Whether most of what is stored is of no use any more, so that beginning anew is cheaper."""
        sizes = sorted(path.stat().st_size for path in (self.path / "objects/pack").glob("pack-*.pack"))
        return len(sizes) > 1 and sum(sizes[:-1]) > max(sizes[-1], 64 << 20)

    def _repository(self) -> pygit2.Repository:
        # Opened anew each time: cheap, no cache that grows, and no object shared between threads.
        return _guarded(lambda: pygit2.Repository(self.path))

    def _read(
        self, repository: pygit2.Repository, kinds: Iterable[ObjectType], oid: str | bytes
    ) -> tuple[ObjectType, bytes]:
        name = pygit2.Oid(hex=oid) if isinstance(oid, str) else pygit2.Oid(raw=oid)
        kind, raw = _guarded(lambda: repository.odb.read(name))
        if kind not in kinds:
            raise CorruptRepository(f"object {name} is of another kind than what refers to it says")
        if len(raw) > (largest := _LARGEST.get(ObjectType(kind), len(raw))):
            raise BoundExceeded(f"{largest} bytes in one {ObjectType(kind).name.lower()}")
        return ObjectType(kind), raw

    def _remember(self, repository: pygit2.Repository, key: str, oid: str) -> None:
        place = f"{_NAMESPACE}{_hash(key)}"

        def move() -> None:
            tip = repository.references.get(f"{place}/tip")
            if tip is not None and str(tip.target) != oid:
                repository.references.create(f"{place}/previous", tip.target, force=True)
            repository.references.create(f"{place}/tip", oid, force=True)
            if repository.references.get(f"{place}/incoming") is not None:
                repository.references.delete(f"{place}/incoming")

        _guarded(move)

    def _is_complete(self, repository: pygit2.Repository, oid: str) -> bool:
        try:
            return all(name in repository.odb for name in self._closure(repository, oid, set()))
        except (CorruptRepository, UnsafeTree):
            return False

    def _reachable(self, repository: pygit2.Repository) -> list[pygit2.Oid]:
        seen: set[bytes] = set()
        return [name for oid in self.tips().oids for name in self._closure(repository, oid, seen)]

    def _closure(self, repository: pygit2.Repository, oid: str, seen: set[bytes]) -> Iterator[pygit2.Oid]:
        """`oid`, and the tree and blobs below it, without parents; what was `seen` before is left out."""
        kind, raw = self._read(repository, (ObjectType.COMMIT, ObjectType.TAG), oid)
        yield pygit2.Oid(hex=oid)
        if kind == ObjectType.TAG:
            yield from self._closure(repository, git_commits.parse_tag_target(oid, raw), seen)
            return
        waiting = [bytes.fromhex(git_commits.parse_commit(oid, raw).tree)]
        while waiting:
            tree = waiting.pop()
            if tree in seen:
                continue
            seen.add(tree)
            yield pygit2.Oid(raw=tree)
            for entry in git_trees.parse(self._read(repository, (ObjectType.TREE,), tree)[1]):
                if entry.is_folder:
                    waiting.append(entry.oid)
                elif not entry.is_submodule and entry.oid not in seen:
                    seen.add(entry.oid)
                    yield pygit2.Oid(raw=entry.oid)

    def _forget_keys(self) -> None:
        """Let go of what was remembered longest ago; it is fetched again if it should be wanted."""
        tips = sorted((self.path / _NAMESPACE).glob("*/tip"), key=lambda path: path.stat().st_mtime)
        for tip in tips[:-MOST_KEYS]:
            shutil.rmtree(tip.parent)

    def _forget_shallow(self, repository: pygit2.Repository) -> None:
        """Leave only tips in Git's list of commits without parents: it would grow by one with every fetch."""
        path = self.path / "shallow"
        lines = _lines(path)
        if len(lines) > 2 * MOST_PACKS:
            targets = {str(reference.target) for reference in _references(repository)}
            _replace(path, "".join(f"{oid}\n" for oid in lines if oid in targets))


def _references(repository: pygit2.Repository) -> list[pygit2.Reference]:
    def collect() -> list[pygit2.Reference]:
        names = [name for name in repository.references if name.startswith(_NAMESPACE)]
        return [repository.references[name] for name in names if not name.endswith("/incoming")]

    return _guarded(collect)


def _guarded(call: Callable[[], R]) -> R:
    """`call`, with whatever a damaged repository makes the library raise as our error."""
    try:
        return call()
    except Stopped:
        raise
    except _FAILURES as error:
        raise CorruptRepository("the local copy of the repository is damaged or incomplete") from error


def _add_all(builder: pygit2.PackBuilder, oids: Iterable[pygit2.Oid]) -> None:
    for oid in oids:
        builder.add(oid)


class _PackIndex:
    """The names of the objects in a pack, from its index (version 2)."""

    def __init__(self, raw: bytes) -> None:
        if raw[:8] != b"\xfftOc\0\0\0\x02" or len(raw) < 8 + 1024:
            raise CorruptRepository("a pack has an index that cannot be read")
        self._raw = raw

    def __contains__(self, oid: pygit2.Oid) -> bool:
        wanted = oid.raw
        low = self._fan(wanted[0] - 1) if wanted[0] else 0
        high = self._fan(wanted[0])
        while low < high:
            middle = (low + high) // 2
            start = 8 + 1024 + 20 * middle
            found = self._raw[start : start + 20]
            if found == wanted:
                return True
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        return False

    def _fan(self, byte: int) -> int:
        return int.from_bytes(self._raw[8 + 4 * byte : 12 + 4 * byte])


def _sweep(path: Path) -> None:
    """Remove what a killed process or a failed disk left: locks, halves of packs and references, a workshop."""
    shutil.rmtree(path / "objects/tidy", ignore_errors=True)
    locks = [*path.glob("*.lock"), *(path / "refs").rglob("*.lock")]
    files = list((path / "objects/pack").glob("*"))
    broken = [file for file in files if not _PACK_NAME.fullmatch(file.name) or not _is_whole(file)]
    references = [file for file in (path / "refs").rglob("*") if file.is_file() and len(_lines(file)) != 1]
    for file in (*locks, *broken, *references):
        file.unlink(missing_ok=True)


def _is_whole(file: Path) -> bool:
    """Whether a pack and its index are both there and belong together: the index ends with the pack's checksum."""
    try:
        return _tail(file.with_suffix(".pack"), 20) == _tail(file.with_suffix(".idx"), 40)[:20]
    except OSError:
        return False


def _tail(file: Path, size: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(-size, os.SEEK_END)
        return opened.read()


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text("ascii", "replace").split("\n") if git_refs.is_oid(line)]
    except FileNotFoundError:
        return []


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".lock")
    temporary.write_text(text, "ascii")
    os.replace(temporary, path)
