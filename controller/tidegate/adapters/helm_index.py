"""Helm repository indexes, scanned for one chart and not parsed as a whole: they hold thousands of charts (DESIGN §6).

In block style, which Helm and all hosts write, a chart is the lines between its name and the next: these alone are
parsed. An index in another style is read as JSON, or as a whole within the bounds of any YAML.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from tidegate.adapters import versions, yaml
from tidegate.adapters.versions import NoMatchingVersion
from tidegate.adapters.yaml import DuplicateKeys, YamlError
from tidegate.runtime.errors import TidegateError

MAX_INDEX = 256 << 20
_KEY = rb"""(?:"[^"\n]*"|'[^'\n]*'|[A-Za-z0-9_][^\n:#]*?)"""
_TOP_KEY = re.compile(rb"(?m)^(" + _KEY + rb")[ ]*:(?=[ \t\r\n])")
_ENTRIES = re.compile(rb"(?m)^(?:entries|\"entries\")[ ]*:[ \t]*(?:#[^\n]*)?\r?\n")
_FIRST = re.compile(rb"(?m)^([ ]*)(?=[^\s#])")
_EPOCH = datetime.fromtimestamp(0, UTC)


class InvalidIndex(TidegateError):
    """Bytes are no index of a Helm repository, or break a bound."""


class ChartNotFound(TidegateError):
    """The index has no such chart, or no version of it that fits."""


@dataclass(frozen=True)
class ChartEntry:
    """One version of a chart; `url` may be relative to the index, `digest` is the archive's SHA-256 or ""."""

    name: str
    version: str
    url: str
    digest: str
    created: datetime


class _Head(msgspec.Struct):
    apiVersion: str = ""  # noqa: N815 - its name in the file
    entries: dict[str, msgspec.Raw] = {}


def require_index(index: bytes) -> None:
    """Raises: InvalidIndex unless it has the marks of an index."""
    if len(index) > MAX_INDEX:
        raise InvalidIndex(f"the index is larger than {MAX_INDEX} bytes")
    if not index.strip():
        raise InvalidIndex("the index is empty")
    if _is_json(index):
        _read_json(index)
    elif _is_block(index):
        keys = {key.strip(b"\"'") for key in _TOP_KEY.findall(index)}
        if b"apiVersion" not in keys:
            raise InvalidIndex("no API version specified")
    else:
        _read_whole(index)


def find_versions(index: bytes, name: str) -> list[ChartEntry]:
    """The usable versions of chart `name`; entries that are none are left out, as Helm does.

    Raises: InvalidIndex, ChartNotFound.
    """
    entries = _read_json(index).get(name) if _is_json(index) else _read_yaml(index, name)
    if entries is None:
        raise ChartNotFound("no chart name found")
    found = [entry for item in entries if (entry := _entry(name, item)) is not None]
    if not found:
        raise ChartNotFound("no chart version found")
    return found


def select(entries: Iterable[ChartEntry], wanted: str) -> ChartEntry:
    """The entry whose version is `wanted`, else the newest in that range; of equals the one made last.

    Raises: InvalidRange, ChartNotFound.
    """
    by_version: dict[str, ChartEntry] = {}
    for entry in entries:
        known = by_version.get(entry.version)
        if known is None or entry.created > known.created:
            by_version[entry.version] = entry
    if wanted in by_version:
        return by_version[wanted]
    times = {entry.version: entry.created for entry in by_version.values()}
    try:
        return by_version[versions.select_version(wanted or "*", by_version, times)]
    except NoMatchingVersion as error:
        raise ChartNotFound(f"no chart version found for '{wanted}'") from error


def _is_json(index: bytes) -> bool:
    return index.lstrip()[:1] == b"{"


def _is_block(index: bytes) -> bool:
    return _ENTRIES.search(index) is not None


def _read_json(index: bytes) -> dict[str, list[Any]]:
    try:
        head = msgspec.json.decode(index, type=_Head)
        entries = {name: msgspec.json.decode(raw) or [] for name, raw in head.entries.items()}
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidIndex(f"failed to read the index as JSON: {error}") from error
    if not head.apiVersion:
        raise InvalidIndex("no API version specified")
    return {name: items for name, items in entries.items() if isinstance(items, list)}


def _read_yaml(index: bytes, name: str) -> list[Any] | None:
    if not _is_block(index):
        return _read_whole(index).get(name)
    found: list[Any] | None = None
    for piece in _pieces(index, name):
        try:
            document = yaml.load(piece, duplicate_keys=DuplicateKeys.LAST)
        except YamlError:
            # Anchors from elsewhere, or an indentation of its own.
            return _read_whole(index).get(name)
        items = next(iter(document.values()), None) if isinstance(document, dict) else None
        # A name that is there twice counts as it was last.
        found = items if isinstance(items, list) else []
    return found


def _pieces(index: bytes, name: str) -> Iterator[bytes]:
    """The lines of each occurrence of chart `name`, its name included."""
    match = _ENTRIES.search(index)
    first = _FIRST.search(index, match.end()) if match is not None else None
    if match is None or first is None or not first[1]:
        return
    indent = re.escape(first[1])
    quoted = re.escape(name.encode())
    header = re.compile(
        rb"(?m)^" + indent + rb"(?:" + quoted + rb"|\"" + quoted + rb"\"|'" + quoted + rb"')[ ]*:(?=\s)"
    )
    # The next name stands as far left, or something stands further left; items of the list begin with a dash.
    following = re.compile(
        rb"(?m)^(?:" + indent + rb"(?=[^\s#-])|[ ]{0," + str(len(first[1]) - 1).encode() + rb"}(?=[^\s#]))"
    )
    end_of_all = next((found.start() for found in _TOP_KEY.finditer(index, match.end())), len(index))
    for found in header.finditer(index, match.end(), end_of_all):
        after = following.search(index, found.end(), end_of_all)
        yield index[found.start() : after.start() if after is not None else end_of_all]


def _read_whole(index: bytes) -> dict[str, list[Any]]:
    try:
        document = yaml.load(index, duplicate_keys=DuplicateKeys.LAST)
    except YamlError as error:
        raise InvalidIndex(f"failed to read the index: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("entries") or {}, dict):
        raise InvalidIndex("it is no index of a Helm repository")
    if not document.get("apiVersion"):
        raise InvalidIndex("no API version specified")
    entries = document.get("entries") or {}
    return {name: items for name, items in entries.items() if isinstance(items, list)}


def _entry(name: str, item: Any) -> ChartEntry | None:
    if not isinstance(item, dict) or versions.parse_version(str(item.get("version", ""))) is None:
        return None
    urls = item.get("urls")
    url = next((url for url in urls if isinstance(url, str) and url), "") if isinstance(urls, list) else ""
    if not url or item.get("name", name) != name:
        return None
    digest = item.get("digest")
    return ChartEntry(
        name=name,
        version=str(item["version"]),
        url=url,
        digest=digest.removeprefix("sha256:") if isinstance(digest, str) else "",
        created=_time(item.get("created")),
    )


def _time(text: Any) -> datetime:
    try:
        found = datetime.fromisoformat(str(text)[:19]) if text else _EPOCH
    except ValueError:
        return _EPOCH
    return found.replace(tzinfo=UTC)
