"""status.history: revisions as we last saw them (flux-v2-behaviour.md 6.2). Pure."""

from datetime import datetime

from tidegate.helm import digests
from tidegate.helm.release import record as records
from tidegate.helm.release.record import Record, Status
from tidegate_api.helm.v2.helm_release import Snapshot

API_VERSION = "v2"
DEPLOYED, SUPERSEDED = Status.DEPLOYED, Status.SUPERSEDED
KEPT = 5


def snapshot(record: Record, action: str, oci_digest: str = "") -> Snapshot:
    """A revision as it is now."""
    metadata = record.chart.get("metadata") or {}
    info = record.info
    return Snapshot(
        api_version=API_VERSION,
        digest=digests.of_record(record, oci_digest),
        name=record.name,
        namespace=record.namespace,
        version=record.version,
        status=info.status,
        action=action,
        chart_name=str(metadata.get("name", "")),
        chart_version=str(metadata.get("version", "")),
        app_version=str(metadata.get("appVersion", "")),
        config_digest=digests.of_values(record.config),
        first_deployed=_time(info.first_deployed),
        last_deployed=_time(info.last_deployed),
        deleted=_time(info.deleted) if info.deleted else None,
        oci_digest=oci_digest,
    )


def is_as_left(known: Snapshot, record: Record) -> bool:
    """Whether a stored revision is the one that was left; snapshots of older rules are trusted by their numbers."""
    if (known.name, known.namespace, known.version) != (record.name, record.namespace, record.version):
        return False
    return known.api_version != API_VERSION or known.digest == digests.of_record(record, known.oci_digest)


def recorded(history: list[Snapshot], record: Record, action: str, oci_digest: str) -> list[Snapshot]:
    """`history` with a revision as it was just stored: on top when it is new, else in its place with what it was of.

    An older one that the history does not have is nobody's concern any more.
    """
    known = next((one for one in history if one.version == record.version), None)
    if known is not None:
        kept = snapshot(record, action if record.status == Status.UNINSTALLED else known.action, known.oci_digest)
        kept.test_hooks = known.test_hooks
        return [kept if one is known else one for one in history]
    if history and record.version < history[0].version:
        return history
    return [snapshot(record, action, oci_digest), *history]


def still_deployed(history: list[Snapshot], before: int) -> list[Snapshot]:
    """The revisions before `before` that are deployed as far as the history knows."""
    return [one for one in history if one.version < before and one.status == DEPLOYED]


def bounded(history: list[Snapshot]) -> list[Snapshot]:
    """The newest few, and the last good revision before them: what a release that is tried for ever keeps."""
    good = previous(history)
    return [one for place, one in enumerate(history) if place < KEPT or one is good]


def full_name(one: Snapshot) -> str:
    """A revision as messages name it."""
    return f"{one.namespace}/{one.name}.v{one.version}"


def chart_of(one: Snapshot) -> str:
    """Its chart as messages name it."""
    return f"{one.chart_name}@{one.chart_version}"


def previous(history: list[Snapshot]) -> Snapshot | None:
    """The last good revision before the newest."""
    return next((one for one in history[1:] if one.status in (DEPLOYED, SUPERSEDED)), None)


def truncated(history: list[Snapshot]) -> list[Snapshot]:
    """Down to the last good revision before the newest; the newest few where there is none."""
    for place, one in enumerate(history[1:], start=1):
        if one.status in (DEPLOYED, SUPERSEDED):
            return history[: place + 1]
    return history[:KEPT]


def _time(text: str) -> datetime:
    """Kubernetes' times have whole seconds."""
    return datetime.fromisoformat(f"{text[:19]}+00:00") if text[:4].isdigit() else records.ZERO_TIME
