"""How a release stands, case by case (flux-v2-behaviour.md 6.5), and what else a crash can leave."""

import pytest

from tidegate.helm import facts, state
from tidegate.helm.release.model import Stored
from tidegate.helm.state import State
from tidegate.helm.tests.releases import OURS, a_record, a_release, a_snapshot, stored, wanted
from tidegate_api.helm.v2.helm_release import Snapshot

PENDING, DEPLOYED = a_record(1, "pending-install"), a_record(1)


@pytest.mark.parametrize(
    ("found", "history", "expected"),
    [
        pytest.param(None, [], State.ABSENT, id="nothing stored"),
        pytest.param(stored(PENDING), [], State.LOCKED, id="somebody else's action"),
        pytest.param(stored(PENDING, OURS), [], State.BEGUN, id="our own action"),
        pytest.param(stored(a_record(1, "pending-rollback"), OURS), [], State.BEGUN, id="our own rollback"),
        pytest.param(stored(a_record(1, "uninstalling")), [], State.LEAVING, id="half uninstalled"),
        pytest.param(stored(a_record(1, "uninstalled")), [], State.ABSENT, id="uninstalled by somebody"),
        pytest.param(stored(DEPLOYED), [], State.UNMANAGED, id="released by somebody"),
        pytest.param(stored(DEPLOYED, OURS), [], State.ENDED, id="our own that nobody noted"),
        pytest.param(
            stored(DEPLOYED, OURS), [a_snapshot(1, "pending-install")], State.ENDED, id="noted as begun alone"
        ),
        pytest.param(stored(a_record(2, "failed"), OURS), [a_snapshot(1)], State.ENDED, id="our own failure"),
        pytest.param(stored(a_record(2)), [a_snapshot(1)], State.UNMANAGED, id="helm upgrade by hand"),
        pytest.param(stored(a_record(1, extra=1)), [a_snapshot(1)], State.UNMANAGED, id="changed by hand"),
        pytest.param(stored(a_record(1, extra=1), OURS), [a_snapshot(1)], State.UNMANAGED, id="edited in place"),
        pytest.param(stored(a_record(1, "failed")), [a_snapshot(1, "failed")], State.FAILED, id="failed"),
        pytest.param(
            stored(a_record(1, "uninstalled")), [a_snapshot(1, "uninstalled")], State.ABSENT, id="we uninstalled it"
        ),
        pytest.param(
            stored(a_record(1, "superseded")), [a_snapshot(1, "superseded")], State.UNKNOWN, id="no sense at all"
        ),
        pytest.param(stored(DEPLOYED, OURS), [a_snapshot(1)], State.IN_SYNC, id="as it should be"),
    ],
)
def test_a_stored_release_is_told_apart(found: Stored | None, history: list[Snapshot], expected: State):
    release = a_release(history=history, observed_generation=1)

    assert state.classify(facts.gather(release, found, wanted())).state == expected


def test_values_that_differ_are_out_of_sync():
    release = a_release(history=[a_snapshot(1)])

    observed = state.classify(facts.gather(release, stored(DEPLOYED), wanted(replicas=2)))

    assert observed == state.Observed(State.OUT_OF_SYNC, "release config values changed")


def test_other_common_metadata_count_once_per_generation():
    labels = {"commonMetadata": {"labels": {"team": "a"}}}
    new, seen = (a_release(labels, history=[a_snapshot(1)], observed_generation=one) for one in (0, 1))

    assert state.classify(facts.gather(new, stored(DEPLOYED), wanted())).state == State.OUT_OF_SYNC
    assert state.classify(facts.gather(seen, stored(DEPLOYED), wanted())).state == State.IN_SYNC
