"""Repositories of OCI registries (distribution specification 1.1): tags, manifests, blobs; nothing is believed unread.

Credentials go to the registry and to its token server only; redirects are followed without them.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from tidegate.adapters import oci_http, oci_manifests, oci_tokens
from tidegate.adapters.oci_auth import RegistryAuth
from tidegate.adapters.oci_errors import (
    BoundExceeded,
    DigestMismatch,
    InvalidManifest,
    InvalidUrl,
    RegistryRefused,
    RegistryUnreachable,
)
from tidegate.adapters.oci_http import OciLimits, Request, Transport, read_bounded, shown
from tidegate.adapters.oci_manifests import Descriptor, Manifest
from tidegate.adapters.oci_tokens import Authorizations
from tidegate.adapters.oci_url import OciUrl, is_digest, is_tag

__all__ = ["Descriptor", "Manifest", "OciLimits", "OciUrl", "Registries", "RegistryAuth", "Repository", "read_image"]

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_PLATFORM = "linux/amd64"
_NO_HEAD = frozenset((400, 405, 501))
_NEXT = re.compile(r'<([^<>]*+)>\s*+;[^<>]*?\brel="?next"?(?![^\s;,])')


class Registries:
    """The connections and tokens of a process; `async with`."""

    def __init__(self, limits: OciLimits | None = None) -> None:
        self._limits = limits or OciLimits()
        self._authorizations = Authorizations()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = oci_http.open_session(self._limits)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    def repository(self, url: OciUrl, auth: RegistryAuth, timeout: timedelta) -> "Repository":
        """One repository with one identity; `timeout` is for each call of it as a whole.

        Raises:
            InvalidCredentials: they could never be used.
        """
        if self._session is None:
            raise RuntimeError("Registries is an async context manager")
        home = URL(f"{'http' if auth.insecure else 'https'}://{url.registry}")
        client = _Client(Transport(self._session, home.origin(), auth), url, self._authorizations, self._limits)
        return Repository(client, url, timeout, self._limits)


class Repository:
    """All that is asked of one repository. Every method raises OciError, and only that, for what others do."""

    def __init__(self, client: "_Client", url: OciUrl, timeout: timedelta, limits: OciLimits) -> None:
        self._client = client
        self._url = url
        self._timeout = timeout
        self._limits = limits

    async def tags(self) -> list[str]:
        """All tags, in the registry's order."""
        tags: list[str] = []
        address = self._address("tags/list").with_query(n=1_000)
        async with self._in_time():
            for _ in range(self._limits.pages):
                async with self._client.ask("GET", address) as response:
                    tags += _read_tags(await read_bounded(response, self._limits.page, "page of tags"), address)
                    following = self._next_page(response)
                if len(tags) > self._limits.tags:
                    raise BoundExceeded(f"'{self._url}' has more than {self._limits.tags} tags")
                if following is None:
                    return tags
                address = following
        raise BoundExceeded(f"'{self._url}' has more than {self._limits.pages} pages of tags")

    async def resolve(self, reference: str) -> Descriptor:
        """What the tag or digest `reference` is now."""
        if not is_tag(reference) and not is_digest(reference):
            raise InvalidUrl(f"'{self._url}': the reference is neither a tag nor a digest of sha256")
        address = self._address(f"manifests/{reference}")
        async with self._in_time():
            found = await self._head(address)
            if found is None:
                content, manifest = await self._get(address, reference if is_digest(reference) else "")
                found = Descriptor(manifest.media_type, manifest.digest, len(content))
        if is_digest(reference) and found.digest != reference:
            raise DigestMismatch(f"{shown(address)}: the registry says that its digest is {found.digest}")
        if found.size > self._limits.manifest:
            raise BoundExceeded(f"{shown(address)}: the manifest is larger than {self._limits.manifest} bytes")
        return found

    async def manifest(self, digest: str) -> Manifest:
        """The manifest or index with `digest`, verified."""
        if not is_digest(digest):
            raise InvalidUrl(f"'{self._url}': a manifest is asked for by a digest of sha256")
        async with self._in_time():
            return (await self._get(self._address(f"manifests/{digest}"), digest))[1]

    async def download(self, blob: Descriptor, target: Path) -> None:
        """Write the bytes of `blob` to `target`, which is there only if they are the right ones (O1)."""
        if not is_digest(blob.digest):
            raise InvalidUrl(f"'{self._url}': a blob is asked for by a digest of sha256")
        address = self._address(f"blobs/{blob.digest}")
        with _only_whole(target):
            async with self._in_time(), self._client.ask("GET", address) as response:
                if response.content_length not in (None, blob.size):
                    raise DigestMismatch(f"{shown(address)}: the blob is not of {blob.size} bytes")
                await _save(response, blob, target, shown(address))

    def _address(self, suffix: str) -> URL:
        return self._client.home.join(URL(f"/v2/{self._url.path}/{suffix}"))

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                yield
        except TimeoutError as error:
            raise RegistryUnreachable(f"'{self._url}' did not answer in time") from error

    async def _head(self, address: URL) -> Descriptor | None:
        """What HEAD says of a manifest; None where it does not say everything."""
        async with self._client.ask("HEAD", address, oci_manifests.ACCEPT, _NO_HEAD) as response:
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            digest, size = response.headers.get("Docker-Content-Digest", ""), response.content_length
            if response.status != 200 or kind not in oci_manifests.KNOWN_TYPES or not is_digest(digest) or not size:
                return None
            return Descriptor(kind, digest, size)

    async def _get(self, address: URL, digest: str) -> tuple[bytes, Manifest]:
        """A manifest, the same that `digest` or else the registry says."""
        async with self._client.ask("GET", address, oci_manifests.ACCEPT) as response:
            content = await read_bounded(response, self._limits.manifest, "manifest")
            said = digest or response.headers.get("Docker-Content-Digest", "")
            kind = response.headers.get("Content-Type", "")
        if is_digest(said):
            oci_manifests.require_digest(content, said, shown(address))
        return content, oci_manifests.parse(content, kind, shown(address))

    def _next_page(self, response: aiohttp.ClientResponse) -> URL | None:
        """Where the list goes on: at the same registry (O3)."""
        for header in response.headers.getall("Link", []):
            match = _NEXT.search(header)
            if match:
                address = _joined(response.url, match[1])
                if address is None or address.origin() != self._client.home:
                    raise RegistryRefused(f"'{self._url}': the list of tags goes on at another host, which is refused")
                return address
        return None


