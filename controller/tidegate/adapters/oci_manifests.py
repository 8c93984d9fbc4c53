"""Manifests and indexes of the OCI image specification, and Docker's of the same shape, as values."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.adapters.oci_errors import DigestMismatch, InvalidManifest
from tidegate.adapters.oci_url import is_digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
_MANIFESTS = frozenset((OCI_MANIFEST, DOCKER_MANIFEST))
_INDEXES = frozenset((OCI_INDEX, DOCKER_INDEX))
KNOWN_TYPES = _MANIFESTS | _INDEXES
ACCEPT = ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX))
_LARGEST = 1 << 62


@dataclass(frozen=True)
class Descriptor:
    """What something is, and which bytes. `platform` is "linux/amd64" and the like, in an index.

    Its `urls` are not kept: nobody is to follow them (O4).
    """

    media_type: str
    digest: str
    size: int
    platform: str = field(default="", compare=False)
    annotations: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Manifest:
    """A manifest (`config`, `layers`) or an index (`manifests`)."""

    media_type: str
    digest: str
    annotations: Mapping[str, str]
    config: Descriptor | None
    layers: list[Descriptor]
    manifests: list[Descriptor]


def digest_of(content: bytes) -> str:
    """The digest of `content`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def require_digest(content: bytes, digest: str, where: str) -> None:
    """
    Raises:
        DigestMismatch: `content` is something else.
    """
    actual = digest_of(content)
    if actual != digest:
        raise DigestMismatch(f"{where}: the manifest has the digest {actual}, not {digest}")


def parse(content: bytes, content_type: str, where: str) -> Manifest:
    """The manifest in `content`, which the registry says is a `content_type`.

    Raises:
        InvalidManifest: it is none, or one that different readers could take for different things (O2).
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidManifest(f"{where}: the manifest is not JSON") from error
    if not isinstance(document, dict) or document.get("schemaVersion") != 2:
        raise InvalidManifest(f"{where}: the manifest is not of schema version 2")
    try:
        return _manifest(document, _media_type(document, content_type), digest_of(content))
    except _Malformed as error:
        raise InvalidManifest(f"{where}: {error}") from error


class _Malformed(Exception):
    """Says what is wrong, but not where."""


def _media_type(document: dict[str, Any], content_type: str) -> str:
    written = document.get("mediaType", content_type)
    kind = content_type.partition(";")[0].strip().lower()
    if written not in (kind, content_type):
        raise _Malformed("the manifest's mediaType is not its Content-Type")
    if kind not in KNOWN_TYPES:
        raise _Malformed("the manifest is of a type that is not supported")
    return kind


def _manifest(document: dict[str, Any], media_type: str, digest: str) -> Manifest:
    annotations = _annotations(document)
    if media_type in _INDEXES:
        if "layers" in document or "config" in document:
            raise _Malformed("an index must have no layers")
        return Manifest(media_type, digest, annotations, None, [], _descriptors(document, "manifests"))
    if "manifests" in document:
        raise _Malformed("a manifest must have no manifests")
    config = _descriptor(document.get("config"))
    return Manifest(media_type, digest, annotations, config, _descriptors(document, "layers"), [])


def _descriptors(document: dict[str, Any], name: str) -> list[Descriptor]:
    items = document.get(name)
    if not isinstance(items, list):
        raise _Malformed(f"the manifest has no list of {name}")
    return [_descriptor(item) for item in items]


def _descriptor(item: object) -> Descriptor:
    if not isinstance(item, dict):
        raise _Malformed("a descriptor is missing or no object")
    media_type, digest, size = item.get("mediaType"), item.get("digest"), item.get("size")
    if not isinstance(media_type, str) or not 0 < len(media_type) < 256 or not media_type.isprintable():
        raise _Malformed("a descriptor has no mediaType")
    if not isinstance(digest, str) or not is_digest(digest):
        raise _Malformed("a descriptor has no digest of sha256")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < _LARGEST:
        raise _Malformed("a descriptor has no size")
    return Descriptor(media_type, digest, size, _platform(item), _annotations(item))


def _platform(item: dict[str, Any]) -> str:
    platform = item.get("platform")
    if not isinstance(platform, dict):
        return ""
    return f"{platform.get('os', '')}/{platform.get('architecture', '')}"


def _annotations(item: dict[str, Any]) -> dict[str, str]:
    annotations = item.get("annotations") or {}
    if not isinstance(annotations, dict) or not all(isinstance(value, str) for value in annotations.values()):
        raise _Malformed("annotations must be texts")
    return annotations
