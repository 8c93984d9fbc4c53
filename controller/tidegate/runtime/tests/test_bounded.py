"""Many at once, never more than a few, and nothing left running."""

import asyncio

import pytest

from tidegate.runtime import bounded
from tidegate.runtime.errors import TidegateError


async def test_no_more_than_the_limit_run_at_once_and_results_keep_their_order():
    running, most = 0, 0

    async def act(item: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001 * (5 - item))
        running -= 1
        return item * 10

    assert await bounded.each(act, range(5), 2) == [0, 10, 20, 30, 40]
    assert most == 2


async def test_all_are_tried_and_the_first_failure_in_their_order_is_raised():
    tried: list[int] = []

    async def act(item: int) -> None:
        await asyncio.sleep(0.001 * (5 - item))
        tried.append(item)
        if item > 1:
            raise TidegateError(str(item))

    with pytest.raises(TidegateError, match="2"):
        await bounded.each(act, range(4), 4)

    assert sorted(tried) == [0, 1, 2, 3]
