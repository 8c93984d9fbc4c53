"""From a chart and its values to the record of a revision, as far as it is known before anything is applied."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from tidegate.helm.release import capabilities
from tidegate.helm.release.model import Desired
from tidegate.helm.release.record import Hook, Info, Record, go_now
from tidegate.helm.release.scope import Scope
from tidegate.helm.release.words import Words
from tidegate_api.codec import JsonObject


@dataclass(frozen=True)
class RenderRequest:
    chart: bytes
    release_name: str
    namespace: str
    revision: int
    is_upgrade: bool
    values: JsonObject
    kube_version: str
    api_versions: tuple[str, ...]
    skip_schema: bool


class Crd(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def text(self) -> str: ...


class Rendered(Protocol):
    @property
    def manifest(self) -> str: ...
    @property
    def hooks(self) -> Sequence[Any]: ...
    @property
    def notes(self) -> str: ...
    @property
    def crds(self) -> Sequence[Crd]: ...
    @property
    def chart(self) -> JsonObject: ...


class Renderer(Protocol):
    """Renders charts in processes that can be killed."""

    async def render(self, request: RenderRequest) -> Rendered:
        """Raises: RenderError."""
        ...


@dataclass(frozen=True)
class Revision:
    """The revision that is about to be."""

    version: int
    first_deployed: str
    words: Words


async def render(scope: Scope, renderer: Renderer, desired: Desired, revision: Revision) -> tuple[Record, Rendered]:
    """The pending record of a revision, and all that was rendered with it. Raises: RenderError, ApiError."""
    cluster = await capabilities.observe(scope.client)
    request = RenderRequest(
        chart=desired.chart,
        release_name=scope.key.name,
        namespace=scope.key.namespace,
        revision=revision.version,
        is_upgrade=revision.words.name == "upgrade",
        values=desired.values,
        kube_version=cluster.kube_version,
        api_versions=cluster.api_versions,
        skip_schema=scope.options.disable_schema_validation,
    )
    rendered = await renderer.render(request)
    now = go_now()
    info = Info(
        first_deployed=revision.first_deployed or now,
        last_deployed=now,
        description=revision.words.begun,
        status=revision.words.pending,
        notes=rendered.notes,
    )
    record = Record(
        name=scope.key.name,
        info=info,
        chart=rendered.chart,
        config=desired.values,
        manifest=rendered.manifest,
        hooks=msgspec.convert(msgspec.to_builtins(rendered.hooks), list[Hook]),
        version=revision.version,
        namespace=scope.key.namespace,
        apply_method="ssa",
    )
    return record, rendered
