"""Where a HelmRelease takes its chart and its values from."""

import enum
from typing import Annotated

from msgspec import field

from tidegate_api.codec import ApiStruct
from tidegate_api.meta.durations import Interval
from tidegate_api.meta.references import LocalObjectReference
from tidegate_api.schema import Schema
from tidegate_api.source.v1.helm_chart import ChartSourceKind, ReconcileStrategy
from tidegate_api.source.v1.verification import VerificationProvider


class ChartRefKind(enum.StrEnum):
    """Kinds of objects whose artifact is a chart."""

    OCI_REPOSITORY = "OCIRepository"
    HELM_CHART = "HelmChart"
    EXTERNAL_ARTIFACT = "ExternalArtifact"


class ValuesKind(enum.StrEnum):
    """Kinds that can hold values."""

    SECRET = "Secret"  # noqa: S105 - the name of a kind
    CONFIG_MAP = "ConfigMap"


class ChartTemplateMetadata(ApiStruct, kw_only=True):
    """Labels and annotations of the HelmChart that is made."""

    labels: dict[str, str] = field(default_factory=dict)
    """Labels to set."""

    annotations: dict[str, str] = field(default_factory=dict)
    """Annotations to set."""


class ChartTemplateSource(ApiStruct, kw_only=True):
    """The source that holds the chart."""

    api_version: str = ""
    """Group and version of the source's kind."""

    kind: Annotated[str, Schema(enum=tuple(ChartSourceKind))]
    """Kind of the source."""

    name: Annotated[str, Schema(min_length=1, max_length=253)]
    """Name of the source."""

    namespace: Annotated[str, Schema(min_length=1, max_length=63)] = ""
    """Namespace of the source, where the HelmChart is made; that of the HelmRelease when empty."""


class ChartTemplateVerification(ApiStruct, kw_only=True):
    """Which signatures to check, and by whose keys."""

    provider: Annotated[str, Schema(default="cosign", enum=tuple(VerificationProvider), required=True)] = "cosign"
    """Kind of the signatures."""

    secret_ref: LocalObjectReference | None = None
    """Secret with the trusted public keys or certificates."""


class ChartTemplateSpec(ApiStruct, kw_only=True):
    """The spec of the HelmChart that is made."""

    chart: Annotated[str, Schema(min_length=1, max_length=2048)]
    """Name of the chart in a repository, or its path in another source."""

    version: Annotated[str, Schema(default="*")] = "*"
    """Version or range of versions; the newest stable one by default. Only for charts of a HelmRepository."""

    source_ref: ChartTemplateSource
    """Source that holds the chart."""

    interval: Interval | None = None
    """How often to look for a new version; as often as the HelmRelease when absent."""

    reconcile_strategy: Annotated[str, Schema(default="ChartVersion", enum=tuple(ReconcileStrategy))] = "ChartVersion"
    """Whether a new chart comes with a new version alone, or with every revision of its source."""

    values_files: list[str] = field(default_factory=list)
    """Files of the chart or its source that are merged into its values, later ones winning."""

    ignore_missing_values_files: bool = False
    """Whether to go on without the values files that do not exist."""

    verify: ChartTemplateVerification | None = None
    """Signatures that have to be good before a chart of a registry is taken."""


class ChartTemplate(ApiStruct, kw_only=True):
    """The HelmChart that is made for a HelmRelease."""

    metadata: ChartTemplateMetadata | None = None
    """Its labels and annotations."""

    spec: ChartTemplateSpec
    """Which chart to take, and from where."""


class ChartReference(ApiStruct, kw_only=True):
    """An object whose artifact is a chart."""

    api_version: str = ""
    """Group and version of the object's kind."""

    kind: Annotated[str, Schema(enum=tuple(ChartRefKind))]
    """Kind of the object."""

    name: Annotated[str, Schema(min_length=1, max_length=253)]
    """Name of the object."""

    namespace: Annotated[str, Schema(min_length=1, max_length=63)] = ""
    """Namespace of the object; that of the HelmRelease when empty."""


class ValuesReference(ApiStruct, kw_only=True):
    """Values in another object: all those of a YAML text, or a single one."""

    kind: Annotated[str, Schema(enum=tuple(ValuesKind))]
    """Kind of the object."""

    name: Annotated[str, Schema(min_length=1, max_length=253)]
    """Name of the object, in the namespace of the HelmRelease."""

    values_key: Annotated[str, Schema(max_length=253, pattern=r"^[\-._a-zA-Z0-9]+$")] = ""
    """Key of the entry; values.yaml when empty."""

    target_path: Annotated[str, Schema(max_length=250, pattern=r"^([a-zA-Z0-9_\-.\\\/]|\[[0-9]{1,5}\])+$")] = ""
    """Where the entry goes as a single value, in the syntax of helm --set; it is YAML to merge when empty."""

    optional: bool = False
    """Whether to go on when the object or the entry does not exist."""

    literal: bool = False
    """Whether a single value is taken as the text that it is."""
