"""The HelmChart that is made for a release, from spec.chart: created, kept equal, and taken away again."""

import contextlib

from tidegate.helm import names, reasons
from tidegate.runtime import errors
from tidegate.runtime.client import Client, Preconditions
from tidegate.runtime.resources import resource_of
from tidegate.toolkit import access
from tidegate.toolkit.attempt import Attempt
from tidegate.toolkit.events import Severity
from tidegate.toolkit.outcomes import Failed
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.helm.v2.charts import ChartTemplate
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.source.v1.helm_chart import HelmChart

MANAGER = "helm-controller"
CHARTS = resource_of(HelmChart)
_LABELS = "helm.toolkit.fluxcd.io"


async def sync(client: Client, attempt: Attempt[HelmRelease], seen: HelmChart | None, *, cross_namespace: bool) -> int:
    """Make the HelmChart what the spec says; `seen` is the one that is there as far as it is known.

    Returns its generation once it is as wanted, 0 when none is: what is known of an older one does not count.

    Raises: Stalled for a forbidden namespace, Failed when the API server refuses it; Unreachable.
    """
    release = attempt.obj
    key = names.chart_key(release)
    old = _recorded(release)
    if old is not None and old != key:
        if await _delete(client, release, old):
            attempt.event(Severity.TRACE, reasons.CHART_DELETED, f"deleted HelmChart '{old}'")
        release.status.helm_chart = ""
    template = release.spec.chart
    if key is None or template is None:
        return 0
    reference = template.spec.source_ref
    what = f"{reference.kind}/{key.namespace}/{reference.name}"
    access.require_same_namespace(cross_namespace, release.metadata.namespace, key.namespace, what)
    wanted = build(release, key, template)
    release.status.helm_chart = str(key)
    if seen is not None and _is_equal(seen, wanted):
        return seen.metadata.generation
    try:
        applied = await client.apply(CHARTS, wanted, MANAGER, force=True)
    except errors.ApiError as error:
        text = f"failed to run server-side apply: {error}"
        attempt.event(Severity.TRACE, reasons.CHART_FAILED, text)
        raise _told(Failed(reasons.CHART_FAILED, text)) from error
    verb, reason = ("created", reasons.CHART_CREATED) if seen is None else ("configured", reasons.CHART_CONFIGURED)
    attempt.event(Severity.TRACE, reason, f"{verb} HelmChart/{key} with SourceRef '{what}'")
    return int(applied["metadata"]["generation"])


def _told(ending: Failed) -> Failed:
    ending.is_told = True
    return ending


def build(release: HelmRelease, key: ObjectKey, template: ChartTemplate) -> JsonObject:
    """The HelmChart as it should be. Pure."""
    metadata = template.metadata
    spec = codec.encode(template.spec)
    spec.setdefault("interval", codec.format_duration(template.spec.interval or release.spec.interval))
    spec["sourceRef"] = {name: value for name, value in spec["sourceRef"].items() if name != "namespace"}
    wanted: JsonObject = {
        "name": key.name,
        "namespace": key.namespace,
        "labels": {**(metadata.labels if metadata else {}), **_labels(release)},
    }
    if metadata is not None and metadata.annotations:
        wanted["annotations"] = dict(metadata.annotations)
    return {"apiVersion": HelmChart.API_VERSION, "kind": HelmChart.KIND, "metadata": wanted, "spec": spec}


async def remove(client: Client, release: HelmRelease) -> None:
    """Delete the HelmChart of a release that goes. Raises: ApiError, Unreachable."""
    key = _recorded(release)
    if key is not None:
        await _delete(client, release, key)


async def _delete(client: Client, release: HelmRelease, key: ObjectKey) -> bool:
    """Whether it was there; one that was not made for this release is left alone."""
    live = await client.find(CHARTS, key, metadata_only=True)
    if live is None or not _labels(release).items() <= (live["metadata"].get("labels") or {}).items():
        return False
    with contextlib.suppress(errors.NotFound):
        await client.delete(CHARTS, key, Preconditions(live["metadata"]["uid"], live["metadata"]["resourceVersion"]))
    return True


def _labels(release: HelmRelease) -> dict[str, str]:
    return {f"{_LABELS}/name": release.metadata.name, f"{_LABELS}/namespace": release.metadata.namespace}


def _recorded(release: HelmRelease) -> ObjectKey | None:
    namespace, slash, name = release.status.helm_chart.partition("/")
    return ObjectKey(namespace, name) if slash else None


def _is_equal(seen: HelmChart, wanted: JsonObject) -> bool:
    """Whether the spec is the same, and the labels and annotations that we want are there."""
    decoded = codec.decode(HelmChart, wanted)
    has_labels = decoded.metadata.labels.items() <= (seen.metadata.labels or {}).items()
    has_notes = (decoded.metadata.annotations or {}).items() <= (seen.metadata.annotations or {}).items()
    return seen.spec == decoded.spec and has_labels and has_notes
