"""What an applier left in the cluster."""

from tidegate_api.codec import ApiStruct


class ResourceRef(ApiStruct, kw_only=True):
    """One applied object."""

    id: str
    """Object as `<namespace>_<name>_<group>_<kind>`; a colon in a name is written as two underscores."""

    v: str
    """Version within the group that it was applied with."""


class ResourceInventory(ApiStruct, kw_only=True):
    """All objects that an applier answers for."""

    entries: list[ResourceRef]
    """Applied objects."""
