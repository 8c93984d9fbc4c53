"""A control plane that is not stopped as it should be: it says why, and leaves nothing."""

import os
import signal
from pathlib import Path

import pytest

from hack.controlplane.cluster import ControlPlane
from hack.controlplane.processes import ProcessDied

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


async def test_a_program_that_dies_is_reported_and_takes_the_rest_along() -> None:
    traces: list[Path] = []
    with pytest.raises(ProcessDied, match=r'(?s)kube-scheduler ended with code -9; .*"Starting Kubernetes Scheduler"'):
        await lose_the_scheduler(traces)

    assert len(traces) == 6
    assert not any(trace.exists() for trace in traces)


async def lose_the_scheduler(traces: list[Path]) -> None:
    async with ControlPlane() as plane:
        traces.append(plane.directory)
        traces.extend(Path(f"/proc/{plane.process(name).pid}") for name in PROGRAMS)
        scheduler = plane.process("kube-scheduler")
        os.kill(scheduler.pid, signal.SIGKILL)
        await scheduler.wait(5)
