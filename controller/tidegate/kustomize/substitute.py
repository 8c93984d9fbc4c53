"""postBuild: variables are replaced in the YAML text of each object, which is then read again. Pure.

So a value may change a type (`"${n}"` is written without quotes and may come back as a number), may add fields, and may
not say which other variables it holds: the result is never looked at twice.
"""

import re
from collections.abc import Mapping

import msgspec

from tidegate.adapters import yaml
from tidegate.adapters.yaml import DuplicateKeys, YamlError
from tidegate.kustomize import envsubst, objects
from tidegate.kustomize.errors import BuildError, SubstitutionError
from tidegate_api.codec import JsonObject
from tidegate_api.kustomize.v1.kustomization import SubstituteStrategy

OPT_OUT = "kustomize.toolkit.fluxcd.io/substitute"
DISABLED = "disabled"
_NAME = r"[_[:alpha:]][_[:alpha:][:digit:]]*"
_NAME_PATTERN = re.compile(r"[_A-Za-z][_A-Za-z0-9]*")


def substitute_all(
    built: list[JsonObject], variables: Mapping[str, str], strategy: str, *, strict: bool = True
) -> list[JsonObject]:
    """`built` with the variables replaced; without any variable only the strategy Always looks at the objects.

    Raises:
        BuildError: a name is no variable's name, a template is wrong or, if `strict`, names what is not set, or the
            result is no object.
    """
    if not variables and strategy != SubstituteStrategy.ALWAYS:
        return built
    values = {name: value.replace("\n", "") for name, value in variables.items()}
    for name in values:
        if not _NAME_PATTERN.fullmatch(name):
            raise BuildError(f"post build failed: '{name}' var name is invalid, must match '^{_NAME}$'")
    return objects.require_valid([_substitute(obj, values, strict=strict) for obj in built])


def _substitute(obj: JsonObject, values: Mapping[str, str], *, strict: bool) -> JsonObject:
    # Writing and reading again changes nothing by itself, so an object without a dollar is done.
    if b"$" not in msgspec.json.encode(obj) or _has_opted_out(obj):
        return obj
    try:
        text = envsubst.evaluate(yaml.dump(obj), values, strict=strict)
    except SubstitutionError as error:
        problem = f"envsubst error: variable substitution failed: {error}"
        raise SubstitutionError(f"post build failed for '{_name(obj)}': {problem}") from error
    try:
        result = yaml.load(text.encode("utf-8", "surrogateescape"), duplicate_keys=DuplicateKeys.LAST)
    except YamlError as error:
        # The text may hold a Secret's values: the message says where, and never quotes what.
        problem = f"envsubst error: YAMLToJSON: line {error.line}: {error.problem}"
        raise SubstitutionError(f"post build failed for '{_name(obj)}': {problem}") from None
    if not isinstance(result, dict):
        raise SubstitutionError(f"post build failed for '{_name(obj)}': the result is not an object")
    return result


def _has_opted_out(obj: JsonObject) -> bool:
    metadata = obj.get("metadata") or {}
    return any((metadata.get(name) or {}).get(OPT_OUT) == DISABLED for name in ("labels", "annotations"))


def _name(obj: JsonObject) -> str:
    """Kind.version.group/name, as Kustomize writes an object's type."""
    group, _, version = str(obj.get("apiVersion")).rpartition("/")
    return f"{obj.get('kind')}.{version}.{group or '[noGrp]'}/{obj['metadata']['name']}"
