"""What calls for a reconcile, who may refer to whom, and how intervals are spread."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.toolkit import access, jitter, requests
from tidegate.toolkit.outcomes import Stalled
from tidegate.toolkit.tests.things import REQUESTED_AT
from tidegate_api.meta.objects import ObjectMeta

OLD = {"name": "one", "uid": "a", "generation": 1, "resource_version": "1"}


@pytest.mark.parametrize(
    ("changes", "woken"),
    [
        ({}, False),
        ({"resource_version": "2"}, False),
        ({"labels": {"a": "b"}}, False),
        ({"annotations": {"a": "b"}}, False),
        ({"finalizers": ["a"]}, False),
        ({"generation": 2}, True),
        ({"uid": "b"}, True),
        ({"deletion_timestamp": datetime(2026, 1, 1, tzinfo=UTC)}, True),
        ({"annotations": {REQUESTED_AT: "now"}}, True),
    ],
)
def test_change_of_metadata_wakes(changes: dict[str, object], *, woken: bool):
    assert requests.is_woken(ObjectMeta(**OLD), ObjectMeta(**{**OLD, **changes})) == woken  # type: ignore[arg-type]


def test_token_is_that_of_the_annotation():
    assert requests.token(ObjectMeta(annotations={REQUESTED_AT: "now"})) == "now"
    assert requests.token(ObjectMeta()) == ""


def test_k14_reference_across_namespaces_is_refused_where_forbidden():
    allowed_across = False
    with pytest.raises(Stalled, match="can't access 'GitRepository/b/x'") as caught:
        access.require_same_namespace(allowed_across, "a", "b", "GitRepository/b/x")

    assert caught.value.reason == "AccessDenied"


@pytest.mark.parametrize(("allowed", "other"), [(True, "b"), (False, "a")])
def test_reference_that_is_allowed_passes(other: str, *, allowed: bool):
    access.require_same_namespace(allowed, "a", other, "x")


def test_account_has_a_user_name():
    assert access.service_account_user("ns", "name") == "system:serviceaccount:ns:name"
    assert access.service_account_user("ns", "") == ""


@given(percent=st.integers(0, 99))
def test_p17_interval_is_spread_within_its_share(percent: int):
    spread = jitter.spread(timedelta(minutes=10), percent)

    share = timedelta(minutes=10) * percent / 100
    assert timedelta(minutes=10) - share <= spread <= timedelta(minutes=10) + share


def test_p17_intervals_are_spread():
    assert len({jitter.spread(timedelta(minutes=10), 5) for _ in range(20)}) > 10
