"""A kind for tests, with what a status may hold."""

from msgspec import field

from tidegate.runtime.resources import resource_of
from tidegate_api.codec import ApiStruct, Duration, JsonObject
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.meta.status import ObjectStatus, ReconciledObject

ONE = ObjectKey("default", "one")
REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"


class Part(ApiStruct, kw_only=True):
    """Something inside a status."""

    name: str = ""
    facts: dict[str, str] = field(default_factory=dict)


class ThingStatus(ObjectStatus, kw_only=True):
    """One field of each shape."""

    note: str = ""
    count: int = 0
    part: Part | None = None
    parts: list[Part] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


class ThingSpec(ApiStruct, kw_only=True):
    """What is wanted."""

    interval: Duration = field(default_factory=Duration)


class Thing(ReconciledObject, kw_only=True):
    """A thing."""

    GROUP = "example.com"
    VERSION = "v1"
    KIND = "Thing"
    PLURAL = "things"

    spec: ThingSpec = field(default_factory=ThingSpec)
    status: ThingStatus = field(default_factory=ThingStatus)


THINGS = resource_of(Thing)


def a_thing(annotations: dict[str, str] | None = None, *, finalizers: tuple[str, ...] = ()) -> JsonObject:
    """A Thing to store."""
    metadata = {"namespace": ONE.namespace, "name": ONE.name}
    more = {"annotations": annotations, "finalizers": list(finalizers)}
    return {"metadata": metadata | {name: value for name, value in more.items() if value}}
