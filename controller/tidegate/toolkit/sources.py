"""What a consumer needs to know of a source, whatever its kind: where its artifact is, and how it is doing."""

from collections.abc import Iterable
from functools import partial

from msgspec import field

from tidegate.runtime.cache import Cache
from tidegate.runtime.discovery import Discovery, NoMatch
from tidegate.runtime.resources import Resource
from tidegate.runtime.transport import Transport
from tidegate.runtime.watch import Selection
from tidegate_api import codec
from tidegate_api.codec import ApiStruct
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.conditions import Condition
from tidegate_api.meta.objects import ObjectKey, ObjectMeta

API_VERSION = "source.toolkit.fluxcd.io/v1"

SourceId = tuple[str, ObjectKey]


class SourceStatus(ApiStruct, kw_only=True):
    """The part of a source's status that its consumers read."""

    observed_generation: int = 0
    conditions: list[Condition] = field(default_factory=list)
    artifact: Artifact | None = None


class Source(ApiStruct, kw_only=True):
    """Any source object, as its consumers see it."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    status: SourceStatus = field(default_factory=SourceStatus)


Sources = dict[str, Cache[Source]]


async def watch_served_kinds(
    discovery: Discovery, transport: Transport, namespace: str, kinds: Iterable[str]
) -> Sources:
    """A cache for each of the source `kinds` that the API server serves."""
    caches: Sources = {}
    for kind in kinds:
        resource = await _find(discovery, kind)
        if resource is not None:
            caches[kind] = Cache(transport, Selection(resource, namespace), partial(codec.decode, Source))
    return caches


async def _find(discovery: Discovery, kind: str) -> Resource | None:
    try:
        return await discovery.find(API_VERSION, kind)
    except NoMatch:
        return None
