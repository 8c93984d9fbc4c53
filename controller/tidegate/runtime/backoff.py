"""How long to wait after failures in a row."""

import random
from datetime import timedelta


class Backoff:
    """Doubles per failure in a row of a key, from `first` up to `most`; jittered so that equal failures spread out.

    `jitter` is the share of the delay that is drawn at random (0.1: up to ten per cent above the plain delay, or, so
    that those who have failed for long stay apart too, up to ten per cent below `most`).
    """

    def __init__(self, first: timedelta, most: timedelta, jitter: float = 0.1) -> None:
        self._first = first
        self._most = most
        self._jitter = jitter
        self._failures: dict[object, int] = {}

    def delay(self, key: object) -> timedelta:
        """Count one more failure of `key` and say how long to wait."""
        failures = self._failures.get(key, 0)
        plain = self._first * 2**failures
        if plain < self._most:
            # A first delay of zero stays zero; its count need not grow for ever.
            self._failures[key] = min(failures + 1, 64)
        ceiling = self._most / (1 + self._jitter)
        share = self._jitter * random.random()  # noqa: S311 - no secret depends on it
        jittered: timedelta = min(plain, ceiling) * (1 + share)
        return jittered

    def forget(self, key: object) -> None:
        """`key` went well: its next failure is its first."""
        self._failures.pop(key, None)
