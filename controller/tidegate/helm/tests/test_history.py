"""status.history: revisions come on top, change in their place, and go when nobody needs them."""

from tidegate.helm import history
from tidegate.helm.tests.releases import a_record, a_snapshot


def test_a_new_revision_comes_on_top():
    found = history.recorded([a_snapshot(1)], a_record(2), "upgrade", "")

    assert [(one.version, one.action) for one in found] == [(2, "upgrade"), (1, "install")]


def test_a_known_revision_changes_in_its_place_and_stays_what_it_was_of():
    known = [a_snapshot(2, action="upgrade"), a_snapshot(1)]

    found = history.recorded(known, a_record(1, "superseded"), "upgrade", "")

    assert [(one.version, one.status, one.action) for one in found] == [
        (2, "deployed", "upgrade"),
        (1, "superseded", "install"),
    ]
    assert history.is_as_left(found[1], a_record(1, "superseded"))


def test_the_digest_of_its_registry_stays_with_a_revision():
    known = history.recorded([], a_record(1), "install", "sha256:1")

    found = history.recorded(known, a_record(1, "superseded"), "upgrade", "sha256:2")

    assert found[0].oci_digest == "sha256:1"


def test_an_older_revision_that_nobody_knows_stays_unknown():
    assert [one.version for one in history.recorded([a_snapshot(3)], a_record(1), "upgrade", "")] == [3]


def test_it_is_cut_after_the_last_good_revision_before_the_newest():
    known = [a_snapshot(4), a_snapshot(3, "failed"), a_snapshot(2, "superseded"), a_snapshot(1, "superseded")]

    assert [one.version for one in history.truncated(known)] == [4, 3, 2]
    assert [one.version for one in history.truncated([a_snapshot(n, "failed") for n in range(9, 0, -1)])] == [
        *range(9, 4, -1)
    ]


def test_what_is_tried_for_ever_keeps_the_newest_and_the_last_good_one():
    known = [*(a_snapshot(n, "failed") for n in range(20, 1, -1)), a_snapshot(1, "superseded")]

    assert [one.version for one in history.bounded(known)] == [20, 19, 18, 17, 16, 1]
    assert history.bounded(known[:3]) == known[:3]


def test_a_revision_that_somebody_changed_is_not_as_it_was_left():
    assert not history.is_as_left(a_snapshot(1), a_record(1, replicas=2))


def test_snapshots_of_older_rules_are_trusted_by_their_numbers():
    old = a_snapshot(1)
    old.api_version, old.digest = "", "sha256:other"

    assert history.is_as_left(old, a_record(1))
    assert not history.is_as_left(old, a_record(2))
