"""Acts in which a commit arrives: the first one, a new image, a second application, an application less."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from hack.controlplane.api import JsonObject
from hack.demo.acts import cast
from hack.demo.stage import manifests, objects, setting
from hack.demo.stage.setting import Commit, Setting
from hack.demo.stage.timetable import Row, seconds
from hack.demo.stage.view import Key, Milestone, NotAsExpected

SECONDS = 20.0


@dataclass(frozen=True)
class Times:
    """Seconds from the commit."""

    applied: float
    healthy: float


async def follow(stage: Setting) -> None:
    """A repository is followed; the second Kustomization waits for the first."""
    stage.narrator.act(
        "A repository is followed",
        "A team keeps its manifests in Git: [bold]infrastructure/[/] is plain YAML, [bold]apps/production/[/] is a "
        "kustomize overlay. One GitRepository and two Kustomizations follow them; [bold]apps[/] dependsOn "
        "[bold]infrastructure[/], whose cache takes a second to become ready.",
    )
    versions = {"web": "1.0.0"}
    files = manifests.infrastructure() | manifests.application("web") | manifests.overlay(versions)
    commit = stage.commit("Add the shop", files)
    stage.show(commit)
    view = stage.view
    waited = view.expect("apps says that it waits", cast.APPS, _waits_for_infrastructure)
    first = view.expect("infrastructure is Ready", cast.INFRASTRUCTURE, objects.is_ready)
    created = view.expect("Deployment web exists", cast.WEB, lambda found: found is not None)
    running = [runs(stage, cast.WEB, versions["web"]), ready(stage, commit, cast.APPS)]
    began = time.monotonic()
    await _create(stage)
    times = await settle(stage, began, [created], running)
    await view.reach([waited, first], SECONDS)
    if first.version > created.version:
        raise NotAsExpected("apps is applied after infrastructure is Ready", "it was applied before")
    stage.narrator.done(f"infrastructure: applied and Ready after {seconds(first.at - began)}")
    stage.narrator.done(
        f"apps: first object {seconds(created.at - first.at)} later, Ready after {seconds(times.healthy)}"
    )
    stage.timetable.add(
        Row("Repository followed", commit.short, times.applied, times.healthy, "apps waited for infrastructure")
    )


async def change_image(stage: Setting) -> None:
    """A commit changes an image and the Deployment follows."""
    stage.narrator.act("A new version", "A commit changes one line of the overlay: the Deployment follows.")
    commit = stage.commit("Release web 1.1.0", manifests.overlay({"web": "1.1.0"}))
    applied = has_image(stage, cast.WEB, "1.1.0")
    healthy = [runs(stage, cast.WEB, "1.1.0"), ready(stage, commit, cast.APPS)]
    await stage.announce(commit)
    times = await settle(stage, commit.at, [applied], healthy)
    _tell(stage, times)
    stage.timetable.add(Row("New image", commit.short, times.applied, times.healthy, "web 1.0.0 → 1.1.0, 3 replicas"))


async def add_application(stage: Setting) -> None:
    """A second application appears."""
    stage.narrator.act("A second application", "Its base is added, and one line in the overlay.")
    files = manifests.application("catalogue") | manifests.overlay({"web": "1.1.0", "catalogue": "2.0.0"})
    commit = stage.commit("Add the catalogue", files)
    applied = [has_image(stage, cast.CATALOGUE, "2.0.0"), exists(stage, cast.CATALOGUE_SERVICE)]
    healthy = [runs(stage, cast.CATALOGUE, "2.0.0"), ready(stage, commit, cast.APPS)]
    await stage.announce(commit)
    times = await settle(stage, commit.at, applied, healthy)
    _tell(stage, times)
    stage.timetable.add(Row("Second application", commit.short, times.applied, times.healthy, "catalogue 2.0.0"))


async def remove_application(stage: Setting) -> None:
    """What is no longer in Git goes from the cluster."""
    stage.narrator.act("An application goes", "Its files are removed from Git; the cluster is to follow.")
    commit = stage.commit(
        "Remove the catalogue", manifests.overlay({"web": "1.1.0"}), remove=[manifests.base("catalogue")]
    )
    web = stage.view.find(cast.WEB)
    gone = [is_gone(stage, cast.CATALOGUE), is_gone(stage, cast.CATALOGUE_SERVICE)]
    healthy = [ready(stage, commit, cast.APPS)]
    await stage.announce(commit)
    times = await settle(stage, commit.at, gone, healthy)
    if objects.generation(web) != objects.generation(stage.view.find(cast.WEB)):
        raise NotAsExpected("Deployment web is left alone", "its spec has been written")
    stage.narrator.done(f"Deployment and Service pruned after {seconds(times.applied)}, web untouched")
    stage.timetable.add(Row("Application removed", commit.short, times.applied, times.healthy, "2 objects pruned"))


async def settle(stage: Setting, began: float, applied: Sequence[Milestone], healthy: Sequence[Milestone]) -> Times:
    """Waits until everything is applied and healthy."""
    with stage.narrator.working("waiting for the cluster to follow"):
        is_applied = await stage.view.reach(applied, SECONDS)
        is_healthy = await stage.view.reach(healthy, SECONDS)
    return Times(is_applied - began, max(is_applied, is_healthy) - began)


def ready(stage: Setting, commit: Commit, key: Key) -> Milestone:
    """The Kustomization is to be Ready with that commit."""
    what = f"{key.kind} {key.name} is Ready at {commit.short}"
    return stage.view.expect(what, key, lambda found: objects.is_ready(found, commit.revision))


def runs(stage: Setting, key: Key, version: str) -> Milestone:
    """All pods of the Deployment are to run that version, and be up."""
    wanted = manifests.image(key.name, version)
    return stage.view.expect(
        f"all pods of {key.name} run {version}", key, lambda found: objects.is_available(found, wanted)
    )


def has_image(stage: Setting, key: Key, version: str) -> Milestone:
    """The Deployment is to have that image."""
    wanted = manifests.image(key.name, version)
    return stage.view.expect(f"Deployment {key.name} has {version}", key, lambda found: objects.image(found) == wanted)


def exists(stage: Setting, key: Key) -> Milestone:
    return stage.view.expect(f"{key} exists", key, lambda found: found is not None)


def is_gone(stage: Setting, key: Key) -> Milestone:
    return stage.view.expect(f"{key} is gone", key, lambda found: found is None)


async def _create(stage: Setting) -> None:
    await stage.api.create(cast.GIT_REPOSITORIES, cast.git_repository(stage.git.url(setting.REPOSITORY)))
    await stage.api.create(cast.KUSTOMIZATIONS, cast.infrastructure())
    await stage.api.create(cast.KUSTOMIZATIONS, cast.apps())


def _tell(stage: Setting, times: Times) -> None:
    stage.narrator.done(f"applied {seconds(times.applied)} after the commit, healthy after {seconds(times.healthy)}")


def _waits_for_infrastructure(found: JsonObject | None) -> bool:
    said = objects.condition(found)
    return said.get("reason") == "DependencyNotReady" and cast.INFRASTRUCTURE.name in said["message"]
