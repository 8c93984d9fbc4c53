"""A temporary directory of this process alone, gone when it ends; what a killed one left is swept by the next."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = ".lock"


@contextmanager
def directory(prefix: str) -> Iterator[Path]:
    """A fresh directory (its real path: kustomize resolves links) for the block. Blocks, shortly.

    It is locked for as long as its process lives, so that leftovers of `prefix` can be told from what is in use: a
    SIGKILL leaves its directory behind, and a volume such as /tmp of a pod outlives its containers.
    """
    _sweep(prefix)
    root = Path(os.path.realpath(tempfile.mkdtemp(prefix=prefix)))
    lock = os.open(root / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        files = root / "files"
        files.mkdir(mode=0o700)
        yield files
    finally:
        shutil.rmtree(root, ignore_errors=True)
        os.close(lock)


def _sweep(prefix: str) -> None:
    for leftover in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        # A directory of somebody else, or one that is being made this very moment, is not ours to judge.
        with contextlib.suppress(OSError):
            lock = os.open(leftover / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(leftover, ignore_errors=True)
            finally:
                os.close(lock)
