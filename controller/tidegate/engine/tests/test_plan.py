"""What an object needs, as a table of facts and steps."""

import dataclasses
from typing import Any

import pytest

from tidegate.engine import plan
from tidegate.engine.health import Health, HealthStatus
from tidegate.engine.members import Baseline, Observed
from tidegate.engine.ownership import KUSTOMIZE_GROUP, Owner
from tidegate.engine.plan import Facts, Step
from tidegate.engine.policy import ApplyAction

US, THEM = Owner(KUSTOMIZE_GROUP, "apps", "ours"), Owner(KUSTOMIZE_GROUP, "apps", "theirs")
SEEN = Observed(
    uid="u",
    version=7,
    owner=US,
    fingerprint="f",
    health=Health(HealthStatus.CURRENT, ""),
    excluded=False,
    kept=False,
    unclean=False,
)
BASELINE = Baseline(desired="d", fingerprint="f", version=7, api_version="v1")
IN_ORDER = Facts(
    owner=US,
    action=ApplyAction.APPLY,
    desired="d",
    in_inventory=True,
    baseline=BASELINE,
    seen=SEEN,
    watched=True,
    drifted=False,
    inputs_changed=False,
)
TAKEN = dataclasses.replace(SEEN, owner=THEM)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        pytest.param({}, Step.KEEP, id="as we left it"),
        pytest.param({"desired": "e"}, Step.UPDATE, id="something else is wanted"),
        pytest.param({"drifted": True}, Step.REPAIR, id="somebody changed it"),
        pytest.param({"drifted": True, "seen": None}, Step.REPAIR, id="somebody removed it"),
        pytest.param({"baseline": None}, Step.VERIFY, id="not looked at since the start"),
        pytest.param({"watched": False}, Step.VERIFY, id="nobody watches it"),
        pytest.param({"baseline": None, "in_inventory": False, "seen": None}, Step.CREATE, id="first contact"),
        pytest.param({"seen": dataclasses.replace(SEEN, excluded=True)}, Step.LEAVE, id="opted out, live"),
        pytest.param({"action": ApplyAction.SKIP}, Step.LEAVE, id="opted out, wanted"),
        pytest.param({"action": ApplyAction.CREATE_ONLY}, Step.LEAVE, id="if not present, and it is"),
        pytest.param(
            {"action": ApplyAction.CREATE_ONLY, "seen": None}, Step.CREATE, id="if not present, and it is not"
        ),
        pytest.param({"seen": TAKEN, "drifted": True}, Step.YIELD, id="another owner took it"),
        pytest.param({"seen": TAKEN, "desired": "e"}, Step.UPDATE, id="taken, and we want something new"),
        pytest.param({"seen": TAKEN, "baseline": None}, Step.YIELD, id="taken while we were down"),
        pytest.param(
            {"seen": TAKEN, "baseline": None, "inputs_changed": True},
            Step.VERIFY,
            id="taken while down, we changed too",
        ),
    ],
)
def test_facts_decide_the_step(changes: dict[str, Any], step: Step):
    assert plan.next_step(dataclasses.replace(IN_ORDER, **changes)) == step
