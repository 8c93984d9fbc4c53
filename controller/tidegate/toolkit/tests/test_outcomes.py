"""How an attempt can end: the table of outcomes.py, row by row."""

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.runtime.controller import Result
from tidegate.runtime.errors import Forbidden, ServerError, Unreachable
from tidegate.toolkit import outcomes
from tidegate.toolkit.conditions import READY, RECONCILING, STALLED, Conditions
from tidegate.toolkit.outcomes import Again, Failed, Policy, Stalled, Waiting
from tidegate_api.meta.conditions import Condition

INTERVAL, RETRY, AFTER = timedelta(minutes=10), timedelta(minutes=2), timedelta(seconds=30)


def a_policy(retry: timedelta | None = RETRY) -> Policy:
    return Policy(INTERVAL, retry, lambda conditions: conditions.mark_true(READY, "Summary", "all is well"))


def some_conditions(**statuses: str) -> Conditions:
    return Conditions(
        [
            Condition(type=kind, status=status, reason="Old", message="old",
                      last_transition_time=datetime(2020, 1, 1, tzinfo=UTC))
            for kind, status in statuses.items()
        ],
        1,
    )  # fmt: skip


def words(conditions: Conditions) -> list[tuple[str, str, str]]:
    return [(item.type, item.status, item.reason) for item in conditions.items()]


RETRYING = (RECONCILING, "True", "ProgressingWithRetry")


@pytest.mark.parametrize(
    ("ending", "expected", "result", "observed"),
    [
        pytest.param(None, [(READY, "True", "Summary")], Result(INTERVAL), True, id="normal"),
        pytest.param(
            Waiting("DependencyNotReady", "not yet", AFTER),
            [RETRYING, (READY, "False", "DependencyNotReady")],
            Result(AFTER),
            False,
            id="waiting",
        ),
        pytest.param(Again("more", AFTER), [RETRYING, (READY, "True", "Summary")], Result(AFTER), False, id="again"),
        pytest.param(
            Again("more"), [RETRYING, (READY, "True", "Summary")], Result(backoff=True), False, id="again-backoff"
        ),
        pytest.param(
            Stalled("URLInvalid", "no URL"),
            [(STALLED, "True", "URLInvalid"), (READY, "False", "URLInvalid")],
            Result(),
            True,
            id="stalled",
        ),
        pytest.param(
            Failed("BuildFailed", "broken"),
            [RETRYING, (READY, "False", "BuildFailed")],
            Result(RETRY),
            False,
            id="failed",
        ),
        pytest.param(
            RuntimeError("boom"), [RETRYING, (READY, "False", "Failed")], Result(backoff=True), False, id="exception"
        ),
        pytest.param(
            Forbidden(403, {"message": "no"}),
            [RETRYING, (READY, "False", "Failed")],
            Result(backoff=True),
            False,
            id="403",
        ),
    ],
)
def test_ending_means_what_the_table_says(
    ending: Exception | None, expected: list[tuple[str, str, str]], result: Result, *, observed: bool
):
    conditions = some_conditions(Reconciling="True", Ready="Unknown")

    assert outcomes.conclude(ending, conditions, a_policy()) == (result, observed)
    assert words(conditions) == expected


@pytest.mark.parametrize("ending", [Unreachable("away"), ServerError(503, {})])
def test_f1_absent_api_server_says_nothing_about_the_object(ending: Exception):
    conditions = some_conditions(Ready="True")

    result, observed = outcomes.conclude(ending, conditions, a_policy())

    assert (result, observed) == (Result(backoff=True), False)
    assert (READY, "True", "Old") in words(conditions)


def test_f27_wait_that_keeps_ready_leaves_conditions():
    conditions = some_conditions(Ready="True", Reconciling="True")
    waiting = Waiting("ArtifactFailed", "not yet", AFTER, keeps_ready=True)

    assert outcomes.conclude(waiting, conditions, a_policy()) == (Result(AFTER), False)
    assert words(conditions) == [(READY, "True", "Old")]


def test_failure_without_an_own_retry_is_backed_off():
    result, _ = outcomes.conclude(Failed("BuildFailed", "broken"), some_conditions(), a_policy(retry=None))

    assert result == Result(backoff=True)


@pytest.mark.parametrize("ending", [Waiting("R", "m", AFTER), Failed("R", "m"), RuntimeError("m"), Again("m", AFTER)])
def test_unfinished_object_is_not_stalled(ending: Exception):
    conditions = some_conditions(Stalled="True")

    outcomes.conclude(ending, conditions, a_policy())

    assert conditions.find(STALLED) is None


def test_reconciling_says_at_which_step_it_is_tried_again():
    conditions = some_conditions()
    conditions.mark_reconciling("Progressing", "building artifact")

    outcomes.conclude(Failed("R", "broken"), conditions, a_policy())

    found = conditions.find(RECONCILING)
    assert found is not None
    assert (found.reason, found.message) == ("ProgressingWithRetry", "building artifact")


def test_exception_without_words_is_named():
    conditions = some_conditions()

    outcomes.conclude(KeyError(), conditions, a_policy())

    found = conditions.find(READY)
    assert found is not None
    assert found.message == "KeyError"


def test_ending_in_the_same_words_changes_nothing_a_second_time():
    first = some_conditions()
    outcomes.conclude(Failed("R", "broken"), first, a_policy())
    second = Conditions(first.items(), 1)

    second.mark_reconciling("Progressing", "reconciliation in progress")
    outcomes.conclude(Failed("R", "broken"), second, a_policy())

    assert second.items() == first.items()
