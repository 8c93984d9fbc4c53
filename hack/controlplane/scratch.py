"""A temporary directory that is gone afterwards, also when the process that made it is killed with SIGKILL."""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 10.0


class ScratchDirectory:
    """A private directory, removed by a process of its own as soon as ours lets go of it, whichever way we end."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._remover: subprocess.Popen[bytes] | None = None
        self.path = Path()

    def __enter__(self) -> Self:
        self.path = Path(tempfile.mkdtemp(prefix=self._prefix))
        # Its standard input is a pipe that only we hold: the end of the pipe is the end of us.
        self._remover = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(self.path)], stdin=subprocess.PIPE, start_new_session=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._remover is None or self._remover.stdin is None:
            return
        self._remover.stdin.close()
        self._remover.wait(timeout=PATIENCE + 5)


def remove_when_released(directory: str) -> None:
    """Waits for the end of standard input, then removes the directory; programs in it may still be dying."""
    sys.stdin.buffer.read()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        shutil.rmtree(directory, ignore_errors=True)
        if not Path(directory).exists():
            return
        time.sleep(0.05)


if __name__ == "__main__":
    remove_when_released(sys.argv[1])
