"""The files of a packaged chart, read in bounds as Helm's loader reads them, and packed again without some of them."""

import gzip
import io
import posixpath
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from tidegate.adapters.bounds import ArchiveLimits, ArchiveTooLarge
from tidegate.adapters.gzip_stream import GzipStream, InvalidArchive

LIMITS = ArchiveLimits(entries=20_000, size=100 << 20, file_size=5 << 20, ratio_from=10 << 20)
MAX_ARCHIVE = 10 << 20
SCHEMA = "values.schema.json"
CHART_FILE = "Chart.yaml"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DRIVE = re.compile(r"^[a-zA-Z]:/")
_NANOSECONDS = 9


@dataclass(frozen=True, slots=True)
class ChartFile:
    """A file of a chart; its name is relative to the chart's directory, `modified` RFC 3339 as Go writes it."""

    name: str
    data: bytes
    modified: str


def read(archive: bytes) -> list[ChartFile]:
    """The files of a chart in the order of the archive.

    Raises:
        InvalidArchive: it is no gzip of a tar, or holds what Helm refuses: links, devices, paths that lead out.
        ArchiveTooLarge: it breaks a bound.
    """
    if len(archive) > MAX_ARCHIVE:
        raise ArchiveTooLarge(f"{MAX_ARCHIVE} bytes")
    try:
        with tarfile.open(fileobj=_Inflated(archive), mode="r|") as tar:
            files = list(_files(tar))
    except tarfile.TarError as error:
        raise InvalidArchive(f"the chart is no valid tar: {error}") from error
    if not files:
        raise InvalidArchive("no files in chart archive")
    return files


def charts(files: list[ChartFile], path: str = "") -> Iterator[tuple[str, list[ChartFile]]]:
    """A chart and its subcharts, with the path of each below the first.

    Raises: InvalidArchive, ArchiveTooLarge for a packed subchart.
    """
    yield path, files
    for name, content in _subcharts(files).items():
        below = posixpath.join(path, "charts", name)
        if name.endswith(".tgz"):
            yield from charts(read(content[0].data), below)
        else:
            yield from charts(content, below)


def without_schemas(archive: bytes) -> bytes:
    """The chart with no schema for its values, nor for those of its subcharts. Raises: as `read`."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as zipped, tarfile.open(None, "w", zipped) as tar:
        for file in read(archive):
            if posixpath.basename(file.name) == SCHEMA:
                continue
            is_subchart = posixpath.dirname(file.name).endswith("charts") and file.name.endswith(".tgz")
            data = without_schemas(file.data) if is_subchart else file.data
            entry = tarfile.TarInfo(f"chart/{file.name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def with_chart_file(archive: bytes, text: bytes) -> bytes:
    """The chart with another Chart.yaml, and all else, times included, as it was. Raises: as `read`."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as zipped, tarfile.open(None, "w", zipped) as tar:
        for file in read(archive):
            data = text if file.name == CHART_FILE else file.data
            entry = tarfile.TarInfo(f"chart/{file.name}")
            entry.size = len(data)
            entry.pax_headers = {"mtime": _seconds(file.modified)}
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


class _Inflated(io.RawIOBase):
    """The tar inside of a chart, within the bounds; short at its end, as tarfile wants it."""

    def __init__(self, archive: bytes) -> None:
        self._stream = GzipStream(io.BytesIO(archive), LIMITS)

    def read(self, size: int = -1) -> bytes:
        blocks = bytearray()
        while len(blocks) < size and (block := self._stream.read_block()) is not None:
            blocks += block
        return bytes(blocks)


def _files(tar: tarfile.TarFile) -> Iterator[ChartFile]:
    for count, entry in enumerate(tar):
        if count >= LIMITS.entries:
            raise ArchiveTooLarge(f"{LIMITS.entries} entries")
        if entry.isdir():
            continue
        if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise InvalidArchive(f"the chart holds what is neither a file nor a directory: {entry.name[:256]!r}")
        name = _name(entry.name)
        if entry.size > LIMITS.file_size:
            raise ArchiveTooLarge(f"{LIMITS.file_size} bytes in one file", name)
        content = tar.extractfile(entry)
        data = content.read() if content is not None else b""
        yield ChartFile(name, data.removeprefix(_BYTE_ORDER_MARK), _modified(entry))


def _name(path: str) -> str:
    """The path below the chart's directory. Raises: InvalidArchive, in Helm's words."""
    parts = path.split("\\" if "\\" in path else "/")
    name = "/".join(parts[1:])
    if name.startswith("/"):
        raise InvalidArchive("chart illegally contains absolute paths")
    name = posixpath.normpath(name) if name else "."
    if name == ".":
        raise InvalidArchive(f"chart illegally contains content outside the base directory: {path[:256]!r}")
    if name.startswith(".."):
        raise InvalidArchive("chart illegally references parent directory")
    if _DRIVE.match(name) or "\0" in name:
        raise InvalidArchive("chart contains illegally named files")
    if parts[0] == CHART_FILE:
        raise InvalidArchive("chart yaml not in base directory")
    return name


def _modified(entry: tarfile.TarInfo) -> str:
    whole, _, fraction = str(entry.pax_headers.get("mtime", int(entry.mtime))).partition(".")
    try:
        moment = datetime.fromtimestamp(int(whole), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "1970-01-01T00:00:00Z"
    digits = fraction[:_NANOSECONDS].rstrip("0")
    return f"{moment}.{digits}Z" if digits.isdigit() else f"{moment}Z"


def _subcharts(files: list[ChartFile]) -> dict[str, list[ChartFile]]:
    """What lies in charts/, by name: one packed file, or the files of a directory."""
    found: dict[str, list[ChartFile]] = {}
    for file in files:
        if not file.name.startswith("charts/") or file.name.endswith(".prov"):
            continue
        name, slash, inner = file.name.removeprefix("charts/").partition("/")
        if name.startswith(("_", ".")) or (not slash and not name.endswith(".tgz")):
            continue
        found.setdefault(name, []).append(ChartFile(inner or name, file.data, file.modified))
    return found


def _seconds(modified: str) -> str:
    """What `_modified` read: seconds since 1970, with the digits of a fraction."""
    whole, _, fraction = modified.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return f"{seconds}.{fraction}" if fraction else str(seconds)
