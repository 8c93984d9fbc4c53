"""Conditions as lists that tools read (flux-v2-behaviour.md 1.4)."""

from datetime import UTC, datetime

import pytest

from tidegate.toolkit.conditions import (
    FALSE,
    PROGRESSING,
    READY,
    RECONCILING,
    STALLED,
    SUCCEEDED,
    TRUE,
    UNKNOWN,
    Conditions,
    Summary,
)
from tidegate_api.meta.conditions import Condition

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def a_condition(kind: str, status: str = TRUE, reason: str = "Reason", message: str = "text") -> Condition:
    return Condition(
        type=kind, status=status, reason=reason, message=message, last_transition_time=LONG_AGO, observed_generation=1
    )


def test_mark_stamps_generation_and_time():
    conditions = Conditions([], 7)

    conditions.mark_false(READY, "Failed", "no")

    (found,) = conditions.items()
    assert (found.type, found.status, found.reason, found.message) == (READY, FALSE, "Failed", "no")
    assert found.observed_generation == 7
    assert found.last_transition_time > LONG_AGO


def test_same_words_keep_their_time_and_take_the_new_generation():
    conditions = Conditions([a_condition(READY)], 7)

    conditions.mark_true(READY, "Reason", "text")

    (found,) = conditions.items()
    assert (found.last_transition_time, found.observed_generation) == (LONG_AGO, 7)


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [(FALSE, "Reason", "text"), (TRUE, "Other", "text"), (TRUE, "Reason", "other")],
)
def test_other_status_reason_or_message_is_a_transition(status: str, reason: str, message: str):
    conditions = Conditions([a_condition(READY)], 1)

    mark = conditions.mark_true if status == TRUE else conditions.mark_false
    mark(READY, reason, message)

    assert conditions.items()[0].last_transition_time > LONG_AGO


def test_what_returns_to_how_it_was_stored_keeps_its_time():
    conditions = Conditions([a_condition(READY)], 1)

    conditions.mark_unknown(READY, PROGRESSING, "working")
    conditions.mark_true(READY, "Reason", "text")

    assert conditions.items() == [a_condition(READY)]


def test_marks_leave_what_they_were_given_alone():
    given = [a_condition(READY)]
    conditions = Conditions(given, 2)

    conditions.mark_false(READY, "Failed", "no")
    conditions.remove(READY)

    assert given == [a_condition(READY)]


def test_reconciling_and_stalled_exclude_each_other():
    conditions = Conditions([a_condition(STALLED)], 1)

    conditions.mark_reconciling(PROGRESSING, "working")
    assert [item.type for item in conditions.items()] == [RECONCILING]

    conditions.mark_stalled("Reason", "no way")
    assert [item.type for item in conditions.items()] == [STALLED]


def test_order_is_that_of_flux():
    newer = Condition(
        type="Zeta", status=TRUE, reason="R", message="", last_transition_time=LONG_AGO, observed_generation=2
    )
    names = ["Beta", READY, "Alpha", RECONCILING, STALLED]

    items = Conditions([*map(a_condition, names), newer], 2).items()

    assert [item.type for item in items] == [STALLED, RECONCILING, READY, "Zeta", "Alpha", "Beta"]


def test_message_is_cut_and_cleaned():
    conditions = Conditions([], 1)

    conditions.mark_true(READY, SUCCEEDED, "\x1b[1m" + "x" * 40000)

    message = conditions.items()[0].message
    assert len(message) == 32768
    assert message.startswith("[1mxxx")
    assert message.endswith("x...")


def test_message_that_is_cut_is_no_transition_the_next_time():
    first = Conditions([], 1)
    first.mark_false(READY, "Failed", "x" * 40000)
    stored = [a_condition(READY, FALSE, "Failed", first.items()[0].message)]

    again = Conditions(stored, 1)
    again.mark_false(READY, "Failed", "x" * 40000)

    assert again.items() == stored


def test_status_is_asked_for():
    conditions = Conditions([a_condition("A", TRUE), a_condition("B", FALSE), a_condition("C", UNKNOWN)], 1)

    assert [conditions.is_true(kind) for kind in "ABCD"] == [True, False, False, False]
    assert [conditions.is_false(kind) for kind in "ABCD"] == [False, True, False, False]
    assert [conditions.is_unknown(kind) for kind in "ABCD"] == [False, False, True, False]


# Bad is a negative condition, Good a positive one; the table is the order of weight.
SUMMARY = Summary(order=("Bad", "Good", "AlsoGood"), negative=frozenset({"Bad"}))
WEIGHTS = [
    (a_condition("Bad", TRUE, "BadTrue"), FALSE),
    (a_condition("Good", FALSE, "GoodFalse"), FALSE),
    (a_condition("Good", TRUE, "GoodTrue"), TRUE),
    (a_condition("Bad", FALSE, "BadFalse"), TRUE),
    (a_condition("Good", UNKNOWN, "GoodUnknown"), UNKNOWN),
]


@pytest.mark.parametrize(("condition", "ready"), WEIGHTS, ids=lambda value: getattr(value, "reason", value))
def test_ready_follows_one_condition_by_its_polarity(condition: Condition, ready: str):
    conditions = Conditions([condition], 1)

    SUMMARY.apply(conditions)

    found = conditions.find(READY)
    assert found is not None
    assert (found.status, found.reason) == (ready, condition.reason)


@pytest.mark.parametrize(
    ("heavier", "lighter"),
    [(one, other) for n, (one, _) in enumerate(WEIGHTS) for other, _ in WEIGHTS[n + 1 :] if one.type != other.type],
    ids=lambda value: value.reason,
)
def test_ready_follows_the_weightier_of_two(heavier: Condition, lighter: Condition):
    conditions = Conditions([lighter, heavier], 1)

    SUMMARY.apply(conditions)

    found = conditions.find(READY)
    assert found is not None
    assert found.reason == heavier.reason


def test_ready_follows_the_first_of_equals_in_declared_order():
    conditions = Conditions([a_condition("AlsoGood", TRUE, "Second"), a_condition("Good", TRUE, "First")], 1)

    SUMMARY.apply(conditions)

    found = conditions.find(READY)
    assert found is not None
    assert found.reason == "First"


def test_ready_stays_where_nothing_is_known():
    conditions = Conditions([a_condition(READY, FALSE)], 1)

    SUMMARY.apply(conditions)

    assert conditions.items() == [a_condition(READY, FALSE)]
