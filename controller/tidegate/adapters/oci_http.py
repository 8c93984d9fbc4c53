"""The only way out to a registry: every foreign error becomes ours, every answer has a bound."""

import ipaddress
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp.abc import ResolveResult
from yarl import URL

from tidegate.adapters import oci_auth
from tidegate.adapters.oci_auth import RegistryAuth
from tidegate.adapters.oci_errors import (
    AuthenticationFailed,
    BoundExceeded,
    NotFound,
    OciError,
    RegistryRefused,
    RegistryUnreachable,
)
from tidegate.adapters.redaction import readable, redact

PIECE = 1 << 16
_METADATA = ipaddress.ip_address("fd00:ec2::254")  # a cloud's own, and not link-local

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ServerTimeoutError, " did not answer in time"),
    (aiohttp.InvalidURL, " has no host that can be used"),
    (aiohttp.ClientHttpProxyError, " cannot be reached through the proxy"),
    (aiohttp.ClientProxyConnectionError, " cannot be reached through the proxy"),
    (aiohttp.ClientConnectorDNSError, ": no such host, or one at a link-local address"),
    (aiohttp.ClientPayloadError, " broke off its answer"),
)


@dataclass(frozen=True)
class OciLimits:
    """How much a registry may send, and how long it may be silent."""

    tags: int = 100_000
    pages: int = 2_000
    page: int = 4 << 20
    manifest: int = 4 << 20
    token: int = 1 << 20
    redirects: int = 5
    connect_seconds: float = 10.0
    silence_seconds: float = 60.0


@dataclass(frozen=True)
class Request:
    """One request; `form` makes it one with a body."""

    method: str
    url: URL
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)


class _Resolver(aiohttp.ThreadedResolver):
    """Names do not lead to link-local addresses either (O5)."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            found = await super().resolve(host, port, family)
        except UnicodeError as error:
            raise OSError("no name of a host") from error
        if any(is_forbidden(result["host"]) for result in found):
            raise OSError("a link-local address")
        return found


def open_session(limits: OciLimits) -> aiohttp.ClientSession:
    """The connections for all registries: no cookies, no decompression, none of the environment's secrets."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_seconds, sock_read=limits.silence_seconds)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=32, ttl_dns_cache=10, resolver=_Resolver()),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeout,
        trust_env=False,
        auto_decompress=False,
        headers={"User-Agent": "tidegate", "Accept-Encoding": "identity"},
        read_bufsize=PIECE,
    )


def is_forbidden(host: str) -> bool:
    """Whether `host` is an address at which only clouds' secrets are found."""
    try:
        ip = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_link_local or ip == _METADATA


def shown(url: URL) -> str:
    """`url` for users: its query may be a signature."""
    return f"'{readable(str(url.with_user(None).with_query(None).with_fragment(None)), 256)}'"


class Transport:
    """Requests to a registry at `home` and to where it leads, with one identity's TLS and proxy.

    Raises:
        InvalidCredentials: when it is made, if they could never be used.
    """

    def __init__(self, session: aiohttp.ClientSession, home: URL, auth: RegistryAuth) -> None:
        self.home = home
        self.auth = auth
        self._session = session
        oci_auth.tls_context(auth, with_certificate=True)
        self._proxy(home)

    @asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response to `request`, whatever its status; inside, its body is read.

        Raises:
            OciError: also while reading.
        """
        where = shown(request.url)
        if is_forbidden(request.url.host or ""):
            raise RegistryRefused(f"{where} is a link-local address, which is refused")
        try:
            async with self._session.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.form,
                allow_redirects=False,
                ssl=self._tls(request.url),
                proxy=self._proxy(request.url),
            ) as response:
                yield response
        except (aiohttp.ClientError, ssl.SSLError, ConnectionError) as error:
            raise RegistryUnreachable(f"{where}{_reason(error)}") from error

    def _tls(self, url: URL) -> ssl.SSLContext | bool:
        if url.scheme != "https":
            return True
        return oci_auth.tls_context(self.auth, with_certificate=url.origin() == self.home)

    def _proxy(self, url: URL) -> str | None:
        return oci_auth.proxy_address(self.auth, url.scheme, url.host or "", url.port or 0)


async def read_bounded(response: aiohttp.ClientResponse, limit: int, what: str) -> bytes:
    """
    Raises:
        BoundExceeded: the answer is longer than `limit`; no more than that is read (O3).
    """
    content = bytearray()
    if (response.content_length or 0) <= limit:
        async for piece in response.content.iter_chunked(PIECE):
            content += piece
            if len(content) > limit:
                break
        else:
            return bytes(content)
    raise BoundExceeded(f"{shown(response.url)}: the {what} is larger than {limit} bytes")


async def refusal(response: aiohttp.ClientResponse, auth: RegistryAuth, secrets: tuple[str, ...] = ()) -> OciError:
    """The error that an unsuccessful answer is, in the registry's words."""
    text = _words(await response.content.read(4_096))
    said = readable(redact(text, (*auth.secrets, *secrets)), 200)
    message, status = f"{shown(response.url)}", response.status
    tail = f": {said}" if said else ""
    if status == 401:
        has_any = bool(auth.basic or auth.identity_token)
        wanted = "authentication failed: the credentials were not accepted" if has_any else "authentication required"
        return AuthenticationFailed(f"{message}: {wanted}{tail}")
    if status == 403:
        return AuthenticationFailed(f"{message}: access denied{tail}")
    if status == 404:
        return NotFound(f"{message}: not found{tail}")
    return RegistryRefused(f"{message} answered HTTP {status}{tail}", status)


def _words(content: bytes) -> str:
    """What the specification's list of errors says; nothing of pages for browsers."""
    try:
        errors = json.loads(content)["errors"]
        return "; ".join(f"{error.get('code')}: {error.get('message', '')}" for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError | ssl.SSLError):
        cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
        verify = getattr(cause, "verify_message", "") or "the handshake failed"
        return f": TLS failed: {readable(str(verify), 200)}"
    known = next((reason for kind, reason in _REASONS if isinstance(error, kind)), "")
    if not known and isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return f": {os.strerror(number).lower() if number and number > 0 else 'connection failed'}"
    return known or ": the connection broke"
