"""A release as Helm 4 stores it: its JSON, and the text that holds it in a Secret. Reads what Helm 3 wrote, too.

Times stay the texts that they are: Go writes nanoseconds, and digests of a record are over every digit of them.
"""

import base64
import binascii
import gzip
import re
import zlib
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from tidegate.runtime import json_text
from tidegate.runtime.errors import TidegateError
from tidegate_api.codec import JsonObject

MAX_ENCODED = 1 << 20
"""The most that the API server stores in a Secret."""
MAX_JSON = 128 << 20
_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP = 31
_COMPRESSION = 6  # Go's best is hardly smaller, and takes twice as long
# Go writes these as escapes, so that JSON can stand in HTML; all of them can only be inside of strings.
_ESCAPES = {character: f"\\u{ord(character):04x}".encode() for character in "<>&\u2028\u2029"}
ZERO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""What Go writes where no time is."""
_ESCAPED = re.compile("|".join(_ESCAPES).encode())


class InvalidRecord(TidegateError):
    """What is stored is no release record, or breaks a bound."""


class RecordTooLarge(TidegateError):
    """A record does not fit into a Secret."""


class Status(StrEnum):
    """The status of a release, in Helm's words."""

    UNKNOWN = "unknown"
    DEPLOYED = "deployed"
    UNINSTALLED = "uninstalled"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    UNINSTALLING = "uninstalling"
    PENDING_INSTALL = "pending-install"
    PENDING_UPGRADE = "pending-upgrade"
    PENDING_ROLLBACK = "pending-rollback"

    @property
    def is_pending(self) -> bool:
        """Whether an action is under way, or was when its process ended."""
        return self in (Status.PENDING_INSTALL, Status.PENDING_UPGRADE, Status.PENDING_ROLLBACK)


class Phase(StrEnum):
    """How the last run of a hook stands."""

    UNKNOWN = "Unknown"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class HookExecution(Struct, kw_only=True, omit_defaults=True):
    """The last run of a hook; `phase` is "" for one that never ran, and the only field that is always written."""

    started_at: str = ""
    completed_at: str = ""
    phase: str


class Hook(Struct, kw_only=True, omit_defaults=True):
    """An object that is created at an event of the release, and that does not belong to it."""

    name: str = ""
    kind: str = ""
    path: str = ""
    manifest: str = ""
    events: list[str] = []
    last_run: HookExecution = msgspec.field(default_factory=lambda: HookExecution(phase=""))
    weight: int = 0
    delete_policies: list[str] = []
    output_log_policies: list[str] = []


class Info(Struct, kw_only=True, omit_defaults=True):
    """What is told of a release."""

    first_deployed: str = ""
    last_deployed: str = ""
    deleted: str = ""
    description: str = ""
    status: str = ""
    rollback_revision: int = 0
    notes: str = ""


class Record(Struct, kw_only=True, omit_defaults=True):
    """One revision of a release, with the fields of Helm 4's JSON in their order."""

    name: str = ""
    info: Info = msgspec.field(default_factory=Info)
    chart: JsonObject = {}
    config: JsonObject = {}
    manifest: str = ""
    hooks: list[Hook] = []
    version: int = 0
    namespace: str = ""
    apply_method: str = ""

    @property
    def status(self) -> Status:
        """The status, in a closed set of words."""
        return status_of(self.info.status)


def status_of(text: str) -> Status:
    """The status that `text` names; UNKNOWN for any other text."""
    return next((status for status in Status if status == text), Status.UNKNOWN)


def encode(record: Record) -> str:
    """The text that is the value of `release` in the Secret's data, before Kubernetes encodes it once more.

    Raises: RecordTooLarge.
    """
    return _pack(to_json(record))


def require_fits(record: Record) -> None:
    """Raises: RecordTooLarge when `record` cannot be stored."""
    text = to_json(record)
    if len(text) > MAX_ENCODED // 2:  # what is smaller fits, however badly it is compressed
        _pack(text)


def to_json(record: Record) -> bytes:
    """The JSON that Helm writes for `record`, byte for byte."""
    return go_json(_with_sorted_maps(record))


def go_json(value: Any) -> bytes:
    """`value` as Go's encoding/json writes it; maps must be sorted already."""
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0].decode()], msgspec.json.encode(value))


def decode(encoded: str) -> Record:
    """The record that `encoded` holds. Raises: InvalidRecord."""
    try:
        packed = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRecord("the release record is not base64") from error
    text = _inflate(packed) if packed.startswith(_GZIP_MAGIC) else packed
    try:
        return msgspec.convert(_without_nulls(json_text.decode(text)), Record)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InvalidRecord(f"the release record is not as Helm writes it: {error}") from error


def to_base64(text: str) -> str:
    """`text` as the value in a Secret's data."""
    return base64.b64encode(text.encode()).decode()


def from_base64(text: str) -> str:
    """The value that a Secret's data holds. Raises: InvalidRecord."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidRecord("the Secret's value is not base64") from error


def go_time(moment: datetime) -> str:
    """`moment` as Go writes it: RFC 3339 with as many digits as it takes."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00").rstrip("0")
    return text.removesuffix(".") + "Z"


def go_now() -> str:
    """The time now, as Go writes it."""
    return go_time(datetime.now(UTC))


def _pack(text: bytes) -> str:
    encoded = base64.b64encode(gzip.compress(text, _COMPRESSION, mtime=0)).decode()
    if len(encoded) > MAX_ENCODED:
        raise RecordTooLarge(f"data: Too long: may not be more than {MAX_ENCODED} bytes")
    return encoded


def _inflate(packed: bytes) -> bytes:
    inflater = zlib.decompressobj(_GZIP)
    try:
        text = inflater.decompress(packed, MAX_JSON)
    except zlib.error as error:
        raise InvalidRecord("the release record is no valid gzip") from error
    if inflater.unconsumed_tail:
        raise InvalidRecord(f"the release record is larger than {MAX_JSON} bytes")
    if not inflater.eof:
        raise InvalidRecord("the release record is truncated")
    return text


def _with_sorted_maps(record: Record) -> Record:
    """Go writes maps in the order of their keys; the chart's other parts are structs, whose order is given."""
    changed = msgspec.structs.replace(record, config=in_go_order(record.config))
    if record.chart.get("values"):
        changed.chart = {**record.chart, "values": in_go_order(record.chart["values"])}
    return changed


def in_go_order(value: object) -> JsonObject:
    ordered: JsonObject = msgspec.json.decode(msgspec.json.encode(value, order="deterministic"))
    return ordered


def _without_nulls(value: object) -> object:
    """To Go, null is the zero value of a field; in values it is one of them."""
    if not isinstance(value, dict):
        return value
    fields = {name: field for name, field in value.items() if field is not None}
    if isinstance(fields.get("info"), dict):
        fields["info"] = {name: field for name, field in fields["info"].items() if field is not None}
    if isinstance(fields.get("hooks"), list):
        fields["hooks"] = [_without_nulls(hook) for hook in fields["hooks"]]
    return fields
