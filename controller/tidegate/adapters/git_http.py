"""A Git repository behind HTTP(S): credentials for its origin only, redirects on the first request, bounded waits."""

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from tidegate.adapters import git_auth, git_packets, git_refs, git_url
from tidegate.adapters.git_auth import GitAuth
from tidegate.adapters.git_errors import (
    AuthenticationFailed,
    GitError,
    InvalidUrl,
    RemoteBusy,
    RemoteError,
    RemoteRefused,
    RemoteTimedOut,
    RemoteUnreachable,
    RemoteUntrusted,
    RepositoryNotFound,
    UnsupportedRepository,
)
from tidegate.adapters.git_limits import GitLimits
from tidegate.adapters.git_packets import Packet
from tidegate.adapters.git_refs import Server
from tidegate.adapters.git_url import GitUrl
from tidegate.adapters.redaction import readable, redact

_ADVERTISEMENT = "/info/refs?service=git-upload-pack"
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_USER_AGENT = "git/2.0 (tidegate)"  # some servers give Git's answers only to what calls itself git
_PIECE = 1 << 16


def open_session(limits: GitLimits) -> aiohttp.ClientSession:
    """The connections for all repositories: no cookies, no redirects of its own, none of the environment's secrets."""
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=limits.connect.total_seconds(), sock_read=limits.silence.total_seconds()
    )
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=32, keepalive_timeout=75.0, ttl_dns_cache=10),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeout,
        trust_env=False,
        headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
        read_bufsize=_PIECE,
    )


@dataclass(frozen=True)
class _Request:
    """One request; `url` may already be another than the repository's."""

    method: str
    url: GitUrl
    suffix: str
    body: bytes | None = None
    expects: str = "application/x-git-upload-pack-result"


