"""What the release engine is told and tells: the words between it and the reconciler. No behaviour."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tidegate.helm.release.record import Record, Status
from tidegate.runtime.errors import TidegateError
from tidegate_api.codec import JsonObject
from tidegate_api.helm.v2.actions import CRDsPolicy, DeletionPropagation

OnStored = Callable[[Record], Awaitable[None]]
"""Awaited after each write of a release's outcome: pending, deployed, failed, uninstalling, uninstalled."""


@dataclass(frozen=True)
class ReleaseKey:
    """A Helm release: its (shortened) name, the namespace of its objects, and that of its records."""

    name: str
    namespace: str
    storage_namespace: str


@dataclass(frozen=True)
class Journal:
    """Whose action wrote a record, and for what; the mark by which a pending record is known as ours to resume.

    `event` is the last hook event that was begun, "" before the first.
    """

    uid: str
    generation: int
    inputs: str
    holder: str
    event: str = ""


@dataclass(frozen=True)
class Stored:
    """A record as it is in the cluster."""

    record: Record
    journal: Journal | None
    resource_version: str


@dataclass(frozen=True)
class RecordSummary:
    """What the metadata of a release Secret says: its record need not be decoded for that."""

    name: str
    version: int
    status: Status
    journal: Journal | None
    uid: str
    resource_version: str


@dataclass(frozen=True)
class Desired:
    """What is to be released: the chart's archive, its values, and the digest of all that led to them."""

    chart: bytes
    chart_name: str
    chart_version: str
    values: JsonObject
    inputs: str
    oci_digest: str = ""
    app_version: str = ""


@dataclass(frozen=True)
class Options:
    """How a release is acted on, from its HelmRelease; `uid` and `generation` are the HelmRelease's.

    `labels` and `annotations` are the common metadata; the origin labels are the owner's and need not be told.
    """

    uid: str
    generation: int
    timeout: timedelta = timedelta(minutes=5)
    wait: bool = True
    wait_for_jobs: bool = True
    hooks_disabled: bool = False
    crds: str = CRDsPolicy.CREATE
    take_ownership: bool = True
    create_namespace: bool = False
    replace: bool = False
    force: bool = False
    cleanup_on_fail: bool = False
    max_history: int = 5
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    disable_schema_validation: bool = False
    keep_history: bool = False
    deletion_propagation: str = DeletionPropagation.BACKGROUND


class ActionFailed(TidegateError):
    """An action ended badly; the message is for the user.

    `record` is the failed release as stored, None when nothing was stored; `logs` are the last lines of the action.
    """

    def __init__(self, message: str, record: Record | None = None, logs: tuple[str, ...] = ()) -> None:
        self.record = record
        self.logs = logs
        super().__init__(message)
