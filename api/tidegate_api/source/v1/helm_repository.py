"""HelmRepository: where charts are found, by an index over HTTP or in an OCI registry."""

import enum
from typing import Annotated

from msgspec import field

from tidegate_api.codec import ApiStruct
from tidegate_api.meta.durations import Interval, SourceTimeout
from tidegate_api.meta.references import LocalObjectReference
from tidegate_api.meta.status import UNOBSERVED
from tidegate_api.schema import AGE, READY, STATUS, Column, Schema
from tidegate_api.source import v1
from tidegate_api.source.v1.oci_repository import RegistryProvider
from tidegate_api.source.v1.source import Source, SourceStatus


class HelmRepositoryType(enum.StrEnum):
    """Kinds of chart repositories."""

    DEFAULT = "default"
    OCI = "oci"


class NamespaceSelector(ApiStruct, kw_only=True):
    """Namespaces with certain labels."""

    match_labels: dict[str, str] = field(default_factory=dict)
    """Labels that a namespace must have; all namespaces when empty."""


class AccessFrom(ApiStruct, kw_only=True):
    """From where the object may be referred to; kept for compatibility, and without effect."""

    namespace_selectors: list[NamespaceSelector]
    """Namespaces whose objects may refer to it."""


class HelmRepositorySpec(ApiStruct, kw_only=True):
    """Where the repository is and how to get in."""

    url: Annotated[str, Schema(pattern="^(http|https|oci)://.*$")]
    """Address of the repository: the directory of its index, or the registry's path before the chart names."""

    type: Annotated[str, Schema(enum=tuple(HelmRepositoryType))] = ""
    """Kind of the repository; default has an index, oci is a registry."""

    interval: Interval | None = None
    """How often to look for a new index; one minute when absent."""

    timeout: SourceTimeout | None = None
    """How long one exchange with the server may take; one minute when absent."""

    secret_ref: LocalObjectReference | None = None
    """Secret with a user name and password."""

    cert_secret_ref: LocalObjectReference | None = None
    """Secret with a client certificate (tls.crt, tls.key) and the server's authority (ca.crt)."""

    pass_credentials: bool = False
    """Whether charts on other hosts than the index get the credentials too."""

    insecure: bool = False
    """Whether a registry may speak plain HTTP."""

    provider: Annotated[str, Schema(default="generic", enum=tuple(RegistryProvider))] = "generic"
    """Who issues the credentials for a registry; generic means the Secret alone."""

    access_from: AccessFrom | None = None
    """From where the object may be referred to; without effect."""

    suspend: bool = False
    """Whether to leave the object alone until this is taken back."""


class HelmRepositoryStatus(SourceStatus, kw_only=True):
    """What was fetched last."""

    url: str = ""
    """Address under which the newest index is served."""


def _absent_spec() -> HelmRepositorySpec:
    """The API server admits an object without a spec; as in Go it reads as an empty one, so that it can be deleted."""
    return HelmRepositorySpec(url="")


class HelmRepository(Source, kw_only=True):
    """A repository of Helm charts."""

    GROUP = v1.GROUP
    VERSION = v1.VERSION
    KIND = "HelmRepository"
    PLURAL = "helmrepositories"
    SHORT_NAMES = ("helmrepo",)
    CATEGORIES = v1.CATEGORIES
    COLUMNS = (Column("URL", ".spec.url"), AGE, READY, STATUS)

    spec: HelmRepositorySpec = field(default_factory=_absent_spec)
    """Where it is."""

    status: Annotated[HelmRepositoryStatus, UNOBSERVED] = field(default_factory=HelmRepositoryStatus)
    """What was fetched."""
