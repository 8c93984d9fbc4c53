"""The mission's own story: a chart is pushed, a HelmRelease names it, the cluster follows, and follows again."""

import json
import subprocess
from pathlib import Path
from typing import Any

from e2e.tenant import CHART, HELM_REPOSITORY, RELEASE, Tenant, condition
from hack.controlplane.api import JsonObject
from hack.controlplane.cluster import ControlPlane
from hack.testbed.chart_repository import ChartRepository
from hack.testbed.charts import Chart


def a_repository(name: str, url: str, **spec: Any) -> JsonObject:
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": HELM_REPOSITORY,
        "metadata": {"name": name},
        "spec": {"url": url, "interval": "10m", **spec},
    }


def a_release(name: str, chart: str, version: str, **spec: Any) -> JsonObject:
    source = {"kind": HELM_REPOSITORY, "name": "charts"}
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": RELEASE,
        "metadata": {"name": name},
        "spec": {
            "interval": "10m",
            "chart": {"spec": {"chart": chart, "version": version, "sourceRef": source}},
            **spec,
        },
    }


async def test_a_chart_is_released_upgraded_and_uninstalled(
    tenant: Tenant, chart_repository: ChartRepository, helm: Path, installed: ControlPlane
) -> None:
    chart_repository.push(Chart("appa", "158.0.0"))
    await tenant.create(a_repository("charts", chart_repository.url))
    await tenant.create(a_release("appa", "appa", "158.0.0"))
    found = await tenant.until(RELEASE, "appa", lambda one: is_ready(one, "158.0.0"), seconds=40)
    assert condition(found, "Ready")["reason"] == "InstallSucceeded"
    (listed,) = releases(helm, installed, tenant)
    assert (listed["name"], listed["revision"], listed["chart"], listed["status"]) == (
        *("appa", "1", "appa-158.0.0", "deployed"),
    )

    chart_repository.push(Chart("appa", "160.0.0"))
    await tenant.request(HELM_REPOSITORY, "charts")
    spec = a_release("appa", "appa", "160.0.0")["spec"]
    await tenant.change(RELEASE, "appa", {"spec": spec})
    found = await tenant.until(RELEASE, "appa", lambda one: is_ready(one, "160.0.0"), seconds=40)
    assert condition(found, "Ready")["reason"] == "UpgradeSucceeded"
    deployment = await tenant.get("Deployment", "appa")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":160.0.0")

    await tenant.delete(RELEASE, "appa")
    await tenant.until_gone(RELEASE, "appa")
    assert await tenant.find("Deployment", "appa") is None
    assert await tenant.find(CHART, f"{tenant.namespace}-appa") is None
    assert releases(helm, installed, tenant) == []


def is_ready(release: JsonObject, version: str) -> bool:
    """Whether a HelmRelease is ready with its chart in this version."""
    status = release["status"]
    ready = [one for one in status.get("conditions", []) if one["type"] == "Ready" and one["status"] == "True"]
    is_observed = status.get("observedGeneration") == release["metadata"]["generation"]
    return bool(ready) and is_observed and status["history"][0]["chartVersion"] == version


def releases(helm: Path, plane: ControlPlane, tenant: Tenant) -> list[JsonObject]:
    """What `helm list` shows in the tenant's namespace."""
    argv = [str(helm), "list", "--namespace", tenant.namespace, "--kubeconfig", str(plane.admin), "--output", "json"]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=30)
    listed: list[JsonObject] = json.loads(done.stdout)
    return listed
