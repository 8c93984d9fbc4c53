"""How Ready follows from what was done about a release (flux-v2-behaviour.md 6.3). Pure."""

from tidegate.helm import reasons
from tidegate.toolkit import conditions
from tidegate.toolkit.conditions import Conditions

OWNED = frozenset(
    {
        conditions.READY,
        conditions.RECONCILING,
        conditions.STALLED,
        reasons.RELEASED,
        reasons.REMEDIATED,
        reasons.TEST_SUCCESS,
    }
)
_ORDER = (reasons.REMEDIATED, reasons.RELEASED)


def summarize(marks: Conditions) -> None:
    """Ready says what the newest of the other conditions says; a remediation is never ready."""
    found = [item for kind in _ORDER if (item := marks.find(kind)) is not None]
    if not found:
        return
    newest = min(found, key=lambda item: -(item.observed_generation or 0))
    if newest.type == reasons.REMEDIATED or newest.status == conditions.FALSE:
        marks.mark_false(conditions.READY, newest.reason, newest.message)
    else:
        marks.mark_true(conditions.READY, newest.reason, newest.message)
