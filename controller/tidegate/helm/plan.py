"""What is to be done about a release in a state: a word in, a word out (flux-v2-behaviour.md 6.5). Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tidegate.helm import reasons
from tidegate.helm.state import State
from tidegate.toolkit.outcomes import Stalled
from tidegate_api.helm.v2.actions import Remediation, StrategyName
from tidegate_api.helm.v2.helm_release import HelmRelease, ReleaseAction

RETRY_INTERVAL = timedelta(minutes=5)


class Action(StrEnum):
    """What can be done about a release."""

    INSTALL = "install"
    UPGRADE = "upgrade"
    RESUME = "resume"
    UNLOCK = "unlock"
    UNINSTALL = "uninstall"
    """Remediation: a failed install is taken away before the next try."""


_ALWAYS = {State.BEGUN: Action.RESUME, State.LOCKED: Action.UNLOCK, State.UNMANAGED: Action.UPGRADE}


@dataclass(frozen=True)
class Retries:
    """What follows a failed action of one kind."""

    action: ReleaseAction
    failures: int
    allowed: int
    remediates_last: bool
    interval: timedelta | None

    @property
    def are_spent(self) -> bool:
        """Whether no try is left; a negative number of them is never spent."""
        return 0 <= self.allowed < self.failures


def retries_of(release: HelmRelease, action: ReleaseAction) -> Retries:
    """The retries of an action, as its spec says and its failures so far have it."""
    spec, status = release.spec, release.status
    is_install = action == ReleaseAction.INSTALL
    part = spec.install if is_install else spec.upgrade
    remediation = (part.remediation if part is not None else None) or Remediation()
    strategy = part.strategy if part is not None else None
    interval = None
    if strategy is not None and strategy.name == StrategyName.RETRY_ON_FAILURE:
        interval = strategy.retry_interval or RETRY_INTERVAL
    last = remediation.remediate_last_failure
    return Retries(
        action=action,
        failures=status.install_failures if is_install else status.upgrade_failures,
        allowed=remediation.retries,
        remediates_last=last if last is not None else (not is_install and remediation.retries > 0),
        interval=interval,
    )


def next_action(release: HelmRelease, state: State, *, is_forced: bool) -> Action | None:
    """What comes next; None when nothing is left to do. Raises: Stalled when no try is left."""
    match state:
        case State.IN_SYNC:
            return Action.UPGRADE if is_forced else None
        case State.ABSENT:
            _require_retries(release, ReleaseAction.INSTALL, is_forced=is_forced)
            return Action.INSTALL
        case State.OUT_OF_SYNC:
            _require_retries(release, ReleaseAction.UPGRADE, is_forced=is_forced)
            return Action.UPGRADE
        case State.FAILED:
            return _after_failure(release, is_forced=is_forced)
        case State.BEGUN | State.LOCKED | State.UNMANAGED:
            return _ALWAYS[state]


def _require_retries(release: HelmRelease, action: ReleaseAction, *, is_forced: bool) -> None:
    retries = retries_of(release, action)
    if retries.interval is None and retries.are_spent and not is_forced:
        raise exhausted(retries)


def _after_failure(release: HelmRelease, *, is_forced: bool) -> Action:
    last = release.status.last_attempted_release_action
    if not last or is_forced:
        return Action.UPGRADE
    retries = retries_of(release, ReleaseAction(last))
    if retries.interval is not None or retries.failures <= 0:
        return Action.UPGRADE
    if retries.are_spent and not (retries.remediates_last and retries.action == ReleaseAction.INSTALL):
        raise exhausted(retries)
    return Action.UNINSTALL if retries.action == ReleaseAction.INSTALL else Action.UPGRADE


def exhausted(retries: Retries) -> Stalled:
    """The ending of a release of which no try is left: to be raised."""
    text = f"Failed to {retries.action} after {retries.failures} attempt(s)"
    return Stalled(reasons.RETRIES_EXCEEDED, text, sums_up=True)
