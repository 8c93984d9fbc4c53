"""Artifacts on disk: published whole or not at all, verified at each look, and collected when superseded.

Layout and names are Flux's (`<kind>/<namespace>/<name>/<file>`), so either may take over the other's volume.
"""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tidegate.runtime import clock
from tidegate.runtime.errors import TidegateError
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.objects import ObjectKey

ALGORITHMS = ("sha256", "sha384", "sha512")
CHUNK = 1 << 20
TEMPORARY = ".partial-"
SCAN_LIMIT = 1000


class StorageError(TidegateError):
    """The artifact volume would not take, or no longer has, what belongs there."""


@dataclass(frozen=True)
class Retention:
    """How long and how many superseded artifacts stay (`--artifact-retention-ttl`, `-records`, current one counted)."""

    ttl: timedelta = timedelta(minutes=1)
    records: int = 2


class Storage:
    """The artifacts of one source-controller below `root`; all methods block and belong into a thread.

    `advertised` is the host (and port, and maybe scheme) under which consumers reach the artifact server.
    """

    def __init__(
        self, root: Path, advertised: str, algorithm: str = "sha256", retention: Retention | None = None
    ) -> None:
        if algorithm not in ALGORITHMS:
            raise StorageError(f"unsupported digest algorithm {algorithm!r}, known are {', '.join(ALGORITHMS)}")
        self.root = root
        self._base = advertised if "://" in advertised else f"http://{advertised}"
        self.algorithm = algorithm
        self._retention = retention or Retention()
        self._verified: dict[str, tuple[int, int, str]] = {}

    def url(self, path: str) -> str:
        """Where consumers find the artifact at `path`."""
        return f"{self._base.rstrip('/')}/{path}"

    @contextmanager
    def staging(self, kind: str, key: ObjectKey, name: str) -> Iterator["Staged"]:
        """A free place beside file `name` of the object for a new file; what is not published is gone after the block.

        Raises: StorageError when the disk will not have it.
        """
        path = f"{kind.lower()}/{key.namespace}/{key.name}/{name}"
        target = self.locate(path)
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot store artifact {path}: {error.strerror or error}") from error
        # A name and no file yet: whoever writes it insists on making it anew.
        staged = Staged(target.parent / f"{TEMPORARY}{secrets.token_hex(8)}", path)
        try:
            yield staged
        finally:
            staged.file.unlink(missing_ok=True)

    def publish(self, staged: "Staged", revision: str, digest: str) -> Artifact:
        """Put a staged file in its place, durably, and describe it; `digest` is of the file, in `algorithm`.

        A crash at any instruction leaves either the old files or the new one whole (F19). Raises: StorageError.
        """
        target = self.locate(staged.path)
        try:
            _sync(staged.file)
            staged.file.replace(target)
            _sync(target.parent)
            status = target.stat()
        except OSError as error:
            raise StorageError(f"cannot store artifact {staged.path}: {error.strerror or error}") from error
        self._verified[staged.path] = (status.st_size, status.st_mtime_ns, digest)
        return Artifact(
            path=staged.path,
            url=self.url(staged.path),
            revision=revision,
            digest=digest,
            last_update_time=clock.utc_now(),
            size=status.st_size,
        )

    def holds(self, artifact: Artifact) -> bool:
        """Whether the artifact's file is there and hashes to its digest; a file that does not is removed.

        A file is hashed once a process: after that its size and time of change must stay as they were.
        """
        try:
            target = self.locate(artifact.path)
            status = target.stat(follow_symlinks=False)
        except (StorageError, OSError):
            return False
        seen = (status.st_size, status.st_mtime_ns, artifact.digest)
        if self._verified.get(artifact.path) == seen:
            return True
        if _digest(target, artifact.digest.partition(":")[0]) != artifact.digest:
            target.unlink(missing_ok=True)
            return False
        self._verified[artifact.path] = seen
        return True

    def locate(self, path: str) -> Path:
        """The file of an artifact path, which comes from a status or a URL and is input.

        Raises: StorageError unless it is exactly `kind/namespace/name/file` with no part that is hidden or special.
        """
        parts = path.split("/")
        if len(parts) != 4 or any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            raise StorageError("not an artifact path")
        return self.root.joinpath(*parts)

    def find_newest(self, path: str) -> Path | None:
        """The file that was published last in the directory of `path`. Raises: StorageError."""
        directory = self.locate(path).parent
        published = (entry for entry in _files(directory, besides="") if not entry[0].startswith(TEMPORARY))
        newest = max(published, key=lambda entry: entry[1], default=None)
        return directory / newest[0] if newest is not None else None

    def collect(self, artifact: Artifact) -> list[str]:
        """Remove superseded files beside the current `artifact`, by age and by number; the names removed."""
        current = self.locate(artifact.path)
        others = sorted(_files(current.parent, besides=current.name), key=lambda entry: -entry[1])
        limit = time.time() - self._retention.ttl.total_seconds()
        gone = [
            name
            for place, (name, changed) in enumerate(others, start=2)
            if changed < limit or place > self._retention.records
        ]
        for name in gone:
            (current.parent / name).unlink(missing_ok=True)
        return gone

    def remove_all(self, kind: str, key: ObjectKey) -> int:
        """Remove every file of an object; how many there were."""
        directory = self.locate(f"{kind.lower()}/{key.namespace}/{key.name}/any").parent
        count = len(list(_files(directory, besides="")))
        shutil.rmtree(directory, ignore_errors=True)
        self._verified = {
            path: seen for path, seen in self._verified.items() if not path.startswith(f"{kind.lower()}/{key}/")
        }
        return count

    def prepare(self) -> None:
        """Make the root, and remove what writes of an earlier life left half done. Raises: StorageError."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot use storage path {self.root}: {error.strerror or error}") from error
        for leftover in self.root.glob(f"*/*/*/{TEMPORARY}*"):
            leftover.unlink(missing_ok=True)


@dataclass(frozen=True)
class Staged:
    """A file on its way to the artifact path `path`."""

    file: Path
    path: str

    def named(self, name: str) -> "Staged":
        """The same file, on its way to another name in its directory."""
        return Staged(self.file, f"{self.path.rpartition('/')[0]}/{name}")


def _sync(path: Path) -> None:
    """Bring a file or a directory to the disk itself."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(path: Path, algorithm: str) -> str:
    if algorithm not in ALGORITHMS:
        return ""
    hasher = hashlib.new(algorithm)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
    return f"{algorithm}:{hasher.hexdigest()}"


def _files(directory: Path, besides: str) -> Iterator[tuple[str, float]]:
    """Name and time of change of the regular files in `directory`, bounded."""
    if not directory.is_dir():
        return
    with os.scandir(directory) as entries:
        for count, entry in enumerate(entries):
            if count >= SCAN_LIMIT:
                return
            if entry.name != besides and entry.is_file(follow_symlinks=False) and not entry.name.endswith(".lock"):
                yield entry.name, entry.stat(follow_symlinks=False).st_mtime
