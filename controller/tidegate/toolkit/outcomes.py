"""How an attempt can end. Steps raise; `conclude` is the only code that knows what each ending means.

| ends with           | Ready              | Reconciling / Stalled | observed | then                |
|---------------------|--------------------|-----------------------|----------|---------------------|
| normal return       | the kind's summary | both removed          | set      | jittered interval   |
| Waiting             | False, its reason  | ProgressingWithRetry  | kept     | its time            |
| Again               | the kind's summary | ProgressingWithRetry  | kept     | its time or backoff |
| Stalled             | False, its reason* | Stalled               | set      | a change            |
| Failed              | False, its reason  | ProgressingWithRetry  | kept     | the kind's retry    |
| any other exception | False, Failed      | ProgressingWithRetry  | kept     | backoff             |
| Unreachable, 5xx    | as it stood        | ProgressingWithRetry  | kept     | backoff, no event   |
| cancelled           | as it stood        | as it stood           | kept     | out                 |

* or the kind's summary, where the reason for giving up is not the one that users look for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tidegate.runtime.controller import Result
from tidegate.runtime.errors import ServerError, TidegateError, Unreachable
from tidegate.toolkit import conditions as kinds
from tidegate.toolkit.conditions import Conditions


class Ending(Exception):
    """A way to leave the straight line of an attempt, with the reason and message that Ready shows.

    `is_told` when the user has had an event of its own kind about it.
    """

    is_told = False

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        self.message = message
        super().__init__(message)


class Waiting(Ending):
    """Something else has to come first; it wakes us, and `after` is the safety net.

    `notify` is the text of an event, recorded when the wait begins; "" for none. With `keeps_ready` the cluster is as
    it should be meanwhile: conditions stay.
    """

    def __init__(
        self, reason: str, message: str, after: timedelta, *, notify: str = "", keeps_ready: bool = False
    ) -> None:
        super().__init__(reason, message)
        self.after = after
        self.notify = notify
        self.keeps_ready = keeps_ready


class Again(Ending):
    """More to do in the next attempt, and nothing wrong; `after` None means backoff."""

    def __init__(self, message: str, after: timedelta | None = None) -> None:
        super().__init__(kinds.PROGRESSING, message)
        self.after = after


class Stalled(Ending):
    """Only a change of the object can help. With `sums_up` Ready says what the other conditions do, and not this."""

    def __init__(self, reason: str, message: str, *, sums_up: bool = False) -> None:
        super().__init__(reason, message)
        self.sums_up = sums_up


class Failed(Ending, TidegateError):
    """It did not work; it is tried again as the kind retries."""


@dataclass(frozen=True)
class Policy:
    """What differs from kind to kind when an attempt ends.

    `interval` until the next attempt after success; `retry` after a failure (None: growing delays);
    `summarize` derives Ready from the other conditions, given whether the attempt succeeded.
    """

    interval: timedelta
    retry: timedelta | None
    summarize: Callable[[Conditions], None]


def conclude(ending: BaseException | None, conditions: Conditions, policy: Policy) -> tuple[Result, bool]:
    """Mark how the attempt ended; says when to come back and whether the generation counts as observed."""
    match ending:
        case None:
            conditions.remove(kinds.RECONCILING, kinds.STALLED)
            policy.summarize(conditions)
            return Result(policy.interval), True
        case Stalled():
            conditions.mark_stalled(ending.reason, ending.message)
            if ending.sums_up:
                policy.summarize(conditions)
            else:
                conditions.mark_false(kinds.READY, ending.reason, ending.message)
            return Result(), True
        case Again():
            policy.summarize(conditions)
            _retrying(conditions, ending.message)
            return Result(ending.after, backoff=ending.after is None), False
        case Waiting(keeps_ready=True):
            conditions.remove(kinds.RECONCILING)
            return Result(ending.after), False
        case Waiting():
            conditions.mark_false(kinds.READY, ending.reason, ending.message)
            _retrying(conditions, ending.message)
            return Result(ending.after), False
        case Failed():
            conditions.mark_false(kinds.READY, ending.reason, ending.message)
        case Unreachable() | ServerError():
            # The API server is away, or ill: nothing is known to be wrong with the object (F1).
            pass
        case _:
            conditions.mark_false(kinds.READY, kinds.FAILED, str(ending) or type(ending).__name__)
    _retrying(conditions, "")
    retry = policy.retry if isinstance(ending, Failed) else None
    return Result(retry, backoff=retry is None), False


def _retrying(conditions: Conditions, message: str) -> None:
    """An unfinished object stays Reconciling, marked as one that is tried again."""
    old = conditions.find(kinds.RECONCILING)
    if old is not None and message and old.reason == kinds.PROGRESSING_WITH_RETRY:
        # Left over from an earlier attempt, which waited for something else.
        old = None
    text = old.message if old is not None else message or "reconciliation in progress"
    conditions.mark_reconciling(kinds.PROGRESSING_WITH_RETRY, text)
