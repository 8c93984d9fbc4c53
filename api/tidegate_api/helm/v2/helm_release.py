"""HelmRelease: a chart with its values, installed and kept up to date."""

import enum
from typing import Annotated, Any, ClassVar

from msgspec import field

from tidegate_api.codec import ApiStruct, Duration, Time
from tidegate_api.helm import v2
from tidegate_api.helm.v2.actions import Count, Install, Rollback, Test, Uninstall, Upgrade
from tidegate_api.helm.v2.charts import ChartReference, ChartTemplate, ValuesReference
from tidegate_api.meta.durations import Interval
from tidegate_api.meta.inventory import ResourceInventory
from tidegate_api.meta.kustomize import CommonMetadata, CustomHealthCheck, IgnoreRule, Image, Patch
from tidegate_api.meta.references import DependencyReference, KubeConfigReference
from tidegate_api.meta.status import UNOBSERVED, ObjectStatus, ReconciledObject
from tidegate_api.schema import AGE, READY, STATUS, Rule, Schema


class DriftDetectionMode(enum.StrEnum):
    """What is done about objects that differ from the release."""

    ENABLED = "enabled"
    WARN = "warn"
    DISABLED = "disabled"


class PostRenderStrategy(enum.StrEnum):
    """Which part of a rendered chart the post-renderers see."""

    NO_HOOKS = "nohooks"
    COMBINED = "combined"
    SEPARATE = "separate"


class WaitStrategyName(enum.StrEnum):
    """How objects are waited for."""

    POLLER = "poller"
    LEGACY = "legacy"


class ReleaseAction(enum.StrEnum):
    """Actions that make a revision of a release."""

    INSTALL = "install"
    UPGRADE = "upgrade"


class Kustomize(ApiStruct, kw_only=True):
    """Changes to the rendered manifests in Kustomize's language."""

    patches: list[Patch] = field(default_factory=list)
    """Patches to the manifests."""

    images: list[Image] = field(default_factory=list)
    """Container images to use instead of those in the manifests."""


class PostRenderer(ApiStruct, kw_only=True):
    """A step between rendering and applying."""

    kustomize: Kustomize | None = None
    """Changes in Kustomize's language."""


class DriftDetection(ApiStruct, kw_only=True):
    """What is done about objects that others changed."""

    mode: Annotated[str, Schema(enum=tuple(DriftDetectionMode))] = ""
    """Whether they are put back, only told of, or left alone, which is the default."""

    ignore: list[IgnoreRule] = field(default_factory=list)
    """Fields that others may change."""


class WaitStrategy(ApiStruct, kw_only=True):
    """How objects are waited for."""

    name: Annotated[str, Schema(enum=tuple(WaitStrategyName))]
    """By the conventions of kstatus, or as Helm 3 did."""


class HelmReleaseSpec(ApiStruct, kw_only=True):
    """Which chart to release, with which values, where, and how."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "(has(self.chart) && !has(self.chartRef)) || (!has(self.chart) && has(self.chartRef))",
            "either chart or chartRef must be set",
        ),
    )

    chart: ChartTemplate | None = None
    """HelmChart that is made for the release."""

    chart_ref: ChartReference | None = None
    """Object whose artifact is the chart."""

    interval: Interval
    """How often to look after the release without being asked."""

    kube_config: KubeConfigReference | None = None
    """Access to the cluster to release to; the own cluster when absent."""

    suspend: bool = False
    """Whether to leave the object alone until this is taken back."""

    release_name: Annotated[str, Schema(min_length=1, max_length=53)] = ""
    """Name of the release; made of the target namespace and the object's name when empty."""

    target_namespace: Annotated[str, Schema(min_length=1, max_length=63)] = ""
    """Namespace to release to; that of the HelmRelease when empty."""

    storage_namespace: Annotated[str, Schema(min_length=1, max_length=63)] = ""
    """Namespace of Helm's records; that of the HelmRelease when empty."""

    depends_on: list[DependencyReference] = field(default_factory=list)
    """HelmReleases that have to be ready before this one is released."""

    timeout: Interval | None = None
    """How long each single step of an action may take; five minutes when absent."""

    max_history: Count | None = None
    """How many revisions of the release are kept; five when absent, all for 0."""

    service_account_name: Annotated[str, Schema(min_length=1, max_length=253)] = ""
    """Service account in whose name everything is done."""

    persistent_client: bool | None = None
    """Whether what is known of the API server is kept during an action; true when absent."""

    drift_detection: DriftDetection | None = None
    """What is done about objects that others changed."""

    install: Install | None = None
    """How the release is installed."""

    upgrade: Upgrade | None = None
    """How the release is upgraded."""

    test: Test | None = None
    """How the chart's tests are run."""

    rollback: Rollback | None = None
    """How the release is rolled back."""

    uninstall: Uninstall | None = None
    """How the release is uninstalled."""

    values_from: list[ValuesReference] = field(default_factory=list)
    """Objects with values; later ones win, and spec.values wins over whole ones."""

    values: Any = None
    """Values of the release."""

    common_metadata: CommonMetadata | None = None
    """Labels and annotations that every object gets."""

    post_renderers: list[PostRenderer] = field(default_factory=list)
    """Steps between rendering and applying, in this order."""

    post_render_strategy: Annotated[str, Schema(enum=tuple(PostRenderStrategy))] = ""
    """Whether hooks go through the post-renderers, and together with the other objects or not."""

    wait_strategy: WaitStrategy | None = None
    """How objects are waited for."""

    health_check_exprs: list[CustomHealthCheck] = field(default_factory=list)
    """How to tell the health of kinds that do not follow the conventions."""


