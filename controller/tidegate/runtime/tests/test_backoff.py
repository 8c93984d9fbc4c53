"""Delays after failures in a row."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tidegate.runtime.backoff import Backoff

SECOND = timedelta(seconds=1)
durations = st.timedeltas(timedelta(), timedelta(days=30000))


@given(first=durations, most=durations, failures=st.integers(1, 80))
def test_p17_delays_are_never_above_the_bound(first: timedelta, most: timedelta, failures: int):
    backoff = Backoff(first, most)

    assert all(timedelta() <= backoff.delay("key") <= most + timedelta(microseconds=1) for _ in range(failures))


def test_p17_delays_double_with_each_failure_in_a_row():
    backoff = Backoff(SECOND, timedelta(hours=1), jitter=0.0)

    assert [backoff.delay("key") for _ in range(4)] == [SECOND, SECOND * 2, SECOND * 4, SECOND * 8]


def test_p17_delays_differ_from_key_to_key_at_the_bound_too():
    backoff = Backoff(SECOND, SECOND)

    delays = [backoff.delay(key) for key in range(50)]

    assert len(set(delays)) > 25
    assert max(delays) - min(delays) > SECOND * 0.05


def test_p17_a_success_starts_anew():
    backoff = Backoff(SECOND, timedelta(hours=1), jitter=0.0)
    backoff.delay("key")
    backoff.delay("key")

    backoff.forget("key")

    assert backoff.delay("key") == SECOND


def test_p17_keys_count_for_themselves():
    backoff = Backoff(SECOND, timedelta(hours=1), jitter=0.0)
    backoff.delay("one")

    assert backoff.delay("other") == SECOND
