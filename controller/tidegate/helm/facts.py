"""What there is to know of a release before anything is decided: what is stored, what we left, what is wanted. Pure."""

from dataclasses import dataclass

from tidegate.helm import digests, history
from tidegate.helm.release.model import Desired, Stored
from tidegate.helm.release.record import Record, Status, status_of
from tidegate_api.helm.v2.helm_release import HelmRelease


@dataclass(frozen=True)
class Facts:
    """The newest stored revision, next to the newest in status.history and to what is wanted.

    `is_ours`: an action of this HelmRelease wrote it, for these very inputs. `is_noted`: the history has it, and how
    its action ended. `is_as_left`: it has not changed since. `difference` is what is wanted otherwise, "" for nothing.
    """

    status: Status | None = None
    is_ours: bool = False
    is_managed: bool = False
    is_noted: bool = False
    is_as_left: bool = False
    difference: str = ""


def gather(release: HelmRelease, stored: Stored | None, desired: Desired) -> Facts:
    """The facts about a release whose newest stored revision is `stored`."""
    if stored is None:
        return Facts()
    record = stored.record
    known = release.status.history
    return Facts(
        status=record.status,
        is_ours=_is_ours(release, stored, desired),
        is_managed=bool(known),
        is_noted=bool(known) and known[0].version >= record.version and not status_of(known[0].status).is_pending,
        is_as_left=bool(known) and history.is_as_left(known[0], record),
        difference=_difference(release, record, desired) if known else "",
    )


def common_metadata_digest(release: HelmRelease) -> str:
    """The digest of spec.commonMetadata, "" when there is none."""
    common = release.spec.common_metadata
    if common is None:
        return ""
    wanted = {"annotations": dict(common.annotations), "labels": dict(common.labels)}
    return digests.of_values({key: value for key, value in wanted.items() if value})


def _is_ours(release: HelmRelease, stored: Stored, desired: Desired) -> bool:
    journal = stored.journal
    return journal is not None and (journal.uid, journal.inputs) == (release.metadata.uid, desired.inputs)


def _difference(release: HelmRelease, record: Record, desired: Desired) -> str:
    metadata = record.chart.get("metadata") or {}
    if (metadata.get("name"), metadata.get("version")) != (desired.chart_name, desired.chart_version):
        return "release chart changed"
    if release.status.history[0].config_digest != digests.of_values(desired.values):
        return "release config values changed"
    is_new = release.status.observed_generation != release.metadata.generation
    if is_new and release.status.observed_common_metadata_digest != common_metadata_digest(release):
        return "common metadata digest has changed"
    return ""
