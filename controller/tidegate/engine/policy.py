"""What users allow on an object, by a label or an annotation: whether it is applied, recreated, pruned, cleaned up."""

import re
from collections.abc import Mapping
from enum import StrEnum

from tidegate.engine import ownership
from tidegate.engine.ownership import Owner
from tidegate.runtime import errors
from tidegate_api.codec import JsonObject
from tidegate_api.meta import annotations

_EXCLUDED = {
    annotations.KUSTOMIZE_RECONCILE: annotations.DISABLED,
    annotations.KUSTOMIZE_SSA: annotations.SSA_IGNORE,
}
_IF_NOT_PRESENT = {annotations.KUSTOMIZE_SSA: annotations.SSA_IF_NOT_PRESENT}
_MERGE = {annotations.KUSTOMIZE_SSA: annotations.SSA_MERGE}
_FORCE = {annotations.KUSTOMIZE_FORCE: annotations.ENABLED}
_KEEP = {annotations.KUSTOMIZE_PRUNE: annotations.DISABLED}

# Admission webhooks and CEL rules say so in their own words, with any status code.
_IMMUTABLE = re.compile(r"is\simmutable|immutable\sfield")


class ApplyAction(StrEnum):
    """What to do with a desired object."""

    APPLY = "apply"
    CREATE_ONLY = "create-only"
    """Create it, and leave it alone should it exist after all."""
    SKIP = "skip"


class PruneRefusal(StrEnum):
    """Why a live object of our inventory is not deleted."""

    NOT_OWNED = "it does not carry our owner labels"
    REPLACED = "it is another object of the same name"
    EXCLUDED = "it is excluded from reconciliation"
    PRUNE_DISABLED = "pruning is disabled on it"


def any_in_metadata(obj: JsonObject, selector: Mapping[str, str]) -> bool:
    """Whether a label or annotation has one of the keys with its value, whatever the case of the value."""
    metadata = obj.get("metadata") or {}
    for texts in (metadata.get("labels") or {}, metadata.get("annotations") or {}):
        for key, value in selector.items():
            text = texts.get(key)
            if isinstance(text, str) and text.casefold() == value.casefold():
                return True
    return False


def is_excluded(obj: JsonObject) -> bool:
    """Whether an object opted out of being applied and pruned."""
    return any_in_metadata(obj, _EXCLUDED)


def is_kept(obj: JsonObject) -> bool:
    """Whether an object opted out of being pruned."""
    return any_in_metadata(obj, _KEEP)


def apply_action(desired: JsonObject, live: JsonObject | None) -> ApplyAction:
    """What to do with `desired`, given the live object or None for one that is absent or not known yet."""
    if is_excluded(desired) or (live is not None and is_excluded(live)):
        return ApplyAction.SKIP
    if any_in_metadata(desired, _IF_NOT_PRESENT):  # on the desired object alone
        return ApplyAction.CREATE_ONLY if live is None else ApplyAction.SKIP
    return ApplyAction.APPLY


def may_clean_up(desired: JsonObject, live: JsonObject) -> bool:
    """Whether earlier managers' fields become ours: ssa=Merge leaves kubectl users theirs."""
    return not any_in_metadata(desired, _MERGE) and not any_in_metadata(live, _MERGE)


def may_recreate(desired: JsonObject, live: JsonObject, *, force: bool) -> bool:
    """Whether the live object may be deleted and created anew when a change is refused as immutable."""
    return force or any_in_metadata(desired, _FORCE) or any_in_metadata(live, _FORCE)


def is_immutable(error: errors.ApiError) -> bool:
    """Whether a refused dry-run means that the object cannot be changed in place."""
    if isinstance(error, errors.Conflict | errors.Invalid):
        return not isinstance(error, errors.AlreadyExists)
    return _IMMUTABLE.search(error.message) is not None


def prune_refusal(live: JsonObject, owner: Owner, uid: str = "") -> PruneRefusal | None:
    """Why `live` must stay, or None when it may go; `uid` is the one we saw when we applied it, if we did."""
    if not ownership.is_owned(live, owner):
        return PruneRefusal.NOT_OWNED
    if uid and (live.get("metadata") or {}).get("uid") != uid:
        return PruneRefusal.REPLACED
    if is_excluded(live):
        return PruneRefusal.EXCLUDED
    if is_kept(live):
        return PruneRefusal.PRUNE_DISABLED
    return None
