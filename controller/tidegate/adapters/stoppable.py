"""Blocking work that ends early when nobody waits for it any more."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from tidegate.adapters.bounds import Stopped
from tidegate.runtime import threads

P = ParamSpec("P")
R = TypeVar("R")


async def run(stop: threading.Event, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `func`, which looks at `stop`, in the pool; when the caller is cancelled, `stop` is set before the wait.

    In the end `stop` is set in any case: it serves one call.
    """
    results: list[R] = []

    def work() -> None:
        # Where nobody waits, nobody is there to be told that it was stopped.
        with contextlib.suppress(Stopped):
            results.append(func(*args, **kwargs))

    try:
        async with asyncio.TaskGroup() as group:
            guard = group.create_task(_set_in_the_end(stop))
            working = group.create_task(threads.run(work))
            working.add_done_callback(lambda _: guard.cancel())
    except ExceptionGroup as group_of_one:
        # Only one of the two can fail, and callers expect its error, not a group.
        error = group_of_one.exceptions[0]
        raise error from error.__cause__
    if not results:
        raise Stopped("the work was stopped")
    return results[0]


async def _set_in_the_end(stop: threading.Event) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        stop.set()
