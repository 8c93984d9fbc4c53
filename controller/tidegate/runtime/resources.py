"""A kind's place in the API: group, version, plural, scope, and the paths of its objects."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from tidegate.runtime.errors import InvalidObject
from tidegate_api.meta.objects import ObjectKey


class _Kind(Protocol):
    API_VERSION: str
    KIND: str
    PLURAL: str
    NAMESPACED: bool


@dataclass(frozen=True)
class Resource:
    """One kind in one version, as the API server serves it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset({"get", "list", "watch", "create", "patch", "delete"})

    @property
    def api_version(self) -> str:
        """`group/version`, or `version` alone in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def collection(self, namespace: str = "") -> str:
        """The path of all objects, or of those in `namespace`. Raises: InvalidObject."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{_segment(namespace)}" if namespace and self.namespaced else ""
        return f"{root}{scope}/{self.plural}"

    def path(self, key: ObjectKey, subresource: str = "") -> str:
        """The path of one object, or of a subresource of it. Raises: InvalidObject."""
        path = f"{self.collection(key.namespace)}/{_segment(key.name)}"
        return f"{path}/{subresource}" if subresource else path


def _segment(name: str) -> str:
    """RBAC names may hold colons, and slashes are never legal: everything is quoted."""
    if name in ("", ".", ".."):
        # They would name another object, of another kind, when the path is put together.
        raise InvalidObject(f"{name!r} is no name of an object")
    return quote(name, safe="")


def resource_of(kind: _Kind) -> Resource:
    """The resource of an API class of tidegate_api."""
    group, _, version = kind.API_VERSION.rpartition("/")
    return Resource(group, version, kind.KIND, kind.PLURAL, kind.NAMESPACED)


def split_api_version(api_version: str) -> tuple[str, str]:
    """`apps/v1` to (`apps`, `v1`); `v1` to (``, `v1`)."""
    group, _, version = api_version.rpartition("/")
    return group, version


NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
SECRETS = Resource("", "v1", "Secret", "secrets", namespaced=True)
CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)
SERVICE_ACCOUNTS = Resource("", "v1", "ServiceAccount", "serviceaccounts", namespaced=True)
EVENTS = Resource("", "v1", "Event", "events", namespaced=True)
PODS = Resource("", "v1", "Pod", "pods", namespaced=True)
LEASES = Resource("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True)
