"""What a packaged chart says of itself: its name and versions."""

from dataclasses import dataclass

from tidegate.adapters import chart_archive, yaml
from tidegate.adapters.bounds import ArchiveTooLarge
from tidegate.adapters.gzip_stream import InvalidArchive
from tidegate.adapters.yaml import DuplicateKeys, YamlError
from tidegate.runtime.errors import TidegateError
from tidegate_api.codec import JsonObject


class InvalidChart(TidegateError):
    """An archive is no chart, or breaks a bound."""


@dataclass(frozen=True)
class ChartHead:
    """The beginning of a chart's Chart.yaml."""

    name: str
    version: str
    app_version: str = ""


def read(archive: bytes) -> ChartHead:
    """The head of a packaged chart, all of which has been looked at. Raises: InvalidChart."""
    head = _parse(archive)
    name, version = head.get("name"), head.get("version")
    if not isinstance(name, str) or not isinstance(version, str):
        raise InvalidChart("Chart.yaml has no name or no version")
    return ChartHead(name, version, str(head.get("appVersion") or ""))


def with_version(archive: bytes, version: str) -> bytes:
    """The same chart in another version. Raises: InvalidChart."""
    text = yaml.dump({**_parse(archive), "version": version})
    return chart_archive.with_chart_file(archive, text.encode())


def _parse(archive: bytes) -> JsonObject:
    try:
        files = chart_archive.read(archive)
        text = next((file.data for file in files if file.name == chart_archive.CHART_FILE), b"")
        head = yaml.load(text, duplicate_keys=DuplicateKeys.LAST)
    except (InvalidArchive, ArchiveTooLarge, YamlError) as error:
        raise InvalidChart(str(error)) from error
    if not isinstance(head, dict):
        raise InvalidChart("Chart.yaml file is missing or empty")
    return head
