"""Decides what an object of the wanted set needs, from what is known of it; asks nobody and changes nothing."""

from dataclasses import dataclass
from enum import StrEnum

from tidegate.engine.members import Baseline, Observed
from tidegate.engine.ownership import Owner
from tidegate.engine.policy import ApplyAction


class Step(StrEnum):
    """What is to be done about one wanted object."""

    KEEP = "keep"
    """It is as we left it, and we want what we wanted."""
    LEAVE = "leave"
    """It opted out of being applied."""
    CREATE = "create"
    """First contact: create it, or find out whose it is."""
    VERIFY = "verify"
    """In the inventory, but this process has not seen it in order yet."""
    UPDATE = "update"
    """We want something else than we applied."""
    REPAIR = "repair"
    """Somebody changed or removed it."""
    YIELD = "yield"
    """Another owner took it, and we want nothing new of it."""


@dataclass(frozen=True)
class Facts:
    """What is known of one wanted object. `seen` is meaningful only when `watched`."""

    owner: Owner
    action: ApplyAction
    desired: str
    in_inventory: bool
    baseline: Baseline | None
    seen: Observed | None
    watched: bool
    drifted: bool
    inputs_changed: bool


def next_step(facts: Facts) -> Step:
    """The step for one object."""
    seen = facts.seen if facts.watched else None
    if facts.action == ApplyAction.SKIP or (seen is not None and seen.excluded):
        return Step.LEAVE
    if facts.action == ApplyAction.CREATE_ONLY:
        return Step.LEAVE if seen is not None else Step.CREATE
    if facts.in_inventory and not _wants_more(facts) and _belongs_to_another(facts.owner, seen):
        return Step.YIELD
    return _own_step(facts)


def _own_step(facts: Facts) -> Step:
    """The step for an object that is ours, or of nobody yet."""
    if facts.baseline is None:
        return Step.VERIFY if facts.in_inventory else Step.CREATE
    if facts.baseline.desired != facts.desired:
        return Step.UPDATE
    if facts.drifted:
        return Step.REPAIR
    return Step.KEEP if facts.watched else Step.VERIFY


def _wants_more(facts: Facts) -> bool:
    """Whether the owner's own wish changed: who committed last has the object (F43)."""
    return facts.inputs_changed if facts.baseline is None else facts.baseline.desired != facts.desired


def _belongs_to_another(owner: Owner, seen: Observed | None) -> bool:
    return seen is not None and seen.owner is not None and seen.owner != owner
