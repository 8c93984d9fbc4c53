"""What a Kustomization needs to know of a source, whatever its kind: where its artifact is."""

from functools import partial

from msgspec import field

from tidegate.runtime.cache import Cache
from tidegate.runtime.discovery import Discovery, NoMatch
from tidegate.runtime.resources import Resource
from tidegate.runtime.transport import Transport
from tidegate.runtime.watch import Selection
from tidegate_api import codec
from tidegate_api.codec import ApiStruct
from tidegate_api.kustomize.v1.kustomization import Kustomization, SourceKind
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.objects import ObjectKey, ObjectMeta

API_VERSION = "source.toolkit.fluxcd.io/v1"

SourceId = tuple[str, ObjectKey]


class SourceStatus(ApiStruct, kw_only=True):
    """The part of a source's status that its consumers read."""

    artifact: Artifact | None = None


class Source(ApiStruct, kw_only=True):
    """Any source object, as its consumers see it."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    status: SourceStatus = field(default_factory=SourceStatus)


Sources = dict[str, Cache[Source]]


async def watch_served_kinds(discovery: Discovery, transport: Transport, namespace: str) -> Sources:
    """A cache for each source kind that the API server serves."""
    caches: Sources = {}
    for kind in SourceKind:
        resource = await _find(discovery, kind)
        if resource is not None:
            caches[kind] = Cache(transport, Selection(resource, namespace), partial(codec.decode, Source))
    return caches


async def _find(discovery: Discovery, kind: str) -> Resource | None:
    try:
        return await discovery.find(API_VERSION, kind)
    except NoMatch:
        return None


def source_id(kustomization: Kustomization) -> SourceId:
    """Which source a Kustomization refers to."""
    reference = kustomization.spec.source_ref
    return reference.kind, ObjectKey(reference.namespace or kustomization.metadata.namespace, reference.name)
