"""From a chart and its values to the record of a revision, as far as it is known before anything is applied."""

from dataclasses import dataclass
from typing import Protocol

import msgspec

from tidegate.adapters.chart_jobs import Rendered, RenderRequest
from tidegate.helm.release import capabilities
from tidegate.helm.release.model import Desired
from tidegate.helm.release.record import Hook, Info, Record, go_now
from tidegate.helm.release.scope import Scope
from tidegate.helm.release.words import Words


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
