"""Walks every kustomization file that a build will read, before Kustomize runs, and refuses what reaches outside.

`kubectl kustomize` itself loads a base outside of the artifact, reads absolute paths and fetches URLs. So every path in
every file is resolved here, links included, and has to stay below the artifact's root; remote entries, Helm charts and
plugins are refused. What was checked is written back in its plainest form by the caller, so that no second reading of
an ambiguous file can differ from this one.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.kustomize import kustomization_file as files
from tidegate.kustomize import plugins
from tidegate.kustomize.errors import BuildError
from tidegate_api.codec import JsonObject

MAX_DEPTH = 100
MAX_BASES = 10_000

_HELM = ("helmCharts", "helmChartInflationGenerator")
_BASES = ("resources", "bases", "components")
_FILES = ("configurations", "crds")
_PLUGINS = ("generators", "transformers", "validators")

_HTTP = re.compile(r"https?:", re.IGNORECASE)
_CONTENT = re.compile(r"[\n:{}\[\]]")
_REPOSITORY = re.compile(
    r"git::|gh:|[a-z][a-z0-9+.-]*://|github\.com[/:]|[a-z][a-z0-9-]*@[^/]*[:/]", re.IGNORECASE
)  # fmt: skip


@dataclass(frozen=True)
class Tree:
    """Every kustomization that a build reads, by its real directory, and the plugin configurations beside them."""

    root: Path
    kustomizations: dict[Path, JsonObject] = field(default_factory=dict)
    plugin_files: dict[Path, list[JsonObject]] = field(default_factory=dict)
    has_remote: bool = False

    def label(self, path: Path) -> str:
        """`path` as messages name it: relative to the artifact."""
        return os.path.relpath(path, self.root)


def survey(root: Path, start: Path, content: JsonObject, *, allow_remote: bool) -> Tree:
    """All that the kustomization `content`, which stands for the file `start`, leads to; both paths are real ones.

    Raises:
        BuildError: something leads out of `root`, is remote, is a plugin, or never ends.
    """
    walk = _Walk(root, allow_remote=allow_remote)
    walk.visit(start, content, ())
    return Tree(root, walk.kustomizations, walk.plugin_files, has_remote=walk.has_remote)


class _Walk:
    def __init__(self, root: Path, *, allow_remote: bool) -> None:
        self._root = root
        self._allow_remote = allow_remote
        self._sizes: dict[Path, int] = {}
        self.kustomizations: dict[Path, JsonObject] = {}
        self.plugin_files: dict[Path, list[JsonObject]] = {}
        self.has_remote = False

    def visit(self, path: Path, content: JsonObject, ancestors: tuple[Path, ...]) -> None:
        """Check one kustomization and everything below it; a base with two users is checked once and counted twice."""
        directory, label = path.parent, self._label(path)
        self._sizes[directory] = 1
        self.kustomizations[directory] = content
        _refuse_helm(content, label)
        for reference in _file_references(content):
            self._require_inside(directory, reference, label)
        for reference in _inline_or_file_references(content):
            self._require_inline_or_inside(directory, reference, label)
        size = 1
        for name in _BASES:
            for reference in files.texts(content, name):
                size += self._visit_base(directory, reference, label, (*ancestors, directory))
        self._check_plugins(directory, content, label)
        if size > MAX_BASES:
            raise BuildError(f"{label}: more than {MAX_BASES} bases")
        self._sizes[directory] = size

    def _visit_base(self, directory: Path, reference: str, label: str, ancestors: tuple[Path, ...]) -> int:
        target = self._require_inside(directory, reference, label, is_base=True)
        if target is None or not target.is_dir():
            return 1
        for ancestor in ancestors:
            if ancestor == target or target in ancestor.parents:
                labels = f"'{self._label(target)}' contains visited root '{self._label(ancestor)}'"
                raise BuildError(f"{label}: cycle detected: candidate root {labels}")
        if len(ancestors) > MAX_DEPTH:
            raise BuildError(f"{label}: bases nested deeper than {MAX_DEPTH} levels")
        if target not in self._sizes:
            path = files.find(target, self._root)
            if path is None:
                return 1  # Kustomize says so, in its own words
            self.visit(path, files.read(path, self._label(path)), ancestors)
        return self._sizes[target]

    def _check_plugins(self, directory: Path, content: JsonObject, label: str) -> None:
        for name in _PLUGINS:
            for key in [key for key in content if key.casefold() == name]:
                entries = content[key] if isinstance(content[key], list) else []
                content[key] = [self._plugin_entry(directory, entry, label) for entry in entries]

    def _plugin_entry(self, directory: Path, entry: Any, label: str) -> Any:
        """The entry as it may stand: an inline configuration in its plainest form, or a path to files that are so."""
        inline = plugins.parse_inline(entry)
        if inline is not None:
            self._require_builtin(directory, inline, label)
            return plugins.dump(inline)
        if not isinstance(entry, str) or _CONTENT.search(entry):
            # Where this reader sees no content, another one might: only what is a path to everyone passes as one.
            # (No URL does, so what a plugin may read is always known before it runs.)
            raise BuildError(f"{label}: plugin configuration is neither plain YAML nor a path")
        target = self._require_inside(directory, entry, label, is_base=True)
        for path in self._plugin_paths(target) if target is not None else ():
            objects = plugins.read(path, self._label(path))
            self._require_builtin(directory, objects, self._label(path))
            self.plugin_files[path] = objects
        return entry

    def _plugin_paths(self, target: Path) -> Iterator[Path]:
        """The configurations in a file, or those that a kustomization of resources alone lists."""
        if target.is_file():
            yield target
        elif (path := files.find(target, self._root)) is not None:
            content = files.read(path, self._label(path))
            others = [key for key in content if key.casefold() not in ("apiversion", "kind", "metadata", "resources")]
            if others:
                raise BuildError(f"{self._label(path)}: {others[0]} is not allowed among plugin configurations")
            self.kustomizations[target] = content
            for reference in files.texts(content, "resources"):
                found = self._require_inside(target, reference, self._label(path), is_base=True)
                if found is None or found.is_dir():
                    raise BuildError(f"{self._label(path)}: remote or nested plugin configurations are not allowed")
                if found.is_file():
                    yield found

    def _require_builtin(self, directory: Path, objects: list[JsonObject], label: str) -> None:
        for obj in objects:
            plugins.require_builtin(obj, label)
            for reference in plugins.file_references(obj):
                self._require_inline_or_inside(directory, reference, label)

    def _require_inside(self, directory: Path, reference: str, label: str, *, is_base: bool = False) -> Path | None:
        """The real path that `reference` means in `directory`; None for a remote file that may be fetched."""
        if self._is_remote(reference, label):
            return None
        if is_base and _REPOSITORY.match(reference):
            raise BuildError(f"{label}: remote base '{reference[:200]}' is not allowed")
        target = _resolve(directory, reference)
        if os.path.isabs(reference) or not self._contains(target):
            raise _outside(reference, label)
        return target

    def _require_inline_or_inside(self, directory: Path, reference: str, label: str) -> None:
        """An entry that is read as content first and, where that fails, as a path: content is never a file outside."""
        if not _CONTENT.search(reference):
            self._require_inside(directory, reference, label)
        elif not self._is_remote(reference, label):
            target = _resolve(directory, reference)
            if not self._contains(target) and os.path.lexists(target):
                raise _outside(reference, label)

    def _is_remote(self, reference: str, label: str) -> bool:
        is_remote = _HTTP.match(reference) is not None
        if is_remote and not self._allow_remote:
            raise BuildError(f"{label}: remote entry '{reference[:200]}' is not allowed")
        self.has_remote |= is_remote
        return is_remote

    def _contains(self, path: Path) -> bool:
        return path == self._root or self._root in path.parents

    def _label(self, path: Path) -> str:
        return os.path.relpath(path, self._root)


def _resolve(directory: Path, reference: str) -> Path:
    """As Kustomize joins: cleaned as a text first, then links are followed."""
    cleaned = os.path.normpath(os.path.join(directory, reference))
    try:
        return Path(os.path.realpath(cleaned))
    except (OSError, ValueError) as error:
        raise BuildError(f"path '{reference[:200]}' is not valid") from error


def _outside(reference: str, label: str) -> BuildError:
    return BuildError(f"{label}: path '{reference[:200]}' is not in or below the root of the artifact")


def _refuse_helm(content: JsonObject, label: str) -> None:
    for name in _HELM:
        if any(files.values(content, name)):
            raise BuildError(f"{label}: {name} is not allowed")


def _file_references(content: JsonObject) -> Iterator[str]:
    """The texts that Kustomize takes for the path or the URL of a file, and for nothing else."""
    for name in _FILES:
        yield from files.texts(content, name)
    for openapi in files.values(content, "openapi"):
        yield from files.texts(openapi, "path")
    for name in ("patches", "patchesJson6902", "replacements"):
        for item in files.items(content, name):
            yield from files.texts(item, "path")
    for name in ("configMapGenerator", "secretGenerator"):
        for item in files.items(content, name):
            yield from plugins.generator_files(item)


def _inline_or_file_references(content: JsonObject) -> Iterator[str]:
    yield from files.texts(content, "patchesStrategicMerge")
