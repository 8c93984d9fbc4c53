"""What a tree, or an archive of one, may hold at most (reliability §4), and the errors that say it holds more."""

import threading
from dataclasses import dataclass

from tidegate.runtime.errors import TidegateError


class ArchiveTooLarge(TidegateError):
    """A tree or an archive is beyond a bound; `bound` names it, `entry` is where (as readable text)."""

    def __init__(self, bound: str, entry: str = "") -> None:
        self.bound = bound
        self.entry = entry[:256]
        super().__init__(f"{self.entry}: exceeds the bound of {bound}" if entry else f"exceeds the bound of {bound}")


class Stopped(TidegateError):
    """Nobody waits for the result any more."""


@dataclass(frozen=True)
class ArchiveLimits:
    """What a tree or an archive may hold."""

    entries: int = 200_000
    size: int = 4 << 30
    file_size: int = 4 << 30
    path: int = 4_096
    depth: int = 512
    ratio: int = 200
    ratio_from: int = 64 << 20


LIMITS = ArchiveLimits()


def require_wanted(stop: threading.Event) -> None:
    """Go on only while somebody waits for the result.

    Raises:
        Stopped: nobody does.
    """
    if stop.is_set():
        raise Stopped("nobody waits for the archive any more")
