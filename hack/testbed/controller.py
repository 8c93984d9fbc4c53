"""Tidegate's controllers as processes of their own, as they run in production: started, killed and weighed by a test.

    async with Controllers(plane.kubeconfig(), directory) as controllers:      # `tidegate run`: all in one process
        controllers.kill()                                                     # SIGKILL
        await controllers.start()                                              # same directory, ports and log

With `layout=SEPARATE`, `tidegate source-controller`, `kustomize-controller` and `helm-controller`, which talk only
through the cluster and the artifact server. One program alone is a `Controller`.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import psutil  # type: ignore[import-untyped]

from hack.controlplane import ports
from hack.controlplane.processes import Process

TOGETHER = ("run",)
SOURCE, KUSTOMIZE, HELM = "source-controller", "kustomize-controller", "helm-controller"
SEPARATE = (SOURCE, KUSTOMIZE, HELM)
STORING = ("run", SOURCE)
NAMESPACE = "flux-system"
READY_SECONDS = 20.0
GRACE_SECONDS = 10.0
POLL_SECONDS = 0.02
QUICK = aiohttp.ClientTimeout(total=2)


@dataclass(frozen=True)
class Memory:
    """What a program and its children hold, in bytes."""

    pss: int
    """Pages that are shared count by share; where the system cannot tell (not Linux), as `rss`."""
    rss: int
    children: int = 0
    """The part of `pss` that is held by processes that the program has started: those that render charts."""

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(self.pss + other.pss, self.rss + other.rss, self.children + other.children)


class Controller:
    """One `tidegate` command. `async with` starts it and waits until it is ready; afterwards it is gone, with its
    children. What it stores and its log lie in the directory and stay between its lives; so do its ports.
    """

    def __init__(
        self,
        program: str,
        kubeconfig: Path,
        directory: Path,
        flags: Iterable[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.program = program
        self.log = directory / f"{program}.log"
        health, metrics, storage = ports.free(3)
        self.health = f"http://127.0.0.1:{health}"
        self.metrics = f"http://127.0.0.1:{metrics}/metrics"
        self.storage = directory / "artifacts"
        """Where artifacts and repositories are kept; used by the program that serves them."""
        argv = [sys.executable, "-m", "tidegate", program, f"--kubeconfig={kubeconfig}"]
        argv += [f"--health-addr=127.0.0.1:{health}", f"--metrics-addr=127.0.0.1:{metrics}"]
        if program in STORING:
            address = f"127.0.0.1:{storage}"
            argv += [f"--storage-path={self.storage}", f"--storage-addr={address}", f"--storage-adv-addr={address}"]
        temporary = directory / "tmp"  # what a killed controller leaves there goes with the directory
        temporary.mkdir(parents=True, exist_ok=True)
        environment = _environment({"TMPDIR": str(temporary), **(env or {})})
        self._process = Process(f"tidegate {program}", [*argv, *flags], self.log, env=environment)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self.kill()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.terminate()
        finally:
            self.kill()

    @property
    def pid(self) -> int:
        """Its process id; raises ProcessDied when it does not run."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.is_running

    def check(self) -> None:
        """Raises ProcessDied when it has ended without being told to; the message has the end of its log."""
        if self._process.has_died():
            self._process.require_running()

    def launch(self) -> None:
        """Starts it and does not wait; the log is appended to."""
        self._process.start()

    async def start(self, seconds: float = READY_SECONDS) -> None:
        """Starts it and waits until it is ready."""
        self.launch()
        await self.wait_ready(seconds)

    async def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Returns once /readyz says so.

        Raises:
            ProcessDied: it ended.
            TimeoutError: it is not ready after that time; the message has the end of its log.
        """
        deadline = time.monotonic() + seconds
        async with aiohttp.ClientSession(timeout=QUICK) as session:
            while not await _is_ok(session, f"{self.health}/readyz"):
                self._process.require_running()
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self._process.name} is not ready after {seconds:g} s:\n{self.said()}")
                await asyncio.sleep(POLL_SECONDS)

    def kill(self) -> None:
        """SIGKILL, to its children as well. Nothing happens if it does not run."""
        if self._process.is_running:
            for process in self._family():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)
        self._process.kill()

    async def terminate(self, grace: float = GRACE_SECONDS) -> int:
        """SIGTERM, and SIGKILL after the grace period; the exit code, negative for a signal."""
        family = self._family() if self._process.is_running else []
        code = await self._process.stop(grace)
        for process in family:  # psutil knows a process by its birth, too: nobody else's is meant
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        return code

    async def restart(self) -> None:
        """Ends it as a rollout would, and starts it again."""
        await self.terminate()
        await self.start()

    def memory(self) -> Memory:
        """What it and its children hold at this moment."""
        total = Memory(0, 0)
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                full = process.memory_full_info()
                pss = getattr(full, "pss", full.rss)
                total += Memory(pss, full.rss, 0 if process.pid == self.pid else pss)
        return total

    def said(self, lines: int = 20) -> str:
        """The last lines of its log."""
        return self._process.said(lines)

    def _family(self) -> list[psutil.Process]:
        try:
            own = psutil.Process(self.pid)
            return [own, *own.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


class Controllers:
    """All controllers of one cluster, in one process or in several; the same verbs as one Controller."""

    def __init__(
        self,
        kubeconfigs: Path | Mapping[str, Path],
        directory: Path,
        layout: Sequence[str] = TOGETHER,
        flags: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        """`kubeconfigs` and `flags` by program, where they differ."""
        named = kubeconfigs if isinstance(kubeconfigs, Mapping) else dict.fromkeys(layout, kubeconfigs)
        self.programs = {
            program: Controller(program, named[program], directory, (flags or {}).get(program, ()))
            for program in layout
        }

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self.kill()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.terminate()
        finally:
            self.kill()

    @property
    def source(self) -> Controller:
        """The one that fetches."""
        return self.programs.get(SOURCE) or self.programs["run"]

    @property
    def kustomize(self) -> Controller:
        """The one that applies; the same where all are one."""
        return self.programs.get(KUSTOMIZE) or self.programs["run"]

    @property
    def helm(self) -> Controller:
        """The one that releases; the same where all are one."""
        return self.programs.get(HELM) or self.programs["run"]

    def check(self) -> None:
        """Raises ProcessDied when one has ended without being told to."""
        for controller in self.programs.values():
            controller.check()

    async def start(self) -> None:
        """Starts those that do not run, and waits until all are ready."""
        for controller in self.programs.values():
            if not controller.is_running:
                controller.launch()
        for controller in self.programs.values():
            await controller.wait_ready()

    def kill(self) -> None:
        """SIGKILL to all."""
        for controller in self.programs.values():
            controller.kill()

    async def terminate(self) -> None:
        """SIGTERM to all, one after the other."""
        for controller in reversed(self.programs.values()):
            await controller.terminate()

    async def restart(self) -> None:
        """Ends all and starts all again."""
        await self.terminate()
        await self.start()

    def memory(self) -> Memory:
        """What all of them hold."""
        return sum((controller.memory() for controller in self.programs.values()), Memory(0, 0))

    def said(self, lines: int = 20) -> str:
        """The last lines of each log."""
        return "\n".join(f"--- {name}\n{controller.said(lines)}" for name, controller in self.programs.items())


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Ours, without what would name another cluster or other storage."""
    foreign = {"KUBECONFIG", "KUBERNETES_SERVICE_HOST", "STORAGE_PATH", "STORAGE_ADDRESS", "STORAGE_ADV_ADDR"}
    own = {name: value for name, value in os.environ.items() if name not in foreign}
    return {**own, "RUNTIME_NAMESPACE": NAMESPACE, **more}


async def _is_ok(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
