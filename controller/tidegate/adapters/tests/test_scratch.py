"""Temporary directories: gone with their process, or with the next one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.adapters import scratch


@pytest.fixture(autouse=True)
def _own_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_a_directory_is_gone_after_its_block(tmp_path: Path):
    with scratch.directory("tidegate-x-") as made:
        (made / "file").write_text("content")

    assert list(tmp_path.iterdir()) == []


def test_a_directory_in_use_is_left_alone():
    with scratch.directory("tidegate-x-") as first, scratch.directory("tidegate-x-") as second:
        assert first.is_dir()
        assert second != first


def test_what_a_killed_process_left_is_swept(tmp_path: Path):
    program = "import os, signal\nfrom tidegate.adapters import scratch\n"
    program += "with scratch.directory('tidegate-x-'): os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    (leftover,) = tmp_path.iterdir()

    with scratch.directory("tidegate-x-"):
        assert not leftover.exists()


def test_a_directory_without_a_lock_is_nobodys_to_remove(tmp_path: Path):
    (tmp_path / "tidegate-x-other").mkdir()

    with scratch.directory("tidegate-x-"):
        assert (tmp_path / "tidegate-x-other").is_dir()
