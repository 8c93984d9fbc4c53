"""Configurations of Kustomize's plugins: only its own, built-in ones that run nothing. No walking of directories."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tidegate.adapters import yaml
from tidegate.adapters.yaml import Reader, YamlDoubt, YamlError
from tidegate.kustomize import kustomization_file as files
from tidegate.kustomize.errors import BuildError
from tidegate_api.codec import JsonObject

_API_VERSION = "builtin"
_FUNCTIONS = ("config.kubernetes.io/function", "config.k8s.io/function")
_ALLOWED = {
    "AnnotationsTransformer", "ConfigMapGenerator", "HashTransformer", "IAMPolicyGenerator", "ImageTagTransformer",
    "LabelTransformer", "NamespaceTransformer", "PatchJson6902Transformer", "PatchStrategicMergeTransformer",
    "PatchTransformer", "PrefixSuffixTransformer", "PrefixTransformer", "ReplacementTransformer",
    "ReplicaCountTransformer", "SecretGenerator", "SortOrderTransformer", "SuffixTransformer", "ValueAddTransformer",
}  # fmt: skip


def parse_inline(entry: Any) -> list[JsonObject] | None:
    """The configurations that are written into an entry itself; None where it is a path."""
    try:
        documents = yaml.load_all(str(entry).encode("utf-8", "replace"), reader=Reader.KUSTOMIZE)
    except YamlDoubt as error:
        raise BuildError(f"plugin configuration is not plain YAML: {error}") from error
    except YamlError:
        return None
    objects = [document for document in documents if isinstance(document, dict)]
    return objects if objects and len(objects) == len(documents) else None


def read(path: Path, label: str) -> list[JsonObject]:
    """The configurations in a file.

    Raises:
        BuildError: it holds something else.
    """
    try:
        documents = yaml.load_all(path.read_bytes(), reader=Reader.KUSTOMIZE)
    except (YamlError, OSError) as error:
        raise BuildError(f"{label}: {error}") from error
    objects = [document for document in documents if isinstance(document, dict)]
    if len(objects) != sum(document is not None for document in documents):
        raise BuildError(f"{label}: not a plugin configuration")
    return objects


def dump(objects: list[JsonObject]) -> str:
    """Configurations in a form that no two YAML readers can read differently."""
    return "\n---\n".join(msgspec.json.encode(obj).decode() for obj in objects)


def require_builtin(obj: JsonObject, label: str) -> None:
    """Raises: BuildError where the configuration starts a program, a container or Helm, or is a list of others."""
    kind, version, metadata = obj.get("kind"), obj.get("apiVersion"), obj.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    is_function = isinstance(annotations, dict) and any(name in annotations for name in _FUNCTIONS)
    if version != _API_VERSION or not isinstance(kind, str) or kind not in _ALLOWED or is_function:
        raise BuildError(f"{label}: plugin {version}/{kind} is not allowed, only Kustomize's own ones are")


def file_references(obj: JsonObject) -> Iterator[str]:
    """Every text in a built-in plugin's configuration that may be the path of a file."""
    yield from generator_files(obj)
    for name in ("path", "paths"):
        yield from files.texts(obj, name)
    for replacement in files.items(obj, "replacements"):
        yield from files.texts(replacement, "path")


def generator_files(generator: Any) -> Iterator[str]:
    """The files that a ConfigMap or Secret generator reads; `files` may name the key before the path."""
    for reference in files.texts(generator, "files"):
        yield reference.partition("=")[2] if "=" in reference else reference
    for name in ("envs", "env"):
        yield from files.texts(generator, name)
