"""One file of manifests as Kustomize reads it: its documents, with lists taken apart. No kustomization logic here."""

from pathlib import Path
from typing import Any

from tidegate.adapters import yaml
from tidegate.adapters.yaml import Reader, YamlDoubt
from tidegate.runtime.errors import TidegateError
from tidegate_api.codec import JsonObject

MAX_BYTES = 64 << 20
"""Of all files together: as much as a build may yield."""


class NotManifest(TidegateError):
    """A YAML document is no Kubernetes object."""


def read(path: Path) -> list[JsonObject]:
    """The objects in the file, in its order.

    Raises:
        YamlDoubt: only Kustomize knows.
        YamlError: the file is no YAML, or breaks a bound.
        NotManifest: a document has no kind or no name.
    """
    documents = yaml.load_all(path.read_bytes(), reader=Reader.KUSTOMIZE)
    objects = [_require_object(document) for document in documents if document not in (None, "", [], {})]
    if len(objects) == 1 and objects[0]["kind"] == "List" and isinstance(objects[0].get("items"), list):
        objects = [_require_object(item) for item in objects[0]["items"] if item not in (None, "", [], {})]
    if any(obj["kind"].endswith("List") for obj in objects):
        # Kustomize moves their items to the end of the file.
        raise YamlDoubt("a list of objects is read by Kustomize alone")
    return objects


def _require_object(document: Any) -> JsonObject:
    """As Kustomize's GetValidatedMetadata; what it converts on the way (numbers as names) is left to it."""
    if not isinstance(document, dict) or not any(document.get(name) for name in ("apiVersion", "kind", "metadata")):
        raise NotManifest("missing Resource metadata")
    kind, metadata = document.get("kind"), document.get("metadata")
    if kind in (None, ""):
        raise NotManifest(f"missing kind in object {_describe(document)}")
    if not isinstance(kind, str) or not isinstance(document.get("apiVersion", ""), str):
        raise YamlDoubt("a type that is no text is read by Kustomize alone")
    if kind.endswith("List"):
        return document
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if name in (None, ""):
        raise NotManifest(f"missing metadata.name in object {_describe(document)}")
    if not isinstance(name, str):
        raise YamlDoubt("a name that is no text is read by Kustomize alone")
    return document


def _describe(document: JsonObject) -> str:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return "/".join(str(part)[:253] for part in (document.get("apiVersion"), document.get("kind"), name) if part)
