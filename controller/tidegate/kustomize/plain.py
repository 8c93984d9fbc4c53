"""The fast path: a tree of kustomizations that only list resources is the concatenation of those files.

A namespace for all of them is the one change that is made here, to kinds where nothing else hangs on it. Whatever
Kustomize would do beyond that makes this give up, and the build goes to Kustomize.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.adapters.yaml import YamlBoundError, YamlDoubt, YamlError
from tidegate.kustomize import kustomization_file as files
from tidegate.kustomize import manifests
from tidegate.kustomize.errors import BuildError
from tidegate.kustomize.jail import Tree
from tidegate.kustomize.objects import MAX_OBJECTS
from tidegate_api.codec import JsonObject

_INERT = {"apiVersion", "kind", "resources", "sortOptions"}
_FIFO = {"order": "fifo"}

# Namespaced kinds that refer to others by name alone, as a namespace does not change names.
_MOVABLE = {
    *(("", kind) for kind in ("ConfigMap", "Secret", "Service", "ServiceAccount", "PersistentVolumeClaim", "Pod")),
    *(("", kind) for kind in ("LimitRange", "ResourceQuota", "Endpoints", "PodTemplate", "ReplicationController")),
    *(("apps", kind) for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")),
    *(("networking.k8s.io", kind) for kind in ("Ingress", "NetworkPolicy")),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("policy", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io", "Role"),
}
_MOVED_OTHERWISE = {
    "Namespace", "RoleBinding", "ClusterRoleBinding", "APIService", "CustomResourceDefinition", "Node",
    "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration",
}  # fmt: skip


class NotPlain(Exception):
    """Only Kustomize can build this."""


def build(tree: Tree, start: Path, parsed: Mapping[Path, list[JsonObject]]) -> list[JsonObject]:
    """The objects of the kustomization in `start`, as Kustomize would make them; `parsed` files are not read again.

    Raises:
        NotPlain: something needs Kustomize.
        BuildError: a file breaks a bound.
    """
    collection = _Collection(tree, parsed)
    collection.add(start, inert=_INERT | {"namespace"})
    objects = collection.objects
    names = {(obj.get("apiVersion"), obj["kind"], obj["metadata"]["name"]) for obj in objects}
    if len(names) < len(objects):
        raise NotPlain("equal names are equal objects if the kind has no namespaces")
    namespace = tree.kustomizations[start].get("namespace")
    return [_finish(obj, namespace) for obj in objects]


@dataclass
class _Collection:
    """The objects of a tree, depth first, in the order of its lists."""

    tree: Tree
    parsed: Mapping[Path, list[JsonObject]]
    objects: list[JsonObject] = field(default_factory=list)
    size: int = 0

    def add(self, directory: Path, inert: Set[str] = _INERT) -> None:
        """All of one kustomization, if it has no fields but the `inert` ones."""
        content = self.tree.kustomizations.get(directory)
        if content is None or set(content) - inert or not _is_ordinary(content):
            raise NotPlain("more than resources")
        for resource in content["resources"]:
            path = (directory / resource).resolve() if isinstance(resource, str) else None
            if path in self.tree.kustomizations:
                self.add(path)
            elif path is not None and path.is_file():
                self.objects.extend(self.parsed[path] if path in self.parsed else self._read(path))
            else:
                raise NotPlain("neither file nor kustomization")

    def _read(self, path: Path) -> list[JsonObject]:
        self.size += path.stat().st_size
        if self.size > manifests.MAX_BYTES or len(self.objects) > MAX_OBJECTS:
            raise BuildError(f"more than {MAX_OBJECTS} objects or {manifests.MAX_BYTES >> 20} MiB of manifests")
        try:
            return manifests.read(path)
        except YamlBoundError as error:
            raise BuildError(f"{self.tree.label(path)}: {error}") from error
        except (YamlError, YamlDoubt, manifests.NotManifest) as error:
            raise NotPlain(str(error)) from error


def _is_ordinary(content: JsonObject) -> bool:
    head = (content.get("apiVersion", files.API_VERSION), content.get("kind", files.KIND))
    order = content.get("sortOptions", _FIFO)
    return head == (files.API_VERSION, files.KIND) and order == _FIFO and isinstance(content.get("resources"), list)


def _finish(obj: JsonObject, namespace: str | None) -> JsonObject:
    """Kustomize drops its own annotations from every object, and with them an annotations field that is empty."""
    metadata = obj["metadata"]
    if not isinstance(metadata.get("namespace", ""), str):
        raise NotPlain("a namespace that is no text")
    annotations = metadata.get("annotations")
    if annotations:
        _require_foreign(annotations)
    else:
        metadata.pop("annotations", None)
    if namespace:
        _require_movable(obj)
        metadata["namespace"] = namespace
    return obj


def _require_movable(obj: JsonObject) -> None:
    """Kinds that Kustomize does not know are namespaced to it; those with the name of one it knows are left to it."""
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    is_foreign = "." in group and not group.endswith("k8s.io") and obj["kind"] not in _MOVED_OTHERWISE
    if (group, obj["kind"]) not in _MOVABLE and not is_foreign:
        raise NotPlain("a kind whose namespace is a matter for Kustomize")


def _require_foreign(annotations: object) -> None:
    if not isinstance(annotations, dict) or not all(isinstance(value, str) for value in annotations.values()):
        raise NotPlain("annotations that are no texts")
    if any("config.kubernetes.io" in key or "config.k8s.io" in key for key in annotations):
        raise NotPlain("annotations of Kustomize")
