"""How one object names another, and how it says which clusters and identities to use."""

from typing import ClassVar

from tidegate_api.codec import ApiStruct
from tidegate_api.schema import Rule


class LocalObjectReference(ApiStruct, kw_only=True):
    """An object of a known kind in the same namespace."""

    name: str
    """Name of the object referred to."""


class NamespacedObjectReference(ApiStruct, kw_only=True):
    """An object of a known kind, in any namespace."""

    name: str
    """Name of the object referred to."""

    namespace: str = ""
    """Its namespace; when empty, that of the object which refers to it."""


class NamespacedObjectKindReference(ApiStruct, kw_only=True):
    """An object of any kind, in any namespace."""

    api_version: str = ""
    """Group and version of its kind; apps/v1 when empty."""

    kind: str
    """Kind of the object referred to."""

    name: str
    """Name of the object referred to."""

    namespace: str = ""
    """Its namespace; when empty, that of the object which refers to it."""


class DependencyReference(ApiStruct, kw_only=True):
    """An object of the same kind that has to be ready first."""

    name: str
    """Name of the object that is waited for."""

    namespace: str = ""
    """Its namespace; when empty, that of the object which waits."""

    ready_expr: str = ""
    """CEL expression over `self` and `dep` that decides whether the dependency is ready."""


class SecretKeyReference(ApiStruct, kw_only=True):
    """One value of a Secret in the same namespace."""

    name: str
    """Name of the Secret."""

    key: str = ""
    """Key in the Secret's data; each use has its own default."""


class KubeConfigReference(ApiStruct, kw_only=True):
    """Where the access to another cluster is described: exactly one of a Secret and a ConfigMap."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.configMapRef) || has(self.secretRef)",
            "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified",
        ),
        Rule(
            "!has(self.configMapRef) || !has(self.secretRef)",
            "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified",
        ),
    )

    config_map_ref: LocalObjectReference | None = None
    """ConfigMap that says how to get in with a cloud provider's or a service account's identity."""

    secret_ref: SecretKeyReference | None = None
    """Secret that holds a kubeconfig, by default under the key `value` or `value.yaml`."""
