"""One program that we started: its log, its end, and the ways to bring that end about."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")
TAIL_BYTES = 16_384


class ProcessDied(Exception):
    """A program that should be running is not; the message carries the end of its log."""

    def __init__(self, name: str, code: int | None, said: str) -> None:
        self.name = name
        self.code = code
        super().__init__(f"{name} ended with code {code}; the end of its log:\n{said}")


def dying_with_us(argv: Sequence[str | Path]) -> list[str]:
    """The command line that runs a program (an absolute path) so that it ends when the thread that starts it does."""
    return [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *map(str, argv)]


class Process:
    """A program with its output in a file. It dies with us; nothing here depends on an event loop.

    Not asyncio's subprocesses: those belong to the loop that started them, and a fixture that lives for a whole
    test session is used from many.
    """

    def __init__(
        self, name: str, argv: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._argv = argv
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None
        self.wanted = False
        """Whether it should be running: a program that ends while wanted has died."""

    def start(self) -> None:
        """Starts it, again after it was stopped; the log is appended to."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                dying_with_us(self._argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self.log.parent,
                start_new_session=True,  # the terminal's Ctrl-C is for us; we stop our programs in order
            )
        self.wanted = True

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            ProcessDied: it is not running.
        """
        self.require_running()
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def require_running(self) -> None:
        """Raises ProcessDied unless it runs."""
        if not self.is_running:
            raise ProcessDied(self.name, self._process.returncode if self._process else None, self.said())

    def has_died(self) -> bool:
        """Whether it ended without having been told to."""
        return self.wanted and not self.is_running

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal: SIGSTOP and SIGCONT make and end a pause that no peer is told of."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, and waits for the end, which is a matter of milliseconds. Nothing happens if it does not run."""
        self.wanted = False
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)

    async def stop(self, grace: float = 5.0) -> int:
        """SIGTERM, then SIGKILL when the grace period is over. Returns the exit code, negative for a signal."""
        self.wanted = False
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return await self.wait(grace)
        except TimeoutError:
            self.kill()
            return self._process.wait()

    async def wait(self, seconds: float) -> int:
        """The exit code, once it has ended.

        Raises:
            TimeoutError: it still runs after that time.
        """
        assert self._process is not None
        deadline = time.monotonic() + seconds
        while (code := self._process.poll()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} still runs after {seconds:g} s")
            await asyncio.sleep(0.01)
        return code

    def said(self, lines: int = 20) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
