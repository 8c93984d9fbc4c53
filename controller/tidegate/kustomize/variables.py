"""The variables of postBuild: Secrets and ConfigMaps in their order, then inline values, which win."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from tidegate.runtime.client import Client
from tidegate.runtime.errors import TidegateError
from tidegate.runtime.resources import CONFIG_MAPS, SECRETS
from tidegate_api.codec import JsonObject
from tidegate_api.kustomize.v1.kustomization import Kustomization, SubstituteKind, SubstituteReference
from tidegate_api.meta.objects import ObjectKey


class VariablesError(TidegateError):
    """A source of variables is missing or not usable."""


@dataclass(frozen=True)
class Variables:
    """Values by name, and the versions of the objects that they were read from: those tell a change without values."""

    values: Mapping[str, str] = field(default_factory=dict)
    versions: tuple[str, ...] = ()


async def load(client: Client, kustomization: Kustomization) -> Variables:
    """All variables of a Kustomization; none without postBuild.

    Raises: VariablesError; ApiError and Unreachable of the API server.
    """
    post_build = kustomization.spec.post_build
    if post_build is None:
        return Variables()
    found: dict[str, str] = {}
    versions: list[str] = []
    for reference in post_build.substitute_from:
        obj = await _read(client, kustomization.metadata.namespace, reference)
        if obj is not None:
            found |= _values(obj, reference, ObjectKey.of(obj))
            versions.append(f"{obj['metadata']['uid']}/{obj['metadata']['resourceVersion']}")
    return Variables(found | post_build.substitute, tuple(versions))


async def _read(client: Client, namespace: str, reference: SubstituteReference) -> JsonObject | None:
    is_secret = reference.kind == SubstituteKind.SECRET
    key = ObjectKey(namespace, reference.name)
    obj = await client.find(SECRETS if is_secret else CONFIG_MAPS, key)
    if obj is None and not reference.optional:
        raise VariablesError(f"substitute from '{reference.kind}/{key}' error: {reference.kind} not found")
    return obj


def _values(obj: JsonObject, reference: SubstituteReference, key: ObjectKey) -> dict[str, str]:
    data: dict[str, str] = obj.get("data") or {}
    if reference.kind != SubstituteKind.SECRET:
        return data
    try:
        return {name: base64.b64decode(value).decode() for name, value in data.items()}
    except (binascii.Error, UnicodeDecodeError) as error:
        raise VariablesError(f"substitute from 'Secret/{key}' error: a value is not text") from error
