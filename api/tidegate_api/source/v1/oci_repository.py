"""OCIRepository: an artifact of an OCI registry, fetched again and again."""

import enum
from typing import Annotated

from msgspec import field

from tidegate_api.codec import ApiStruct, Duration
from tidegate_api.meta.durations import Interval, SourceTimeout
from tidegate_api.meta.references import LocalObjectReference
from tidegate_api.meta.status import UNOBSERVED
from tidegate_api.schema import AGE, READY, STATUS, Column, Schema
from tidegate_api.source import v1
from tidegate_api.source.v1.source import Source, SourceStatus
from tidegate_api.source.v1.verification import Verification


class RegistryProvider(enum.StrEnum):
    """Who issues the credentials for a registry."""

    GENERIC = "generic"
    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"


class LayerOperation(enum.StrEnum):
    """What is done with a layer."""

    EXTRACT = "extract"
    COPY = "copy"


class OCIRepositoryRef(ApiStruct, kw_only=True):
    """What to take; when several are given, digest wins over semver and tag, in this order."""

    digest: str = ""
    """Digest of the manifest to take, such as sha256:…."""

    semver: str = ""
    """Version range; the highest tag within it is taken."""

    semver_filter: str = ""
    """Regular expression that tags must match to count for the range."""

    tag: str = ""
    """Tag to take; latest when nothing is given."""


class OCILayerSelector(ApiStruct, kw_only=True):
    """Which layer of the artifact is wanted, and how."""

    media_type: str = ""
    """Media type of the layer, the first of which is taken; the first layer of any type when empty."""

    operation: Annotated[str, Schema(enum=tuple(LayerOperation))] = ""
    """Whether the layer is unpacked and packed anew, which is the default, or kept byte for byte."""


class OCIRepositoryVerification(Verification, kw_only=True):
    """Which signatures to check, and by whose keys."""

    trusted_root_secret_ref: LocalObjectReference | None = None
    """Secret with a root of trust of one's own, under the key trusted_root.json."""


class OCIRepositorySpec(ApiStruct, kw_only=True):
    """Where the artifact is, how to get in, and what to take of it."""

    url: Annotated[str, Schema(pattern="^oci://.*$")]
    """Address of the repository in the registry, without a tag."""

    interval: Interval
    """How often to look for a new revision."""

    timeout: Annotated[SourceTimeout, Schema(default="60s")] = Duration(seconds=60)
    """How long one exchange with the registry may take."""

    ref: OCIRepositoryRef | None = None
    """What to take; the tag latest when absent."""

    layer_selector: OCILayerSelector | None = None
    """Which layer to take; the first one, unpacked, when absent."""

    provider: Annotated[str, Schema(default="generic", enum=tuple(RegistryProvider))] = "generic"
    """Who issues the credentials; generic means the Secrets alone."""

    secret_ref: LocalObjectReference | None = None
    """Secret with the credentials, as for pulling images (kubernetes.io/dockerconfigjson)."""

    service_account_name: str = ""
    """Service account whose image pull Secrets, or whose cloud identity, give access."""

    cert_secret_ref: LocalObjectReference | None = None
    """Secret with a client certificate (tls.crt, tls.key) and the registry's authority (ca.crt)."""

    proxy_secret_ref: LocalObjectReference | None = None
    """Secret with the address and the credentials of a proxy."""

    verify: OCIRepositoryVerification | None = None
    """Signatures that have to be good before a revision is taken."""

    ignore: str | None = None
    """Patterns, as in .gitignore, of files to leave out; they win over those in .sourceignore files."""

    insecure: bool = False
    """Whether the registry may speak plain HTTP."""

    suspend: bool = False
    """Whether to leave the object alone until this is taken back."""


class OCIRepositoryStatus(SourceStatus, kw_only=True):
    """What was fetched last, and from which settings it was made."""

    url: str = ""
    """Address under which the newest artifact is served."""

    observed_ignore: str | None = None
    """Value of spec.ignore that the artifact was made with."""

    observed_layer_selector: OCILayerSelector | None = None
    """Value of spec.layerSelector that the artifact was made with."""


def _absent_spec() -> OCIRepositorySpec:
    """The API server admits an object without a spec; as in Go it reads as an empty one, so that it can be deleted."""
    return OCIRepositorySpec(url="", interval=Duration())


class OCIRepository(Source, kw_only=True):
    """An artifact in an OCI registry, kept at hand."""

    GROUP = v1.GROUP
    VERSION = v1.VERSION
    KIND = "OCIRepository"
    PLURAL = "ocirepositories"
    SHORT_NAMES = ("ocirepo",)
    CATEGORIES = v1.CATEGORIES
    COLUMNS = (Column("URL", ".spec.url"), READY, STATUS, AGE)

    spec: OCIRepositorySpec = field(default_factory=_absent_spec)
    """What to fetch."""

    status: Annotated[OCIRepositoryStatus, UNOBSERVED] = field(default_factory=OCIRepositoryStatus)
    """What was fetched."""
