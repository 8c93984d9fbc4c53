"""Wishes in annotations count once, and only beside a new request (flux-v2-behaviour.md 1.2)."""

from typing import Any

import pytest

from tidegate.helm import tokens
from tidegate.helm.tests.releases import a_release
from tidegate_api.meta import annotations

AT, FORCE, RESET = (
    annotations.RECONCILE_REQUESTED_AT,
    annotations.RECONCILE_FORCE_AT,
    annotations.RECONCILE_RESET_AT,
)


@pytest.mark.parametrize(
    ("notes", "handled", "is_forced"),
    [
        pytest.param({AT: "1", FORCE: "1"}, {}, True, id="new"),
        pytest.param({AT: "2", FORCE: "1"}, {}, False, id="of another request"),
        pytest.param({FORCE: "1"}, {}, False, id="no request"),
        pytest.param({AT: "1", FORCE: "1"}, {"last_handled_reconcile_at": "1"}, False, id="request was answered"),
        pytest.param({AT: "1", FORCE: "1"}, {"last_handled_force_at": "1"}, False, id="was done"),
    ],
)
def test_a_wish_counts_once(notes: dict[str, str], handled: dict[str, Any], *, is_forced: bool):
    release = a_release(**handled)
    release.metadata.annotations = notes

    assert tokens.is_forced(release) is is_forced


def test_what_was_handled_is_remembered_when_the_annotation_goes():
    release = a_release(last_handled_force_at="1", last_handled_reset_at="1")
    release.metadata.annotations = {RESET: "2"}

    tokens.handle(release)

    assert (release.status.last_handled_force_at, release.status.last_handled_reset_at) == ("1", "2")
