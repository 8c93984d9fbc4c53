"""What is to be done about a release in a state: a word in, a word out (flux-v2-behaviour.md 6.5). Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tidegate.helm import reasons
from tidegate.helm.state import State
from tidegate.toolkit.outcomes import Stalled
from tidegate_api.helm.v2.actions import (
    Remediation,
    RemediationStrategy,
    StrategyName,
    UpgradeRemediation,
)
from tidegate_api.helm.v2.helm_release import HelmRelease, ReleaseAction

RETRY_INTERVAL = timedelta(minutes=5)


class Action(StrEnum):
    """What can be done about a release."""

    INSTALL = "install"
    UPGRADE = "upgrade"
    RESUME = "resume"
    NOTE = "note"
    """What an action of our own came to is put on record, which it did not live to do."""
    UNLOCK = "unlock"
    ROLLBACK = "rollback"
    """Remediation: the last good revision is brought back before the next try."""
    UNINSTALL = "uninstall"
    """Remediation: what a failed action left is taken away before the next try."""
    LEAVE = "leave"
    """An uninstall that was interrupted is finished."""

    @property
    def kind(self) -> str:
        """Of one kind only one thing is done in one attempt."""
        return "release" if self in (Action.INSTALL, Action.UPGRADE, Action.RESUME) else self


_ALWAYS = {
    State.UNMANAGED: Action.UPGRADE,
    State.BEGUN: Action.RESUME,
    State.ENDED: Action.NOTE,
    State.LOCKED: Action.UNLOCK,
    State.LEAVING: Action.LEAVE,
}


@dataclass(frozen=True)
class Retries:
    """What follows a failed action of one kind; `interval` is that of RetryOnFailure, None where it is remediated."""

    action: ReleaseAction
    failures: int
    allowed: int
    remediates_last: bool
    strategy: RemediationStrategy
    interval: timedelta | None

    @property
    def are_spent(self) -> bool:
        """Whether no try is left; a negative number of them is never spent."""
        return 0 <= self.allowed < self.failures


def active_retries(release: HelmRelease) -> Retries | None:
    """The retries of the action that was last attempted; None when there was none."""
    last = release.status.last_attempted_release_action
    return retries_of(release, ReleaseAction(last)) if last else None


def retries_of(release: HelmRelease, action: ReleaseAction) -> Retries:
    """The retries of an action, as its spec says and its failures so far have it."""
    spec, status = release.spec, release.status
    is_install = action == ReleaseAction.INSTALL
    part = spec.install if is_install else spec.upgrade
    remediation = (part.remediation if part is not None else None) or Remediation()
    chosen = part.strategy if part is not None else None
    is_retried = chosen is not None and chosen.name == StrategyName.RETRY_ON_FAILURE
    last = remediation.remediate_last_failure
    return Retries(
        action=action,
        failures=status.install_failures if is_install else status.upgrade_failures,
        allowed=remediation.retries,
        remediates_last=last if last is not None else (not is_install and remediation.retries > 0),
        strategy=_strategy(remediation, is_install=is_install),
        interval=(chosen.retry_interval or RETRY_INTERVAL) if chosen is not None and is_retried else None,
    )


def next_action(release: HelmRelease, state: State, *, is_forced: bool) -> Action | None:
    """What comes next; None when nothing is left to do. Raises: Stalled when no try is left."""
    match state:
        case State.IN_SYNC:
            return Action.UPGRADE if is_forced else None
        case State.ABSENT:
            return _unless_spent(release, Action.INSTALL, ReleaseAction.INSTALL, is_forced=is_forced)
        case State.OUT_OF_SYNC:
            return _unless_spent(release, Action.UPGRADE, ReleaseAction.UPGRADE, is_forced=is_forced)
        case State.FAILED:
            return _after_failure(release, is_forced=is_forced)
        case State.UNMANAGED | State.BEGUN | State.ENDED | State.LOCKED | State.LEAVING:
            return _ALWAYS[state]
        case State.UNKNOWN:
            raise AssertionError("what is not known is not acted upon")


def exhausted(retries: Retries) -> Stalled:
    """The ending of a release of which no try is left, to be raised; Ready goes on to say what went wrong."""
    text = f"Failed to {retries.action} after {retries.failures} attempt(s)"
    ending = Stalled(reasons.RETRIES_EXCEEDED, text, sums_up=True)
    ending.is_told = True
    return ending


def _strategy(remediation: Remediation, *, is_install: bool) -> RemediationStrategy:
    """There is nothing to roll a failed install back to."""
    if is_install:
        return RemediationStrategy.UNINSTALL
    named = remediation.strategy if isinstance(remediation, UpgradeRemediation) else ""
    return RemediationStrategy(named or RemediationStrategy.ROLLBACK)


def _unless_spent(release: HelmRelease, action: Action, verb: ReleaseAction, *, is_forced: bool) -> Action:
    retries = retries_of(release, verb)
    if retries.are_spent and retries.interval is None and not is_forced:
        raise exhausted(retries)
    return action


def _after_failure(release: HelmRelease, *, is_forced: bool) -> Action:
    retries = active_retries(release)
    if retries is None or retries.interval is not None or retries.failures <= 0 or is_forced:
        return Action.UPGRADE
    if retries.are_spent and not retries.remediates_last:
        raise exhausted(retries)
    return Action.UNINSTALL if retries.strategy == RemediationStrategy.UNINSTALL else Action.ROLLBACK
