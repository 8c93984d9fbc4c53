"""Where a chart of a HelmRepository is, and how its archive is had: by an index over HTTP, or from a registry."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from tidegate.adapters import chart_archive, helm_index, yaml
from tidegate.adapters.bounds import ArchiveTooLarge
from tidegate.adapters.gzip_stream import InvalidArchive
from tidegate.adapters.helm_index import ChartNotFound, InvalidIndex
from tidegate.adapters.http_files import HttpAuth, HttpError, HttpFiles, Unauthorized
from tidegate.adapters.versions import InvalidRange, parse_version
from tidegate.adapters.yaml import DuplicateKeys, YamlError
from tidegate.runtime import threads
from tidegate.runtime.errors import TidegateError


class ChartUnauthorized(TidegateError):
    """The server wants other credentials."""


class ChartReferenceInvalid(TidegateError):
    """There is no such chart, or no version of it that fits."""


class ChartPullFailed(TidegateError):
    """The chart could not be fetched, or is not what it should be."""


@dataclass(frozen=True)
class Chart:
    """A version of a chart that was found, and where it is in the words of its source; `digest` is SHA-256 or ""."""

    name: str
    version: str
    location: str
    digest: str = ""


class ChartSource(Protocol):
    """A repository as one HelmChart sees it."""

    async def find(self, name: str, wanted: str) -> Chart:
        """The chart in the version, or the newest in the range, `wanted`.

        Raises: ChartReferenceInvalid, ChartUnauthorized, ChartPullFailed.
        """

    async def pull(self, chart: Chart, target: Path) -> str:
        """Bring the archive of `chart` into the new file `target`; its SHA-256.

        Raises: ChartUnauthorized, ChartPullFailed.
        """


@dataclass(frozen=True)
class IndexedCharts:
    """The charts in the index of an HTTP repository, which is at hand as a file."""

    files: HttpFiles
    index: Path
    auth: HttpAuth
    timeout: timedelta

    async def find(self, name: str, wanted: str) -> Chart:
        """As ChartSource says."""
        try:
            entries = await threads.run(lambda: helm_index.find_versions(self.index.read_bytes(), name))
            entry = helm_index.select(entries, wanted)
        except (ChartNotFound, InvalidRange) as error:
            text = f"no '{name}' chart with version matching '{wanted}' found: {error}"
            raise ChartReferenceInvalid(f"failed to get chart version for remote reference: {text}") from error
        except (InvalidIndex, OSError) as error:
            raise ChartPullFailed(f"failed to load index: {error}") from error
        return Chart(name, entry.version, _located(self.auth.url, entry.url), entry.digest)

    async def pull(self, chart: Chart, target: Path) -> str:
        """As ChartSource says."""
        limit = chart_archive.MAX_ARCHIVE
        try:
            found = await self.files.download(chart.location, target, self.auth, limit=limit, within=self.timeout)
        except Unauthorized as error:
            raise ChartUnauthorized(f"failed to download chart for remote reference: {error}") from error
        except HttpError as error:
            raise ChartPullFailed(f"failed to download chart for remote reference: {error}") from error
        if chart.digest and chart.digest != found.sha256:
            raise ChartPullFailed(f"the chart's digest {found.sha256} is not that of the index, {chart.digest}")
        return found.sha256


def require_chart(archive: bytes, chart: Chart) -> None:
    """Whether `archive` is the chart that it was asked for as; its name and version become parts of paths (H6).

    Raises: ChartPullFailed.
    """
    try:
        files = chart_archive.read(archive)
        text = next((file.data for file in files if file.name == chart_archive.CHART_FILE), b"")
        head = yaml.load(text, duplicate_keys=DuplicateKeys.LAST)
    except (InvalidArchive, ArchiveTooLarge, YamlError) as error:
        raise ChartPullFailed(f"failed to load chart: {error}") from error
    if not isinstance(head, dict):
        raise ChartPullFailed("failed to load chart: Chart.yaml file is missing or empty")
    name, version = head.get("name"), head.get("version")
    if name != chart.name.rpartition("/")[2] or version != chart.version:
        raise ChartPullFailed(f"the archive holds chart {name!r:.64} {version!r:.64}, not {chart.name} {chart.version}")
    if not is_file_name(str(name)) or parse_version(str(version)) is None:
        raise ChartPullFailed(f"the chart's name or version is not usable: {name!r:.64} {version!r:.64}")


def is_file_name(name: str) -> bool:
    """Whether a chart's name can be part of a file's name."""
    return name not in ("", ".", "..") and all(char.isalnum() or char in "-_." for char in name) and name.isascii()


def _located(base: str, url: str) -> str:
    """The address of a chart whose URL in the index is `url`; queries of the index's own address are kept."""
    if urlsplit(url).scheme:
        return url
    located = urljoin(base, url)
    query = urlsplit(base).query
    return f"{located}?{query}" if query and not urlsplit(located).query else located
