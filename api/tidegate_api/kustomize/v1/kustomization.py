"""Kustomization: a directory of a source's artifact, built and applied to a cluster."""

import enum
from typing import Annotated

from msgspec import field

from tidegate_api.codec import ApiStruct, Duration, Time
from tidegate_api.kustomize import v1
from tidegate_api.meta.durations import Interval
from tidegate_api.meta.inventory import ResourceInventory
from tidegate_api.meta.kustomize import CommonMetadata, CustomHealthCheck, IgnoreRule, Image, Patch
from tidegate_api.meta.references import (
    DependencyReference,
    KubeConfigReference,
    LocalObjectReference,
    NamespacedObjectKindReference,
)
from tidegate_api.meta.status import UNOBSERVED, ObjectStatus, ReconciledObject
from tidegate_api.schema import AGE, READY, STATUS, Schema


class SourceKind(enum.StrEnum):
    """Kinds whose artifacts can be applied."""

    OCI_REPOSITORY = "OCIRepository"
    GIT_REPOSITORY = "GitRepository"
    BUCKET = "Bucket"
    EXTERNAL_ARTIFACT = "ExternalArtifact"


class DeletionPolicy(enum.StrEnum):
    """What becomes of the applied objects when the Kustomization is deleted."""

    MIRROR_PRUNE = "MirrorPrune"
    DELETE = "Delete"
    WAIT_FOR_TERMINATION = "WaitForTermination"
    ORPHAN = "Orphan"


class DecryptionProvider(enum.StrEnum):
    """Formats of encrypted files."""

    SOPS = "sops"


class SubstituteKind(enum.StrEnum):
    """Kinds that can hold variables."""

    SECRET = "Secret"  # noqa: S105 - the name of a kind
    CONFIG_MAP = "ConfigMap"


class SubstituteStrategy(enum.StrEnum):
    """When variables are substituted."""

    WITH_VARIABLES = "WithVariables"
    ALWAYS = "Always"


class BuildMetadata(enum.StrEnum):
    """Annotations that Kustomize can add about where an object came from."""

    ORIGIN = "originAnnotations"
    TRANSFORMER = "transformerAnnotations"


class SourceReference(ApiStruct, kw_only=True):
    """The source whose artifact is applied."""

    api_version: str = ""
    """Group and version of the source's kind."""

    kind: Annotated[str, Schema(enum=tuple(SourceKind))]
    """Kind of the source."""

    name: str
    """Name of the source."""

    namespace: str = ""
    """Namespace of the source; that of the Kustomization when empty."""


class Decryption(ApiStruct, kw_only=True):
    """How encrypted files are read."""

    provider: Annotated[str, Schema(enum=tuple(DecryptionProvider))]
    """Format of the encrypted files."""

    secret_ref: LocalObjectReference | None = None
    """Secret with the private keys or the access to a key service."""

    service_account_name: str = ""
    """Service account whose cloud identity may use the key service."""


class SubstituteReference(ApiStruct, kw_only=True):
    """An object whose entries are variables."""

    kind: Annotated[str, Schema(enum=tuple(SubstituteKind))]
    """Kind of the object."""

    name: Annotated[str, Schema(min_length=1, max_length=253)]
    """Name of the object, in the namespace of the Kustomization."""

    optional: Annotated[bool, Schema(default=False)] = False
    """Whether to go on when the object does not exist."""


class PostBuild(ApiStruct, kw_only=True):
    """What is done with the built manifests before they are applied."""

    substitute: dict[str, str] = field(default_factory=dict)
    """Variables and their values; they win over those of substituteFrom."""

    substitute_from: list[SubstituteReference] = field(default_factory=list)
    """Objects with more variables; later ones win."""

    substitute_strategy: Annotated[str, Schema(enum=tuple(SubstituteStrategy))] = "WithVariables"
    """Whether to substitute also when no variable is defined."""


