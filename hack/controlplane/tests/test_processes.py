"""How programs end: told to, on their own, and with us."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hack.controlplane.processes import Process, ProcessDied
from hack.controlplane.scratch import ScratchDirectory

SLEEP = ["/bin/sleep", "30"]


def a_shell(script: str, log: Path) -> Process:
    return Process("shell", ["/bin/sh", "-c", script], log)


async def test_a_program_that_was_told_to_stop_has_not_died(tmp_path: Path) -> None:
    process = Process("sleep", SLEEP, tmp_path / "log")
    process.start()
    was_running = process.is_running

    assert await process.stop() == -signal.SIGTERM
    assert (was_running, process.is_running, process.has_died()) == (True, False, False)


async def test_a_program_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    process = a_shell("trap '' TERM; echo ready; while :; do sleep 0.01; done", tmp_path / "log")
    process.start()
    while "ready" not in process.said():
        time.sleep(0.005)

    assert await process.stop(grace=0.05) == -signal.SIGKILL


async def test_a_program_that_dies_is_reported_with_its_last_words(tmp_path: Path) -> None:
    process = a_shell("echo first; echo the port is taken; exit 7", tmp_path / "log")
    process.start()

    assert await process.wait(5) == 7
    assert process.has_died()
    with pytest.raises(ProcessDied, match=r"(?s)shell ended with code 7.*the port is taken"):
        process.require_running()


async def test_a_program_can_be_started_again(tmp_path: Path) -> None:
    process = a_shell("echo run", tmp_path / "log")
    for _ in range(2):
        process.start()
        await process.wait(5)

    assert process.said() == "run\nrun"


def test_a_pause_is_not_an_end(tmp_path: Path) -> None:
    process = Process("sleep", SLEEP, tmp_path / "log")
    process.start()
    process.send(signal.SIGSTOP)
    process.send(signal.SIGCONT)

    assert process.is_running
    process.kill()
    assert not process.is_running


PARENT = """
import sys, time
from pathlib import Path
from hack.controlplane.processes import Process
from hack.controlplane.scratch import ScratchDirectory
with ScratchDirectory("tidegate-test-") as scratch:
    child = Process("sleep", ["/bin/sleep", "30"], scratch.path / "log")
    child.start()
    print(child.pid, scratch.path, flush=True)
    time.sleep(30)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_nothing_is_left_when_we_are_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, directory = parent.stdout.readline().split()
        was_running = is_running(int(pid))
        parent.kill()

    deadline = time.monotonic() + 5
    while (is_running(int(pid)) or Path(directory).exists()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert was_running
    assert not is_running(int(pid))
    assert not Path(directory).exists()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_a_scratch_directory_is_private_and_gone_afterwards() -> None:
    with ScratchDirectory("tidegate-test-") as scratch:
        (scratch.path / "deep" / "er").mkdir(parents=True)
        mode = scratch.path.stat().st_mode & 0o777

    assert mode == 0o700
    assert not scratch.path.exists()
