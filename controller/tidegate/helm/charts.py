"""The chart of a release: where its artifact is, and its archive."""

from dataclasses import dataclass

from tidegate.adapters import chart_archive, chart_head
from tidegate.adapters.chart_head import InvalidChart
from tidegate.helm import names, reasons, revisions
from tidegate.helm.parts import Parts
from tidegate.helm.revisions import RevisionMismatch
from tidegate.runtime import threads
from tidegate.runtime.controller import Turn
from tidegate.toolkit import access, conditions
from tidegate.toolkit.artifacts import ArtifactError, ArtifactNotFound
from tidegate.toolkit.outcomes import Failed, Stalled, Waiting
from tidegate.toolkit.sources import Source
from tidegate_api.codec import format_duration
from tidegate_api.helm.v2.charts import ChartRefKind
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.conditions import Condition
from tidegate_api.meta.objects import ObjectKey

NOT_RECONCILED = "latest generation of object has not been reconciled"


@dataclass(frozen=True)
class LoadedChart:
    """A chart's archive, and what it says of itself."""

    archive: bytes
    name: str
    version: str
    app_version: str
    oci_digest: str


def reference(release: HelmRelease) -> tuple[str, ObjectKey] | None:
    """The kind and the key of the object whose artifact is the chart."""
    made = names.chart_key(release)
    if made is not None:
        return ChartRefKind.HELM_CHART, made
    named = release.spec.chart_ref
    if named is None:
        return None
    return named.kind, ObjectKey(named.namespace or release.metadata.namespace, named.name)


def require_artifact(parts: Parts, release: HelmRelease, generation: int = 0) -> Artifact:
    """The chart's artifact, of that generation of its source or a later one.

    Raises: Failed without a source, Waiting until it is ready, Stalled for a forbidden one.
    """
    found = reference(release)
    if found is None:
        raise Failed(reasons.ARTIFACT_FAILED, "invalid Chart reference")
    kind, key = found
    settings = parts.settings
    if kind == ChartRefKind.EXTERNAL_ARTIFACT and not settings.external_artifacts:
        text = f"can't access '{kind}/{key}', ExternalArtifact feature gate is disabled"
        raise Stalled(reasons.ACCESS_DENIED, text)
    access.require_same_namespace(settings.cross_namespace, release.metadata.namespace, key.namespace, f"{kind}/{key}")
    cache = parts.sources.get(kind)
    source = cache.find(key) if cache is not None else None
    if source is None and generation == 0:
        raise Failed(reasons.ARTIFACT_FAILED, f"could not get Source object: {kind} '{key}' not found")
    problem = _problem(kind, source, generation)
    if source is None or source.status.artifact is None or problem:
        text = f"{kind} '{key}' is not ready: {problem}"
        raise Waiting(reasons.SOURCE_NOT_READY, text, settings.requeue_dependency)
    return source.status.artifact


async def load(parts: Parts, release: HelmRelease, artifact: Artifact, turn: Turn) -> LoadedChart:
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
    try:
        version, oci_digest = revisions.tracked(_kind(release), artifact.revision, head.version)
    except RevisionMismatch as error:
        raise Failed(reasons.CHART_MUTATE_ERROR, str(error)) from error
    if version != head.version:
        archive = await threads.run(chart_head.with_version, archive, version)
    return LoadedChart(archive, head.name, version, head.app_version, oci_digest)


def _kind(release: HelmRelease) -> str:
    named = release.spec.chart_ref
    return named.kind if named is not None else ChartRefKind.HELM_CHART


def _problem(kind: str, source: Source | None, generation: int) -> str:
    """Why a source cannot be used yet, "" when it can; that its newest attempt failed does not matter."""
    if source is None:  # we have just made it: said as it will be once it is seen, which is worth no second write
        return NOT_RECONCILED
    problem = "" if source.status.artifact is not None else "does not have an artifact"
    if kind == ChartRefKind.EXTERNAL_ARTIFACT:
        return problem
    ready, stalled = _find(source, conditions.READY), _find(source, conditions.STALLED)
    if not source.status.observed_generation == source.metadata.generation >= generation:
        is_failing = ready is not None and ready.status == conditions.FALSE
        return ready.message if ready and is_failing else NOT_RECONCILED
    return stalled.message if stalled is not None and stalled.status == conditions.TRUE else problem


def _find(source: Source, kind: str) -> Condition | None:
    return next((item for item in source.status.conditions if item.type == kind), None)
