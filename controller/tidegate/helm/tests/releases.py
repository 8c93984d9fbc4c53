"""HelmReleases, records and snapshots for tests of what decides."""

from typing import Any

from tidegate.helm import history
from tidegate.helm.release.model import Desired, Journal, Stored
from tidegate.helm.release.record import Info, Record
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.helm.v2.helm_release import HelmRelease, Snapshot

UID, INPUTS = "uid-1", "inputs-1"
OURS = Journal(UID, 1, INPUTS, "pod-1")


def a_release(spec: JsonObject | None = None, name: str = "web", namespace: str = "apps", **status: Any) -> HelmRelease:
    chart = {"spec": {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "charts"}}}
    release = codec.decode(
        HelmRelease,
        {
            "metadata": {"name": name, "namespace": namespace, "uid": UID, "generation": 1},
            "spec": {"interval": "1m", "chart": chart, **(spec or {})},
        },
    )
    for field, value in status.items():
        setattr(release.status, field, value)
    return release


def a_record(version: int = 1, status: str = "deployed", **config: Any) -> Record:
    time = "2026-01-02T03:04:05Z"
    return Record(
        name="web",
        info=Info(status=status, first_deployed=time, last_deployed=time),
        chart={"metadata": {"name": "web", "version": "1.0.0"}},
        config=config,
        version=version,
        namespace="apps",
    )


def a_snapshot(version: int = 1, status: str = "deployed", action: str = "install") -> Snapshot:
    return history.snapshot(a_record(version, status), action)


def stored(record: Record, journal: Journal | None = None) -> Stored:
    return Stored(record, journal, "7")


def wanted(**values: Any) -> Desired:
    return Desired(b"", "web", "1.0.0", values, INPUTS)
