"""An event loop whose time can be skipped: sockets and threads live in real time, timers in as much as a test wants."""

import asyncio
import itertools
import time
from collections.abc import Callable
from datetime import timedelta

from tidegate.runtime import clock

NO_TIME = timedelta()
MOMENT = timedelta(milliseconds=1)
A_FEW = 1000


class SkippingLoop(asyncio.SelectorEventLoop):
    """Its clock runs as always, and jumps when told."""

    def __init__(self) -> None:
        self._skipped = 0.0
        super().__init__()

    def time(self) -> float:
        """Seconds on the clock that timers go by."""
        return super().time() + self._skipped

    def skip(self, seconds: float) -> None:
        """Make everything due that would be due in `seconds`."""
        self._skipped += seconds


def skip(seconds: float) -> None:
    """Skip time on the running loop, which must be a SkippingLoop; what is due then runs when the caller waits."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, SkippingLoop):
        raise TypeError("time can be skipped on a SkippingLoop only")
    loop.skip(seconds)


async def settle() -> None:
    """Let everything run that waits for nothing outside the process."""
    for _ in range(20):
        await clock.pause(NO_TIME)


async def until(holds: Callable[[], object], within: timedelta = timedelta(seconds=5)) -> None:
    """Wait until `holds()`. Raises: AssertionError when it does not, in so much real time."""
    for _ in range(within // MOMENT):
        if holds():
            return
        await clock.pause(MOMENT)
    raise AssertionError("it did not happen in time")


async def hurry(holds: Callable[[], object], step: float = 0.5, within: timedelta = timedelta(seconds=20)) -> None:
    """Wait until `holds()`, with time running fast: `step` seconds pass in each round of the loop.

    Servers in the same loop answer in a few rounds, however slow the machine is; threads are given real time after
    that. Raises: AssertionError when it does not, `within` so much real time.
    """
    deadline = time.monotonic() + within.total_seconds()
    for turn in itertools.count():
        if holds():
            return
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        if turn > A_FEW:
            time.sleep(MOMENT.total_seconds())  # noqa: ASYNC251 - in real time, which the loop does not have
        skip(step)
        await clock.pause(NO_TIME)
