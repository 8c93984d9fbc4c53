"""HelmChart: one chart of a source, in the newest version that fits."""

import enum
from typing import Annotated, ClassVar

from msgspec import field

from tidegate_api.codec import ApiStruct, Duration
from tidegate_api.meta.durations import Interval
from tidegate_api.meta.status import UNOBSERVED
from tidegate_api.schema import AGE, READY, STATUS, Column, Rule, Schema
from tidegate_api.source import v1
from tidegate_api.source.v1.source import Source, SourceStatus
from tidegate_api.source.v1.verification import Verification


class ChartSourceKind(enum.StrEnum):
    """Kinds of sources that can hold a chart."""

    HELM_REPOSITORY = "HelmRepository"
    GIT_REPOSITORY = "GitRepository"
    BUCKET = "Bucket"


class ReconcileStrategy(enum.StrEnum):
    """What makes a chart a new one."""

    CHART_VERSION = "ChartVersion"
    REVISION = "Revision"


class ChartSourceReference(ApiStruct, kw_only=True):
    """The source that holds the chart, in the namespace of the HelmChart."""

    api_version: str = ""
    """Group and version of the source's kind."""

    kind: Annotated[str, Schema(enum=tuple(ChartSourceKind))]
    """Kind of the source."""

    name: str
    """Name of the source."""


class HelmChartSpec(ApiStruct, kw_only=True):
    """Which chart to take, and from where."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.verify) || self.sourceRef.kind == 'HelmRepository'",
            "spec.verify is only supported when spec.sourceRef.kind is 'HelmRepository'",
        ),
    )

    chart: str
    """Name of the chart in a repository, or its path in another source."""

    version: Annotated[str, Schema(default="*")] = "*"
    """Version or range of versions; the newest stable one by default. Only for charts of a HelmRepository."""

    source_ref: ChartSourceReference
    """Source that holds the chart."""

    interval: Interval
    """How often to look for a new version."""

    reconcile_strategy: Annotated[str, Schema(default="ChartVersion", enum=tuple(ReconcileStrategy))] = "ChartVersion"
    """Whether a new chart comes with a new version alone, or with every revision of its source."""

    values_files: list[str] = field(default_factory=list)
    """Files of the chart or its source that are merged into its values, later ones winning."""

    ignore_missing_values_files: bool = False
    """Whether to go on without the values files that do not exist."""

    suspend: bool = False
    """Whether to leave the object alone until this is taken back."""

    verify: Verification | None = None
    """Signatures that have to be good before a chart of a registry is taken."""


class HelmChartStatus(SourceStatus, kw_only=True):
    """What was fetched last, and from what."""

    url: str = ""
    """Address under which the newest chart is served."""

    observed_source_artifact_revision: str = ""
    """Revision of the source that the chart was last taken from."""

    observed_chart_name: str = ""
    """Name of the chart that was last taken."""

    observed_values_files: list[str] = field(default_factory=list)
    """Values files that went into the chart."""


def _absent_spec() -> HelmChartSpec:
    """The API server admits an object without a spec; as in Go it reads as an empty one, so that it can be deleted."""
    return HelmChartSpec(chart="", source_ref=ChartSourceReference(kind="", name=""), interval=Duration())


class HelmChart(Source, kw_only=True):
    """A chart that is kept at hand."""

    GROUP = v1.GROUP
    VERSION = v1.VERSION
    KIND = "HelmChart"
    PLURAL = "helmcharts"
    SHORT_NAMES = ("hc",)
    CATEGORIES = v1.CATEGORIES
    COLUMNS = (
        Column("Chart", ".spec.chart"),
        Column("Version", ".spec.version"),
        Column("Source Kind", ".spec.sourceRef.kind"),
        Column("Source Name", ".spec.sourceRef.name"),
        AGE,
        READY,
        STATUS,
    )

    spec: HelmChartSpec = field(default_factory=_absent_spec)
    """Which chart."""

    status: Annotated[HelmChartStatus, UNOBSERVED] = field(default_factory=HelmChartStatus)
    """What was fetched."""
