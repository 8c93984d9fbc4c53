"""Waiting for what no object of the cluster tells."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.05


async def until(holds: Callable[[], bool | Awaitable[bool]], what: str, seconds: float = 20.0) -> None:
    """Returns when it holds.

    Raises:
        AssertionError: it never did.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if await found if inspect.isawaitable(found) else found:
            return
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        await asyncio.sleep(POLL_SECONDS)
