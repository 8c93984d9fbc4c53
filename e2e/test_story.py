"""The story of GitOps, as a team lives it: all controllers in one process, and each in its own as in production."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from e2e import waiting
from e2e.manifests import a_config_map, a_deployment, a_kustomization_file, a_service, as_yaml
from e2e.shards import controllers_of
from e2e.tenant import KUSTOMIZATION, SOURCE, Tenant, applied, condition, is_ready, revision
from hack.controlplane.cluster import ControlPlane
from hack.testbed.controller import SEPARATE, TOGETHER, Controllers
from hack.testbed.git_repo import GitRepo

TWO_REPLICAS = '[{"op": "replace", "path": "/spec/replicas", "value": 2}]'
OVERLAY = {
    "patches": [{"patch": TWO_REPLICAS, "target": {"kind": "Deployment", "name": "shop"}}],
    "images": [{"name": "example/shop", "newTag": "1.0"}],
}
FILES = {
    "infra/settings.yaml": as_yaml(a_config_map("settings", region="north")),
    "infra/cache.yaml": as_yaml(a_deployment("cache"), a_service("cache")),
    "apps/base/shop.yaml": as_yaml(a_deployment("shop", "example/shop"), a_service("shop")),
    "apps/base/kustomization.yaml": a_kustomization_file("shop.yaml"),
    "apps/production/kustomization.yaml": a_kustomization_file("../base", **OVERLAY),
}
BLOG = {"apps/base/blog.yaml": as_yaml(a_deployment("blog", "example/blog:1"), a_service("blog"))}


def an_overlay(tag: str) -> str:
    return a_kustomization_file("../base", **{**OVERLAY, "images": [{"name": "example/shop", "newTag": tag}]})


@dataclass
class Story:
    """One team, its repository and the controllers; each step is told by a method and leaves everything in order."""

    team: Tenant
    controllers: Controllers
    repo: GitRepo = field(init=False)

    async def a_repository_is_installed_in_its_order(self) -> None:
        self.repo = self.team.repository(FILES)
        await self.team.kustomization("apps", path="./apps/production", wait=True, dependsOn=[{"name": "infra"}])
        await self.team.kustomization("infra", path="./infra", wait=True)
        await self.team.follow(interval="1s")
        await self._until_in_order()
        shop = await self.team.get("Deployment", "shop")
        assert shop["spec"]["replicas"] == shop["status"]["readyReplicas"] == 2
        assert image_of(shop) == "example/shop:1.0"
        assert await self.team.names("Service") == {"cache", "shop"}

    async def an_image_is_changed_by_a_commit(self) -> None:
        self.repo.commit({"apps/production/kustomization.yaml": an_overlay("1.1")})
        await self._until_in_order()
        assert image_of(await self.team.get("Deployment", "shop")) == "example/shop:1.1"

    async def a_second_app_is_added(self) -> None:
        both = {"apps/base/kustomization.yaml": a_kustomization_file("shop.yaml", "blog.yaml")}
        self.repo.commit({**BLOG, **both})
        await self._until_in_order()
        assert (await self.team.get("Deployment", "blog"))["status"]["readyReplicas"] == 1

    async def a_rejected_commit_changes_nothing(self) -> None:
        before = await self.team.get(KUSTOMIZATION, "apps")
        wrong = as_yaml({**a_deployment("blog", "example/blog:2"), "spec": {"replicas": 1}})
        self.repo.commit({"apps/base/blog.yaml": wrong, "apps/production/kustomization.yaml": an_overlay("2.0")})
        rejected = f"Deployment/{self.team.namespace}/blog dry-run failed (Invalid)"
        found = await self.team.until_failed(KUSTOMIZATION, "apps", "ReconciliationFailed", rejected)
        assert applied(found) == applied(before)
        assert image_of(await self.team.get("Deployment", "shop")) == "example/shop:1.1"
        assert image_of(await self.team.get("Deployment", "blog")) == "example/blog:1"

    async def a_commit_that_does_not_parse_changes_nothing(self) -> None:
        self.repo.commit({"apps/base/blog.yaml": "kind: Deployment\n  spec: {"})
        await self.team.until_failed(KUSTOMIZATION, "apps", "BuildFailed", "blog.yaml")
        assert image_of(await self.team.get("Deployment", "shop")) == "example/shop:1.1"
        assert is_ready(await self.team.get(SOURCE, "app"))
        await self.team.until_ready(KUSTOMIZATION, "infra", revision(self.repo))

    async def the_fix_brings_all_of_it(self) -> None:
        self.repo.commit(BLOG)
        await self._until_in_order()
        assert image_of(await self.team.get("Deployment", "shop")) == "example/shop:2.0"

    async def an_edit_by_hand_is_put_back(self) -> None:
        await self.team.set_spec("Deployment", "shop", replicas=9)
        await self.team.delete("Service", "cache")
        await self.team.until("Deployment", "shop", lambda found: found["spec"]["replicas"] == 2, seconds=5)
        await self.team.until("Service", "cache", lambda found: "deletionTimestamp" not in found["metadata"], seconds=5)
        await self._until_in_order()

    async def an_app_is_removed_and_pruned(self) -> None:
        alone = {"apps/base/kustomization.yaml": a_kustomization_file("shop.yaml")}
        self.repo.commit(alone, remove=["apps/base/blog.yaml"])
        await self._until_in_order()
        await self.team.until_gone("Deployment", "blog")
        assert await self.team.names("Service") == {"cache", "shop"}

    async def kill_9_in_the_middle_of_an_apply_loses_nothing(self) -> None:
        many = {f"infra/item-{number}.yaml": as_yaml(a_config_map(f"item-{number}")) for number in range(40)}
        self.repo.commit(many)

        async def has_begun() -> bool:
            return bool(await self._items())

        await waiting.until(has_begun, "the first of many applied")
        self.controllers.kill()
        await self.controllers.start()
        await self._until_in_order()
        assert len(await self._items()) == 40
        self.repo.commit(remove=list(many))
        await self._until_in_order()
        assert await self._items() == set()

    async def the_end_leaves_nothing_behind(self) -> None:
        for kind, name in ((KUSTOMIZATION, "apps"), (KUSTOMIZATION, "infra"), (SOURCE, "app")):
            await self.team.delete(kind, name)
            await self.team.until_gone(kind, name)
        assert await self.team.names("ConfigMap") | await self.team.names("Service") == set()

    async def _items(self) -> set[str]:
        return {name for name in await self.team.names("ConfigMap") if name.startswith("item-")}

    async def _until_in_order(self) -> None:
        """Both are Ready at the tip of the branch, and say so without a trace of what was."""
        for name in ("infra", "apps"):
            found = await self.team.until_ready(KUSTOMIZATION, name, revision(self.repo), seconds=30)
            assert condition(found, "Healthy")["status"] == "True"


def image_of(deployment: dict[str, Any]) -> str:
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.mark.parametrize(
    "layout", [pytest.param(TOGETHER, id="one-process"), pytest.param(SEPARATE, id="separate-processes")]
)
async def test_the_story(layout: Sequence[str], shard: Tenant, installed: ControlPlane, tmp_path: Path) -> None:
    async with controllers_of(shard, installed, tmp_path, layout) as controllers:
        story = Story(shard, controllers)
        await story.a_repository_is_installed_in_its_order()
        await story.an_image_is_changed_by_a_commit()
        await story.a_second_app_is_added()
        await story.a_rejected_commit_changes_nothing()
        await story.a_commit_that_does_not_parse_changes_nothing()
        await story.the_fix_brings_all_of_it()
        await story.an_edit_by_hand_is_put_back()
        await story.an_app_is_removed_and_pruned()
        await story.kill_9_in_the_middle_of_an_apply_loses_nothing()
        await story.the_end_leaves_nothing_behind()
