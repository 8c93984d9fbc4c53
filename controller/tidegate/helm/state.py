"""How a release stands: facts in, a word and its reason out (flux-v2-behaviour.md 6.5). Pure."""

from dataclasses import dataclass
from enum import StrEnum

from tidegate.helm.facts import Facts
from tidegate.helm.release.record import Status


class State(StrEnum):
    """How the newest stored revision compares with what is wanted."""

    ABSENT = "absent"
    BEGUN = "begun"
    """An action of our own was interrupted, and is to be finished as it was begun."""
    ENDED = "ended"
    """An action of our own has ended, and the process with it, before anybody noted how."""
    LOCKED = "locked"
    """An action that nobody will finish holds the release."""
    LEAVING = "leaving"
    """An uninstall was interrupted."""
    UNMANAGED = "unmanaged"
    """It is not as we left it: somebody else released, or we never did."""
    FAILED = "failed"
    OUT_OF_SYNC = "out of sync"
    IN_SYNC = "in sync"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Observed:
    """A state and why, in words for a log."""

    state: State
    reason: str


def classify(facts: Facts) -> Observed:
    """The state that the facts amount to. The order of the cases counts."""
    status = facts.status
    if status is None:
        return Observed(State.ABSENT, "no release in storage for object")
    if status.is_pending or status == Status.UNINSTALLING:
        return _classify_unfinished(status, is_ours=facts.is_ours)
    if facts.is_ours and not facts.is_noted and status in (Status.DEPLOYED, Status.FAILED):
        return Observed(State.ENDED, f"our own release with status '{status}' was not noted")
    if not facts.is_managed and status != Status.UNINSTALLED:
        return Observed(State.UNMANAGED, "found existing release in storage")
    if facts.is_managed and not facts.is_as_left:
        return Observed(State.UNMANAGED, "release not observed to be made for object")
    return _classify_as_left(status, facts.difference)


def _classify_unfinished(status: Status, *, is_ours: bool) -> Observed:
    if status == Status.UNINSTALLING:
        return Observed(State.LEAVING, "found release in storage whose uninstall was interrupted")
    return Observed(State.BEGUN if is_ours else State.LOCKED, f"release with status '{status}'")


def _classify_as_left(status: Status, difference: str) -> Observed:
    match status:
        case Status.UNINSTALLED:
            return Observed(State.ABSENT, "found uninstalled release in storage")
        case Status.FAILED:
            return Observed(State.FAILED, "release is in a failed state")
        case Status.DEPLOYED if difference:
            return Observed(State.OUT_OF_SYNC, difference)
        case Status.DEPLOYED:
            return Observed(State.IN_SYNC, "release in-sync with desired state")
        case _:
            return Observed(State.UNKNOWN, f"unable to determine state for release with status '{status}'")
