"""The Secrets and ConfigMaps that objects refer to and are to be woken for, by their metadata alone."""

from functools import partial

from tidegate.runtime.cache import Cache
from tidegate.runtime.resources import CONFIG_MAPS, SECRETS
from tidegate.runtime.transport import Transport
from tidegate.runtime.watch import Selection
from tidegate_api import codec
from tidegate_api.codec import ApiStruct


class Metadata(ApiStruct, kw_only=True):
    """An object of which only its existence and version matter."""


Configs = dict[str, Cache[Metadata]]


def watched(transport: Transport, namespace: str, selector: str) -> Configs:
    """By kind, those that are labelled as ones to wake for (`--watch-configs-label-selector`)."""
    return {
        resource.kind: Cache(
            transport, Selection(resource, namespace, selector, metadata_only=True), partial(codec.decode, Metadata)
        )
        for resource in (SECRETS, CONFIG_MAPS)
    }
