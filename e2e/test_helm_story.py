"""The mission's own story: a chart is pushed, a HelmRelease names it, the cluster follows, and follows again."""

import json
import subprocess
from pathlib import Path

from e2e.manifests import a_helm_release, a_helm_repository
from e2e.tenant import CHART, HELM_REPOSITORY, RELEASE, Tenant, condition, is_released
from hack.controlplane.api import JsonObject
from hack.controlplane.cluster import ControlPlane
from hack.testbed.chart_repository import ChartRepository
from hack.testbed.charts import Chart


async def test_a_chart_is_released_upgraded_and_uninstalled(
    tenant: Tenant, chart_repository: ChartRepository, helm: Path, installed: ControlPlane
) -> None:
    chart_repository.push(Chart("appa", "158.0.0"))
    await tenant.create(a_helm_repository(chart_repository.url))
    await tenant.create(a_helm_release("appa", "158.0.0"))
    found = await tenant.until(RELEASE, "appa", lambda one: is_released(one, "158.0.0"), seconds=40)
    assert condition(found, "Ready")["reason"] == "InstallSucceeded"
    (listed,) = releases(helm, installed, tenant)
    assert (listed["name"], listed["revision"], listed["chart"], listed["status"]) == (
        *("appa", "1", "appa-158.0.0", "deployed"),
    )

    chart_repository.push(Chart("appa", "160.0.0"))
    await tenant.request(HELM_REPOSITORY, "charts")
    spec = a_helm_release("appa", "160.0.0")["spec"]
    await tenant.change(RELEASE, "appa", {"spec": spec})
    found = await tenant.until(RELEASE, "appa", lambda one: is_released(one, "160.0.0"), seconds=40)
    assert condition(found, "Ready")["reason"] == "UpgradeSucceeded"
    deployment = await tenant.get("Deployment", "appa")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":160.0.0")

    await tenant.delete(RELEASE, "appa")
    await tenant.until_gone(RELEASE, "appa")
    assert await tenant.find("Deployment", "appa") is None
    await tenant.until_gone(CHART, f"{tenant.namespace}-appa")
    assert releases(helm, installed, tenant) == []


def releases(helm: Path, plane: ControlPlane, tenant: Tenant) -> list[JsonObject]:
    """What `helm list` shows in the tenant's namespace."""
    argv = [str(helm), "list", "--namespace", tenant.namespace, "--kubeconfig", str(plane.admin), "--output", "json"]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=30)
    listed: list[JsonObject] = json.loads(done.stdout)
    return listed
