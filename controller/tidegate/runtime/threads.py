"""Blocking C code off the event loop, in a bounded pool: a thread never outlives its caller."""

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

WORKERS = 4
_pool = concurrent.futures.ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="blocking")


async def run(func: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `func` in the pool and wait for it.

    When the caller is cancelled a call that has not begun is dropped, and one that has is waited for before the
    cancellation goes on, so that what it works on (a directory, a repository) is never pulled away under it.
    """
    work = _pool.submit(func, *args, **kwargs)
    future = asyncio.wrap_future(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if not work.cancel():
            await _until_done(future)
        raise


async def _until_done(future: "asyncio.Future[R]") -> None:
    """Wait to the end, also when one is told to stop again and again."""
    while not future.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([future])
