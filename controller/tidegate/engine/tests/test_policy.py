"""What users allow by label or annotation."""

from typing import Any

import pytest

from tidegate.engine import policy
from tidegate.engine.ownership import HELM_GROUP, KUSTOMIZE_GROUP, Owner
from tidegate.engine.policy import ApplyAction, PruneRefusal
from tidegate.runtime import errors
from tidegate_api.codec import JsonObject

K = "kustomize.toolkit.fluxcd.io"
OWNER = Owner(KUSTOMIZE_GROUP, "flux-system", "apps")


def an_object(labels: Any = None, annotations: Any = None, **more: str) -> JsonObject:
    metadata = {"name": "a", "labels": labels, "annotations": annotations, **more}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


PLAIN = an_object()


@pytest.mark.parametrize(
    ("desired", "live", "action"),
    [
        pytest.param(PLAIN, None, ApplyAction.APPLY, id="fresh"),
        pytest.param(PLAIN, PLAIN, ApplyAction.APPLY, id="existing"),
        pytest.param(an_object({f"{K}/reconcile": "disabled"}), None, ApplyAction.SKIP, id="disabled-label"),
        pytest.param(an_object(None, {f"{K}/reconcile": "Disabled"}), None, ApplyAction.SKIP, id="any-case"),
        pytest.param(PLAIN, an_object(None, {f"{K}/reconcile": "disabled"}), ApplyAction.SKIP, id="disabled-live"),
        pytest.param(PLAIN, an_object({f"{K}/ssa": "ignore"}), ApplyAction.SKIP, id="ignore-live"),
        pytest.param(an_object({f"{K}/ssa": "Ignore"}), PLAIN, ApplyAction.SKIP, id="ignore"),
        pytest.param(an_object({f"{K}/ssa": "IfNotPresent"}), None, ApplyAction.CREATE_ONLY, id="if-absent"),
        pytest.param(an_object({f"{K}/ssa": "IfNotPresent"}), PLAIN, ApplyAction.SKIP, id="if-present"),
        pytest.param(PLAIN, an_object({f"{K}/ssa": "IfNotPresent"}), ApplyAction.APPLY, id="if-not-present-live-only"),
        pytest.param(an_object({f"{K}/ssa": "Override"}), PLAIN, ApplyAction.APPLY, id="override"),
        pytest.param(an_object({f"{K}/ssa": "Merge"}), PLAIN, ApplyAction.APPLY, id="merge"),
        pytest.param(an_object({f"{K}/reconcile": "enabled"}), PLAIN, ApplyAction.APPLY, id="another-value"),
        pytest.param({"kind": "X", "metadata": {"labels": {f"{K}/ssa": 5}}}, None, ApplyAction.APPLY, id="no-text"),
    ],
)
def test_apply_action(desired, live, action: ApplyAction):
    assert policy.apply_action(desired, live) is action


def test_merge_leaves_other_managers_alone():
    merge = an_object(None, {f"{K}/ssa": "merge"})

    assert policy.may_clean_up(PLAIN, PLAIN)
    assert not policy.may_clean_up(merge, PLAIN)
    assert not policy.may_clean_up(PLAIN, merge)


def test_recreation_is_allowed_by_spec_or_by_either_object():
    forced = an_object({f"{K}/force": "Enabled"})

    assert not policy.may_recreate(PLAIN, PLAIN, force=False)
    assert policy.may_recreate(PLAIN, PLAIN, force=True)
    assert policy.may_recreate(forced, PLAIN, force=False)
    assert policy.may_recreate(PLAIN, forced, force=False)


def an_error(code: int, message: str = "", reason: str = "") -> errors.ApiError:
    return errors.from_status(code, {"message": message, "reason": reason})


@pytest.mark.parametrize(
    ("error", "immutable"),
    [
        pytest.param(an_error(422, "spec: Invalid value"), True, id="invalid"),
        pytest.param(an_error(409, "conflict", "Conflict"), True, id="conflict"),
        pytest.param(an_error(409, "exists", "AlreadyExists"), False, id="exists"),
        pytest.param(an_error(403, 'admission webhook "x" denied: spec.a is immutable'), True, id="webhook"),
        pytest.param(an_error(400, "Immutable field: an immutable\tfield changed"), True, id="tab"),
        pytest.param(an_error(403, "forbidden: immutability"), False, id="forbidden"),
        pytest.param(an_error(500, "internal error"), False, id="internal"),
    ],
)
def test_immutable_is_said_in_many_ways(error: errors.ApiError, immutable):
    assert policy.is_immutable(error) is immutable


@pytest.mark.parametrize(
    ("live", "refusal"),
    [
        pytest.param(an_object(OWNER.labels, uid="1"), None, id="ours"),
        pytest.param(an_object(OWNER.labels | {f"{K}/ssa": "IfNotPresent"}, uid="1"), None, id="if-not-present-goes"),
        pytest.param(an_object(uid="1"), PruneRefusal.NOT_OWNED, id="no-labels"),
        pytest.param(an_object({f"{K}/name": "apps"}, uid="1"), PruneRefusal.NOT_OWNED, id="half-the-labels"),
        pytest.param(
            an_object(Owner(KUSTOMIZE_GROUP, "other", "apps").labels, uid="1"), PruneRefusal.NOT_OWNED, id="other-owner"
        ),
        pytest.param(
            an_object(Owner(HELM_GROUP, "flux-system", "apps").labels, uid="1"), PruneRefusal.NOT_OWNED, id="helm"
        ),
        pytest.param(an_object(OWNER.labels, uid="2"), PruneRefusal.REPLACED, id="another-uid"),
        pytest.param(
            an_object(OWNER.labels, {f"{K}/prune": "disabled"}, uid="1"), PruneRefusal.PRUNE_DISABLED, id="kept"
        ),
        pytest.param(
            an_object(OWNER.labels, {f"{K}/reconcile": "disabled"}, uid="1"), PruneRefusal.EXCLUDED, id="disabled"
        ),
        pytest.param(an_object(OWNER.labels | {f"{K}/ssa": "Ignore"}, uid="1"), PruneRefusal.EXCLUDED, id="ignored"),
    ],
)
def test_prune_refusal(live, refusal: PruneRefusal | None):
    assert policy.prune_refusal(live, OWNER, "1") is refusal


def test_unknown_uid_is_no_reason_to_keep():
    assert policy.prune_refusal(an_object(OWNER.labels, uid="2"), OWNER) is None
