"""Addresses of repositories in OCI registries: `oci://host[:port]/path`. Pure."""

import re
from dataclasses import dataclass

from tidegate.adapters.git_url import mask
from tidegate.adapters.oci_errors import InvalidOciUrl

SCHEME = "oci://"
_LONGEST = 2_048
_HOST = re.compile(r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")


@dataclass(frozen=True)
class OciUrl:
    """A repository; `host` with its port, `path` without slashes at its ends."""

    host: str
    path: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.host}/{self.path}"

    def below(self, name: str) -> "OciUrl":
        """The repository `name` below this path. Raises: InvalidOciUrl."""
        return parse(f"{self}/{name}" if self.path else f"{SCHEME}{self.host}/{name}")


def parse(url: str, *, needs_path: bool = True) -> OciUrl:
    """The repository that `url` means, which has neither tag nor digest (O10). Raises: InvalidOciUrl."""
    if not url.startswith(SCHEME) or len(url) > _LONGEST:
        raise InvalidOciUrl(f"'{mask(url)}' must begin with {SCHEME}")
    host, _, path = url.removeprefix(SCHEME).rstrip("/").partition("/")
    if "@" in host or not _HOST.fullmatch(host):
        raise InvalidOciUrl(f"'{mask(url)}' has no valid host, or holds a user name")
    last = path.rpartition("/")[2]
    if ":" in last or "@" in last:
        tag = re.split("[:@]", last, maxsplit=1)[1]
        raise InvalidOciUrl(f"URL must not contain a tag; remove ':{mask(tag)}'")
    if path and not all(_PART.fullmatch(part) for part in path.split("/")):
        raise InvalidOciUrl(f"'{mask(url)}' has no valid path: lower-case names with single separators")
    if needs_path and not path:
        raise InvalidOciUrl(f"'{mask(url)}' names no repository")
    return OciUrl(host, path)


def is_tag(text: str) -> bool:
    """Whether `text` can be a tag."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether `text` is a digest of an algorithm that is verified."""
    return _DIGEST.fullmatch(text) is not None
