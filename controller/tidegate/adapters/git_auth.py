"""Who we are to a Git server over HTTP, turned into headers, a TLS context and a proxy once and for all."""

import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tidegate.adapters import http_auth, proxies
from tidegate.adapters.git_errors import InvalidCredentials
from tidegate.adapters.git_url import GitUrl, mask
from tidegate.adapters.http_auth import Certificates, InvalidCertificate

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
    certificates: Certificates = field(default_factory=Certificates)
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
        return http_auth.basic(username, auth.password)
    if not auth.bearer_token:
        return ""
    if not auth.bearer_token.isascii() or not auth.bearer_token.isprintable():
        raise InvalidCredentials("the bearer token has characters that no HTTP header can hold")
    return f"Bearer {auth.bearer_token}"


def tls_context(auth: GitAuth, *, with_certificate: bool = True) -> ssl.SSLContext:
    """The TLS settings for `auth`; `with_certificate` says whether the peer may see the client certificate.

    Raises:
        InvalidCredentials: the CA, the certificate or the key cannot be read.
    """
    try:
        return auth.certificates.context(with_certificate=with_certificate)
    except InvalidCertificate as error:
        raise InvalidCredentials(str(error)) from error


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
