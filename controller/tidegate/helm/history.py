"""status.history: revisions as we last saw them (flux-v2-behaviour.md 6.2). Pure."""

from datetime import datetime

import msgspec

from tidegate.helm import digests
from tidegate.helm.release import record as records
from tidegate.helm.release.record import Record
from tidegate_api.helm.v2.helm_release import Snapshot

API_VERSION = "v2"
DEPLOYED, SUPERSEDED, UNINSTALLED = "deployed", "superseded", "uninstalled"
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


def recorded(history: list[Snapshot], new: Snapshot) -> list[Snapshot]:
    """`history` with `new` in the place of the same revision; what was deployed before is superseded by it."""
    others = [_superseded(one) if new.status == DEPLOYED else one for one in history if one.version != new.version]
    return sorted([new, *others], key=lambda one: -one.version)


def truncated(history: list[Snapshot]) -> list[Snapshot]:
    """Down to the last good revision before the newest; the newest few where there is none."""
    for place, one in enumerate(history[1:], start=1):
        if one.status in (DEPLOYED, SUPERSEDED):
            return history[: place + 1]
    return history[:KEPT]


def _superseded(one: Snapshot) -> Snapshot:
    return msgspec.structs.replace(one, status=SUPERSEDED) if one.status == DEPLOYED else one


def _time(text: str) -> datetime:
    """Kubernetes' times have whole seconds."""
    return datetime.fromisoformat(f"{text[:19]}+00:00") if text[:4].isdigit() else records.ZERO_TIME
