"""Kustomization files: their names, reading them, and Flux's typed view of the one that it edits. Pure but for reading.

Kustomize matches field names without regard to case, as Go's JSON decoder does; so does everything here.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tidegate.adapters import yaml, yaml_scalars
from tidegate.adapters.yaml import DuplicateKeys, YamlError
from tidegate.kustomize.errors import BuildError
from tidegate_api.codec import JsonObject

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
API_VERSION = "kustomize.config.k8s.io/v1beta1"
KIND = "Kustomization"

# What Flux keeps of a file that it edits: a Go struct, so everything else is dropped, and a number where a text belongs
# becomes one. `str` is a text, (x,) a list of x, _TEXTS a mapping of texts, a dict of fields a struct; None is kept.
_MANY_TEXTS: tuple[Any, ...] = (str,)
_TEXTS = {"": str}
_SELECTOR = dict.fromkeys(
    ("group", "version", "kind", "name", "namespace", "annotationSelector", "labelSelector"), str
)  # fmt: skip
_PATCH = {"path": str, "patch": str, "target": _SELECTOR, "options": None}
_IMAGE = dict.fromkeys(("name", "newName", "tagSuffix", "newTag", "digest"), str)
_OPTIONS = {"labels": _TEXTS, "annotations": _TEXTS, "disableNameSuffixHash": None, "immutable": None}
_GENERATOR = {
    **dict.fromkeys(("namespace", "name", "behavior", "env", "type"), str),
    **dict.fromkeys(("literals", "files", "envs"), _MANY_TEXTS),
    "options": _OPTIONS,
}
FIELDS: dict[str, Any] = {
    **dict.fromkeys(("apiVersion", "kind", "namePrefix", "nameSuffix", "namespace"), str),
    **dict.fromkeys(("resources", "components", "crds", "bases", "configurations"), _MANY_TEXTS),
    **dict.fromkeys(("generators", "transformers", "validators", "buildMetadata"), _MANY_TEXTS),
    **dict.fromkeys(("openapi", "commonLabels", "commonAnnotations"), _TEXTS),
    **dict.fromkeys(("replacements", "replicas", "vars", "sortOptions"), None),
    **dict.fromkeys(("helmGlobals", "helmCharts", "helmChartInflationGenerator"), None),
    **dict.fromkeys(("patches", "patchesJson6902"), (_PATCH,)),
    **dict.fromkeys(("images", "imageTags"), (_IMAGE,)),
    **dict.fromkeys(("configMapGenerator", "secretGenerator"), (_GENERATOR,)),
    "patchesStrategicMerge": _MANY_TEXTS,
    "metadata": {"name": str, "namespace": str, "labels": _TEXTS, "annotations": _TEXTS},
    "labels": ({"pairs": _TEXTS, "includeSelectors": None, "includeTemplates": None, "fields": None},),
    "generatorOptions": _OPTIONS,
}


def find(directory: Path, root: Path) -> Path | None:
    """The kustomization file of `directory`, which messages name as seen from `root`; None where there is none.

    Raises:
        BuildError: there are several, or it is a link, which no artifact has and which could lead anywhere.
    """
    found = [path for name in NAMES if (path := directory / name).is_file() or path.is_symlink()]
    if len(found) > 1:
        raise BuildError(f"found multiple kustomization files under: {os.path.relpath(directory, root)}")
    if found and found[0].is_symlink():
        raise BuildError(f"{os.path.relpath(found[0], root)} is a link")
    return found[0] if found else None


def read(path: Path, label: str) -> JsonObject:
    """The file's content as Kustomize's own decoder sees it; `label` names it in messages.

    Raises:
        BuildError: it is no YAML mapping.
    """
    try:
        content = yaml.load(path.read_bytes(), duplicate_keys=DuplicateKeys.LAST)
    except (YamlError, OSError) as error:
        raise BuildError(f"{label}: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BuildError(f"{label}: not a mapping")
    return content


def values(mapping: Any, name: str) -> Iterator[Any]:
    """Every value in `mapping` that Go's decoder would store in the field `name`, however the key is cased."""
    if isinstance(mapping, dict):
        folded = name.casefold()
        yield from (value for key, value in mapping.items() if key.casefold() == folded)


def texts(mapping: Any, name: str) -> Iterator[str]:
    """The texts in the list or text field `name` of `mapping`."""
    for value in values(mapping, name):
        yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str))


def items(mapping: Any, name: str) -> Iterator[Any]:
    """The items of the list field `name` of `mapping`."""
    for value in values(mapping, name):
        yield from value if isinstance(value, list) else ()


def typed(content: JsonObject, label: str) -> JsonObject:
    """`content` as Flux writes it back: known fields only, under their own names, empty ones left out.

    Raises:
        BuildError: a field has the wrong type.
    """
    return {"apiVersion": API_VERSION, "kind": KIND, **_struct(content, FIELDS, label)}


def _struct(content: Any, fields: dict[str, Any], where: str) -> JsonObject:
    if not isinstance(content, dict):
        raise BuildError(f"{where}: must be a mapping")
    names = {name.casefold(): name for name in fields}
    result: JsonObject = {}
    # Go's encoder sorts the keys first, so of two spellings of a field the later in that order stays.
    for key in sorted(content):
        name = names.get(key.casefold())
        if name is None or content[key] is None:
            continue
        value = _convert(content[key], fields[name], f"{where}: {name}" if ":" not in where else f"{where}.{name}")
        # An empty struct is kept: Go has a pointer to it, and a patch for everything is not a patch without a target.
        if value not in ("", []) and not (value == {} and fields[name] is _TEXTS):
            result[name] = value
    return result


def _convert(value: Any, kind: Any, where: str) -> Any:
    if kind is None:
        return value
    if kind is str:
        return _text(value, where)
    if isinstance(kind, tuple):
        if not isinstance(value, list):
            raise BuildError(f"{where}: must be a list")
        return [_convert("" if item is None else item, kind[0], where) for item in value]
    if list(kind) == [""]:
        return _convert_texts(value, where)
    return _struct(value, kind, where)


def _convert_texts(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BuildError(f"{where}: must be a mapping")
    return {key: _text("" if item is None else item, f"{where}.{key}") for key, item in value.items()}


def _text(value: Any, where: str) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return yaml_scalars.format_float(value)
        case int():
            return str(value)
        case _:
            raise BuildError(f"{where}: must be a text")
