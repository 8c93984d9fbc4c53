"""Many requests at once, but never more than a few."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from tidegate.runtime.errors import TidegateError

T = TypeVar("T")
R = TypeVar("R")


async def each(act: Callable[[T], Awaitable[R]], items: Iterable[T], limit: int) -> list[R]:
    """What `act` returns for each item, in their order; at most `limit` run at once.

    All are tried. Raises: the TidegateError of the first item that failed.
    """
    slots = asyncio.Semaphore(limit)
    results: dict[int, R] = {}
    problems: dict[int, TidegateError] = {}

    async def one(place: int, item: T) -> None:
        async with slots:
            try:
                results[place] = await act(item)
            except TidegateError as error:
                problems[place] = error

    async with asyncio.TaskGroup() as group:
        for place, item in enumerate(items):
            group.create_task(one(place, item))
    if problems:
        raise problems[min(problems)]
    return [results[place] for place in sorted(results)]
