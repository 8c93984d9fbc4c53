"""All Git repositories of a process: the connections, the gateway and the directory that their objects lie in."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Collection
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from tidegate.adapters import git_http, git_url
from tidegate.adapters.git_auth import GitAuth
from tidegate.adapters.git_errors import InvalidUrl
from tidegate.adapters.git_gateway import Gateway
from tidegate.adapters.git_http import HttpRepository
from tidegate.adapters.git_limits import LIMITS, GitLimits
from tidegate.adapters.git_objects import ObjectStore
from tidegate.adapters.git_remote import GitRemote
from tidegate.runtime import threads

_SALT_FILE = "salt"


class GitRemotes:
    """One a process; an async context manager. What lies in `directory` survives it, and is used again."""

    def __init__(self, directory: Path, limits: GitLimits = LIMITS) -> None:
        self._directory = directory
        self._limits = limits
        self._gateway = Gateway()
        self._session: aiohttp.ClientSession
        self._stack = AsyncExitStack()
        self._salt = b""
        self._remotes: dict[str, tuple[GitAuth, GitRemote]] = {}

    async def __aenter__(self) -> Self:
        self._salt = await threads.run(_load_salt, self._directory)
        self._session = await self._stack.enter_async_context(git_http.open_session(self._limits))
        await self._stack.enter_async_context(self._gateway)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remotes.clear()
        await self._stack.aclose()

    def remote(self, url: str, auth: GitAuth | None = None) -> GitRemote:
        """The repository at `url` as `auth` sees it: the same object for equal ones.

        Raises:
            InvalidUrl, InvalidCredentials: it could never be spoken to.
        """
        auth = auth or GitAuth()
        key = self._key(url, auth)
        known = self._remotes.get(key)
        if known is not None and known[0] == auth:
            return known[1]
        http = self._http(url, auth)
        if known is not None:
            remote = known[1]
            remote.speak_as(http)
        else:
            remote = GitRemote(http, ObjectStore(self._directory / key), self._gateway, self._limits)
        self._remotes[key] = (auth, remote)
        return remote

    async def collect(self, in_use: Collection[tuple[str, GitAuth]]) -> None:
        """Remove the repositories that none of `in_use` means, also those that an earlier process left."""
        keys = {self._key(url, auth) for url, auth in in_use}
        for key, (_, remote) in list(self._remotes.items()):
            if key in keys or not remote.is_idle:
                keys.add(key)
            else:
                del self._remotes[key]
        await threads.run(_remove_others, self._directory, frozenset(keys))

    def _http(self, url: str, auth: GitAuth) -> HttpRepository:
        address = git_url.parse(url)
        if address.origin.scheme not in ("http", "https"):
            raise InvalidUrl(f"'{git_url.mask(url)}' is not an address for Git over HTTP")
        return HttpRepository(self._session, address, auth, self._limits)

    def _key(self, url: str, auth: GitAuth) -> str:
        """A name for (url, auth) that tells nothing of either: names of directories are no place for secrets.

        Whoever has other credentials has another copy, and so cannot read what only these may.
        """
        digest = hashlib.blake2b(key=self._salt, digest_size=20)
        parts = (auth.identity,) if auth.identity else (auth.username, auth.password, auth.bearer_token, auth.proxy)
        given = auth.certificates
        files = () if auth.identity else (given.ca, given.certificate, given.key)
        for part in (b"identity" if auth.identity else b"", *(_raw(text) for text in (url, *parts)), *files):
            digest.update(len(part).to_bytes(8) + part)
        return digest.hexdigest()


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _load_salt(directory: Path) -> bytes:
    """The random number of this directory, made when it is first used."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / _SALT_FILE
    if not path.exists() or path.stat().st_size != 32:
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        new.rename(path)
    return path.read_bytes()


def _remove_others(directory: Path, keys: frozenset[str]) -> None:
    for path in directory.iterdir():
        if path.is_dir() and path.name not in keys:
            shutil.rmtree(path, ignore_errors=True)
