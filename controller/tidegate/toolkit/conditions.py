"""Conditions of an object, as lists of Condition that are replaced and never edited (flux-v2-behaviour.md 1.4)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tidegate.runtime import clock
from tidegate.toolkit import texts
from tidegate_api.meta.conditions import Condition

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"
HEALTHY = "Healthy"

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"

SUCCEEDED = "Succeeded"
FAILED = "Failed"
PROGRESSING = "Progressing"
PROGRESSING_WITH_RETRY = "ProgressingWithRetry"

_FIRST = {STALLED: 0, RECONCILING: 1, READY: 2}


class Conditions:
    """The conditions of one object during an attempt; stamps each mark with the object's generation."""

    def __init__(self, items: Iterable[Condition], generation: int) -> None:
        self._stored = {item.type: item for item in items}
        self._items = dict(self._stored)
        self._generation = generation

    def find(self, kind: str) -> Condition | None:
        """The condition of type `kind`, or None."""
        return self._items.get(kind)

    def is_true(self, kind: str) -> bool:
        """Whether the condition is there and True."""
        return self._has_status(kind, TRUE)

    def is_false(self, kind: str) -> bool:
        """Whether the condition is there and False."""
        return self._has_status(kind, FALSE)

    def is_unknown(self, kind: str) -> bool:
        """Whether the condition is there and Unknown."""
        return self._has_status(kind, UNKNOWN)

    def _has_status(self, kind: str, status: str) -> bool:
        found = self._items.get(kind)
        return found is not None and found.status == status

    def mark_true(self, kind: str, reason: str, message: str) -> None:
        """Set it to True."""
        self._mark(kind, TRUE, reason, message)

    def mark_false(self, kind: str, reason: str, message: str) -> None:
        """Set it to False."""
        self._mark(kind, FALSE, reason, message)

    def mark_unknown(self, kind: str, reason: str, message: str) -> None:
        """Set it to Unknown."""
        self._mark(kind, UNKNOWN, reason, message)

    def mark_reconciling(self, reason: str, message: str) -> None:
        """Reconciling=True, which excludes Stalled."""
        self.remove(STALLED)
        self.mark_true(RECONCILING, reason, message)

    def mark_stalled(self, reason: str, message: str) -> None:
        """Stalled=True, which excludes Reconciling."""
        self.remove(RECONCILING)
        self.mark_true(STALLED, reason, message)

    def remove(self, *kinds: str) -> None:
        """Drop conditions."""
        for kind in kinds:
            self._items.pop(kind, None)

    def items(self) -> list[Condition]:
        """In the order in which they are stored: the three of kstatus, then newest generation, then by name."""
        return sorted(
            self._items.values(),
            key=lambda item: (_FIRST.get(item.type, 3), -(item.observed_generation or 0), item.type),
        )

    def _mark(self, kind: str, status: str, reason: str, message: str) -> None:
        message = texts.clean(message)
        # What returns to how it was stored has not changed, whatever stood there in between.
        known = (self._items.get(kind), self._stored.get(kind))
        same = next(
            (old for old in known if old and (old.status, old.reason, old.message) == (status, reason, message)), None
        )
        self._items[kind] = Condition(
            type=kind,
            status=status,
            reason=reason,
            message=message,
            last_transition_time=same.last_transition_time if same is not None else clock.utc_now(),
            observed_generation=self._generation,
        )


@dataclass(frozen=True)
class Summary:
    """How Ready follows from other conditions: `order` by importance, `negative` those for which True is bad."""

    order: Sequence[str]
    negative: frozenset[str]

    def apply(self, conditions: Conditions) -> None:
        """Set Ready from the first condition of the weightiest group; leave it when there is none."""
        found = [item for kind in self.order if (item := conditions.find(kind)) is not None]
        if not found:
            return
        # min() keeps the first of equals, and `found` is in declared order.
        chosen = min(found, key=self._weight)
        match self._weight(chosen):
            case 0 | 1:
                conditions.mark_false(READY, chosen.reason, chosen.message)
            case 2 | 3:
                conditions.mark_true(READY, chosen.reason, chosen.message)
            case _:
                conditions.mark_unknown(READY, chosen.reason, chosen.message)

    def _weight(self, item: Condition) -> int:
        bad_when = TRUE if item.type in self.negative else FALSE
        if item.status == UNKNOWN:
            return 4
        if item.status == bad_when:
            return 0 if item.type in self.negative else 1
        return 3 if item.type in self.negative else 2
