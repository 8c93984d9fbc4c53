"""status.history counts equal outcomes together and keeps the five newest."""

from datetime import UTC, datetime, timedelta

from tidegate.kustomize import history
from tidegate_api.kustomize.v1.kustomization import Snapshot

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_snapshot(digest: str = "sha256:1", status: str = "ReconciliationSucceeded", minutes: int = 0) -> Snapshot:
    at = NOON + timedelta(minutes=minutes)
    return history.snapshot(digest, status, at, timedelta(seconds=1.23456), {"revision": "main@sha1:1", "empty": ""})


def test_a_new_outcome_comes_first():
    entries = history.record([a_snapshot("sha256:1")], a_snapshot("sha256:2"))

    assert [entry.digest for entry in entries] == ["sha256:2", "sha256:1"]


def test_an_equal_outcome_is_counted_into_its_entry_which_moves_to_the_front():
    entries = [a_snapshot("sha256:2", minutes=1), a_snapshot("sha256:1")]

    first, second = history.record(entries, a_snapshot("sha256:1", minutes=2))

    assert (first.total_reconciliations, first.first_reconciled, first.last_reconciled) == (
        2,
        NOON,
        NOON + timedelta(minutes=2),
    )
    assert second.digest == "sha256:2"


def test_the_same_digest_with_another_status_is_another_outcome():
    entries = history.record([a_snapshot(status="HealthCheckFailed")], a_snapshot())

    assert [entry.last_reconciled_status for entry in entries] == ["ReconciliationSucceeded", "HealthCheckFailed"]


def test_five_are_kept():
    entries: list[Snapshot] = []
    for number in range(7):
        entries = history.record(entries, a_snapshot(f"sha256:{number}"))

    assert [entry.digest[-1] for entry in entries] == ["6", "5", "4", "3", "2"]


def test_empty_metadata_and_fractions_below_a_millisecond_are_left_out():
    entry = a_snapshot()

    assert entry.metadata == {"revision": "main@sha1:1"}
    assert entry.last_reconciled_duration == timedelta(seconds=1.235)
