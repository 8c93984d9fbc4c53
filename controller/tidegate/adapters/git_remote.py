"""Git repositories of others, read as cheaply as Git allows: one poll for all who ask, one small pack for a commit.

Knows neither Flux nor conditions. References are asked for and packs fetched by our own client; objects lie in a bare
repository per address and identity, kept between calls and restarts; archives come straight from the objects, nothing
is ever checked out.
"""

import asyncio
import dataclasses
import mmap
import tempfile
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, TypeVar

from tidegate.adapters import folders, git_packs, git_refs, packing, stoppable
from tidegate.adapters.folders import Folder, Mounted, Narrowed
from tidegate.adapters.git_commits import Commit
from tidegate.adapters.git_errors import CorruptRepository, ProtocolViolated, ReferenceNotFound
from tidegate.adapters.git_gateway import Gateway, Offer
from tidegate.adapters.git_http import HttpRepository
from tidegate.adapters.git_limits import GitLimits
from tidegate.adapters.git_objects import ObjectStore
from tidegate.adapters.git_packets import Packet
from tidegate.adapters.git_packs import PackRequest
from tidegate.adapters.git_poll import RefPoll, within
from tidegate.adapters.git_refs import Refs, Server
from tidegate.adapters.packing import ArchiveInfo, Writing
from tidegate.adapters.segments import SegmentStore
from tidegate.runtime import logs, threads

R = TypeVar("R")

log = logs.get_logger(__name__)

BRANCHES_AND_TAGS = ("refs/heads/", "refs/tags/")
_MOST_REMEMBERED = 256
_PORTION = 1 << 20


@dataclasses.dataclass(frozen=True)
class Selection:
    """What of a commit goes into an archive: all of it, or the folders at `only`; `mounts` are put in at their paths.

    Paths are relative, with slashes.
    """

    only: tuple[str, ...] = ()
    mounts: Mapping[str, Folder] = dataclasses.field(default_factory=dict)


