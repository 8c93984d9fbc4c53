"""Rendered templates as Helm stores them: split into documents, hooks apart, in the order of installation. Pure.

After pkg/release/v1/util of Helm 4.3, whose order, separators and names of hooks decide what `helm get` shows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.adapters import yaml
from tidegate.adapters.chart_jobs import Hook
from tidegate.adapters.yaml import DuplicateKeys, YamlError
from tidegate.runtime.errors import TidegateError

INSTALL_ORDER = (
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)
_HOOK = "helm.sh/hook"
_EVENTS = {
    **{
        f"{when}-{action}": f"{when}-{action}"
        for when in ("pre", "post")
        for action in ("install", "upgrade", "delete", "rollback")
    },
    "test": "test",
    "test-success": "test",
}
_SEPARATOR = re.compile(r"(?m)^---[ \t]*")
_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)
# What Go's unicode.IsSpace holds for space.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"  # noqa: E501


class InvalidTemplate(TidegateError):
    """A template gave something that is no YAML of an object."""


@dataclass(frozen=True)
class _Document:
    path: str
    text: str
    kind: str
    name: str
    annotations: Mapping[str, str]


def sort(files: Mapping[str, str]) -> tuple[str, list[Hook]]:
    """The manifest and the hooks in `files`, which map a template's path to what it gave. Raises: InvalidTemplate."""
    documents = [document for path in sorted(files, key=str.encode) for document in _documents(path, files[path])]
    objects = [document for document in documents if _HOOK not in document.annotations]
    hooks = [hook for document in documents if (hook := _hook(document)) is not None]
    objects.sort(key=lambda document: _rank(document.kind))
    text = "".join(f"---\n# Source: {document.path}\n{document.text}\n" for document in objects)
    return text, sorted(hooks, key=lambda hook: _rank(hook.kind))


def _documents(path: str, content: str) -> Sequence[_Document]:
    if path.rpartition("/")[2].startswith("_"):
        return []
    texts = (text.lstrip(_SPACE) for text in _SEPARATOR.split(content.lstrip(_SPACE)))
    return [_read(path, text) for text in texts if text]


def _read(path: str, text: str) -> _Document:
    try:
        head = yaml.load(text.encode(), duplicate_keys=DuplicateKeys.LAST)
    except YamlError as error:
        # Not its excerpt: what is rendered may be a Secret.
        raise InvalidTemplate(f"YAML parse error on {path}: line {error.line}: {error.problem}") from error
    if not isinstance(head, dict | None):
        raise InvalidTemplate(f"YAML parse error on {path}: a {_json_name(head)} where an object should be")
    head = head or {}
    metadata = _member(path, head, "metadata")
    annotations = _member(path, metadata, "annotations")
    for key, value in annotations.items():
        if not isinstance(value, str | None):
            raise InvalidTemplate(
                f"YAML parse error on {path}: the annotation {key} is a {_json_name(value)}, no string"
            )
    kind, name = (str(part or "") for part in (head.get("kind"), metadata.get("name")))
    return _Document(path, text, kind, name, {key: value or "" for key, value in annotations.items()})


def _member(path: str, holder: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = holder.get(name) or {}
    if not isinstance(value, dict):
        raise InvalidTemplate(f"YAML parse error on {path}: {name} is a {_json_name(value)}, no object")
    return value


def _hook(document: _Document) -> Hook | None:
    """The hook that a document is; None for an object of the release and for events that Helm does not know."""
    if _HOOK not in document.annotations:
        return None
    events = [_EVENTS.get(event) for event in _items(document.annotations[_HOOK])]
    known = [event for event in events if event is not None]
    if len(known) < len(events):
        return None
    weight = document.annotations.get("helm.sh/hook-weight", "")
    return Hook(
        name=document.name,
        kind=document.kind,
        path=document.path,
        manifest=document.text,
        events=known,
        weight=int(weight) if _NUMBER.fullmatch(weight) and len(weight) < 19 else 0,
        delete_policies=_policies(document, "helm.sh/hook-delete-policy"),
        output_log_policies=_policies(document, "helm.sh/hook-output-log-policy"),
    )


def _policies(document: _Document, annotation: str) -> list[str]:
    return _items(document.annotations[annotation]) if annotation in document.annotations else []


def _items(text: str) -> list[str]:
    return [item.strip(_SPACE).lower() for item in text.split(",")]


def _rank(kind: str) -> tuple[int, str]:
    """Kinds that Helm knows in its order, then all others by name."""
    return (INSTALL_ORDER.index(kind), "") if kind in INSTALL_ORDER else (len(INSTALL_ORDER), kind)


def _json_name(value: Any) -> str:
    return {bool: "boolean", str: "string", list: "list", dict: "object"}.get(type(value), "number")
