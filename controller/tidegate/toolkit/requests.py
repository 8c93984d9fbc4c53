"""`reconcile.fluxcd.io/requestedAt`: a person or a webhook wants a reconcile now."""

from tidegate_api.meta import annotations
from tidegate_api.meta.objects import ObjectMeta


def token(metadata: ObjectMeta) -> str:
    """The opaque token of the latest request; "" without one."""
    return (metadata.annotations or {}).get(annotations.RECONCILE_REQUESTED_AT, "")


def is_woken(old: ObjectMeta, new: ObjectMeta) -> bool:
    """Whether a change of metadata calls for a reconcile: a new generation, token or deletion, or a first look."""
    return (
        old.uid != new.uid
        or old.generation != new.generation
        or old.deletion_timestamp != new.deletion_timestamp
        or token(old) != token(new)
    )
