"""Parts of Kustomize's own language, of health and drift rules, that several kinds embed."""

from msgspec import field

from tidegate_api.codec import ApiStruct


class Selector(ApiStruct, kw_only=True):
    """Objects that fit all the given parts; names, kinds and the like are anchored regular expressions."""

    group: str = ""
    """API group, such as apps."""

    version: str = ""
    """Version within the group, such as v1."""

    kind: str = ""
    """Kind, such as Deployment."""

    name: str = ""
    """Name of the object."""

    namespace: str = ""
    """Namespace of the object."""

    label_selector: str = ""
    """Label selector in the syntax of kubectl -l."""

    annotation_selector: str = ""
    """Selector in the same syntax, over annotations."""


class Patch(ApiStruct, kw_only=True):
    """A change to the selected objects."""

    patch: str
    """Strategic merge patch, or JSON 6902 operations, as YAML in a string."""

    target: Selector | None = None
    """Objects to change; when absent, the one that a strategic merge patch names."""


class Image(ApiStruct, kw_only=True):
    """Another name, tag or digest for a container image."""

    name: str
    """Image as the manifests name it, without tag and digest."""

    new_name: str = ""
    """Name to use instead."""

    new_tag: str = ""
    """Tag to use instead."""

    digest: str = ""
    """Digest to use instead; it wins over a tag."""


class CustomHealthCheck(ApiStruct, kw_only=True):
    """How to tell the health of a kind by CEL expressions over the object's fields."""

    api_version: str
    """Group and version of the kind."""

    kind: str = ""
    """Kind that the expressions are about; every kind of the group and version when empty."""

    in_progress: str = ""
    """True while the object is on its way; asked first."""

    failed: str = ""
    """True when the object has failed; asked second."""

    current: str
    """True when the object is as it should be; asked last."""


class CommonMetadata(ApiStruct, kw_only=True):
    """Labels and annotations for every object."""

    labels: dict[str, str] = field(default_factory=dict)
    """Labels to set; they replace equal keys in the manifests."""

    annotations: dict[str, str] = field(default_factory=dict)
    """Annotations to set; they replace equal keys in the manifests."""


class IgnoreRule(ApiStruct, kw_only=True):
    """Fields that others may change."""

    paths: list[str]
    """JSON pointers to the fields."""

    target: Selector | None = None
    """Objects that this is about; all when absent."""