class _Client:
    """Requests to one repository: authorized at home, redirected elsewhere without."""

    def __init__(self, transport: Transport, url: OciUrl, known: Authorizations, limits: OciLimits) -> None:
        self.home = transport.home
        self._transport = transport
        self._url = url
        self._known = known
        self._limits = limits

    @asynccontextmanager
    async def ask(
        self, method: str, url: URL, accept: str = "*/*", tolerated: frozenset[int] = frozenset()
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The successful answer, or one with a status that is `tolerated`."""
        header, challenge = self._known.get(self._url, self._transport.auth), None
        for is_last in (False, True):
            if challenge:
                found = await oci_tokens.authorize(challenge, self._transport, self._url, self._limits)
                self._known.put(self._url, self._transport.auth, found)
                header = found.header
            async with self._follow(Request(method, url, {"Accept": accept}), header) as response:
                if response.status == 401 and not is_last and response.url.origin() == self.home:
                    challenge = oci_tokens.parse_challenge(response.headers.getall("WWW-Authenticate", []))
                    if challenge:
                        continue
                if response.status != 200 and response.status not in tolerated:
                    secret = header.partition(" ")[2]
                    raise await oci_http.refusal(response, self._transport.auth, (secret,))
                yield response
                return

    @asynccontextmanager
    async def _follow(self, request: Request, authorization: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer where the redirects end; what has left home once goes on without credentials (O6)."""
        url, is_home = request.url, True
        for _ in range(self._limits.redirects + 1):
            headers = dict(request.headers)
            if is_home and authorization:
                headers["Authorization"] = authorization
            async with self._transport.send(Request(request.method, url, headers)) as response:
                if response.status not in _REDIRECTS:
                    yield response
                    return
                url = _redirected(response)
            is_home = is_home and url.origin() == self.home
        raise RegistryRefused(f"{shown(request.url)} redirects more than {self._limits.redirects} times")


async def read_image(repository: Repository, digest: str) -> Manifest:
    """The manifest with `digest`; of an index that for linux/amd64, else its first. Raises: OciError."""
    found = await repository.manifest(digest)
    if not found.manifests:
        return found
    chosen = next((one for one in found.manifests if one.platform == _PLATFORM), found.manifests[0])
    image = await repository.manifest(chosen.digest)
    if image.manifests:
        raise InvalidManifest(f"{digest} is an index of indexes, which is refused")
    return image


def _redirected(response: aiohttp.ClientResponse) -> URL:
    where = shown(response.url)
    target = _joined(response.url, response.headers.get("Location", ""))
    if target is None:
        raise RegistryRefused(f"{where} redirects to an address that cannot be used", response.status)
    if response.url.scheme == "https" and target.scheme != "https":
        raise RegistryRefused(f"{where} redirects from https to http, which is refused", response.status)
    return target


def _joined(base: URL, location: str) -> URL | None:
    """`location`, signatures in it untouched; None if nobody can go there."""
    if not location.isascii() or not location.isprintable() or " " in location:
        return None
    try:
        target = base.join(URL(location, encoded=True)).with_fragment(None)
        is_usable = target.scheme in ("http", "https") and bool(target.host) and target.port != 0
    except ValueError:
        return None
    return target if location and is_usable and target.user is None and target.password is None else None


def _read_tags(content: bytes, address: URL) -> list[str]:
    try:
        tags = json.loads(content)["tags"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RegistryRefused(f"{shown(address)} answered what is no list of tags") from error
    if not isinstance(tags, list | None):
        raise RegistryRefused(f"{shown(address)} answered what is no list of tags")
    return [tag for tag in tags or [] if isinstance(tag, str) and is_tag(tag)]


@contextmanager
def _only_whole(target: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        target.unlink(missing_ok=True)
        raise


async def _save(response: aiohttp.ClientResponse, blob: Descriptor, target: Path, where: str) -> None:
    """
    Raises:
        DigestMismatch: the bytes are not those of `blob`; never more than it has are written.
    """
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        async for piece in response.content.iter_chunked(oci_http.PIECE):
            size += len(piece)
            if size > blob.size:
                raise DigestMismatch(f"{where}: the blob has more than {blob.size} bytes")
            digest.update(piece)
            file.write(piece)
    if size != blob.size:
        raise DigestMismatch(f"{where}: the blob has {size} bytes, not {blob.size}")
    if f"sha256:{digest.hexdigest()}" != blob.digest:
        raise DigestMismatch(f"{where}: the blob has the digest sha256:{digest.hexdigest()}, not {blob.digest}")
