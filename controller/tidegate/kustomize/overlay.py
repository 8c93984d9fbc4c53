"""The kustomization that is built: that of the directory or one made from its manifests, and the spec laid over it."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.adapters.yaml import YamlBoundError, YamlDoubt, YamlError
from tidegate.kustomize import kustomization_file as files
from tidegate.kustomize import manifests
from tidegate.kustomize.errors import BuildError
from tidegate.kustomize.objects import MAX_OBJECTS
from tidegate_api.codec import JsonObject, encode
from tidegate_api.kustomize.v1.kustomization import KustomizationSpec
from tidegate_api.meta.kustomize import Image

PLACEHOLDER_NAMESPACE = "_placeholder"
MAX_DEPTH = 200
_REMOTE = re.compile(r"git::.|gh:.|ssh://.|https?://.|git@.|github\.com[:/].", re.IGNORECASE)


@dataclass
class Overlay:
    """What to build: `content` for the file `path`; `problem` is why a scanned manifest may not be one at all."""

    path: Path
    content: JsonObject
    problem: BuildError | None = None
    parsed: dict[Path, list[JsonObject]] = field(default_factory=dict)


def make(root: Path, directory: Path, spec: KustomizationSpec) -> Overlay:
    """The kustomization of `directory` under `spec`; nothing is written.

    Raises:
        BuildError: the file is not one, a scanned manifest is no manifest, or a component is not local.
    """
    path = files.find(directory, root)
    if path is None:
        overlay = _generate(root, directory)
    else:
        label = os.path.relpath(path, root)
        overlay = Overlay(path, files.typed(files.read(path, label), label))
        if not overlay.content.get("resources"):
            # As Flux does, so that Kustomize does not take the file for empty.
            overlay.content["buildMetadata"] = ["originAnnotations"]
    _lay_over(overlay.content, directory, spec)
    return overlay


def _generate(root: Path, directory: Path) -> Overlay:
    overlay = Overlay(directory / files.NAMES[0], {"apiVersion": files.API_VERSION, "kind": files.KIND})
    resources: list[str] = []
    size = 0
    for path in _scan(directory, root):
        if path.is_file():
            size += path.stat().st_size
            if size > manifests.MAX_BYTES or len(resources) >= MAX_OBJECTS:
                raise BuildError(f"more than {MAX_OBJECTS} files or {manifests.MAX_BYTES >> 20} MiB of manifests")
            _decode(overlay, path, os.path.relpath(path, root))
        resources.append(f"./{path.relative_to(directory)}")
    if resources:
        overlay.content["resources"] = resources
    else:
        overlay.content["namespace"] = PLACEHOLDER_NAMESPACE
    return overlay


def _scan(directory: Path, root: Path, depth: int = 1) -> Iterator[Path]:
    """Manifests and directories with a kustomization of their own, in the order of a sorted walk."""
    if depth > MAX_DEPTH:
        raise BuildError(f"directories nested deeper than {MAX_DEPTH} levels")
    for entry in sorted(os.scandir(directory), key=lambda entry: os.fsencode(entry.name)):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if files.find(path, root) is not None:
                yield path
            else:
                yield from _scan(path, root, depth + 1)
        elif path.suffix in (".yaml", ".yml") and entry.is_file(follow_symlinks=False):
            if not entry.name.isprintable():
                raise BuildError(f"a manifest's file name is not a text: {entry.name!r}")
            yield path


def _decode(overlay: Overlay, path: Path, label: str) -> None:
    """Every scanned file has to hold manifests; where only Kustomize can tell, its word is awaited."""
    try:
        overlay.parsed[path] = manifests.read(path)
    except YamlDoubt:
        return
    except (YamlBoundError, manifests.NotManifest) as error:
        raise BuildError(f"failed to decode Kubernetes YAML from {label}: {error}") from error
    except YamlError as error:
        problem = BuildError(f"failed to decode Kubernetes YAML from {label}: {error}")
        problem.__cause__ = error
        overlay.problem = overlay.problem or problem


def _lay_over(content: JsonObject, directory: Path, spec: KustomizationSpec) -> None:
    texts = {"namespace": spec.target_namespace, "namePrefix": spec.name_prefix, "nameSuffix": spec.name_suffix}
    content.update({name: text for name, text in texts.items() if text})
    _extend(content, "patches", [encode(patch) for patch in spec.patches])
    _extend(content, "components", list(_components(directory, spec)))
    if spec.images:
        content["images"] = _merge_images(content.get("images", []), spec.images)
    if spec.build_metadata:
        content["buildMetadata"] = list(spec.build_metadata)
    # Flux keeps the order of the files; the command line would sort by kind.
    content.setdefault("sortOptions", {"order": "fifo"})


def _extend(content: JsonObject, name: str, more: list[Any]) -> None:
    if more:
        content[name] = [*content.get(name, []), *more]


def _components(directory: Path, spec: KustomizationSpec) -> Iterator[str]:
    for component in spec.components:
        local = component[7:] if component.lower().startswith("file://") else component
        if _REMOTE.match(component) or os.path.isabs(component) or os.path.isabs(local):
            raise BuildError(f"component path '{component}' must be local and relative")
        if spec.ignore_missing_components and not (directory / component).exists():
            continue
        yield component


def _merge_images(images: list[JsonObject], more: list[Image]) -> list[JsonObject]:
    """Field by field, but tag and digest are one choice: setting either drops what was there of both."""
    merged = [dict(image) for image in images]
    for image in more:
        known = next((entry for entry in merged if entry.get("name", "") == image.name), None)
        if known is None:
            merged.append(encode(image))
            continue
        if image.new_name:
            known["newName"] = image.new_name
        if image.new_tag or image.digest:
            known.update(newTag=image.new_tag, digest=image.digest)
    return merged
