"""The chart of a release: where its artifact is, and its archive."""

from dataclasses import dataclass

from tidegate.adapters import chart_archive, chart_head
from tidegate.adapters.chart_head import InvalidChart
from tidegate.helm import names, reasons
from tidegate.helm.parts import Parts
from tidegate.runtime import threads
from tidegate.runtime.controller import Turn
from tidegate.toolkit import access, conditions
from tidegate.toolkit.artifacts import ArtifactError, ArtifactNotFound
from tidegate.toolkit.outcomes import Failed, Waiting
from tidegate.toolkit.sources import Source
from tidegate_api.codec import format_duration
from tidegate_api.helm.v2.charts import ChartRefKind
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.objects import ObjectKey


@dataclass(frozen=True)
class LoadedChart:
    """A chart's archive, and what it says of itself."""

    archive: bytes
    name: str
    version: str


def reference(release: HelmRelease) -> tuple[str, ObjectKey] | None:
    """The kind and the key of the object whose artifact is the chart."""
    made = names.chart_key(release)
    if made is not None:
        return ChartRefKind.HELM_CHART, made
    named = release.spec.chart_ref
    if named is None:
        return None
    return named.kind, ObjectKey(named.namespace or release.metadata.namespace, named.name)


def require_artifact(parts: Parts, release: HelmRelease) -> Artifact:
    """The chart's artifact. Raises: Failed without a source, Waiting until it is ready, Stalled for a forbidden one."""
    found = reference(release)
    if found is None:
        raise Failed(reasons.ARTIFACT_FAILED, "invalid Chart reference")
    kind, key = found
    what = f"{kind}/{key}"
    settings = parts.settings
    access.require_same_namespace(settings.cross_namespace, release.metadata.namespace, key.namespace, what)
    cache = parts.sources.get(kind)
    if cache is None:
        raise Failed(reasons.ARTIFACT_FAILED, f"source kind '{kind}' is not served by the API server")
    source = cache.find(key)
    if source is None and release.spec.chart is None:
        raise Failed(reasons.ARTIFACT_FAILED, f"could not get Source object: {kind} '{key}' not found")
    if source is None or not _is_ready(source) or source.status.artifact is None:
        text = f"{kind} '{key}' is not ready{_cause(source)}"
        raise Waiting(reasons.SOURCE_NOT_READY, text, settings.requeue_dependency)
    return source.status.artifact


async def load(parts: Parts, artifact: Artifact, turn: Turn) -> LoadedChart:
    """Fetch the chart. Raises: Waiting while nobody serves it, Failed when it is none; Superseded."""
    try:
        archive = await parts.artifacts.content(artifact, turn.touched, chart_archive.MAX_ARCHIVE)
        head = await threads.run(chart_head.read, archive)
    except ArtifactNotFound as error:
        after = parts.settings.requeue_dependency
        text = f"Source not ready: artifact not found. Retrying in {format_duration(after)}"
        raise Waiting(reasons.ARTIFACT_FAILED, text, after) from error
    except (ArtifactError, InvalidChart) as error:
        raise Failed(reasons.ARTIFACT_FAILED, f"Could not load chart: {error}") from error
    return LoadedChart(archive, head.name, head.version)


def _is_ready(source: Source) -> bool:
    """Observed as it is now, and not given up; whether its newest attempt failed does not matter."""
    is_stalled = any(
        item.type == conditions.STALLED and item.status == conditions.TRUE for item in source.status.conditions
    )
    return source.status.observed_generation == source.metadata.generation and not is_stalled


def _cause(source: Source | None) -> str:
    """What its own condition says, so that nobody has to go and look."""
    items = source.status.conditions if source is not None else []
    ready = next((item for item in items if item.type == conditions.READY), None)
    return f": {ready.message}" if ready is not None and ready.status != conditions.TRUE else ""