class TestHookStatus(ApiStruct, kw_only=True):
    """The last run of a test."""

    last_started: Time | None = None
    """When it began."""

    last_completed: Time | None = None
    """When it ended."""

    phase: str = ""
    """How it ended."""


class Snapshot(ApiStruct, kw_only=True):
    """A revision of the release, as it was last seen by us."""

    api_version: str = ""
    """Version of the rules by which the digest is made."""

    digest: str
    """Checksum of the stored release: another one tells that somebody else changed it."""

    name: str
    """Name of the release."""

    namespace: str
    """Namespace that it was released to."""

    version: Count
    """Number of the revision."""

    status: str
    """Helm's status of the revision."""

    action: str = ""
    """What made or last changed the revision."""

    chart_name: str
    """Name of the chart."""

    chart_version: str
    """Version of the chart."""

    app_version: str = ""
    """Version of the chart's application."""

    config_digest: str
    """Checksum of the values."""

    first_deployed: Time
    """When the release was first installed."""

    last_deployed: Time
    """When this revision was released."""

    deleted: Time | None = None
    """When the release was uninstalled."""

    test_hooks: dict[str, TestHookStatus] | None = None
    """Tests of the revision and how they went; absent while it was not tested."""

    oci_digest: str = ""
    """Digest of the chart's manifest in its registry."""


class HelmReleaseStatus(ObjectStatus, kw_only=True):
    """What was released last, and how it went."""

    observed_post_renderers_digest: str = ""
    """Checksum of the post-renderers that the release was made with."""

    observed_common_metadata_digest: str = ""
    """Checksum of the common metadata that the release was made with."""

    last_attempted_generation: int = 0
    """Generation that was last tried."""

    helm_chart: str = ""
    """HelmChart that was made for the release, as `<namespace>/<name>`."""

    storage_namespace: Annotated[str, Schema(min_length=1, max_length=63)] = ""
    """Namespace of Helm's records."""

    history: list[Snapshot] = field(default_factory=list)
    """Revisions of the release, newest first, back to the last good one."""

    inventory: ResourceInventory | None = None
    """Objects in the cluster that belong to the release."""

    last_attempted_release_action: Annotated[str, Schema(enum=tuple(ReleaseAction))] = ""
    """What was last tried."""

    last_attempted_release_action_duration: Duration | None = None
    """How long it took."""

    failures: int = 0
    """Failed actions since the last change of what is wanted."""

    install_failures: int = 0
    """Failed installs since the last change of what is wanted."""

    upgrade_failures: int = 0
    """Failed upgrades since the last change of what is wanted."""

    last_attempted_revision: str = ""
    """Version of the chart that was last tried."""

    last_attempted_revision_digest: str = ""
    """Digest of the chart that was last tried, where it came from a registry."""

    last_attempted_values_checksum: str = ""
    """No longer used."""

    last_release_revision: Count = 0
    """No longer used."""

    last_attempted_config_digest: str = ""
    """Checksum of the values that were last tried."""

    last_handled_force_at: str = ""
    """Newest value of the reconcile.fluxcd.io/forceAt annotation that was acted upon."""

    last_handled_reset_at: str = ""
    """Newest value of the reconcile.fluxcd.io/resetAt annotation that was acted upon."""


def _absent_spec() -> HelmReleaseSpec:
    """The API server admits an object without a spec; as in Go it reads as an empty one, so that it can be deleted."""
    return HelmReleaseSpec(interval=Duration())


class HelmRelease(ReconciledObject, kw_only=True):
    """A chart with its values, installed and kept up to date."""

    GROUP = v2.GROUP
    VERSION = v2.VERSION
    KIND = "HelmRelease"
    PLURAL = "helmreleases"
    SHORT_NAMES = ("hr",)
    CATEGORIES = v2.CATEGORIES
    COLUMNS = (AGE, READY, STATUS)

    spec: HelmReleaseSpec = field(default_factory=_absent_spec)
    """What to release."""

    status: Annotated[HelmReleaseStatus, UNOBSERVED] = field(default_factory=HelmReleaseStatus)
    """What was released."""
