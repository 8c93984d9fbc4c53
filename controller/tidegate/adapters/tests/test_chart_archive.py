import io
import tarfile

import pytest

from tidegate.adapters import chart_archive
from tidegate.adapters.bounds import ArchiveTooLarge
from tidegate.adapters.gzip_stream import InvalidArchive
from tidegate.adapters.tests.charts import CHART, a_chart, packed


def test_files_come_in_the_order_of_the_archive_without_byte_order_marks() -> None:
    files = chart_archive.read(a_chart({"values.yaml": b"\xef\xbb\xbfa: 1", "logo.png": b"\x89PNG\xff"}))

    assert [(file.name, file.data) for file in files] == [
        ("Chart.yaml", CHART.encode()),
        ("values.yaml", b"a: 1"),
        ("logo.png", b"\x89PNG\xff"),
    ]
    assert {file.modified for file in files} == {"1970-01-01T00:00:00Z"}


def test_times_keep_their_nanoseconds() -> None:
    entry = tarfile.TarInfo("app/a")
    entry.pax_headers = {"mtime": "1600000000.120000000"}
    target = io.BytesIO()
    with tarfile.open(None, "w:gz", target, format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(entry)

    assert chart_archive.read(target.getvalue())[0].modified == "2020-09-13T12:26:40.12Z"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("app/../../x", "references parent directory", id="parent"),
        pytest.param("app//etc/passwd", "absolute paths", id="absolute"),
        pytest.param("app\\..\\..\\x", "references parent directory", id="windows"),
        pytest.param("app/c:/x", "illegally named", id="drive"),
        pytest.param("file", "outside the base directory", id="no-folder"),
        pytest.param("Chart.yaml/x", "not in base directory", id="chart-file"),
    ],
)
def test_h5_paths_that_lead_out_are_refused(name: str, reason: str) -> None:
    with pytest.raises(InvalidArchive, match=reason):
        chart_archive.read(packed({name: ""}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_h5_links_and_devices_are_refused(kind: bytes) -> None:
    target = io.BytesIO()
    with tarfile.open(None, "w:gz", target) as tar:
        entry = tarfile.TarInfo("app/x")
        entry.type, entry.linkname = kind, "/etc/passwd"
        tar.addfile(entry)

    with pytest.raises(InvalidArchive, match="neither a file nor a directory"):
        chart_archive.read(target.getvalue())


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"app/bomb": bytes(6 << 20)}, id="large-file"),
        pytest.param({f"app/{number}": bytes(4 << 20) for number in range(26)}, id="large-in-all"),
        pytest.param({f"app/{number}": "" for number in range(20_001)}, id="many"),
    ],
)
def test_h5_what_is_beyond_the_bounds_is_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(ArchiveTooLarge):
        chart_archive.read(packed(files))


@pytest.mark.parametrize("archive", [b"", b"no gzip", packed({}), packed({"app/a": "1"})[:40]])
def test_what_is_no_archive_is_refused(archive: bytes) -> None:
    with pytest.raises(InvalidArchive):
        chart_archive.read(archive)


def test_subcharts_are_found_packed_and_unpacked() -> None:
    inner = a_chart({"charts/deep/Chart.yaml": CHART})
    outer = a_chart(
        {"charts/a/Chart.yaml": CHART, "charts/b-1.0.0.tgz": inner, "charts/README.md": "", "charts/.x/y": ""}
    )

    paths = [path for path, _ in chart_archive.charts(chart_archive.read(outer))]
    assert paths == ["", "charts/a", "charts/b-1.0.0.tgz", "charts/b-1.0.0.tgz/charts/deep"]


def test_schemas_are_left_out_everywhere() -> None:
    inner = a_chart({"values.schema.json": "{}", "a": "1"})
    chart = a_chart({"values.schema.json": "{}", "charts/i.tgz": inner, "charts/s/values.schema.json": "{}"})

    left = chart_archive.without_schemas(chart)
    names = [file.name for _, files in chart_archive.charts(chart_archive.read(left)) for file in files]
    assert names == ["Chart.yaml", "charts/i.tgz", "Chart.yaml", "a"]
