"""Who we are to a Git server over HTTP, turned into headers, a TLS context and a proxy once and for all."""

import base64
import functools
import os
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tidegate.adapters import proxies
from tidegate.adapters.git_errors import InvalidCredentials
from tidegate.adapters.git_url import GitUrl, mask

_SPOKEN_PROXIES = ("http", "https")


@dataclass(frozen=True)
class GitAuth:
    """What a Secret gives: basic or bearer, a CA instead of the system's, a client certificate, a proxy.

    `identity` names who stands behind credentials that change by themselves (tokens of an hour): where it is set, it
    decides alone whose local copy of a repository is used, and the newest credentials count.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    bearer_token: str = field(default="", repr=False)
    ca: bytes = field(default=b"", repr=False)
    client_cert: bytes = field(default=b"", repr=False)
    client_key: bytes = field(default=b"", repr=False)
    proxy: str = field(default="", repr=False)
    identity: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may be in no text."""
        parts = urlsplit(self.proxy) if self.proxy else None
        basic = f"{self.username}:{self.password}" if self.password else ""
        return (self.password, self.bearer_token, basic, (parts.password or "") if parts else "")


def authorization(auth: GitAuth, url: GitUrl) -> str:
    """The value of the Authorization header, "" for none.

    Raises:
        InvalidCredentials: a token could break out of the header.
    """
    username = auth.username or (url.username if auth.password else "")
    if username or auth.password:
        return basic(username, auth.password)
    if not auth.bearer_token:
        return ""
    if not auth.bearer_token.isascii() or not auth.bearer_token.isprintable():
        raise InvalidCredentials("the bearer token has characters that no HTTP header can hold")
    return f"Bearer {auth.bearer_token}"


def basic(username: str, password: str) -> str:
    """The value of an Authorization header for a user name and password, "" where neither is given."""
    if not username and not password:
        return ""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode("utf-8", "surrogateescape")).decode()


def tls_context(auth: GitAuth, *, with_certificate: bool = True) -> ssl.SSLContext:
    """The TLS settings for `auth`; `with_certificate` says whether the peer may see the client certificate.

    Raises:
        InvalidCredentials: the CA, the certificate or the key cannot be read.
    """
    if bool(auth.client_cert) != bool(auth.client_key):
        raise InvalidCredentials("a client certificate needs its key, and a key its certificate")
    certificate = (auth.client_cert, auth.client_key) if with_certificate else (b"", b"")
    return _context(auth.ca, *certificate)


def proxy_address(auth: GitAuth, url: GitUrl) -> str | None:
    """The proxy to use: the Secret's, else the environment's, which is never asked for this machine itself.

    Raises:
        InvalidCredentials: the Secret's is of a kind that is not spoken.
    """
    if auth.proxy:
        return _checked_proxy(auth.proxy)
    origin = url.origin
    address = proxies.find_proxy(origin.scheme, origin.host, origin.port)
    return address if address and urlsplit(address).scheme in _SPOKEN_PROXIES else None


def _checked_proxy(address: str) -> str:
    try:
        parts = urlsplit(address)
        is_usable = parts.scheme in _SPOKEN_PROXIES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not address.isprintable():
        raise InvalidCredentials(f"the proxy address '{mask(address)}' is none of http or https")
    return address


@functools.lru_cache(maxsize=256)
def _context(ca: bytes, certificate: bytes, key: bytes) -> ssl.SSLContext:
    try:
        # With a CA given, the system's are not loaded: it stands in their place, as in Flux.
        context = ssl.create_default_context(cadata=ca.decode("ascii") if ca else None)
        if certificate:
            _load_certificate(context, certificate, key)
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        part = "the CA certificate" if not certificate else "the CA or client certificate or its key"
        raise InvalidCredentials(f"{part} cannot be read") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _load_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """OpenSSL takes files only: this one has no name and lives in memory."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(certificate.rstrip() + b"\n" + key)
        file.flush()
        # Without a password of our own, OpenSSL would ask at the terminal for that of an encrypted key.
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")
