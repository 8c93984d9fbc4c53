"""HelmChart: the newest fitting version of one chart, served as its repository has it."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tidegate.adapters.http_files import HttpFiles
from tidegate.adapters.oci import Registries
from tidegate.adapters.patterns import Pattern
from tidegate.runtime import threads
from tidegate.runtime.cache import Cache
from tidegate.runtime.controller import Result, Turn
from tidegate.source import charts, helm_repository, pipeline, registry_auth
from tidegate.source import conditions as kinds
from tidegate.source.charts import (
    Chart,
    ChartPullFailed,
    ChartReferenceInvalid,
    ChartSource,
    ChartUnauthorized,
    IndexedCharts,
    RegistryCharts,
)
from tidegate.source.conditions import BuildFailed, BuildStalled
from tidegate.source.credentials import BadCredentials
from tidegate.source.pipeline import Pipeline, Written
from tidegate.toolkit.attempt import Attempt, Tools
from tidegate.toolkit.outcomes import Waiting
from tidegate_api.codec import Duration
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.source.v1.helm_chart import ChartSourceKind, HelmChart
from tidegate_api.source.v1.helm_repository import HelmRepository

# Its source wakes it; this is the safety net.
REQUEUE = Duration(minutes=1)
_NAME = Pattern(r"^([-a-z0-9]+/?\.?)+$")
_NEWEST = "latest.tar.gz"


@dataclass(frozen=True)
class Charts:
    """Where charts come from: the repositories, and the connections to their servers."""

    repositories: Cache[HelmRepository]
    files: HttpFiles
    registries: Registries


@dataclass(frozen=True)
class HelmChartReconciler:
    """Reconciles HelmCharts from `cache`; everything it needs is plugged in by main.py."""

    pipeline: Pipeline
    cache: Cache[HelmChart]
    tools: Tools
    charts: Charts

    async def reconcile(self, turn: Turn) -> Result:
        """One turn of one HelmChart."""
        chart = self.cache.find(turn.key)
        if chart is None:
            return Result()
        if chart.metadata.deletion_timestamp is not None:
            await self.pipeline.finalize(chart, self.tools)
            return Result()
        if chart.spec.suspend:
            return Result()
        return await self.pipeline.attempt(chart, turn, self.tools, kinds.HELM_CHART_SUMMARY, self._update)

    async def _update(self, attempt: Attempt[HelmChart]) -> None:
        _check_spec(attempt)
        is_served = await self.pipeline.prepare(attempt)
        repository = self._find_repository(attempt)
        source = await self._open(attempt, repository)
        found = await self._find(attempt, source)
        attempt.conditions.remove(kinds.FETCH_FAILED, kinds.BUILD_FAILED)
        revision = repository.status.artifact.revision if repository.status.artifact is not None else ""
        if is_served and _is_current(attempt.obj, found):
            attempt.obj.status.observed_source_artifact_revision = revision
            pipeline.conclude_stored(attempt, _pulled(found), is_news=False, reason=kinds.CHART_PULL_SUCCEEDED)
            return
        await self._publish(attempt, source, found)
        attempt.obj.status.observed_source_artifact_revision = revision

    def _find_repository(self, attempt: Attempt[HelmChart]) -> HelmRepository:
        chart = attempt.obj
        key = ObjectKey(chart.metadata.namespace, chart.spec.source_ref.name)
        repository = self.charts.repositories.find(key)
        if repository is None:
            text = f'failed to get source: helmrepositories.source.toolkit.fluxcd.io "{key.name}" not found'
            raise pipeline.fetch_failed(attempt, kinds.SOURCE_UNAVAILABLE, text)
        return repository

    async def _open(self, attempt: Attempt[HelmChart], repository: HelmRepository) -> ChartSource:
        """The repository's charts. Raises: Waiting while it has no index."""
        timeout = repository.spec.timeout or helm_repository.TIMEOUT
        if helm_repository.is_oci(repository):
            return await self._open_registry(attempt, repository, timeout)
        artifact = repository.status.artifact
        if artifact is None:
            text = f"no artifact available for HelmRepository source '{repository.metadata.name}'"
            attempt.conditions.mark_true(kinds.FETCH_FAILED, kinds.NO_SOURCE_ARTIFACT, text)
            raise Waiting(kinds.NO_SOURCE_ARTIFACT, text, REQUEUE)
        try:
            auth = await helm_repository.read_auth(self.pipeline, repository)
        except BadCredentials as error:
            raise pipeline.fetch_failed(attempt, kinds.AUTHENTICATION_FAILED, str(error)) from error
        return IndexedCharts(self.charts.files, self.pipeline.storage.locate(artifact.path), auth, timeout)

    async def _open_registry(
        self, attempt: Attempt[HelmChart], repository: HelmRepository, within: timedelta
    ) -> ChartSource:
        if repository.spec.provider not in ("", "generic"):
            text = f"not supported yet: spec.provider {repository.spec.provider} of HelmRepository"
            raise pipeline.never(attempt, kinds.UNSUPPORTED, text)
        try:
            auth = await registry_auth.read_of_repository(self.pipeline, repository)
        except BadCredentials as error:
            raise pipeline.fetch_failed(attempt, kinds.AUTHENTICATION_FAILED, str(error)) from error
        return RegistryCharts(self.charts.registries, repository.spec.url, auth, within)

    async def _find(self, attempt: Attempt[HelmChart], source: ChartSource) -> Chart:
        spec = attempt.obj.spec
        try:
            return await source.find(spec.chart, spec.version)
        except ChartReferenceInvalid as error:
            text = f"invalid chart reference: {error}"
            attempt.conditions.mark_true(kinds.BUILD_FAILED, kinds.INVALID_CHART_REFERENCE, text)
            raise BuildStalled(kinds.INVALID_CHART_REFERENCE, text) from error
        except (ChartUnauthorized, ChartPullFailed) as error:
            raise _pull_failed(attempt, error) from error

    async def _publish(self, attempt: Attempt[HelmChart], source: ChartSource, found: Chart) -> None:
        chart = attempt.obj
        attempt.progress(f"building artifact: new upstream chart version '{found.version}'")

        async def write(file: Path) -> Written:
            sha256 = await source.pull(found, file)
            await threads.run(lambda: charts.require_chart(file.read_bytes(), found))
            name = found.name.rpartition("/")[2]
            return Written(f"{name}-{found.version}.tgz", found.version, f"sha256:{sha256}")

        old = chart.status.artifact
        try:
            artifact = await self.pipeline.publish(attempt, write)
        except (ChartUnauthorized, ChartPullFailed) as error:
            raise _pull_failed(attempt, error) from error
        chart.status.artifact = artifact
        chart.status.observed_chart_name = found.name.rpartition("/")[2]
        chart.status.url = self.pipeline.storage.url(f"{artifact.path.rpartition('/')[0]}/{_NEWEST}")
        is_news = old is None or old.digest != artifact.digest
        pipeline.conclude_stored(attempt, _pulled(found), is_news=is_news, reason=kinds.CHART_PULL_SUCCEEDED)
        if is_news:
            pipeline.announce(attempt, kinds.CHART_PULL_SUCCEEDED, _pulled(found))