class KustomizationSpec(ApiStruct, kw_only=True):
    """What to build, where to apply it, and how to tell that it works."""

    source_ref: SourceReference
    """Source with the manifests."""

    path: str = ""
    """Directory in the artifact to build; its root when empty."""

    interval: Interval
    """How often to apply without being asked."""

    retry_interval: Interval | None = None
    """How soon to try again after a failure; the interval when absent."""

    timeout: Interval | None = None
    """How long applying and waiting may take; the interval less 30 seconds, at least 30 seconds, when absent."""

    prune: bool
    """Whether to delete objects that are no longer in the source."""

    deletion_policy: Annotated[str, Schema(enum=tuple(DeletionPolicy))] = "MirrorPrune"
    """What becomes of the objects when the Kustomization is deleted; MirrorPrune does as prune says."""

    depends_on: list[DependencyReference] = field(default_factory=list)
    """Kustomizations that have to be ready before this one is applied."""

    suspend: bool = False
    """Whether to leave the object alone until this is taken back."""

    force: Annotated[bool, Schema(default=False)] = False
    """Whether to delete and create anew what cannot be changed in place."""

    decryption: Decryption | None = None
    """How to read encrypted files."""

    post_build: PostBuild | None = None
    """Variables to substitute in the built manifests."""

    common_metadata: CommonMetadata | None = None
    """Labels and annotations that every object gets."""

    name_prefix: Annotated[str, Schema(min_length=1, max_length=200)] = ""
    """Text before the name of every object."""

    name_suffix: Annotated[str, Schema(min_length=1, max_length=200)] = ""
    """Text after the name of every object."""

    target_namespace: Annotated[str, Schema(min_length=1, max_length=63)] = ""
    """Namespace that every namespaced object is put into."""

    patches: list[Patch] = field(default_factory=list)
    """Patches to the manifests."""

    images: list[Image] = field(default_factory=list)
    """Container images to use instead of those in the manifests."""

    components: list[str] = field(default_factory=list)
    """Directories of Kustomize components to build in, relative to the path."""

    ignore_missing_components: bool = False
    """Whether to go on without the components that do not exist."""

    build_metadata: list[Annotated[str, Schema(enum=tuple(BuildMetadata))]] = field(default_factory=list)
    """Annotations about an object's origin to add to it."""

    wait: bool = False
    """Whether to be ready only when every applied object is; healthChecks then does not count."""

    health_checks: list[NamespacedObjectKindReference] = field(default_factory=list)
    """Objects that have to be healthy before the Kustomization is ready."""

    health_check_exprs: list[CustomHealthCheck] = field(default_factory=list)
    """How to tell the health of kinds that do not follow the conventions."""

    ignore: list[IgnoreRule] = field(default_factory=list)
    """Fields that are neither applied nor watched for drift."""

    service_account_name: str = ""
    """Service account in whose name everything is applied."""

    kube_config: KubeConfigReference | None = None
    """Access to the cluster to apply to; the own cluster when absent."""


class Snapshot(ApiStruct, kw_only=True):
    """Attempts in a row that applied the same content with the same outcome."""

    digest: str
    """Checksum of the built manifests."""

    first_reconciled: Time
    """When the first of these attempts ended."""

    last_reconciled: Time
    """When the newest of these attempts ended."""

    last_reconciled_duration: Duration
    """How long the newest one took."""

    last_reconciled_status: str
    """How they ended, as the reason of the Ready condition."""

    total_reconciliations: int
    """How many they were."""

    metadata: dict[str, str] = field(default_factory=dict)
    """What else is known of the content, such as its revision."""


class KustomizationStatus(ObjectStatus, kw_only=True):
    """What was applied last, and which objects it left in the cluster."""

    last_applied_revision: str = ""
    """Revision of the source that was last applied in full."""

    last_applied_origin_revision: str = ""
    """Revision that the source's content itself came from, as its artifact says."""

    last_attempted_revision: str = ""
    """Revision of the source that was last tried."""

    inventory: ResourceInventory | None = None
    """Objects in the cluster that belong to the Kustomization."""

    history: list[Snapshot] = field(default_factory=list)
    """Newest attempts, at most five, newest first."""


def _absent_spec() -> KustomizationSpec:
    """The API server admits an object without a spec; as in Go it reads as an empty one, so that it can be deleted."""
    return KustomizationSpec(source_ref=SourceReference(kind="", name=""), interval=Duration(), prune=False)


class Kustomization(ReconciledObject, kw_only=True):
    """Manifests from a source, built by Kustomize, applied, and kept as they are in the source."""

    GROUP = v1.GROUP
    VERSION = v1.VERSION
    KIND = "Kustomization"
    PLURAL = "kustomizations"
    SHORT_NAMES = ("ks",)
    CATEGORIES = v1.CATEGORIES
    COLUMNS = (AGE, READY, STATUS)

    spec: KustomizationSpec = field(default_factory=_absent_spec)
    """What to apply."""

    status: Annotated[KustomizationStatus, UNOBSERVED] = field(default_factory=KustomizationStatus)
    """What was applied."""
