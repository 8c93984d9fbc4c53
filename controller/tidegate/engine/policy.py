"""What users allow on an object, by a label or an annotation: whether it is applied, recreated, pruned, cleaned up."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tidegate.engine import ownership
from tidegate.engine.ownership import Owner
from tidegate.runtime import errors
from tidegate_api.codec import JsonObject
from tidegate_api.meta import annotations


@dataclass(frozen=True)
class Marks:
    """The labels or annotations, with their values, by which users speak to the appliers of one kind."""

    excluded: Mapping[str, str] = field(default_factory=dict)
    if_not_present: Mapping[str, str] = field(default_factory=dict)
    merge: Mapping[str, str] = field(default_factory=dict)
    force: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)


KUSTOMIZE = Marks(
    excluded={
        annotations.KUSTOMIZE_RECONCILE: annotations.DISABLED,
        annotations.KUSTOMIZE_SSA: annotations.SSA_IGNORE,
    },
    if_not_present={annotations.KUSTOMIZE_SSA: annotations.SSA_IF_NOT_PRESENT},
    merge={annotations.KUSTOMIZE_SSA: annotations.SSA_MERGE},
    force={annotations.KUSTOMIZE_FORCE: annotations.ENABLED},
    kept={annotations.KUSTOMIZE_PRUNE: annotations.DISABLED},
)
HELM = Marks(kept={annotations.HELM_RESOURCE_POLICY: annotations.KEEP})
_BY_GROUP = {ownership.KUSTOMIZE_GROUP: KUSTOMIZE, ownership.HELM_GROUP: HELM}

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


def marks_for(group: str) -> Marks:
    """The marks that owners of this group heed."""
    return _BY_GROUP[group]


def is_excluded(obj: JsonObject, marks: Marks = KUSTOMIZE) -> bool:
    """Whether an object opted out of being applied and pruned."""
    return any_in_metadata(obj, marks.excluded)


def is_kept(obj: JsonObject, marks: Marks = KUSTOMIZE) -> bool:
    """Whether an object opted out of being pruned."""
    return any_in_metadata(obj, marks.kept)


def apply_action(desired: JsonObject, live: JsonObject | None, marks: Marks = KUSTOMIZE) -> ApplyAction:
    """What to do with `desired`, given the live object or None for one that is absent or not known yet."""
    if is_excluded(desired, marks) or (live is not None and is_excluded(live, marks)):
        return ApplyAction.SKIP
    if any_in_metadata(desired, marks.if_not_present):  # on the desired object alone
        return ApplyAction.CREATE_ONLY if live is None else ApplyAction.SKIP
    return ApplyAction.APPLY


def may_clean_up(desired: JsonObject, live: JsonObject, marks: Marks = KUSTOMIZE) -> bool:
    """Whether earlier managers' fields become ours: ssa=Merge leaves kubectl users theirs."""
    return not any_in_metadata(desired, marks.merge) and not any_in_metadata(live, marks.merge)


def may_recreate(desired: JsonObject, live: JsonObject, marks: Marks = KUSTOMIZE, *, force: bool) -> bool:
    """Whether the live object may be deleted and created anew when a change is refused as immutable."""
    return force or any_in_metadata(desired, marks.force) or any_in_metadata(live, marks.force)


def is_immutable(error: errors.ApiError) -> bool:
    """Whether a refused dry-run means that the object cannot be changed in place."""
    if isinstance(error, errors.Conflict | errors.Invalid):
        return not isinstance(error, errors.AlreadyExists)
    return _IMMUTABLE.search(error.message) is not None


def prune_refusal(
    live: JsonObject, owner: Owner, uid: str = "", *, is_ours: Callable[[JsonObject], bool] | None = None
) -> PruneRefusal | None:
    """Why `live` must stay, or None when it may go; `uid` is the one we saw when we applied it, if we did.

    `is_ours` is a proof of ownership beside the owner labels.
    """
    if not ownership.is_owned(live, owner) and not (is_ours is not None and is_ours(live)):
        return PruneRefusal.NOT_OWNED
    if uid and (live.get("metadata") or {}).get("uid") != uid:
        return PruneRefusal.REPLACED
    marks = marks_for(owner.group)
    if is_excluded(live, marks):
        return PruneRefusal.EXCLUDED
    if is_kept(live, marks):
        return PruneRefusal.PRUNE_DISABLED
    return None
