"""What comes next, state by state, and when there is no next try (flux-v2-behaviour.md 6.5)."""

from typing import Any

import pytest

from tidegate.helm import plan
from tidegate.helm.plan import Action
from tidegate.helm.state import State
from tidegate.helm.tests.releases import a_release
from tidegate.toolkit.outcomes import Stalled

RETRY = {"name": "RetryOnFailure"}


def action(state: State, spec: dict[str, Any] | None = None, *, is_forced: bool = False, **status: Any) -> Any:
    return plan.next_action(a_release(spec, **status), state, is_forced=is_forced)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.IN_SYNC, None),
        (State.ABSENT, Action.INSTALL),
        (State.OUT_OF_SYNC, Action.UPGRADE),
        (State.UNMANAGED, Action.UPGRADE),
        (State.LOCKED, Action.UNLOCK),
        (State.BEGUN, Action.RESUME),
        (State.ENDED, Action.NOTE),
        (State.LEAVING, Action.LEAVE),
        (State.FAILED, Action.UPGRADE),
    ],
)
def test_without_failures_a_state_has_one_answer(state: State, expected: Action | None):
    assert action(state) == expected


def test_a_wish_upgrades_what_is_in_sync():
    assert action(State.IN_SYNC, is_forced=True) == Action.UPGRADE


@pytest.mark.parametrize(
    ("retries", "failures", "is_spent"),
    [(0, 0, False), (0, 1, True), (2, 2, False), (2, 3, True), (-1, 99, False)],
)
def test_retries_count_what_comes_after_the_first_try(retries: int, failures: int, *, is_spent: bool):
    spec = {"install": {"remediation": {"retries": retries}}}

    if is_spent:
        with pytest.raises(Stalled, match=rf"Failed to install after {failures} attempt\(s\)"):
            action(State.ABSENT, spec, install_failures=failures)
        assert action(State.ABSENT, spec, install_failures=failures, is_forced=True) == Action.INSTALL
    else:
        assert action(State.ABSENT, spec, install_failures=failures) == Action.INSTALL


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        pytest.param({"install": {"remediation": {"retries": 1}}}, {"install": 1}, Action.UNINSTALL, id="install"),
        pytest.param({"upgrade": {"remediation": {"retries": 1}}}, {"upgrade": 1}, Action.ROLLBACK, id="upgrade"),
        pytest.param({"upgrade": {"remediation": {"retries": 1}}}, {"upgrade": 2}, Action.ROLLBACK, id="last upgrade"),
        pytest.param(
            {"upgrade": {"remediation": {"retries": 1, "strategy": "uninstall"}}},
            {"upgrade": 1},
            Action.UNINSTALL,
            id="upgrade by uninstall",
        ),
        pytest.param({"install": {"remediation": {"retries": 1}}}, {"install": 2}, None, id="last install"),
        pytest.param(
            {"install": {"remediation": {"retries": 1, "remediateLastFailure": True}}},
            {"install": 2},
            Action.UNINSTALL,
            id="last install, remediated",
        ),
        pytest.param({}, {"upgrade": 1}, None, id="no retries"),
        pytest.param({"install": {"strategy": RETRY}}, {"install": 9}, Action.UPGRADE, id="retry on failure"),
    ],
)
def test_a_failure_is_undone_or_given_up(spec: dict[str, Any], status: dict[str, int], expected: Action | None):
    ((last, failures),) = status.items()
    counters: dict[str, Any] = {"last_attempted_release_action": last, f"{last}_failures": failures}

    if expected is None:
        with pytest.raises(Stalled):
            action(State.FAILED, spec, **counters)
    else:
        assert action(State.FAILED, spec, **counters) == expected
