"""What a HelmRelease asks for and cannot have is refused by name; all else is taken."""

from typing import Any

import pytest

from tidegate.helm import checks
from tidegate.helm.tests.releases import a_release
from tidegate.toolkit.outcomes import Stalled


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"kubeConfig": {"secretRef": {"name": "x"}}}, "spec.kubeConfig"),
        ({"postRenderers": [{}]}, "spec.postRenderers"),
        ({"healthCheckExprs": [{"apiVersion": "v1", "current": "true"}]}, "spec.healthCheckExprs"),
        ({"dependsOn": [{"name": "x", "readyExpr": "true"}]}, r"spec.dependsOn\[\].readyExpr"),
        ({"test": {"enable": True}}, "spec.test.enable"),
        ({"driftDetection": {"mode": "warn"}}, "spec.driftDetection.mode"),
        ({"waitStrategy": {"name": "legacy"}}, "spec.waitStrategy legacy"),
        ({"install": {"serverSideApply": False}}, "spec.install.serverSideApply"),
        ({"upgrade": {"serverSideApply": "disabled"}}, "spec.upgrade.serverSideApply disabled"),
        ({"rollback": {"serverSideApply": "disabled"}}, "spec.rollback.serverSideApply disabled"),
        ({"upgrade": {"preserveValues": True}}, "spec.upgrade.preserveValues"),
    ],
)
def test_a_field_that_cannot_be_honoured_is_refused_by_name(spec: dict[str, Any], name: str):
    with pytest.raises(Stalled, match=f"not supported yet: {name}$"):
        checks.require_supported(a_release(spec))


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"test": {"enable": False}, "driftDetection": {"mode": "disabled"}, "waitStrategy": {"name": "poller"}},
        {"upgrade": {"serverSideApply": "auto", "force": True, "remediation": {"retries": 3}}},
    ],
)
def test_what_asks_for_nothing_more_is_taken(spec: dict[str, Any]):
    checks.require_supported(a_release(spec))
