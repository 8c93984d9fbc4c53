"""oci:// addresses of repositories, and the references (tags, digests) that may be asked for in them."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self

from tidegate.adapters.oci_errors import InvalidUrl
from tidegate.adapters.redaction import readable

_SCHEME = "oci://"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]{{2,45}}\])(?::(?P<port>[0-9]{{1,5}}))?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST_HOST, _LONGEST_PATH = 255, 255
_DOCKER_HUB = frozenset(("docker.io", "index.docker.io"))


@dataclass(frozen=True)
class OciUrl:
    """One repository: `host` with its port where it has one, `path` without a leading slash."""

    host: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Raises:
            InvalidUrl: it is no address of a repository, and only of that (O10).
        """
        if not text.startswith(_SCHEME):
            raise InvalidUrl(f"URL must be in format 'oci://<domain>/<org>/<repo>', not '{_shown(text)}'")
        host, _, path = text.removeprefix(_SCHEME).partition("/")
        if "@" in host:
            raise InvalidUrl("the URL of an OCI repository must not contain a user name or password")
        _check_host(host, text)
        _check_path(path, text)
        if host in _DOCKER_HUB and "/" not in path:
            path = f"library/{path}"
        return cls(host, path)

    def __str__(self) -> str:
        return f"{_SCHEME}{self.host}/{self.path}"

    @property
    def registry(self) -> str:
        """The host that answers: Docker Hub's is not the one in its addresses."""
        return "registry-1.docker.io" if self.host in _DOCKER_HUB else self.host


def is_tag(text: str) -> bool:
    """Whether `text` may be a tag."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether `text` is a digest that can be verified."""
    return _DIGEST.fullmatch(text) is not None


def _check_host(host: str, text: str) -> None:
    match = _HOST.fullmatch(host)
    if match is None or len(host) > _LONGEST_HOST or not 0 < int(match["port"] or 443) < 65_536:
        raise InvalidUrl(f"'{_shown(text)}' has no host that can be used")
    if host.startswith("[") and not _is_ipv6(host):
        raise InvalidUrl(f"'{_shown(text)}' has no host that can be used")
    if host != host.lower():
        raise InvalidUrl(f"'{_shown(text)}' must not contain uppercase letters")


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host[1:].partition("]")[0])
    except ValueError:
        return False
    return True


def _check_path(path: str, text: str) -> None:
    last = path.rpartition("/")[2]
    if "@" in path:
        raise InvalidUrl("the URL of an OCI repository must not contain a digest: use spec.ref.digest")
    if ":" in last:
        raise InvalidUrl(f"'{_shown(text)}' must not contain a tag: use spec.ref.tag")
    if path != path.lower():
        raise InvalidUrl(f"'{_shown(text)}' must not contain uppercase letters")
    if len(path) > _LONGEST_PATH or not all(_COMPONENT.fullmatch(part) for part in path.split("/")):
        raise InvalidUrl(f"'{_shown(text)}' has no path of an OCI repository")


def _shown(text: str) -> str:
    """`text` without what may be a password."""
    head, at, rest = text.partition("@")
    return readable(f"oci://*****@{rest}" if at and not head.endswith("/") else text, 256)