class HttpRepository:
    """One repository on one server, spoken to with one identity.

    Raises:
        InvalidUrl, InvalidCredentials: when it is made, if it could never be spoken to.
    """

    def __init__(self, session: aiohttp.ClientSession, url: GitUrl, auth: GitAuth, limits: GitLimits) -> None:
        self._session = session
        self._url = url
        self._auth = auth
        self._limits = limits
        self._authorization = git_auth.authorization(auth, url)
        self._proxy = git_auth.proxy_address(auth, url)
        if url.origin.scheme == "https":
            git_auth.tls_context(auth)
        self._base = url

    async def advertise(self) -> Server:
        """Ask the server what it speaks and has; follows redirects, and remembers where they led.

        Raises:
            RemoteError, InvalidUrl, BoundExceeded.
        """
        self._base = self._url
        for _ in range(self._limits.redirects + 1):
            request = _Request("GET", self._base, _ADVERTISEMENT, None, "application/x-git-upload-pack-advertisement")
            async with self._send(request) as response:
                if response.status in _REDIRECTS:
                    self._base = self._redirected(response)
                    continue
                await self._require_success(request, response)
                server = await git_refs.read_advertisement(self._packets(response), self._limits.refs)
                await _finish(response)
                return server
        raise RemoteRefused(f"the server redirects more than {self._limits.redirects} times")

    @asynccontextmanager
    async def post(self, body: bytes) -> AsyncIterator[AsyncIterator[Packet]]:
        """Send `body` to upload-pack; inside, iterate the packets of its answer.

        Raises:
            RemoteError; also while iterating.
        """
        request = _Request("POST", self._base, "/git-upload-pack", body)
        async with self._send(request) as response:
            await self._require_success(request, response)
            yield self._packets(response)
            await _finish(response)

    @asynccontextmanager
    async def _send(self, request: _Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response to `request`; whatever the network does inside is one of our errors."""
        is_own = request.url.origin == self._url.origin
        try:
            async with self._session.request(
                request.method,
                URL(f"{request.url}{request.suffix}", encoded=True),
                data=request.body,
                headers=self._headers(request, is_own=is_own),
                allow_redirects=False,
                ssl=self._tls(request.url, is_own=is_own),
                proxy=self._proxy,
            ) as response:
                yield response
        except GitError as error:
            raise self._without_secrets(error) from error.__cause__
        except aiohttp.ServerTimeoutError as error:
            raise RemoteTimedOut(f"{self._where(request)} did not answer in time") from error
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError, ssl.SSLError) as error:
            raise RemoteUntrusted(f"{self._where(request)}: TLS failed: {_tls_reason(error)}") from error
        except (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError) as error:
            raise RemoteUnreachable(f"{self._where(request)} cannot be reached through the proxy") from error
        except aiohttp.ClientConnectorDNSError as error:
            raise RemoteUnreachable(f"{self._where(request)}: no such host") from error
        except aiohttp.ClientConnectorError as error:
            raise RemoteUnreachable(f"{self._where(request)}: {_connect_reason(error)}") from error
        except aiohttp.ClientPayloadError as error:
            raise RemoteUnreachable(f"{self._where(request)} broke off its answer") from error
        except (aiohttp.ClientError, OSError) as error:
            raise RemoteUnreachable(f"{self._where(request)}: the connection broke") from error

    def _headers(self, request: _Request, *, is_own: bool) -> dict[str, str]:
        headers = {"Git-Protocol": "version=2", "Accept": request.expects}
        if request.body is not None:
            headers["Content-Type"] = "application/x-git-upload-pack-request"
        if self._authorization and is_own:
            headers["Authorization"] = self._authorization
        return headers

    def _tls(self, url: GitUrl, *, is_own: bool) -> ssl.SSLContext | bool:
        return git_auth.tls_context(self._auth, with_certificate=is_own) if url.origin.scheme == "https" else True

    def _redirected(self, response: aiohttp.ClientResponse) -> GitUrl:
        """Where the redirect leads: another repository address, never from https to http (G8)."""
        target = urljoin(str(response.url), response.headers.get("Location", ""))
        if "_signin" in target.lower() or "/login" in urlsplit(target).path.lower():
            raise AuthenticationFailed("authentication required: the server redirects to a sign-in page")
        address, found, _ = target.partition("/info/refs")
        if not found:
            raise RemoteRefused(f"the server redirects to '{git_url.mask(target)}', which is no Git repository")
        try:
            url = git_url.parse(address)
        except InvalidUrl as error:
            raise RemoteRefused(f"the server redirects to an address that cannot be used: {error}") from error
        if url.origin.scheme not in ("http", "https"):
            raise RemoteRefused("the server redirects to an address that is not http or https")
        if self._base.origin.scheme == "https" and url.origin.scheme != "https":
            raise RemoteRefused("the server redirects from https to http, which is refused")
        return url

    async def _require_success(self, request: _Request, response: aiohttp.ClientResponse) -> None:
        """
        Raises:
            RemoteError: by status, or because the answer is no Git at all.
        """
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
        if response.status == 200 and kind == request.expects:
            return
        words = await _words(response) if kind == "text/plain" else ""
        raise self._refusal(request, response, words)

    def _refusal(self, request: _Request, response: aiohttp.ClientResponse, words: str) -> RemoteError:
        status, said = response.status, f": {words}" if words else ""
        where = self._where(request)
        retry_after = _retry_after(response.headers.get("Retry-After"))
        if status in (429, 503) or (status == 403 and retry_after is not None):
            return RemoteBusy(f"{where} limits requests or is down for a while (HTTP {status}){said}", retry_after)
        known: dict[int, tuple[type[RemoteError], str]] = {
            200: (UnsupportedRepository, "no Git server answers here: is the URL that of a repository?"),
            203: (AuthenticationFailed, self._wanted(request)),
            401: (AuthenticationFailed, self._wanted(request)),
            403: (AuthenticationFailed, "access denied"),
            404: (RepositoryNotFound, "repository not found"),
        }
        if status not in known:
            return RemoteRefused(f"{where} answered HTTP {status}{said}", status)
        kind, meaning = known[status]
        return kind(f"{where}: {meaning}{said}")

    def _wanted(self, request: _Request) -> str:
        if not self._authorization:
            return "authentication required"
        if request.url.origin != self._url.origin:
            return "authentication required, and the server was reached by a redirect, where no credentials are sent"
        return "authentication failed: the credentials were not accepted"

    def _where(self, request: _Request) -> str:
        return f"'{readable(str(request.url), 256)}'"

    async def _packets(self, response: aiohttp.ClientResponse) -> AsyncIterator[Packet]:
        async for packet in git_packets.decode(response.content.iter_chunked(_PIECE)):
            yield packet

    def _without_secrets(self, error: GitError) -> GitError:
        """Servers may echo what we sent them: their words are cleaned before anybody sees them."""
        error.args = tuple(redact(text, self._auth.secrets) for text in error.args if isinstance(text, str))
        return error


async def _finish(response: aiohttp.ClientResponse) -> None:
    """Read the end of an answer, so that its connection can serve the next; whoever says more loses it."""
    await response.content.readany()


async def _words(response: aiohttp.ClientResponse) -> str:
    """The beginning of what a server gives as its reason."""
    return readable(await response.content.read(1_024), 200)


def _connect_reason(error: aiohttp.ClientConnectorError) -> str:
    number = error.os_error.errno
    return os.strerror(number).lower() if number and number > 0 else "connection failed"


def _tls_reason(error: Exception) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return readable(cause.verify_message, 200)
    reason = getattr(cause, "reason", None)
    return readable(str(reason).lower().replace("_", " "), 100) if reason else "the handshake failed"


def _retry_after(value: str | None) -> float | None:
    """Seconds; a date is not worth trusting another clock."""
    if value is None or not value.isdigit() or len(value) > 6:
        return None
    return float(value)
