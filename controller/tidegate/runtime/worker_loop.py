"""The inside of a worker process (workers.py): one job after the other, until there are no more.

Imports next to nothing: every worker pays for it.
"""

import ctypes
import os
import signal
import struct
import sys
from collections.abc import Callable

_LENGTH = struct.Struct(">I")
_PR_SET_PDEATHSIG = 1


def serve(work: Callable[[bytes], bytes]) -> None:
    """Answer each job from standard input with what `work` makes of it; return when the input ends."""
    _die_with_parent()
    # What the code we run prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    jobs = sys.stdin.buffer
    while len(head := jobs.read(_LENGTH.size)) == _LENGTH.size:
        (size,) = _LENGTH.unpack(head)
        answer = work(jobs.read(size))
        answers.write(_LENGTH.pack(len(answer)))
        answers.write(answer)
        answers.flush()


def _die_with_parent() -> None:
    """A controller that is killed takes its workers with it, in the middle of an endless template too (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
