"""What a packaged chart says of itself: its name and versions."""

from dataclasses import dataclass

from tidegate.adapters import chart_archive, yaml
from tidegate.adapters.bounds import ArchiveTooLarge
from tidegate.adapters.gzip_stream import InvalidArchive
from tidegate.adapters.yaml import DuplicateKeys, YamlError
from tidegate.runtime.errors import TidegateError


class InvalidChart(TidegateError):
    """An archive is no chart, or breaks a bound."""


@dataclass(frozen=True)
class ChartHead:
    """The beginning of a chart's Chart.yaml."""

    name: str
    version: str


def read(archive: bytes) -> ChartHead:
    """The head of a packaged chart, all of which has been looked at. Raises: InvalidChart."""
    try:
        files = chart_archive.read(archive)
        text = next((file.data for file in files if file.name == chart_archive.CHART_FILE), b"")
        head = yaml.load(text, duplicate_keys=DuplicateKeys.LAST)
    except (InvalidArchive, ArchiveTooLarge, YamlError) as error:
        raise InvalidChart(str(error)) from error
    if not isinstance(head, dict):
        raise InvalidChart("Chart.yaml file is missing or empty")
    name, version = head.get("name"), head.get("version")
    if not isinstance(name, str) or not isinstance(version, str):
        raise InvalidChart("Chart.yaml has no name or no version")
    return ChartHead(name, version)