def _check_spec(attempt: Attempt[HelmChart]) -> None:
    """Refuse what can never work, or what this version cannot do. Raises: FetchStalled, BuildStalled."""
    spec = attempt.obj.spec
    missing = {
        f"spec.sourceRef.kind {spec.source_ref.kind}": spec.source_ref.kind != ChartSourceKind.HELM_REPOSITORY,
        "spec.valuesFiles": bool(spec.values_files),
        "spec.verify": spec.verify is not None,
    }
    if any(missing.values()):
        names = ", ".join(name for name, is_set in missing.items() if is_set)
        raise pipeline.never(attempt, kinds.UNSUPPORTED, f"not supported yet: {names}")
    if _NAME.groups(spec.chart) is None:
        text = f"invalid chart reference: invalid chart name '{spec.chart}'"
        attempt.conditions.mark_true(kinds.BUILD_FAILED, kinds.INVALID_CHART_REFERENCE, text)
        raise BuildStalled(kinds.INVALID_CHART_REFERENCE, text)


def _is_current(chart: HelmChart, found: Chart) -> bool:
    """Whether the artifact is of this very version, and was made for the spec as it is."""
    status = chart.status
    same_chart = status.observed_chart_name == found.name.rpartition("/")[2]
    same_spec = status.observed_generation == chart.metadata.generation
    return same_chart and same_spec and status.artifact is not None and status.artifact.revision == found.version


def _pulled(chart: Chart) -> str:
    return f"pulled '{chart.name.rpartition('/')[2]}' chart with version '{chart.version}'"


def _pull_failed(attempt: Attempt[HelmChart], error: Exception) -> Exception:
    """The ending of an attempt that could not have the chart: to be raised."""
    text = f"chart pull error: {error}"
    if isinstance(error, ChartUnauthorized):
        return pipeline.fetch_failed(attempt, kinds.AUTHENTICATION_FAILED, text)
    attempt.conditions.mark_true(kinds.BUILD_FAILED, kinds.CHART_PULL_ERROR, text)
    return BuildFailed(kinds.CHART_PULL_ERROR, text)