class GitRemote:
    """One repository, as one identity sees it. Made by GitRemotes; safe to be used by many at once."""

    def __init__(self, http: HttpRepository, store: ObjectStore, gateway: Gateway, limits: GitLimits) -> None:
        self._poll = RefPoll(http, limits)
        self._store = store
        self._gateway = gateway
        self._limits = limits
        self._fetching = asyncio.Lock()
        self._room = asyncio.Lock()
        self._is_prepared = False
        self._generation = 0
        self._readers = 0
        self._fetched: OrderedDict[str, tuple[str, timedelta]] = OrderedDict()

    @property
    def is_idle(self) -> bool:
        """Whether nobody is using it at this moment."""
        return self._poll.is_idle and not self._fetching.locked() and not self._readers

    def speak_as(self, http: HttpRepository) -> None:
        """Use newer credentials of the same identity from now on."""
        self._poll.http = http

    async def list_refs(self, budget: timedelta, prefixes: Sequence[str] = ()) -> Refs:
        """The references as they are now: HEAD, and those whose full names begin with one of `prefixes` (none: all).

        Naming what is wanted makes the answer of a large repository small.

        Always asks; but who calls before the question has left shares its answer, and a question covers what everyone
        has ever wanted to know here.

        Raises:
            EmptyRepository, RemoteError, BoundExceeded.
        """
        async with within(budget, "listing the references"):
            return await self._poll.ask(prefixes)

    def known_refs(self) -> tuple[Refs, float] | None:
        """What the last successful question brought, and when, on clock.monotonic; one poll serves all who ask here."""
        return self._poll.known()

    async def fetch(self, ref_name: str, oid: str, budget: timedelta) -> None:
        """Have the commit `oid`, found at `ref_name` ("" where only the commit is known), with all its files.

        Asks for what changed since the last fetch, and for nothing where the commit is here already. A server that
        gives out no commit by its name is asked for the whole history of `ref_name`, or of all branches and tags.

        Raises:
            ReferenceNotFound: the server does not have it any more.
            RemoteError, BoundExceeded, CorruptRepository.
        """
        if not git_refs.is_oid(oid):
            raise ReferenceNotFound(oid)
        key = ref_name or oid
        async with within(budget, f"fetching '{key[:256]}'"), self._fetching:
            await self._prepare()
            self._fetched[oid] = (ref_name, budget)
            while len(self._fetched) > _MOST_REMEMBERED:
                self._fetched.popitem(last=False)
            if await threads.run(self._store.keep, key, oid):
                return
            await self._make_room()
            try:
                await self._download(ref_name, key, oid)
            except CorruptRepository as error:
                # What is here does not fit what the server builds on: once more, from nothing.
                log.info("local copy of a repository is damaged and fetched anew", error=str(error))
                await self._discard()
                await self._prepare()
                await self._download(ref_name, key, oid)

    async def read_commit(self, oid: str) -> Commit:
        """The commit `oid`, which must have been fetched; of a tag, the one behind it.

        Raises:
            CorruptRepository: it is not here, nor could it be fetched again.
        """
        return await self._healing(oid, lambda: threads.run(self._store.read_commit, oid))

    async def write_archive(
        self, oid: str, target: Path, writing: Writing | None = None, selection: Selection | None = None
    ) -> ArchiveInfo:
        """Write the files of the commit `oid`, which must have been fetched, to the new file `target`.

        Raises:
            UnsafeTree, ArchiveTooLarge, InvalidIgnoreFile, PathNotFound: the repository's content is refused.
            CorruptRepository: something is missing, and could not be fetched again.
            OSError: the file system refuses. After any error there is no `target`.
        """

        async def write() -> ArchiveInfo:
            stop = threading.Event()
            own = dataclasses.replace(writing or Writing(), stop=stop)
            try:
                return await stoppable.run(stop, self._pack, oid, target, own, selection or Selection())
            except asyncio.CancelledError:
                _remove(target)  # it may have been finished at the very moment when nobody wanted it any more
                raise

        return await self._healing(oid, write)

    async def discard(self) -> None:
        """Remove the local copy; whatever is wanted next is fetched anew."""
        async with self._fetching:
            await self._discard()

    async def _prepare(self) -> None:
        if not self._is_prepared:
            await threads.run(self._store.prepare)
            self._is_prepared = True

    async def _make_room(self) -> None:
        """Keep what is stored in proportion, when nobody reads; who wants to, waits."""
        async with self._room:
            if self._readers:
                return
            if await threads.run(self._store.has_outgrown):
                await self._discard()
                await self._prepare()
            else:
                await threads.run(self._store.tidy)

    async def _discard(self) -> None:
        self._is_prepared = False
        self._generation += 1
        await threads.run(self._store.discard)

    async def _download(self, ref_name: str, key: str, oid: str) -> None:
        server = await self._poll.server()
        request, wanted = await self._plan(server, ref_name, oid)
        with tempfile.TemporaryFile(dir=self._store.path) as spool:
            async with self._poll.http.post(git_packs.encode_request(server, request)) as packets:
                shallow = await _receive(packets, spool, self._limits.pack_size)
            stop = threading.Event()
            count = await stoppable.run(stop, _scan, spool, self._limits, stop)
            if count:
                await self._take_in(Offer(wanted, shallow, spool), key)
        if not await threads.run(self._store.keep, key, oid):
            raise ReferenceNotFound(oid, f"the server did not send commit {oid}")

    async def _take_in(self, offer: Offer, key: str) -> None:
        offer.pack.seek(0)
        stop = threading.Event()
        with self._gateway.offer(offer) as url:
            await stoppable.run(stop, self._store.receive, url, key, offer.oid, stop)

    async def _plan(self, server: Server, ref_name: str, oid: str) -> tuple[PackRequest, str]:
        """What to ask for, and which of it is to be kept: a tag where the commit stands behind one."""
        known = self._poll.known()
        refs = server.refs or (known[0] if known else Refs())
        tag = ref_name.removesuffix("^{}")
        wanted = refs.oids[tag] if refs.peeled.get(tag) == oid else oid
        if git_packs.can_want(server, wanted):
            tips = await threads.run(self._store.tips)
            return PackRequest((wanted,), tips.oids, tips.shallow), wanted
        tip = refs.oids.get(tag)
        every = dict.fromkeys(oid for name, oid in refs.oids.items() if name.startswith(BRANCHES_AND_TAGS))
        wants = (tip,) if tip else tuple(every)
        if not wants:
            raise ReferenceNotFound(oid)
        return PackRequest(wants, depth=0), oid

    def _pack(self, oid: str, target: Path, writing: Writing, selection: Selection) -> ArchiveInfo:
        try:
            return packing.pack(
                self._select(oid, selection), target, writing, SegmentStore(self._store.path / "segments")
            )
        except BaseException:
            _remove(target)
            raise

    def _select(self, oid: str, selection: Selection) -> Folder:
        folder: Folder = self._store.open_tree(oid)
        paths = frozenset(_components(path) for path in selection.only)
        for path in paths:
            folders.find_folder(folder, path)
        if paths and () not in paths:
            folder = Narrowed(folder, paths)
        if selection.mounts:
            folder = Mounted(folder, {_components(path): mount for path, mount in selection.mounts.items()})
        return folder

    async def _healing(self, oid: str, read: Callable[[], Awaitable[R]]) -> R:
        """`read`, and once more after a new fetch where the local copy turns out to be damaged."""
        generation = self._generation
        try:
            async with self._reading():
                return await read()
        except CorruptRepository as error:
            if oid not in self._fetched:
                raise
            log.info("local copy of a repository is damaged and fetched anew", error=str(error))
        async with self._fetching:
            if generation == self._generation:
                await self._discard()
        await self.fetch(self._fetched[oid][0], oid, self._fetched[oid][1])
        async with self._reading():
            return await read()

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[None]:
        async with self._room:
            self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1


async def _receive(packets: AsyncIterator[Packet], spool: IO[bytes], most: int) -> tuple[str, ...]:
    """Store the pack; what a disk would make the loop wait for, a thread writes."""
    waiting = bytearray()

    async def write(piece: bytes) -> None:
        waiting.extend(piece)
        if len(waiting) >= _PORTION:
            await threads.run(spool.write, bytes(waiting))
            waiting.clear()

    shallow = await git_packs.read_answer(packets, write, most)
    spool.write(waiting)
    return shallow


def _remove(target: Path) -> None:
    target.unlink(missing_ok=True)


def _scan(spool: IO[bytes], limits: GitLimits, stop: threading.Event) -> int:
    spool.flush()
    spool.seek(0)
    try:
        with mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as pack:
            return git_packs.scan(pack, limits, stop)
    except ValueError as error:
        raise ProtocolViolated("the server sent no pack") from error


def _components(path: str) -> tuple[bytes, ...]:
    """The names in a relative path.

    Raises:
        IllegalPath: it is absolute or leads upward.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise folders.IllegalPath(path)
    return tuple(part.encode("utf-8", "surrogateescape") for part in parts)
