"""What every Kubernetes object has: a key, metadata, and a kind that belongs to an API group."""

from typing import Any, ClassVar, Self

from msgspec import Struct, field

from tidegate_api.codec import ApiStruct, JsonObject, Time
from tidegate_api.schema import Column


class ObjectKey(Struct, frozen=True, order=True):
    """Namespace and name; the namespace of a cluster-scoped object is empty."""

    namespace: str
    name: str

    @classmethod
    def of(cls, obj: JsonObject) -> Self:
        """The key of an untyped object."""
        metadata = obj.get("metadata") or {}
        return cls(metadata.get("namespace") or "", metadata.get("name") or "")

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class OwnerReference(ApiStruct, kw_only=True):
    """An object that this one goes away with."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    block_owner_deletion: bool = False


class ObjectMeta(ApiStruct, kw_only=True):
    """The part of an object that the API server keeps for every kind."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    finalizers: list[str] = field(default_factory=list)
    owner_references: list[OwnerReference] = field(default_factory=list)


class ApiObject(ApiStruct, kw_only=True):
    """Base of all kinds. Each kind names itself in the constants and adds its `spec` and `status`."""

    GROUP: ClassVar[str]
    VERSION: ClassVar[str]
    API_VERSION: ClassVar[str]
    KIND: ClassVar[str]
    PLURAL: ClassVar[str]
    NAMESPACED: ClassVar[bool] = True
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ()
    CATEGORIES: ClassVar[tuple[str, ...]] = ()
    COLUMNS: ClassVar[tuple[Column, ...]] = ()

    metadata: ObjectMeta = field(default_factory=ObjectMeta)

    def __init_subclass__(cls, **config: Any) -> None:
        super().__init_subclass__(**config)
        if not hasattr(cls, "KIND"):  # a base of several kinds
            return
        cls.API_VERSION = f"{cls.GROUP}/{cls.VERSION}" if cls.GROUP else cls.VERSION
        cls.TYPE_META = {"apiVersion": cls.API_VERSION, "kind": cls.KIND}

    @property
    def key(self) -> ObjectKey:
        """Where the object is."""
        return ObjectKey(self.metadata.namespace, self.metadata.name)
