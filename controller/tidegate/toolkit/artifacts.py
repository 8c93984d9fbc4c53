"""Fetches what source-controller serves, once per digest, and verifies it before anybody sees a byte.

An artifact URL comes out of a status, which others may write: it is input. Its bytes count only when they hash to the
digest that the same status names; nothing is unpacked before (N12).
"""

import asyncio
import hashlib
import os
import tempfile
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self
from urllib.parse import urlsplit

import aiohttp

from tidegate.adapters import archive, scratch
from tidegate.runtime import clock, threads
from tidegate.runtime.controller import Superseded
from tidegate.runtime.errors import TidegateError
from tidegate_api.meta.artifact import Artifact

ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})
SILENCE_S = 60.0
CHUNK = 1 << 20
KEPT_BYTES = 256 << 20
LARGEST = 4 << 30
RETRY_WAIT, RETRY_LIMIT = timedelta(seconds=1), timedelta(seconds=30)


class ArtifactError(TidegateError):
    """An artifact cannot be had or is not what its status says."""


class ArtifactNotFound(ArtifactError):
    """404: the source has not stored it again yet; something to wait for, not a failure."""


class Hasher(Protocol):
    """What hashlib makes."""

    def update(self, data: bytes, /) -> None:
        """Take in more."""

    def hexdigest(self) -> str:
        """The hash of what was taken in."""


class Artifacts:
    """Artifacts on local disk, shared by all who need the same digest; an async context manager.

    `retries` is how often a download is tried again (`--http-retry`).
    """

    def __init__(self, retries: int = 9) -> None:
        self._retries = retries
        self._files: OrderedDict[str, Path] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()
        self._stack = ExitStack()
        self._root: Path
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._root = self._stack.enter_context(scratch.directory("tidegate-artifacts-"))
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=SILENCE_S)
        # The digest is over the bytes as served: nothing on the way may unpack them.
        self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=False, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        self._stack.close()

    @asynccontextmanager
    async def unpacked(self, artifact: Artifact, touched: asyncio.Event) -> AsyncIterator[Path]:
        """The artifact's files in a private directory that is the caller's until the block ends.

        A server that does not answer is tried again, until `touched` says that another artifact may be wanted (F38).
        Raises: ArtifactNotFound, ArtifactError, Superseded.
        """
        tree = tempfile.TemporaryDirectory(dir=self._root, prefix="tree-")
        try:
            directory = Path(tree.name)
            async with self._packed(artifact, touched) as packed:
                try:
                    await threads.run(archive.unpack, packed, directory)
                except (archive.InvalidArchive, archive.ArchiveTooLarge, OSError) as error:
                    raise ArtifactError(f"failed to untar artifact: {error}") from error
            yield directory
        finally:
            await threads.run(tree.cleanup)

    async def content(self, artifact: Artifact, touched: asyncio.Event, limit: int) -> bytes:
        """The artifact's bytes, at most `limit` of them. Raises: as `unpacked`."""
        async with self._packed(artifact, touched) as packed:
            size = (await threads.run(packed.stat)).st_size
            if size > limit:
                raise ArtifactError(f"the artifact is larger than {limit} bytes")
            return await threads.run(packed.read_bytes)

    @asynccontextmanager
    async def _packed(self, artifact: Artifact, touched: asyncio.Event) -> AsyncIterator[Path]:
        """The artifact's file, which stays where it is until the block ends."""
        self._users[artifact.digest] += 1
        try:
            yield await self._fetch(artifact, touched)
        finally:
            self._users[artifact.digest] -= 1
            self._trim()

    async def _fetch(self, artifact: Artifact, touched: asyncio.Event) -> Path:
        lock = self._locks.setdefault(artifact.digest, asyncio.Lock())
        async with lock:
            known = self._files.get(artifact.digest)
            if known is None:
                known = self._files[artifact.digest] = await self._download(artifact, touched)
            self._files.move_to_end(artifact.digest)
            return known

    async def _download(self, artifact: Artifact, touched: asyncio.Event) -> Path:
        url = _local(artifact.url)
        for attempt in range(self._retries + 1):
            try:
                return await self._try_download(url, artifact)
            except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
                raise ArtifactError(f"failed to download archive: invalid URL {url!r}") from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if attempt == self._retries:
                    raise ArtifactError(f"failed to download archive from {url}: {_reason(error)}") from error
                if await clock.happened(touched, min(RETRY_WAIT * 2 ** min(attempt, 10), RETRY_LIMIT)):
                    raise Superseded from error
        raise AssertionError("unreachable")

    async def _try_download(self, url: str, artifact: Artifact) -> Path:
        algorithm, _, wanted = artifact.digest.partition(":")
        if algorithm not in ALGORITHMS:
            raise ArtifactError(f"unsupported digest algorithm {algorithm!r}")
        async with self._session.get(url, headers={"Accept-Encoding": "identity"}, allow_redirects=False) as response:
            _require_success(url, response)
            handle, name = tempfile.mkstemp(dir=self._root, prefix="packed-")
            try:
                with os.fdopen(handle, "wb") as target:
                    found = await _receive(response, target, hashlib.new(algorithm), artifact.size or LARGEST)
                _require_equal(found, wanted, artifact.digest)
            except BaseException:
                # Whatever ended it: a part of an artifact is of no use, and ten tries of a large one fill a disk.
                os.unlink(name)
                raise
        return Path(name)

    def _trim(self) -> None:
        """Forget the least recently used that nobody reads, beyond the bound, and the locks that nobody needs."""
        total = sum(path.stat().st_size for path in self._files.values())
        for digest in list(self._files)[:-1]:
            if total > KEPT_BYTES and not self._users[digest]:
                path = self._files.pop(digest)
                total -= path.stat().st_size
                path.unlink()
        self._users = +self._users
        self._locks = {digest: lock for digest, lock in self._locks.items() if digest in self._users}


def _require_success(url: str, response: aiohttp.ClientResponse) -> None:
    """Raises: ArtifactNotFound; ArtifactError for what trying again will not change, ClientError for the rest."""
    if response.status == 404:
        raise ArtifactNotFound(f"artifact not found at {url}")
    if response.status == 429 or response.status >= 500:
        raise aiohttp.ClientError(f"HTTP {response.status}")
    if response.status != 200:
        raise ArtifactError(f"failed to download archive from {url} (status: {response.status} {response.reason})")


async def _receive(response: aiohttp.ClientResponse, target: BinaryIO, hasher: Hasher, limit: int) -> str:
    """Write the body, up to as many bytes as it is said to have, and return its hash. Raises: ArtifactError."""
    size = 0
    async for chunk in response.content.iter_chunked(CHUNK):
        size += len(chunk)
        if size > limit:
            raise ArtifactError(f"failed to download archive: it has more than {limit} bytes")
        hasher.update(chunk)
        target.write(chunk)
    return hasher.hexdigest()


def _require_equal(found: str, wanted: str, digest: str) -> None:
    if found != wanted:
        raise ArtifactError(f"failed to verify archive: computed digest doesn't match '{digest}'")


def _local(url: str) -> str:
    """Rewrite the host for controllers that run outside the cluster (Flux's SOURCE_CONTROLLER_LOCALHOST)."""
    host = os.environ.get("SOURCE_CONTROLLER_LOCALHOST")
    return urlsplit(url)._replace(netloc=host).geturl() if host else url


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
