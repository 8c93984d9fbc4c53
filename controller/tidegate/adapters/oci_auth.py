"""Who we are to an OCI registry: docker's config files, and the challenges that registries answer with. Pure."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from tidegate.adapters import git_auth
from tidegate.adapters.git_auth import GitAuth
from tidegate.adapters.oci_errors import OciUnauthorized
from tidegate.runtime.errors import TidegateError

_PARAMETER = re.compile(r'([a-zA-Z]+)="([^"]*)"')
_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


class InvalidDockerConfig(TidegateError):
    """A Secret's docker config cannot be read; the message has none of it."""


@dataclass(frozen=True)
class RegistryAuth:
    """Credentials, certificates, and whether plain HTTP is spoken."""

    credentials: GitAuth = field(default_factory=GitAuth)
    insecure: bool = False


@dataclass(frozen=True)
class Challenge:
    """How a registry wants to be authenticated to."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def from_docker_config(config: bytes, host: str) -> tuple[str, str]:
    """The user name and password for `host`, both empty where there are none. Raises: InvalidDockerConfig."""
    try:
        document = msgspec.json.decode(config)
        auths = document.get("auths") or {}
        found = next((entry for name, entry in auths.items() if _host(name) == _canonical(host)), None)
        if found is None:
            return "", ""
        if found.get("auth"):
            username, _, password = base64.b64decode(found["auth"]).decode().partition(":")
            return username, password.rstrip("\0")
        return str(found.get("username", "")), str(found.get("password", ""))
    except (msgspec.DecodeError, AttributeError, binascii.Error, UnicodeDecodeError, TypeError) as error:
        raise InvalidDockerConfig("it is no docker config") from error


def challenge(header: str) -> Challenge:
    """What a WWW-Authenticate header asks for."""
    scheme, _, rest = header.strip().partition(" ")
    parameters = {name.lower(): value for name, value in _PARAMETER.findall(rest[:8192])}
    wanted = {name: parameters.get(name, "") for name in ("realm", "service", "scope")}
    return Challenge(scheme.lower(), **wanted)


def require_safe_realm(realm: str, *, insecure: bool) -> None:
    """Whether credentials may be sent to a token service (O5). Raises: OciUnauthorized."""
    try:
        parts = urlsplit(realm)
        host = parts.hostname or ""
    except ValueError as error:
        raise OciUnauthorized("the registry names no usable token service") from error
    is_plain = parts.scheme == "http" and not insecure
    if parts.scheme not in ("http", "https") or is_plain or not host or "@" in parts.netloc:
        raise OciUnauthorized("the registry names a token service that credentials must not be sent to")
    if host.startswith("169.254.") or host.lower().startswith("fe80:"):
        raise OciUnauthorized("the registry names a token service on a link-local address")


def basic(auth: RegistryAuth) -> str:
    """The value of an Authorization header, "" without credentials."""
    return git_auth.basic(auth.credentials.username, auth.credentials.password)


def _host(name: str) -> str:
    """The host in a key of a docker config, which may be a URL or a path."""
    return _canonical(name.partition("://")[2].partition("/")[0] if "://" in name else name.partition("/")[0])


def _canonical(host: str) -> str:
    return "docker.io" if host in _DOCKER_HUB else host.lower()
