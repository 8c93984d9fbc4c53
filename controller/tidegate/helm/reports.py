"""What is said of an action on a release: conditions, counters and events, in Flux's words (6.3)."""

from dataclasses import dataclass
from datetime import timedelta

from tidegate.helm import digests, facts, history, names, plan, reasons
from tidegate.helm.plan import Action
from tidegate.helm.release.model import ActionFailed, Desired
from tidegate.toolkit import conditions
from tidegate.toolkit.attempt import Attempt
from tidegate.toolkit.events import Severity
from tidegate_api.codec import format_duration
from tidegate_api.helm.v2.helm_release import HelmRelease, HelmReleaseStatus, ReleaseAction, Snapshot

_SUCCEEDED = {
    ReleaseAction.INSTALL: reasons.INSTALL_SUCCEEDED,
    ReleaseAction.UPGRADE: reasons.UPGRADE_SUCCEEDED,
}
_FAILED = {ReleaseAction.INSTALL: reasons.INSTALL_FAILED, ReleaseAction.UPGRADE: reasons.UPGRADE_FAILED}
_UNDONE = {
    Action.ROLLBACK: ("Helm rollback to previous release", reasons.ROLLBACK_SUCCEEDED, reasons.ROLLBACK_FAILED),
    Action.UNINSTALL: (
        *("Helm uninstall remediation for release", reasons.UNINSTALL_SUCCEEDED, reasons.UNINSTALL_FAILED),
    ),
}


@dataclass(frozen=True)
class Reports:
    """The reports of one attempt."""

    attempt: Attempt[HelmRelease]
    desired: Desired

    @property
    def _status(self) -> HelmReleaseStatus:
        return self.attempt.obj.status

    def began(self, name: str, timeout: timedelta, *, is_release: bool) -> None:
        """An action begins; a release is as unready as what it is about to change."""
        text = f"Running '{name}' action with timeout of {format_duration(timeout)}"
        self.attempt.progress(text)
        if is_release:
            self.attempt.conditions.mark_unknown(conditions.READY, conditions.PROGRESSING, text)

    def released(self, verb: ReleaseAction) -> None:
        """An install or upgrade succeeded; the newest revision is its."""
        newest = self._status.history[0]
        text = f"Helm {verb} succeeded for release {history.full_name(newest)} with chart {history.chart_of(newest)}"
        self.attempt.conditions.mark_true(reasons.RELEASED, _SUCCEEDED[verb], text)
        self._observe_spec()
        if plan.retries_of(self.attempt.obj, verb).interval is not None:
            clear_failures(self._status)
        self._event(Severity.INFO, _SUCCEEDED[verb], text, newest)

    def failed(self, verb: ReleaseAction, error: ActionFailed) -> str:
        """An install or upgrade failed: counted as one of its kind only where it stored a revision. Says how."""
        desired, key = self.desired, names.release_key(self.attempt.obj)
        chart = f"{desired.chart_name}@{desired.chart_version}"
        text = f"Helm {verb} failed for release {key.namespace}/{key.name} with chart {chart}: {str(error).strip()}"
        status = self._status
        status.failures += 1
        if error.record is not None and verb == ReleaseAction.INSTALL:
            status.install_failures += 1
        if error.record is not None and verb == ReleaseAction.UPGRADE:
            status.upgrade_failures += 1
        self.attempt.conditions.mark_false(reasons.RELEASED, _FAILED[verb], text)
        self._observe_spec()
        self._event(Severity.ERROR, _FAILED[verb], _with_logs(text, error))
        return text

    def unlocked(self, newest: Snapshot, before: str) -> None:
        """A revision that was pending is not any more."""
        text = (
            f"Unlocked Helm release {history.full_name(newest)} with chart {history.chart_of(newest)} in {before} state"
        )
        self.attempt.conditions.mark_false(reasons.RELEASED, reasons.PENDING_RELEASE, text)
        self._event(Severity.INFO, reasons.PENDING_RELEASE, text, newest)

    def remediated(self, action: Action, target: Snapshot, error: ActionFailed | None = None) -> str:
        """A failure was undone, or could not be; `target` is what was uninstalled or rolled back to. Says how."""
        begun, succeeded, failed = _UNDONE[action]
        text = f"{begun} {history.full_name(target)} with chart {history.chart_of(target)}"
        if error is None:
            text = f"{text} succeeded"
            self.attempt.conditions.mark_true(reasons.REMEDIATED, succeeded, text)
            self._event(Severity.INFO, succeeded, text, target)
            return text
        text = f"{text} failed: {str(error).strip()}"
        self._status.failures += 1
        self.attempt.conditions.mark_false(reasons.REMEDIATED, failed, text)
        self._event(Severity.ERROR, failed, _with_logs(text, error), target)
        return text

    def in_sync(self) -> None:
        """It is as wanted: what an earlier failure, mended meanwhile, left in the conditions is put right."""
        marks, newest = self.attempt.conditions, self._status.history[0]
        released = marks.find(reasons.RELEASED)
        is_install = released is not None and released.reason == reasons.INSTALL_FAILED
        if marks.find(reasons.REMEDIATED) is not None or not marks.is_true(reasons.RELEASED):
            verb = ReleaseAction.INSTALL if is_install or newest.version == 1 else ReleaseAction.UPGRADE
            what = f"release {history.full_name(newest)} with chart {history.chart_of(newest)}"
            marks.remove(reasons.REMEDIATED)
            marks.mark_true(reasons.RELEASED, _SUCCEEDED[verb], f"Helm {verb} succeeded for {what}")
        self._observe_spec()

    def _observe_spec(self) -> None:
        self._status.observed_common_metadata_digest = facts.common_metadata_digest(self.attempt.obj)

    def _event(self, severity: Severity, reason: str, text: str, about: Snapshot | None = None) -> None:
        self.attempt.event(severity, reason, text, **(event_facts(about) if about else self._wanted_facts()))

    def _wanted_facts(self) -> dict[str, str]:
        desired = self.desired
        return {
            "revision": desired.chart_version,
            "token": digests.of_values(desired.values),
            "app-version": desired.app_version,
            "oci-digest": desired.oci_digest,
        }


def event_facts(about: Snapshot) -> dict[str, str]:
    """What events about a revision carry along, for those who read them by machine."""
    return {
        "revision": about.chart_version,
        "token": about.config_digest,
        "app-version": about.app_version,
        "oci-digest": about.oci_digest,
    }


def clear_failures(status: HelmReleaseStatus) -> None:
    """All tries are given back."""
    status.failures = status.install_failures = status.upgrade_failures = 0


def _with_logs(text: str, error: ActionFailed) -> str:
    said = "\n".join(error.logs)
    return f"{text}\n\nLast Helm logs:\n\n{said}" if said else text
