"""status.history: revisions as we last saw them, with digests that Go's helm-controller computes alike (6.2). Pure."""

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from tidegate.adapters import yaml
from tidegate.helm.release import record as records
from tidegate.helm.release.record import Record
from tidegate_api.codec import JsonObject
from tidegate_api.helm.v2.helm_release import Snapshot

API_VERSION = "v2"
DEPLOYED, SUPERSEDED, UNINSTALLED = "deployed", "superseded", "uninstalled"
KEPT = 5
_TEST = "test"


def config_digest(values: JsonObject) -> str:
    """The digest of values: of their YAML with sorted keys, of nothing when there are none."""
    text = yaml.dump(values) if values else ""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def snapshot(record: Record, action: str, oci_digest: str = "") -> Snapshot:
    """A revision as it is now."""
    metadata = record.chart.get("metadata") or {}
    info = record.info
    return Snapshot(
        api_version=API_VERSION,
        digest=digest(record, oci_digest),
        name=record.name,
        namespace=record.namespace,
        version=record.version,
        status=info.status,
        action=action,
        chart_name=str(metadata.get("name", "")),
        chart_version=str(metadata.get("version", "")),
        app_version=str(metadata.get("appVersion", "")),
        config_digest=config_digest(record.config),
        first_deployed=_time(info.first_deployed),
        last_deployed=_time(info.last_deployed),
        deleted=_time(info.deleted) if info.deleted else None,
        oci_digest=oci_digest,
    )


def digest(record: Record, oci_digest: str = "") -> str:
    """The digest by which a revision is known to be as it was left."""
    hooks = [hook for hook in record.hooks if _TEST not in hook.events]
    observed: dict[str, Any] = {
        "name": record.name,
        "version": record.version,
        "info": record.info,
        "chartMetadata": record.chart.get("metadata") or {},
        "config": records.in_go_order(record.config) if record.config else None,
        "manifest": record.manifest,
        "hooks": hooks or None,
        "namespace": record.namespace,
        **({"ociDigest": oci_digest} if oci_digest else {}),
    }
    text = records.go_json(observed) + b"\n"
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def is_as_left(known: Snapshot, record: Record) -> bool:
    """Whether a stored revision is the one that was left; snapshots of older rules are trusted by their numbers."""
    if (known.name, known.namespace, known.version) != (record.name, record.namespace, record.version):
        return False
    return known.api_version != API_VERSION or known.digest == digest(record, known.oci_digest)


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
