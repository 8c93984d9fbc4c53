"""The values of a release: Secrets and ConfigMaps in their order, and spec.values (flux-v2-behaviour.md 6.4)."""

import base64
import binascii
import copy
from dataclasses import dataclass
from typing import Any

from tidegate.adapters import yaml
from tidegate.adapters.yaml import DuplicateKeys, YamlError
from tidegate.helm import strvals
from tidegate.helm.strvals import InvalidPath
from tidegate.runtime import threads
from tidegate.runtime.client import Client
from tidegate.runtime.errors import TidegateError
from tidegate.runtime.resources import CONFIG_MAPS, SECRETS
from tidegate_api.codec import JsonObject
from tidegate_api.helm.v2.charts import ValuesKind, ValuesReference
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.meta.objects import ObjectKey

DEFAULT_KEY = "values.yaml"


class ValuesError(TidegateError):
    """Values are missing or unusable; the message names the object and the key, and has nothing of their content."""


@dataclass(frozen=True)
class ResolvedValues:
    """A reference and the text that it leads to; None where it is optional and leads to nothing."""

    reference: ValuesReference
    text: str | None


async def load(client: Client, release: HelmRelease) -> JsonObject:
    """The values of a release, read anew. Raises: ValuesError; ApiError and Unreachable of the API server."""
    read: dict[tuple[str, str], JsonObject | None] = {}
    resolved: list[ResolvedValues] = []
    for reference in release.spec.values_from:
        place = reference.kind, reference.name
        if place not in read:
            resource = SECRETS if reference.kind == ValuesKind.SECRET else CONFIG_MAPS
            read[place] = await client.find(resource, ObjectKey(release.metadata.namespace, reference.name))
        resolved.append(_resolve(release, reference, read[place]))
    return await threads.run(compose, resolved, release.spec.values)


def compose(resolved: list[ResolvedValues], inline: Any) -> JsonObject:
    """All values merged: references in their order, then the inline ones, with single values at their paths.

    As upstream does it, inline values are merged before the first single value and again at the end: a single value
    inside of a map that came from them stays, one at a top-level key of theirs does not. Raises: ValuesError.
    """
    if not isinstance(inline, dict | None):
        raise ValuesError("spec.values is no object")
    own: JsonObject = copy.deepcopy(inline or {})
    result: JsonObject = {}
    room = strvals.MAX_PADDING
    for one in resolved:
        if one.text is None:
            continue
        if one.reference.target_path:
            result = _merged(result, own)
            room -= _set(result, one, room)
        else:
            result = _merged(result, _read(one))
    return _merged(result, own)


def _resolve(release: HelmRelease, reference: ValuesReference, obj: JsonObject | None) -> ResolvedValues:
    where = f"{reference.kind} '{release.metadata.namespace}/{reference.name}'"
    if obj is None:
        if reference.optional:
            return ResolvedValues(reference, None)
        raise ValuesError(f'could not resolve {where}: {reference.kind.lower()}s "{reference.name}" not found')
    key = reference.values_key or DEFAULT_KEY
    data: dict[str, str] = obj.get("data") or {}
    if key not in data:
        if reference.optional:
            return ResolvedValues(reference, None)
        raise ValuesError(f"could not resolve {where}: missing key '{key}'")
    if reference.kind != ValuesKind.SECRET:
        return ResolvedValues(reference, data[key])
    try:
        return ResolvedValues(reference, base64.b64decode(data[key]).decode())
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValuesError(f"could not resolve {where}: the value of '{key}' is not text") from error


def _read(one: ResolvedValues) -> JsonObject:
    try:
        found = yaml.load((one.text or "").encode(), duplicate_keys=DuplicateKeys.LAST)
    except YamlError as error:
        # Not its excerpt: what stands in a Secret must not be shown.
        raise _unusable(one, f"line {error.line}: {error.problem}") from error
    if not isinstance(found, dict | None):
        raise _unusable(one, "it is no object")
    return found or {}


def _set(result: JsonObject, one: ResolvedValues, room: int) -> int:
    text, is_quoted = _unquoted(one.text or "")
    as_text = is_quoted or one.reference.literal
    try:
        return strvals.set_value(result, one.reference.target_path, text, as_text=as_text, room=room)
    except InvalidPath as error:
        raise _unusable(one, f"unable to set value at path '{one.reference.target_path}': {error}") from error


def _unquoted(text: str) -> tuple[str, bool]:
    """A value in matching quotes is the text between them."""
    is_quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "'\""
    return (text[1:-1], True) if is_quoted else (text, False)


def _unusable(one: ResolvedValues, problem: str) -> ValuesError:
    reference = one.reference
    key = reference.values_key or DEFAULT_KEY
    return ValuesError(f"unable to read values from key '{key}' in {reference.kind} '{reference.name}': {problem}")


def _merged(below: JsonObject, above: JsonObject) -> JsonObject:
    """Maps merge, everything else replaces; maps that only one side has are shared, as they are upstream."""
    result = dict(below)
    for key, value in above.items():
        known = result.get(key)
        result[key] = _merged(known, value) if isinstance(value, dict) and isinstance(known, dict) else value
    return result
