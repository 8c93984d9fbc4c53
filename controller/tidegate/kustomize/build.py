"""A directory of an artifact becomes objects: the one entry to jail.py, overlay.py, plain.py and Kustomize itself.

A build depends on the artifact and on the build fields of the spec alone; `build_digest_fields` are those.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tidegate.adapters import kustomize, yaml
from tidegate.adapters.kustomize import KustomizeError
from tidegate.adapters.yaml import YamlError
from tidegate.kustomize import jail, kustomization_file, objects, overlay, plain, plugins
from tidegate.kustomize.errors import BuildError, PathError
from tidegate.kustomize.jail import Tree
from tidegate.kustomize.objects import apply_common_metadata
from tidegate.kustomize.overlay import Overlay
from tidegate.runtime import threads
from tidegate_api.codec import JsonObject, encode
from tidegate_api.kustomize.v1.kustomization import KustomizationSpec

__all__ = ["BuildError", "Options", "PathError", "apply_common_metadata", "build", "build_digest_fields"]

_BUILD_FIELDS = (
    "path", "targetNamespace", "namePrefix", "nameSuffix", "patches", "images", "components",
    "ignoreMissingComponents", "buildMetadata",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """How the controller was started; remote files may be fetched only where `no_remote_bases` is off."""

    no_remote_bases: bool = True


@dataclass(frozen=True)
class Built:
    """What a build gave; `is_repeatable` is off when it fetched files that may be others the next time."""

    objects: list[JsonObject]
    is_repeatable: bool = True


async def build(root: Path, spec: KustomizationSpec, options: Options) -> Built:
    """The objects that `spec` makes of the artifact in `root`, in the order of its files, before substitution.

    `root` is the caller's own copy and is used up: kustomization files in it may be rewritten.

    Raises:
        PathError: the path is no directory in the artifact.
        BuildError: it cannot be built, or not without reaching out of the artifact.
    """
    prepared = await threads.run(_prepare, root, spec, options)
    if not isinstance(prepared, _Prepared):
        return Built(prepared)
    try:
        output = await kustomize.build(
            prepared.directory, root=prepared.tree.root, is_networked=prepared.tree.has_remote
        )
    except KustomizeError as error:
        raise prepared.problem or BuildError(f"kustomize build failed: {error}") from error
    return Built(await threads.run(_parse, output), is_repeatable=not prepared.tree.has_remote)


def build_digest_fields(spec: KustomizationSpec) -> JsonObject:
    """Those fields of `spec` that a build depends on, as JSON."""
    encoded = encode(spec)
    return {name: encoded[name] for name in _BUILD_FIELDS if name in encoded}


@dataclass(frozen=True)
class _Prepared:
    """A directory that Kustomize may be let into; `problem` is what is wrong should it fail."""

    tree: Tree
    directory: Path
    problem: BuildError | None


def _prepare(root: Path, spec: KustomizationSpec, options: Options) -> _Prepared | list[JsonObject]:
    """The objects at once where they need no Kustomize, else what it may read."""
    root = root.resolve()
    directory = _require_directory(root, spec.path)
    try:
        return _plan(root, directory, spec, options)
    except OSError as error:
        # Names longer than the file system takes, and the like; the path is the artifact's own affair.
        raise BuildError(f"cannot read the artifact: {error.strerror}") from error


def _plan(root: Path, directory: Path, spec: KustomizationSpec, options: Options) -> _Prepared | list[JsonObject]:
    laid = overlay.make(root, directory, spec)
    tree = jail.survey(root, laid.path, laid.content, allow_remote=not options.no_remote_bases)
    try:
        return objects.require_valid(plain.build(tree, directory, laid.parsed))
    except plain.NotPlain:
        _write(tree, laid)
    return _Prepared(tree, directory, laid.problem)


def _require_directory(root: Path, path: str) -> Path:
    """An absolute path starts at the root of the artifact; one that climbs out of it is refused, not clamped."""
    relative = os.path.normpath(path.lstrip("/") or ".")
    if relative == ".." or relative.startswith("../") or "\0" in path:
        raise PathError(f"kustomization path not found: '{path}' is not in or below the root of the artifact")
    directory = (root / relative).resolve()
    if directory != root and root not in directory.parents:
        raise PathError(f"kustomization path not found: '{path}' leads out of the artifact")
    if not directory.is_dir():
        reason = "not a directory" if directory.exists() else "no such file or directory"
        raise PathError(f"kustomization path not found: stat {relative}: {reason}")
    return directory


def _write(tree: Tree, laid: Overlay) -> None:
    """What was checked is what Kustomize reads, byte for byte."""
    own = laid.path.parent
    for directory, content in tree.kustomizations.items():
        path = laid.path if directory == own else kustomization_file.find(directory, tree.root)
        if path is not None:
            _replace(path, msgspec.json.encode(content))
    for path, configurations in tree.plugin_files.items():
        _replace(path, plugins.dump(configurations).encode())


def _replace(path: Path, content: bytes) -> None:
    """A new file, never the target of a link."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def _parse(output: bytes) -> list[JsonObject]:
    try:
        documents = yaml.load_all(output, max_bytes=kustomize.MAX_OUTPUT)
    except YamlError as error:
        raise BuildError(f"kustomize build failed: {error}") from error
    return objects.require_valid([document for document in documents if document is not None])
