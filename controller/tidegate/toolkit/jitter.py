"""Spreads intervals, so that objects made together are not all due together."""

import random
from datetime import timedelta


def spread(interval: timedelta, percent: int) -> timedelta:
    """`interval` plus or minus up to `percent` of it (0 to 99), evenly drawn."""
    share = percent / 100
    return interval * (1 + random.uniform(-share, share))  # noqa: S311 - no secret depends on it
