"""How a release record lies in a Secret: name, labels, annotation. Pure; Helm reads and writes the same."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tidegate.helm.release import record as records
from tidegate.helm.release.model import Journal, RecordSummary
from tidegate.helm.release.record import InvalidRecord, Record
from tidegate_api.codec import JsonObject

TYPE = "helm.sh/release.v1"
JOURNAL = "tidegate.dev/journal"
_PREFIX = "sh.helm.release.v1"


def secret_name(name: str, version: int) -> str:
    """The name of the Secret that holds a revision."""
    return f"{_PREFIX}.{name}.v{version}"


def selector(name: str) -> str:
    """The label selector of all revisions of a release."""
    return f"name={name},owner=helm"


def build(record: Record, journal: Journal, namespace: str, now: int) -> JsonObject:
    """The Secret for a revision that is not stored yet. Raises: RecordTooLarge."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TYPE,
        "metadata": {
            "name": secret_name(record.name, record.version),
            "namespace": namespace,
            "labels": {**_labels(record), "createdAt": str(now)},
            "annotations": {JOURNAL: write_journal(journal)},
        },
        "data": {"release": _data(record)},
    }


def change(record: Record, journal: Journal | None, resource_version: str, now: int) -> JsonObject:
    """The merge patch that writes `record` over the version that was read. Raises: RecordTooLarge.

    Without a journal of ours the annotation goes, as it does when Helm writes.
    """
    return {
        "metadata": {
            "resourceVersion": resource_version,
            # Helm's own update sets all labels anew, and so forgets when the record was created.
            "labels": {**_labels(record), "modifiedAt": str(now), "createdAt": None},
            "annotations": {JOURNAL: write_journal(journal) if journal is not None else None},
        },
        "data": {"release": _data(record)},
    }


def read(secret: JsonObject) -> Record:
    """The record in a Secret. Raises: InvalidRecord."""
    data = secret.get("data")
    encoded = data.get("release") if isinstance(data, dict) else None
    if not isinstance(encoded, str):
        raise InvalidRecord("the Secret holds no release record")
    return records.decode(records.from_base64(encoded))


def summarize(secret: JsonObject) -> RecordSummary | None:
    """What a Secret's metadata say of the revision in it; None when they are not Helm's."""
    metadata = secret["metadata"]
    labels = metadata.get("labels") or {}
    version = str(labels.get("version", ""))
    if not version.isdecimal() or metadata["name"] != secret_name(str(labels.get("name")), int(version)):
        return None
    return RecordSummary(
        name=labels["name"],
        version=int(version),
        status=records.status_of(str(labels.get("status"))),
        journal=read_journal(metadata),
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
    )


def write_journal(journal: Journal) -> str:
    """The value of the annotation."""
    return msgspec.json.encode(journal).decode()


def read_journal(metadata: Mapping[str, Any]) -> Journal | None:
    """Our journal in a Secret's metadata, if it is there and can be read."""
    text = (metadata.get("annotations") or {}).get(JOURNAL)
    try:
        return msgspec.json.decode(text, type=Journal) if isinstance(text, str) else None
    except msgspec.DecodeError:
        return None


def _labels(record: Record) -> dict[str, str]:
    return {"name": record.name, "owner": "helm", "status": record.info.status, "version": str(record.version)}


def _data(record: Record) -> str:
    return records.to_base64(records.encode(record))
