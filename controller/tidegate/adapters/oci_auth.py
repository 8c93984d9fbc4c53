"""Who we are to an OCI registry: from a Secret to a TLS context, a proxy, and the header of Basic."""

import base64
import binascii
import fnmatch
import json
import re
import ssl
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from tidegate.adapters import http_auth, proxies
from tidegate.adapters.http_auth import Certificates, InvalidCertificate
from tidegate.adapters.oci_errors import InvalidCredentials

_SPOKEN_PROXIES = ("http", "https")
_DOCKER_HUB = frozenset(("docker.io", "index.docker.io", "registry-1.docker.io"))
_IDENTITY_USER = "<token>"  # Docker's mark: the password is an identity token


@dataclass(frozen=True)
class RegistryAuth:
    """What a Secret gives; all empty is anonymous. `insecure` speaks plain HTTP to the registry."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    certificates: Certificates = field(default_factory=Certificates)
    insecure: bool = False
    proxy: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @classmethod
    def from_docker_config(cls, data: bytes, location: str) -> Self:
        """The credentials in a .dockerconfigjson for `location`, a host and maybe a path; anonymous where it has none.

        Raises:
            InvalidCredentials: it is no Docker config.
        """
        try:
            auths = json.loads(data).get("auths") or {}
            entry = _find_entry(auths, location)
            username, password = _pair(entry)
            token = entry.get("identitytoken") or ""
        except (ValueError, AttributeError, TypeError, RecursionError):
            # Without its cause, which may quote the config.
            raise InvalidCredentials("the Docker config cannot be read") from None
        if not all(isinstance(text, str) for text in (username, password, token)):
            raise InvalidCredentials("the Docker config cannot be read")
        if username == _IDENTITY_USER:
            return cls(identity_token=token or password)
        return cls(username=username, password=password, identity_token=token)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may be in no text."""
        basic = f"{self.username}:{self.password}" if self.password else ""
        proxy = (urlsplit(self.proxy).password or "") if self.proxy and is_proxy(self.proxy) else ""
        return (self.password, basic, self.identity_token, proxy)

    @property
    def basic(self) -> str:
        """The value of the Authorization header of Basic, "" for none."""
        return http_auth.basic(self.username, self.password)


def tls_context(auth: RegistryAuth, *, with_certificate: bool) -> ssl.SSLContext:
    """The TLS settings for `auth`; `with_certificate` says whether the peer may see the client certificate.

    Raises:
        InvalidCredentials: the CA, the certificate or the key cannot be read.
    """
    try:
        return auth.certificates.context(with_certificate=with_certificate)
    except InvalidCertificate as error:
        raise InvalidCredentials(str(error)) from error


def proxy_address(auth: RegistryAuth, scheme: str, host: str, port: int) -> str | None:
    """The proxy to use: the Secret's, else the environment's.

    Raises:
        InvalidCredentials: the Secret's is of a kind that is not spoken.
    """
    if auth.proxy:
        if not is_proxy(auth.proxy):
            raise InvalidCredentials("the proxy address is none of http or https")
        return auth.proxy
    address = proxies.find_proxy(scheme, host, port)
    return address if address and is_proxy(address) else None


def is_proxy(address: str) -> bool:
    """Whether a proxy can be spoken to at `address`."""
    try:
        parts = urlsplit(address)
        return parts.scheme in _SPOKEN_PROXIES and bool(parts.hostname) and parts.port != 0 and address.isprintable()
    except ValueError:
        return False


def _find_entry(auths: dict[str, dict[str, str]], location: str) -> dict[str, str]:
    """By the rules of Kubernetes' pull secrets: hosts may have globs, the longest path that leads there counts."""
    host, path = _split(location)
    found: dict[tuple[int, bool], dict[str, str]] = {}
    for name, entry in auths.items():
        named_host, named_path = _split(name)
        is_exact = named_host == host
        if (is_exact or _is_like(host, named_host)) and _is_below(path, named_path):
            found.setdefault((len(named_path), is_exact), entry)
    return found[max(found)] if found else {}


def _split(location: str) -> tuple[str, str]:
    """Host and path, without the version of a registry's API that Docker writes before it."""
    host, _, path = location.removeprefix("https://").removeprefix("http://").partition("/")
    path = re.sub(r"^v[12](/|$)", "", path.strip("/"))
    return "docker.io" if host.lower() in _DOCKER_HUB else host.lower(), path


def _is_like(host: str, pattern: str) -> bool:
    """Label by label: `*.example.com` is a.example.com and not a.b.example.com; a port is part of its label."""
    labels, patterns = host.split("."), pattern.split(".")
    if "*" not in pattern or len(labels) != len(patterns):
        return False
    return all(fnmatch.fnmatchcase(label, wanted) for label, wanted in zip(labels, patterns, strict=True))


def _is_below(path: str, prefix: str) -> bool:
    return not prefix or path == prefix or path.startswith(f"{prefix}/")


def _pair(entry: dict[str, str]) -> tuple[str, str]:
    if not entry.get("auth"):
        return entry.get("username") or "", entry.get("password") or ""
    try:
        padded = entry["auth"].strip() + "=" * (-len(entry["auth"].strip()) % 4)
        username, _, password = base64.b64decode(padded, validate=True).decode().partition(":")
    except binascii.Error as error:
        raise ValueError("no base64") from error
    return username, password.rstrip("\0")
