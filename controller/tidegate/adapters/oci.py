"""OCI registries (distribution-spec 1.1): tags, manifests and blobs, each verified against its digest.

What is used is what was verified: a tag is resolved once, and everything after that is asked for by digest.
"""

import asyncio
import contextlib
import hashlib
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urljoin, urlsplit

import aiohttp
import msgspec
from yarl import URL

from tidegate.adapters import git_auth, oci_auth, oci_url, proxies
from tidegate.adapters.git_errors import InvalidCredentials
from tidegate.adapters.oci_auth import RegistryAuth
from tidegate.adapters.oci_errors import (
    OciError,
    OciNotFound,
    OciRefused,
    OciUnauthorized,
    OciUnreachable,
    OciUntrusted,
)
from tidegate.adapters.oci_url import OciUrl
from tidegate.adapters.redaction import readable, redact

MAX_MANIFEST = 4 << 20
MAX_TOKEN = 1 << 20
MAX_TAGS = 100_000
MAX_PAGES = 1_000
REDIRECTS = 5
CONNECT_S, SILENCE_S = 10.0, 60.0
_CHUNK = 1 << 18
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    *_INDEX_TYPES,
)


@dataclass(frozen=True)
class Descriptor:
    """A manifest or blob: its media type, digest with algorithm, and size in bytes."""

    media_type: str
    digest: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What belongs together under one digest."""

    media_type: str
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)


class Registries:
    """The connections of a process; an async context manager."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=16),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
            # A digest is over the bytes as they are served (O7).
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": "tidegate", "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    def repository(self, url: OciUrl, auth: RegistryAuth, within: timedelta) -> "Repository":
        """A repository spoken to with one identity; each exchange takes at most `within`."""
        return Repository(self._session, url, auth, within)


