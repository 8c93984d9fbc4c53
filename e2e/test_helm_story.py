"""The mission's own story: a chart is pushed, a HelmRelease names it, the cluster follows, and follows again."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.manifests import a_helm_release, a_helm_repository, as_yaml
from e2e.releases import SECONDS, Shop
from e2e.shards import controllers_of
from e2e.tenant import CHART, HELM_REPOSITORY, RELEASE, Tenant, condition, is_released
from hack.controlplane.api import JsonObject
from hack.controlplane.cluster import ControlPlane
from hack.testbed.chart_repository import ChartRepository
from hack.testbed.charts import Chart
from hack.testbed.controller import SEPARATE, TOGETHER
from hack.testbed.helm import Helm
from hack.testbed.registry import Registry


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


FILES = "releases"
HOOKS = {"migrate": {"events": "pre-install,pre-upgrade", "weight": -5, "code": 3}}


class Story:
    """Git, a registry and a chart repository on one side, the cluster on the other; chapters begin with a commit."""

    def __init__(self, team: Tenant, oci: str, http: ChartRepository, helm: Helm) -> None:
        self.team = team
        self.helm = helm
        self.oci = oci
        self.http = http
        self.repo = team.repository()

    async def a_release_is_committed_and_runs(self) -> None:
        await self.helm.push(Chart("appa", "158.0.0"), self.oci)
        self.http.push(Chart("appb", "1.0.0"))
        sources = as_yaml(a_helm_repository(self.oci), a_helm_repository(self.http.url, "community"))
        self.repo.commit({f"{FILES}/sources.yaml": self._labelled(sources), **self._appa("158.0.0")})
        await self.team.follow()
        await self.team.kustomization(path=f"./{FILES}")
        await self._until_released("appa", "158.0.0", 1)

    async def a_commit_upgrades_it(self) -> None:
        await self.helm.push(Chart("appa", "160.0.0"), self.oci)
        await self.team.push(self.repo, self._appa("160.0.0", color="green"))
        await self._until_released("appa", "160.0.0", 2)
        assert await self.team.data("appa") == {"color": "green"}

    async def another_is_added_beside_it(self) -> None:
        await self.team.push(self.repo, self._file("appb", a_helm_release("appb", "1.x", source="community")))
        await self._until_released("appb", "1.0.0", 1)
        assert await self._listed() == {"appa": "appa-160.0.0", "appb": "appb-1.0.0"}

    async def a_broken_value_is_named_and_the_last_good_release_runs_on(self) -> None:
        before = await self.team.get("Deployment", "appa")
        await self.team.push(self.repo, self._appa("160.0.0", replicas="many"))
        found = await self.team.until_failed(RELEASE, "appa", "UpgradeFailed", "replicas")
        assert condition(found, "Released")["reason"] == "UpgradeFailed"
        assert (await self.team.get("Deployment", "appa"))["spec"] == before["spec"]
        assert (await self._listed())["appa"] == "appa-160.0.0"

    async def a_failing_hook_is_named(self) -> None:
        await self.team.push(self.repo, self._appa("160.0.0", hooks=HOOKS))
        await self.team.until_failed(RELEASE, "appa", "UpgradeFailed", "appa-migrate")

    async def the_fix_recovers(self) -> None:
        await self.team.push(self.repo, self._appa("160.0.0", color="red"))
        await self.team.until_data("appa", SECONDS, color="red")
        await self.team.until(RELEASE, "appa", lambda found: is_released(found, "160.0.0"), SECONDS)

    async def what_leaves_git_is_uninstalled(self) -> None:
        await self.team.push(self.repo, remove=[f"{FILES}/appa.yaml"])
        await self.team.until_gone(RELEASE, "appa", SECONDS)
        assert await self.team.find("Deployment", "appa") is None
        assert await self._listed() == {"appb": "appb-1.0.0"}

    def _appa(self, version: str, **values: Any) -> dict[str, str]:
        return self._file("appa", a_helm_release("appa", version, values=values))

    def _file(self, name: str, release: JsonObject) -> dict[str, str]:
        return {f"{FILES}/{name}.yaml": self._labelled(as_yaml(release))}

    def _labelled(self, text: str) -> str:
        """What Git holds for controllers of a shard says so, too."""
        return as_yaml(*map(self.team.labelled, yaml.safe_load_all(text)))

    async def _until_released(self, name: str, version: str, revision: int) -> None:
        found = await self.team.until(RELEASE, name, lambda one: is_released(one, version), SECONDS)
        assert found["status"]["history"][0]["version"] == revision

    async def _listed(self) -> dict[str, str]:
        listed = await self.helm.loaded("list", namespace=self.team.namespace)
        return {one["name"]: one["chart"] for one in listed}


@pytest.mark.parametrize(
    "layout", [pytest.param(TOGETHER, id="one-process"), pytest.param(SEPARATE, id="separate-processes")]
)
async def test_the_helm_story(
    layout: Sequence[str],
    sharded_shop: Shop,
    registry: Registry,
    helm_on_cluster: Helm,
    installed: ControlPlane,
    tmp_path: Path,
) -> None:
    team = sharded_shop.tenant
    async with controllers_of(team, installed, tmp_path, layout):
        story = Story(team, f"{registry.charts}/{team.namespace}", sharded_shop.repository, helm_on_cluster)
        await story.a_release_is_committed_and_runs()
        await story.a_commit_upgrades_it()
        await story.another_is_added_beside_it()
        await story.a_broken_value_is_named_and_the_last_good_release_runs_on()
        await story.a_failing_hook_is_named()
        await story.the_fix_recovers()
        await story.what_leaves_git_is_uninstalled()
