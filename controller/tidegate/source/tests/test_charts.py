"""Which chart is taken from a repository, and whether its archive is that chart."""

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from aiohttp import web

from tidegate.adapters.http_files import HttpAuth, HttpFiles
from tidegate.adapters.oci import Registries
from tidegate.adapters.oci_auth import RegistryAuth
from tidegate.adapters.oci_manifests import OCI_MANIFEST
from tidegate.adapters.tests import registry as registries
from tidegate.adapters.tests.charts import a_chart, packed
from tidegate.adapters.tests.test_http_files import Handler, serving
from tidegate.source import charts
from tidegate.source.charts import (
    CHART_LAYER,
    Chart,
    ChartPullFailed,
    ChartReferenceInvalid,
    ChartUnauthorized,
    IndexedCharts,
    RegistryCharts,
)

ARCHIVE = a_chart()
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()
WANTED = Chart("app", "1.2.3", "")
SOON = timedelta(seconds=5)


@pytest_asyncio.fixture
async def files() -> AsyncIterator[HttpFiles]:
    async with HttpFiles() as opened:
        yield opened


def answering(body: bytes) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body)

    return answer


def indexed(files: HttpFiles, folder: Path, url: str, **entry: object) -> IndexedCharts:
    index = folder / "index.yaml"
    entries = {"app": [{"version": "1.2.3", "urls": ["app.tgz"], "digest": DIGEST, **entry}]}
    index.write_text(yaml.safe_dump({"apiVersion": "v1", "entries": entries}))
    return IndexedCharts(files, index, HttpAuth(url), SOON)


async def test_a_chart_is_pulled_by_its_place_in_the_index(files: HttpFiles, tmp_path: Path) -> None:
    async with serving(answering(ARCHIVE)) as url:
        source = indexed(files, tmp_path, url)
        found = await source.find("app", "1.x")
        sha256 = await source.pull(found, tmp_path / "chart")

    assert (found.version, found.location, sha256) == ("1.2.3", f"{url}app.tgz", DIGEST)
    assert (tmp_path / "chart").read_bytes() == ARCHIVE


async def test_h4_bytes_that_differ_from_the_index_are_refused(files: HttpFiles, tmp_path: Path) -> None:
    async with serving(answering(a_chart({"more": "x"}))) as url:
        source = indexed(files, tmp_path, url)
        found = await source.find("app", "1.2.3")
        with pytest.raises(ChartPullFailed, match="is not that of the index"):
            await source.pull(found, tmp_path / "chart")


@pytest.mark.parametrize("place", ["file:///etc/passwd", "gopher://127.0.0.1/x"])
async def test_h3_charts_that_are_nowhere_on_the_web_are_refused(files: HttpFiles, tmp_path: Path, place: str) -> None:
    source = indexed(files, tmp_path, "http://127.0.0.1/", urls=[place])

    with pytest.raises(ChartPullFailed, match="no address of http"):
        await source.pull(await source.find("app", "1.2.3"), tmp_path / "chart")


@pytest.mark.parametrize("wanted", ["2.x", "not a range", "9.9.9"])
async def test_no_fitting_version_names_the_chart_and_the_range(files: HttpFiles, tmp_path: Path, wanted: str) -> None:
    with pytest.raises(ChartReferenceInvalid, match=f"no 'app' chart with version matching '{wanted}' found"):
        await indexed(files, tmp_path, "http://127.0.0.1/").find("app", wanted)


async def test_an_index_that_went_missing_is_no_verdict_about_the_chart(files: HttpFiles, tmp_path: Path) -> None:
    source = IndexedCharts(files, tmp_path / "none", HttpAuth("http://127.0.0.1/"), SOON)

    with pytest.raises(ChartPullFailed, match="failed to load index"):
        await source.find("app", "1.x")


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        pytest.param(a_chart(chart="name: app\nversion: 9.9.9\n"), "holds chart 'app' '9.9.9'", id="other-version"),
        pytest.param(a_chart(chart="name: other\nversion: 1.2.3\n"), "holds chart 'other'", id="other-name"),
        pytest.param(a_chart(chart="name: ../../x\nversion: 1.2.3\n"), "holds chart", id="upward"),
        pytest.param(a_chart(chart="name: [a]\nversion: 1.2.3\n"), "no name or no version", id="no-text"),
        pytest.param(a_chart(chart=""), "missing or empty", id="empty"),
        pytest.param(packed({"app/values.yaml": ""}), "missing or empty", id="no-chart-file"),
        pytest.param(b"bytes", "not a gzip archive", id="no-archive"),
    ],
)
def test_h6_an_archive_of_another_chart_is_refused(archive: bytes, reason: str) -> None:
    with pytest.raises(ChartPullFailed, match=reason):
        charts.require_chart(archive, WANTED)


@pytest.mark.parametrize(("name", "version"), [("..", "1.2.3"), (".", "1.2.3"), ("a b", "1.2.3"), ("app", "x/y")])
def test_h6_names_and_versions_that_no_file_may_have_are_refused(name: str, version: str) -> None:
    archive = a_chart(chart=f"name: '{name}'\nversion: '{version}'\n")

    with pytest.raises(ChartPullFailed, match="not usable"):
        charts.require_chart(archive, Chart(name, version, ""))


@pytest.mark.parametrize(("base", "url", "located"), [
    ("http://h/charts/", "a.tgz", "http://h/charts/a.tgz"),
    ("http://h/charts/", "/a.tgz", "http://h/a.tgz"),
    ("http://h/charts/", "https://other/a.tgz", "https://other/a.tgz"),
    ("http://h/charts/?token=1", "a.tgz", "http://h/charts/a.tgz?token=1"),
])  # fmt: skip
def test_places_in_an_index_are_relative_to_it(base: str, url: str, located: str) -> None:
    assert charts.located(base, url) == located


async def test_a_chart_in_a_registry_is_pulled_by_digest(tmp_path: Path) -> None:
    async with registries.running() as registry, Registries() as opened:
        layer = registries.descriptor(ARCHIVE, mediaType=CHART_LAYER)
        content = registries.manifest(layers=[layer])
        registry.serve("manifests/1.2.3", content, OCI_MANIFEST)
        registry.serve(f"manifests/{registries.digest(content)}", content, OCI_MANIFEST)
        registry.serve(f"blobs/{registries.digest(ARCHIVE)}", ARCHIVE)
        url = f"oci://127.0.0.1:{registry.port}/org"
        source = RegistryCharts(opened, url, RegistryAuth(insecure=True), SOON)
        found = await source.find("app", "1.2.3")
        sha256 = await source.pull(found, tmp_path / "chart")

    assert (found.location, sha256) == (registries.digest(content), DIGEST)


async def test_a_registry_that_wants_a_login_is_told_apart(tmp_path: Path) -> None:
    async with registries.running() as registry, Registries() as opened:
        registry.serve("manifests/1.2.3", b"")
        registry.protect('Basic realm="x"')
        source = RegistryCharts(opened, f"oci://127.0.0.1:{registry.port}/org", RegistryAuth(insecure=True), SOON)
        with pytest.raises(ChartUnauthorized):
            await source.find("app", "1.2.3")
