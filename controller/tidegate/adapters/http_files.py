"""Files over HTTP(S), streamed into a file within bounds: indexes and charts of Helm repositories.

Credentials go to the origin that they were given for and to no other, unless they are said to be for all (H3).
"""

import asyncio
import contextlib
import hashlib
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from tidegate.adapters import http_auth, proxies
from tidegate.adapters.git_url import mask
from tidegate.adapters.http_auth import InvalidCertificate, Login
from tidegate.adapters.redaction import readable, redact
from tidegate.runtime.errors import TidegateError

REDIRECTS = 10
CONNECT_S, SILENCE_S = 10.0, 60.0
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_CHUNK = 1 << 18
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class HttpError(TidegateError):
    """A file could not be had; the message is for the user and holds no secret."""


class Unauthorized(HttpError):
    """The server wants other credentials."""


class InvalidAddress(HttpError):
    """An address that is not spoken, or could be misread."""


@dataclass(frozen=True)
class HttpAuth:
    """A login for the origin of `url`; with `is_for_all`, for whatever host a file is on."""

    url: str
    login: Login = field(default_factory=Login)
    is_for_all: bool = False


@dataclass(frozen=True)
class Downloaded:
    """What a server gave: `is_new` is False, and nothing was written, where it had nothing newer than `etag`."""

    is_new: bool
    etag: str = ""
    sha256: str = ""
    size: int = 0


class HttpFiles:
    """The connections of a process; an async context manager."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=16),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=timeout,
            trust_env=False,
            headers={"User-Agent": "Helm/4 (tidegate)", "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def download(
        self, url: str, target: Path, auth: HttpAuth, *, limit: int, within: timedelta, etag: str = ""
    ) -> Downloaded:
        """Bring the file at `url` into `target`, which must not exist; after an error it does not.

        Raises: HttpError.
        """
        try:
            async with asyncio.timeout(within.total_seconds()), self._open(url, auth, etag) as response:
                if response.status == 304 and etag:
                    return Downloaded(is_new=False, etag=etag)
                _require_success(url, response, auth)
                sha256, size = await _receive(response, target, limit)
                return Downloaded(is_new=True, etag=response.headers.get("ETag", ""), sha256=sha256, size=size)
        except TimeoutError as error:
            raise HttpError(f"'{_shown(url)}' took longer than {within.total_seconds():g}s") from error
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            raise HttpError(f"'{_shown(url)}': TLS failed: {_tls_reason(error)}") from error
        except (aiohttp.ClientError, OSError) as error:
            text = redact(f"'{_shown(url)}' cannot be reached: {_reason(error)}", auth.login.secrets)
            raise HttpError(text) from error

    @asynccontextmanager
    async def _open(self, url: str, auth: HttpAuth, etag: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response to a GET of `url`, after redirects, which never lead from https to http."""
        current = url
        for _ in range(REDIRECTS + 1):
            async with self._session.get(
                URL(_checked(current), encoded=True),
                headers=_headers(current, auth, etag, is_first=current == url),
                allow_redirects=False,
                ssl=_tls(current, auth),
                proxy=_proxy(current),
            ) as response:
                if response.status not in _REDIRECTS:
                    yield response
                    return
                following = urljoin(current, response.headers.get("Location", ""))
                if urlsplit(current).scheme == "https" and urlsplit(following).scheme != "https":
                    raise HttpError(f"'{_shown(url)}' redirects from https to http, which is refused")
                current = following
        raise HttpError(f"'{_shown(url)}' redirects more than {REDIRECTS} times")


def _shown(url: str) -> str:
    """`url` for messages: its query may be a signature."""
    return mask(url.partition("?")[0])


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises: InvalidAddress."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError) as error:
        raise InvalidAddress(f"'{_shown(url)}' is no address of http or https") from error
    if not parts.hostname or not url.isprintable() or len(url) > 4096:
        raise InvalidAddress(f"'{_shown(url)}' is no valid address")
    return parts.scheme, parts.hostname, port


def _checked(url: str) -> str:
    origin_of(url)
    if "@" in urlsplit(url).netloc:
        raise InvalidAddress(f"'{_shown(url)}' holds a user name: use secretRef")
    return url


def _headers(url: str, auth: HttpAuth, etag: str, *, is_first: bool) -> dict[str, str]:
    """A login for all is for wherever a file is said to be, and not for whom that server sends us to."""
    headers = {"If-None-Match": etag} if etag else {}
    basic = http_auth.basic(auth.login.username, auth.login.password)
    if basic and (origin_of(url) == origin_of(auth.url) or (auth.is_for_all and is_first)):
        headers["Authorization"] = basic
    return headers


def _tls(url: str, auth: HttpAuth) -> ssl.SSLContext | bool:
    if urlsplit(url).scheme != "https":
        return True
    try:
        return auth.login.certificates.context(with_certificate=origin_of(url) == origin_of(auth.url))
    except InvalidCertificate as error:
        raise HttpError(str(error)) from error


def _proxy(url: str) -> str | None:
    return proxies.find_proxy(*origin_of(url))


def _require_success(url: str, response: aiohttp.ClientResponse, auth: HttpAuth) -> None:
    """A server may say back what it was sent: its words are cleaned before anybody sees them."""
    if response.status == 200:
        return
    said = redact(readable(response.reason or "", 64), auth.login.secrets)
    kind = Unauthorized if response.status in (401, 403, 407) else HttpError
    raise kind(f"failed to fetch {_shown(url)} : {response.status} {said}")


async def _receive(response: aiohttp.ClientResponse, target: Path, limit: int) -> tuple[str, int]:
    """SHA-256 and size of the body, which is in `target` afterwards. Raises: HttpError when it is beyond `limit`."""
    hasher, size = hashlib.sha256(), 0
    with contextlib.ExitStack() as undo:
        file = undo.enter_context(os.fdopen(os.open(target, _NEW_FILE, 0o600), "wb"))
        undo.callback(os.unlink, target)
        async for chunk in response.content.iter_chunked(_CHUNK):
            size += len(chunk)
            _require_within(limit, size, response.url)
            hasher.update(chunk)
            file.write(chunk)
        undo.pop_all()
        file.close()
    return hasher.hexdigest(), size


def _require_within(limit: int, size: int, url: URL) -> None:
    if size > limit:
        raise HttpError(f"'{_shown(str(url))}' is larger than {limit} bytes")


def _tls_reason(error: Exception) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return str(getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or "the handshake failed")


def _reason(error: Exception) -> str:
    number = getattr(getattr(error, "os_error", None), "errno", None)
    return os.strerror(number).lower() if number and number > 0 else "the connection broke"
