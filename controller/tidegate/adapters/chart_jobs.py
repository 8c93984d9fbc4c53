"""What is asked of a chart worker and what it answers: the messages between chart_renderer and chart_worker."""

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

JsonObject = dict[str, Any]


class RenderRequest(Struct, kw_only=True, frozen=True):
    """A chart to render, for which release, with which values, for which cluster; `skip_schema`: whatever they are."""

    chart: bytes
    release_name: str
    namespace: str
    revision: int
    is_upgrade: bool
    values: JsonObject
    kube_version: str
    api_versions: tuple[str, ...]
    skip_schema: bool


class Crd(Struct, kw_only=True, frozen=True):
    """A file in the crds directory of a chart or of one of its enabled subcharts."""

    name: str
    text: str


class Hook(Struct, kw_only=True, frozen=True):
    """An object that is created at an event of the release, as Helm's record has it before it ever ran."""

    name: str
    kind: str
    path: str
    manifest: str
    events: list[str]
    weight: int
    delete_policies: list[str]
    output_log_policies: list[str]


class Rendered(Struct, kw_only=True, frozen=True, tag=True):
    """What Helm would store of a release: `chart` is that part of its record as JSON."""

    manifest: str
    hooks: list[Hook]
    notes: str
    crds: list[Crd]
    chart: JsonObject


class Problem(StrEnum):
    """Why a chart was not rendered."""

    CHART = "chart"
    VALUES = "values"
    TEMPLATE = "template"
    LIMIT = "limit"


class Refusal(Struct, kw_only=True, frozen=True, tag=True):
    """No result, and why; the message is for the user."""

    problem: Problem
    message: str


Outcome = Rendered | Refusal

encode = msgspec.msgpack.encode
_requests = msgspec.msgpack.Decoder(RenderRequest)
_outcomes: msgspec.msgpack.Decoder[Outcome] = msgspec.msgpack.Decoder(Outcome)
decode_request = _requests.decode
decode_outcome = _outcomes.decode
