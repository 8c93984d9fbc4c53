"""Small charts for tests, packed in memory."""

import gzip
import io
import tarfile
from collections.abc import Mapping

CHART = "apiVersion: v2\nname: app\nversion: 1.2.3\nappVersion: '9'\n"


def a_chart(files: Mapping[str, str | bytes] | None = None, *, chart: str = CHART) -> bytes:
    """A packaged chart named app with `files` beside its Chart.yaml."""
    return packed({"app/Chart.yaml": chart, **{f"app/{name}": content for name, content in (files or {}).items()}})


def packed(files: Mapping[str, str | bytes]) -> bytes:
    """A tar.gz of `files` as they are named."""
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as zipped, tarfile.open(None, "w", zipped) as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return target.getvalue()
