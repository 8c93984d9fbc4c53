"""Foreign code in processes of their own, which can be limited and killed; started on demand, ended when idle.

A worker is `python -m MODULE`, whose main hands its work to worker_loop.serve(). It speaks over its standard streams:
each message is its length in four bytes and its content.
"""

import asyncio
import contextlib
import resource
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

from tidegate.runtime import clock
from tidegate.runtime.errors import TidegateError

LENGTH = struct.Struct(">I")
_STREAM = 1 << 20
_DEAD_PROXY = "http://127.0.0.1:9"


class WorkerError(TidegateError):
    """A job had no result."""


class WorkerDied(WorkerError):
    """The process ended in the middle of the job: it crashed, or broke a bound and was killed for it."""


class WorkerTimedOut(WorkerError):
    """The job took too long, and its process was killed."""


@dataclass(frozen=True)
class WorkerLimits:
    """What one process may use: bytes of memory and of one answer; how many run at once, and how long one idles."""

    memory: int = 1 << 30
    answer: int = 256 << 20
    processes: int = 2
    idle: timedelta = timedelta(seconds=60)


class Workers:
    """The processes that run `module`; an async context manager, after which none is left."""

    def __init__(self, module: str, limits: WorkerLimits | None = None) -> None:
        self._module = module
        self._limits = limits or WorkerLimits()
        self._slots = asyncio.Semaphore(self._limits.processes)
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in list(self._all):
            await self._end(worker)

    async def run(self, job: bytes, within: timedelta) -> bytes:
        """The answer of a worker to `job`. A caller that is cancelled takes its worker with it.

        Raises: WorkerDied, WorkerTimedOut.
        """
        async with self._slots:
            worker = await self._take()
            try:
                answer = await worker.exchange(job, within)
            except BaseException:
                await self._end(worker)
                raise
            self._give_back(worker)
            return answer

    async def _take(self) -> "_Worker":
        while self._idle:
            worker = self._idle.pop()
            worker.stop_idling()
            if worker.is_running:
                return worker
            await self._end(worker)
        worker = await _start(self._module, self._limits)
        self._all.add(worker)
        return worker

    def _give_back(self, worker: "_Worker") -> None:
        self._idle.append(worker)
        worker.idle_for(self._limits.idle, lambda: self._retire(worker))

    def _retire(self, worker: "_Worker") -> None:
        """Told that no job follows, it ends by itself."""
        self._idle.remove(worker)
        self._all.discard(worker)
        worker.dismiss()

    async def _end(self, worker: "_Worker") -> None:
        self._all.discard(worker)
        await worker.kill()


class _Worker:
    def __init__(self, process: Process, limits: WorkerLimits) -> None:
        self._process = process
        self._limits = limits
        self._retirement: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def exchange(self, job: bytes, within: timedelta) -> bytes:
        try:
            async with clock.limit(within):
                return await self._exchange(job)
        except TimeoutError as error:
            raise WorkerTimedOut(f"no result within {within.total_seconds():g}s") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            raise WorkerDied("the process ended: it crashed, or needed more memory than allowed") from error

    async def _exchange(self, job: bytes) -> bytes:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise AssertionError("a worker has both")
        stdin.write(LENGTH.pack(len(job)))
        stdin.write(job)
        await stdin.drain()
        (size,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
        if size > self._limits.answer:
            raise WorkerDied(f"the process answered with more than {self._limits.answer} bytes")
        return await stdout.readexactly(size)

    def idle_for(self, span: timedelta, end: Callable[[], None]) -> None:
        self._retirement = asyncio.get_running_loop().call_later(span.total_seconds(), end)

    def stop_idling(self) -> None:
        if self._retirement is not None:
            self._retirement.cancel()

    def dismiss(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def kill(self) -> None:
        self.stop_idling()
        self.dismiss()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


async def _start(module: str, limits: WorkerLimits) -> _Worker:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", module),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        limit=_STREAM,
        env=_environment(limits),
        cwd="/",
    )
    with contextlib.suppress(ProcessLookupError):
        # Data and not address space is limited: Go reserves far more addresses than it ever uses.
        resource.prlimit(process.pid, resource.RLIMIT_DATA, (limits.memory, limits.memory))
        resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))
    return _Worker(process, limits)


def _environment(limits: WorkerLimits) -> dict[str, str]:
    """Nothing of ours, and no way out: whatever asks for a URL meets a proxy that is not there."""
    return {
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _DEAD_PROXY),
        "HOME": "/nonexistent",
        "PATH": "",
        "KUBECONFIG": "/dev/null",
        # A soft limit makes the garbage collector try before the hard one kills.
        "GOMEMLIMIT": str(limits.memory * 3 // 4),
        "GOMAXPROCS": "2",
        "GOTRACEBACK": "none",
    }
