"""Becomes another program that dies with the process that started it, even when that one is killed with SIGKILL.

    python -I -S launch.py PARENT_PID PROGRAM ARGUMENT…

A file of its own, and not a `preexec_fn`: code between fork and exec may deadlock in a process that has threads.
Linux sends the signal when the *thread* that started the program ends, so start programs from one that stays.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, argv: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the signal was asked for
        sys.exit(f"{argv[0]}: the process that wanted it is gone")
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
