"""Addresses of Git repositories: what is accepted, whose credentials they may see, how they are shown."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from tidegate.adapters.git_errors import InvalidUrl
from tidegate.adapters.redaction import MASK, readable

LONGEST = 2_048
_PORTS = {"http": 80, "https": 443, "ssh": 22}
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*|[0-9A-Fa-f:.]+")
_USER = re.compile(r"[A-Za-z0-9_.%~+@-]*")
_FORBIDDEN = frozenset("\"'`<>\\^{}|")
_USERINFO = re.compile(r"(?<=://).*@")  # up to the last "@": a password may hold any character


@dataclass(frozen=True)
class Origin:
    """Who credentials belong to: nobody else gets them (promise 13)."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True)
class GitUrl:
    """An accepted address, without its user; `path` begins with a slash, ends with none and is percent-encoded."""

    origin: Origin
    path: str
    username: str = ""

    def __str__(self) -> str:
        origin = self.origin
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        port = "" if origin.port == _PORTS[origin.scheme] else f":{origin.port}"
        return f"{origin.scheme}://{host}{port}{self.path}"


def parse(url: str) -> GitUrl:
    """The address that `url` means: http, https or ssh.

    A user name alone is kept (Azure DevOps puts the organisation there, SSH its user), a password is refused.

    Raises:
        InvalidUrl: it could be misread by somebody, or is of another kind.
    """
    if len(url) > LONGEST:
        raise InvalidUrl(f"the URL is longer than {LONGEST} characters")
    if any(not char.isprintable() or char in _FORBIDDEN for char in url):
        raise _invalid(url, "has a control character, quote or other character that no URL has")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _invalid(url, "cannot be parsed") from error
    if parts.scheme not in _PORTS:
        raise _invalid(url, "must begin with http://, https:// or ssh://")
    if port == 0:
        raise _invalid(url, "has no valid port")
    host = (parts.hostname or "").rstrip(".")
    if not _HOST.fullmatch(host):
        raise _invalid(url, "has no valid host")
    origin = Origin(parts.scheme, host, port or _PORTS[parts.scheme])
    return GitUrl(origin, _path(url, parts), _username(url, parts))


def mask(url: str) -> str:
    """`url` as it may be shown: without its user and password, readable, bounded."""
    return readable(_USERINFO.sub(f"{MASK}@", url))


def _username(url: str, parts: SplitResult) -> str:
    userinfo = parts.netloc.rpartition("@")[0]
    if ":" in userinfo:
        raise _invalid(url, "holds a password: use secretRef")
    if userinfo.startswith("-") or not _USER.fullmatch(userinfo):
        raise _invalid(url, "has no valid user")
    return userinfo


def _path(url: str, parts: SplitResult) -> str:
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise _invalid(url, "may not have a query or a fragment")
    if parts.path.lstrip("/").startswith("-"):
        raise _invalid(url, "has a path that begins with a dash")
    return quote(parts.path.rstrip("/"), safe="/%:@!$&()*+,;=~-._")


def _invalid(url: str, reason: str) -> InvalidUrl:
    return InvalidUrl(f"invalid URL '{mask(url)}': it {reason}")