class Repository:
    """One repository. Every method raises OciError."""

    def __init__(self, session: aiohttp.ClientSession, url: OciUrl, auth: RegistryAuth, within: timedelta) -> None:
        self._session = session
        self._url = url
        self._auth = auth
        self._within = within
        self._base = f"{'http' if auth.insecure else 'https'}://{url.host}"
        self._authorization = ""

    async def tags(self) -> list[str]:
        """All tags, page by page."""
        found: list[str] = []
        path = f"/v2/{self._url.path}/tags/list?n=1000"
        for _ in range(MAX_PAGES):
            async with self._exchange("GET", path) as response:
                page = _decode(await _read(response, MAX_MANIFEST))
                tags = page.get("tags") or []
                found += [tag for tag in tags if isinstance(tag, str) and oci_url.is_tag(tag)]
                following = response.links.get("next")
            if len(found) > MAX_TAGS:
                break
            if following is None:
                return found
            path = self._following(path, str(following.get("url", "")))
        raise OciUntrusted(f"'{self._url}' has more than {MAX_TAGS} tags, or pages without end")

    async def resolve(self, reference: str) -> Descriptor:
        """What a tag or digest means now."""
        if not oci_url.is_tag(reference) and not oci_url.is_digest(reference):
            raise OciNotFound(f"'{readable(reference, 128)}' is no tag and no digest")
        async with self._exchange("HEAD", self._manifest_path(reference), accept=_MANIFEST_TYPES) as response:
            digest = response.headers.get("Docker-Content-Digest", "")
            size = response.content_length
            media_type = _media_type(response)
        if not oci_url.is_digest(digest) or size is None:
            content, media_type = await self._manifest_bytes(reference)
            digest, size = f"sha256:{hashlib.sha256(content).hexdigest()}", len(content)
        if oci_url.is_digest(reference) and digest != reference:
            raise OciUntrusted(f"'{self._url}' answers with digest {digest} for {reference}")
        return Descriptor(media_type, digest, size)

    async def manifest(self, digest: str) -> Manifest:
        """The manifest with this digest; of an index, that of its first entry."""
        for _ in range(2):
            content, media_type = await self._manifest_bytes(digest)
            if _hash(digest, content) != digest:
                raise OciUntrusted(f"the manifest of '{self._url}' is not the one of its digest {digest}")
            document = _decode(content)
            _require_one_kind(document, media_type)
            if "manifests" not in document:
                return _manifest(document, media_type)
            digest = _first_entry(document).digest
        raise OciUntrusted(f"'{self._url}' has an index in an index")

    async def download(self, blob: Descriptor, target: Path) -> None:
        """Bring a blob into the new file `target`, whole and as its digest says; after an error it is not there."""
        if not oci_url.is_digest(blob.digest):
            raise OciUntrusted(f"'{readable(blob.digest, 128)}' is no digest")
        async with self._exchange("GET", f"/v2/{self._url.path}/blobs/{blob.digest}") as response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise OciUntrusted("the registry encodes a blob once more")
            await _receive(response, blob, target)

    def _manifest_path(self, reference: str) -> str:
        return f"/v2/{self._url.path}/manifests/{reference}"

    async def _manifest_bytes(self, reference: str) -> tuple[bytes, str]:
        async with self._exchange("GET", self._manifest_path(reference), accept=_MANIFEST_TYPES) as response:
            return await _read(response, MAX_MANIFEST), _media_type(response)

    def _following(self, path: str, link: str) -> str:
        """The path of the next page, which is on this very server (O3)."""
        target = urlsplit(urljoin(f"{self._base}{path}", link))
        if f"{target.scheme}://{target.netloc}" != self._base:
            raise OciUntrusted(f"'{self._url}' continues its tags on another server")
        return f"{target.path}?{target.query}" if target.query else target.path

    @asynccontextmanager
    async def _exchange(
        self, method: str, path: str, accept: tuple[str, ...] = ()
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A successful response; whatever the network does inside is one of our errors."""
        try:
            async with asyncio.timeout(self._within.total_seconds()):
                async with self._authenticated(method, path, accept) as response:
                    self._require_success(response)
                    yield response
        except OciError as error:
            raise type(error)(redact(str(error), self._auth.credentials.secrets)) from error.__cause__
        except TimeoutError as error:
            raise OciUnreachable(f"'{self._url}' took longer than {self._within.total_seconds():g}s") from error
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            raise OciUnreachable(f"'{self._url}': TLS failed: {_tls_reason(error)}") from error
        except InvalidCredentials as error:
            raise OciUnauthorized(str(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise OciUnreachable(f"'{self._url}' cannot be reached: {_reason(error)}") from error

    @asynccontextmanager
    async def _authenticated(
        self, method: str, path: str, accept: tuple[str, ...]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response to a request, made once more with what the registry asks for."""
        headers = {"Accept": ", ".join(accept)} if accept else {}
        async with self._follow(method, path, headers) as response:
            if response.status != 401:
                yield response
                return
            wanted = oci_auth.challenge(response.headers.get("WWW-Authenticate", ""))
        self._authorization = await self._authorize(wanted)
        async with self._follow(method, path, headers) as response:
            yield response

    async def _authorize(self, wanted: oci_auth.Challenge) -> str:
        own = oci_auth.basic(self._auth)
        if wanted.scheme == "basic":
            return own
        if wanted.scheme != "bearer":
            raise OciUnauthorized(f"'{self._url}' asks for an authentication that is not spoken")
        oci_auth.require_safe_realm(wanted.realm, insecure=self._auth.insecure)
        scope = wanted.scope or f"repository:{self._url.path}:pull"
        query = urlencode({key: value for key, value in (("service", wanted.service), ("scope", scope)) if value})
        url = f"{wanted.realm}{'&' if '?' in wanted.realm else '?'}{query}"
        async with self._session.get(
            URL(url, encoded=True),
            headers={"Authorization": own} if own else {},
            allow_redirects=False,
            ssl=self._tls(url),
            proxy=_proxy(url),
        ) as response:
            if response.status != 200:
                raise OciUnauthorized(
                    f"'{self._url}': authentication failed: HTTP {response.status} of its token service"
                )
            document = _decode(await _read(response, MAX_TOKEN))
        token = document.get("token") or document.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise OciUnauthorized(f"'{self._url}': its token service gives no token")
        return f"Bearer {token}"

    @asynccontextmanager
    async def _follow(
        self, method: str, path: str, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response after redirects; another server sees no credentials (O6)."""
        current = f"{self._base}{path}"
        for _ in range(REDIRECTS + 1):
            is_own = current.startswith(f"{self._base}/")
            own = {"Authorization": self._authorization} if self._authorization and is_own else {}
            async with self._session.request(
                method,
                URL(current, encoded=True),
                headers={**headers, **own},
                allow_redirects=False,
                ssl=self._tls(current),
                proxy=_proxy(current),
            ) as response:
                if response.status not in _REDIRECTS:
                    yield response
                    return
                following = urljoin(current, response.headers.get("Location", ""))
            if urlsplit(following).scheme not in ("http", "https") or _is_downgrade(current, following):
                raise OciUntrusted(f"'{self._url}' redirects to where it must not be followed")
            current = following
        raise OciUntrusted(f"'{self._url}' redirects more than {REDIRECTS} times")

    def _tls(self, url: str) -> ssl.SSLContext | bool:
        if urlsplit(url).scheme != "https":
            return True
        is_own = url.startswith(f"{self._base}/")
        return git_auth.tls_context(self._auth.credentials, with_certificate=is_own)

    def _require_success(self, response: aiohttp.ClientResponse) -> None:
        where = f"'{self._url}'"
        match response.status:
            case 200:
                return
            case 401 | 403:
                known = "failed: the credentials were not accepted" if self._auth.credentials.password else "required"
                raise OciUnauthorized(f"{where}: authentication {known} (HTTP {response.status})")
            case 404:
                raise OciNotFound(f"{where}: not found")
        raise OciRefused(f"{where}: HTTP {response.status} {readable(response.reason or '', 64)}")


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        content += chunk
        if len(content) > limit:
            raise OciUntrusted(f"the registry answers with more than {limit} bytes")
    return bytes(content)


async def _receive(response: aiohttp.ClientResponse, blob: Descriptor, target: Path) -> None:
    hasher, size = hashlib.new(blob.digest.partition(":")[0]), 0
    with contextlib.ExitStack() as undo:
        file = undo.enter_context(os.fdopen(os.open(target, _NEW_FILE, 0o600), "wb"))
        undo.callback(os.unlink, target)
        async for chunk in response.content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > blob.size:
                break
            hasher.update(chunk)
            file.write(chunk)
        if size != blob.size or f"{hasher.name}:{hasher.hexdigest()}" != blob.digest:
            raise OciUntrusted(f"a blob is not the one of its digest {blob.digest} and size {blob.size}")
        undo.pop_all()
        file.close()


def _decode(content: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise OciUntrusted("the registry answers with what is no JSON") from error
    if not isinstance(document, dict):
        raise OciUntrusted("the registry answers with what is no object")
    return document


def _require_one_kind(document: Mapping[str, Any], media_type: str) -> None:
    """A document is one thing alone, and that which the server says (O2, CVE-2021-41190)."""
    named = document.get("mediaType", media_type)
    if named != media_type or media_type not in _MANIFEST_TYPES:
        raise OciUntrusted("a manifest's media type is not that of its answer")
    if "manifests" in document and ("layers" in document or media_type not in _INDEX_TYPES):
        raise OciUntrusted("a manifest is an index at the same time")
    if "manifests" not in document and media_type in _INDEX_TYPES:
        raise OciUntrusted("an index has no manifests")


def _manifest(document: Mapping[str, Any], media_type: str) -> Manifest:
    layers = document.get("layers")
    config = document.get("config")
    annotations = document.get("annotations") or {}
    if not isinstance(layers, list) or not isinstance(annotations, dict):
        raise OciUntrusted("a manifest has no layers")
    texts = {key: value for key, value in annotations.items() if isinstance(value, str)}
    return Manifest(media_type, _descriptor(config) if config else None, tuple(map(_descriptor, layers)), texts)


def _first_entry(document: Mapping[str, Any]) -> Descriptor:
    entries = document.get("manifests")
    if not isinstance(entries, list) or not entries:
        raise OciUntrusted("an index has no manifests")
    return _descriptor(entries[0])


def _descriptor(value: Any) -> Descriptor:
    """Where else a blob may be had, by its `urls`, is of no interest (O4)."""
    match value:
        case {"mediaType": str(media_type), "digest": str(digest), "size": int(size)}:
            if oci_url.is_digest(digest) and size >= 0:
                return Descriptor(media_type, digest, size)
    raise OciUntrusted("a manifest has a descriptor that is none")


def _hash(digest: str, content: bytes) -> str:
    algorithm = digest.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}" if oci_url.is_digest(digest) else ""


def _media_type(response: aiohttp.ClientResponse) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip()


def _is_downgrade(current: str, following: str) -> bool:
    return urlsplit(current).scheme == "https" and urlsplit(following).scheme != "https"


def _proxy(url: str) -> str | None:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return proxies.find_proxy(parts.scheme, parts.hostname or "", port)


def _tls_reason(error: Exception) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return str(getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or "the handshake failed")


def _reason(error: Exception) -> str:
    number = getattr(getattr(error, "os_error", None), "errno", None)
    return os.strerror(number).lower() if number and number > 0 else "the connection broke"
