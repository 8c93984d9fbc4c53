"""How a release stands: facts in, a word out (flux-v2-behaviour.md 6.5). Pure."""

from dataclasses import dataclass
from enum import StrEnum

from tidegate.helm import digests, history
from tidegate.helm.release.model import Desired, Stored
from tidegate.helm.release.record import Status
from tidegate_api.helm.v2.helm_release import HelmRelease


class State(StrEnum):
    """How the newest stored revision compares with what is wanted."""

    ABSENT = "absent"
    BEGUN = "begun"
    """An action of our own was interrupted, and is to be finished as it was begun."""
    LOCKED = "locked"
    """An action that nobody will finish holds the release."""
    UNMANAGED = "unmanaged"
    """It is not as we left it: somebody else released, or we never did."""
    FAILED = "failed"
    OUT_OF_SYNC = "out of sync"
    IN_SYNC = "in sync"


@dataclass(frozen=True)
class Observed:
    """A state and why, in words for a log."""

    state: State
    reason: str


def classify(release: HelmRelease, stored: Stored | None, desired: Desired) -> Observed:
    """The state of a release whose newest stored revision is `stored`."""
    if stored is None:
        return Observed(State.ABSENT, "no release in storage")
    status = stored.record.status
    if status.is_pending:
        if _is_ours(release, stored, desired):
            return Observed(State.BEGUN, f"our own {status} of the same inputs")
        return Observed(State.LOCKED, f"release is {status}")
    if status in (Status.UNINSTALLED, Status.UNINSTALLING):
        return Observed(State.ABSENT, f"release is {status}")
    return _classify_settled(release, stored, desired)


def _classify_settled(release: HelmRelease, stored: Stored, desired: Desired) -> Observed:
    record, known = stored.record, release.status.history
    if not known:
        return Observed(State.UNMANAGED, "release is in storage, but not in the history")
    if not history.is_as_left(known[0], record):
        return Observed(State.UNMANAGED, f"revision {record.version} is not as it was left")
    if record.status == Status.FAILED:
        return Observed(State.FAILED, "release is in a failed state")
    return _compare(release, stored, desired)


def _is_ours(release: HelmRelease, stored: Stored, desired: Desired) -> bool:
    journal = stored.journal
    return journal is not None and (journal.uid, journal.inputs) == (release.metadata.uid, desired.inputs)


def _compare(release: HelmRelease, stored: Stored, desired: Desired) -> Observed:
    known = release.status.history[0]
    if (known.chart_name, known.chart_version) != (desired.chart_name, desired.chart_version):
        return Observed(State.OUT_OF_SYNC, "chart differs")
    if known.config_digest != digests.of_values(desired.values):
        return Observed(State.OUT_OF_SYNC, "values differ")
    is_new = release.status.observed_generation != release.metadata.generation
    if is_new and release.status.observed_common_metadata_digest != common_metadata_digest(release):
        return Observed(State.OUT_OF_SYNC, "common metadata differs")
    if stored.record.status != Status.DEPLOYED:
        return Observed(State.UNMANAGED, f"release is {stored.record.status}")
    return Observed(State.IN_SYNC, "release is as wanted")


def common_metadata_digest(release: HelmRelease) -> str:
    """The digest of spec.commonMetadata, "" when there is none."""
    common = release.spec.common_metadata
    if common is None:
        return ""
    wanted = {"annotations": dict(common.annotations), "labels": dict(common.labels)}
    return digests.of_values({key: value for key, value in wanted.items() if value})
