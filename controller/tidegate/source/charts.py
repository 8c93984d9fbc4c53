"""Where a chart of a HelmRepository is, and how its archive is had: by an index over HTTP, or from a registry."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from tidegate.adapters import chart_archive, chart_head, helm_index, oci
from tidegate.adapters.chart_head import InvalidChart
from tidegate.adapters.helm_index import ChartNotFound, InvalidIndex
from tidegate.adapters.http_files import HttpAuth, HttpError, HttpFiles, Unauthorized
from tidegate.adapters.oci import Registries, Repository
from tidegate.adapters.oci_auth import RegistryAuth
from tidegate.adapters.oci_errors import AuthenticationFailed, InvalidUrl, OciError
from tidegate.adapters.oci_url import OciUrl
from tidegate.adapters.versions import InvalidRange, NoMatchingVersion, parse_version, select_version
from tidegate.runtime import threads
from tidegate.runtime.errors import TidegateError

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


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
        return Chart(name, entry.version, located(self.auth.url, entry.url), entry.digest)

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


@dataclass(frozen=True)
class RegistryCharts:
    """The charts below an address of an OCI registry, each a repository of its own."""

    registries: Registries
    url: str
    auth: RegistryAuth
    timeout: timedelta

    async def find(self, name: str, wanted: str) -> Chart:
        """As ChartSource says; an exact version is asked for itself, without a list of all."""
        try:
            repository = self._repository(name)
            version = wanted if _is_exact(wanted) else _newest(await repository.tags(), wanted)
            found = await repository.resolve(_to_tag(version))
        except (InvalidRange, NoMatchingVersion) as error:
            text = f"could not locate a version matching provided version string {wanted}"
            raise ChartReferenceInvalid(f"failed to get chart version for remote reference: {text}") from error
        except InvalidUrl as error:
            raise ChartReferenceInvalid(str(error)) from error
        except AuthenticationFailed as error:
            raise ChartUnauthorized(f"failed to get chart version for remote reference: {error}") from error
        except OciError as error:
            raise ChartPullFailed(f"failed to download chart for remote reference: {error}") from error
        return Chart(name, version, found.digest)

    async def pull(self, chart: Chart, target: Path) -> str:
        """As ChartSource says."""
        try:
            repository = self._repository(chart.name)
            manifest = await oci.read_image(repository, chart.location)
            layer = next((layer for layer in manifest.layers if layer.media_type == CHART_LAYER), None)
            if layer is None or layer.size > chart_archive.MAX_ARCHIVE:
                raise ChartPullFailed("the artifact is no chart, or a chart that is too large")
            await repository.download(layer, target)
        except AuthenticationFailed as error:
            raise ChartUnauthorized(f"failed to download chart for remote reference: {error}") from error
        except OciError as error:
            raise ChartPullFailed(f"failed to download chart for remote reference: {error}") from error
        return layer.digest.partition(":")[2]

    def _repository(self, name: str) -> Repository:
        url = OciUrl.parse(f"{self.url.rstrip('/')}/{name}")
        return self.registries.repository(url, self.auth, self.timeout)


def _is_exact(wanted: str) -> bool:
    return wanted[:1].isdigit() and parse_version(wanted) is not None


def _newest(tags: list[str], wanted: str) -> str:
    """The version of the tag that fits best. Raises: InvalidRange, NoMatchingVersion."""
    return select_version(wanted or "*", [tag.replace("_", "+") for tag in tags])


def _to_tag(version: str) -> str:
    """Tags have no plus sign: Helm writes an underscore for it."""
    return version.replace("+", "_")


def require_chart(archive: bytes, chart: Chart) -> None:
    """Whether `archive` is the chart that it was asked for as; its name and version become parts of paths (H6).

    Raises: ChartPullFailed.
    """
    try:
        head = chart_head.read(archive)
    except InvalidChart as error:
        raise ChartPullFailed(f"failed to load chart: {error}") from error
    found = f"{head.name!r:.64} {head.version!r:.64}"
    if (head.name, head.version) != (chart.name.rpartition("/")[2], chart.version):
        raise ChartPullFailed(f"the archive holds chart {found}, not {chart.name} {chart.version}")
    if not is_file_name(head.name) or parse_version(head.version) is None:
        raise ChartPullFailed(f"the chart's name or version is not usable: {found}")


def is_file_name(name: str) -> bool:
    """Whether a chart's name can be part of a file's name."""
    return name not in ("", ".", "..") and all(char.isalnum() or char in "-_." for char in name) and name.isascii()


def located(base: str, url: str) -> str:
    """The address of a chart whose URL in the index is `url`; queries of the index's own address are kept."""
    if urlsplit(url).scheme:
        return url
    found = urljoin(base, url)
    query = urlsplit(base).query
    return f"{found}?{query}" if query and not urlsplit(found).query else found
