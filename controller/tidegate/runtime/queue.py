"""Which key is next: a set of keys, each with at most one holder."""

import asyncio
from collections import deque
from collections.abc import Hashable
from datetime import timedelta
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Held(Generic[K]):
    """A key in the hands of its holder; `touched` is set when the key was added again meanwhile."""

    def __init__(self, key: K) -> None:
        self.key = key
        self.touched = asyncio.Event()


class WorkQueue(Generic[K]):
    """Keys to work on, in the order in which they became due.

    A key added twice while it waits is worked on once; one added while it is held comes back when it is released,
    and its holder is told through `Held.touched`. Of several delays the earliest wins. No key is lost, and none is
    ever in two hands (P18).
    """

    def __init__(self) -> None:
        self._ready: dict[K, None] = {}
        self._held: dict[K, Held[K]] = {}
        self._later: dict[K, asyncio.TimerHandle] = {}
        self._takers: deque[asyncio.Future[None]] = deque()
        self.adds = 0

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, key: K, after: timedelta | None = None) -> None:
        """Make `key` due now, or `after` some time unless it is due earlier already."""
        if after is None or after <= timedelta():
            self._add_now(key)
            return
        if key in self._ready:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + after.total_seconds()
        waiting = self._later.get(key)
        if waiting is not None and waiting.when() <= due:
            return
        self._forget_timer(key)
        self._later[key] = loop.call_at(due, self._add_now, key)

    def is_held(self, key: K) -> bool:
        """Whether somebody works on `key` now."""
        return key in self._held

    def forget(self, key: K) -> None:
        """Drop what `key` still waits for: its object is gone."""
        self._forget_timer(key)
        self._ready.pop(key, None)

    async def take(self) -> Held[K]:
        """Wait for a due key and hold it until `release`."""
        while not self._ready:
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            try:
                await taker
            except asyncio.CancelledError:
                # The wake-up may have been meant for this taker: hand it on.
                if taker.done() and not taker.cancelled():
                    self._wake()
                raise
            finally:
                if taker in self._takers:
                    self._takers.remove(taker)
        key = next(iter(self._ready))
        del self._ready[key]
        held = Held(key)
        self._held[key] = held
        return held

    def release(self, held: Held[K]) -> None:
        """Give the key back; it is due at once when it was touched."""
        del self._held[held.key]
        if held.touched.is_set():
            self._add_now(held.key)

    def _add_now(self, key: K) -> None:
        self._forget_timer(key)
        holder = self._held.get(key)
        if holder is not None:
            holder.touched.set()
            return
        if key not in self._ready:
            self.adds += 1
            self._ready[key] = None
            self._wake()

    def _forget_timer(self, key: K) -> None:
        timer = self._later.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _wake(self) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return
