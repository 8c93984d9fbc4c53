"""Acts in which a commit is wrong: nothing changes, and the cause is named."""

from hack.demo.acts import cast, delivery
from hack.demo.stage import manifests, objects
from hack.demo.stage.setting import Commit, Setting
from hack.demo.stage.timetable import Row, seconds
from hack.demo.stage.view import NotAsExpected
from hack.testbed.audit import Mark

GOOD = {"web": "1.1.0", "catalogue": "2.0.0"}
NEXT = {"web": "1.1.0", "catalogue": "2.1.0"}
NO_SUCH_PORT = 80800
DEPLOYMENT = f"{manifests.base('web')}/deployment.yaml"


async def reject(stage: Setting) -> None:
    """The API server says no: nothing of the commit is applied, not even what is right."""
    stage.narrator.act(
        "A commit that the API server rejects",
        "A port with a digit too many, and in the same commit a good change. Neither may reach the cluster.",
    )
    files = manifests.application("web", port=NO_SUCH_PORT) | manifests.overlay(NEXT)
    commit = stage.commit("Release catalogue 2.1.0, move the port of web", files)
    await _fails(stage, commit, "ReconciliationFailed", ["Deployment/shop/web", str(NO_SUCH_PORT)], "Rejected commit")


async def garble(stage: Setting) -> None:
    """Not even YAML."""
    stage.narrator.act("A commit that does not parse", "Somebody was called away while typing: a quote is missing.")
    commit = stage.commit("Mend the port", manifests.without_a_quote(manifests.application("web"), DEPLOYMENT))
    await _fails(stage, commit, "BuildFailed", ["deployment.yaml"], "Unreadable commit")


async def fix(stage: Setting) -> None:
    """The right commit, and all is well."""
    stage.narrator.act("The fix", "The file as it should be; the good change arrives with it.")
    commit = stage.commit("Mend the port and the quote", manifests.application("web"))
    applied = delivery.has_image(stage, cast.CATALOGUE, NEXT["catalogue"])
    healthy = [
        delivery.runs(stage, cast.CATALOGUE, NEXT["catalogue"]),
        delivery.runs(stage, cast.WEB, NEXT["web"]),
        delivery.ready(stage, commit, cast.APPS),
    ]
    await stage.announce(commit)
    times = await delivery.settle(stage, commit.at, [applied], healthy)
    stage.narrator.done(f"recovered: applied after {seconds(times.applied)}, healthy after {seconds(times.healthy)}")
    stage.timetable.add(Row("Fix", commit.short, times.applied, times.healthy, "recovered, catalogue 2.0.0 → 2.1.0"))


async def _fails(stage: Setting, commit: Commit, reason: str, named: list[str], step: str) -> None:
    """The Kustomization is to fail for that reason, name these things, and leave everything as it was."""
    before, mark = _running(stage), stage.audit.mark()
    failed = stage.view.expect(
        f"Kustomization apps says {reason} at {commit.short}",
        cast.APPS,
        lambda found: objects.has_failed(found, commit.revision, reason),
    )
    await stage.announce(commit)
    with stage.narrator.working("waiting for the cause to be named"):
        told = await stage.view.reach([failed], delivery.SECONDS) - commit.at
    said = objects.condition(stage.view.find(cast.APPS))
    stage.narrator.quote(f"Kustomization apps, Ready=False, {said['reason']},", said["message"])
    for fact in named:
        if fact not in said["message"]:
            raise NotAsExpected(f"the message names {fact}", said["message"])
    _require_untouched(stage, before, mark)
    stage.narrator.done(f"cause named after {seconds(told)}; not one write to {cast.SHOP}, the last good state runs on")
    stage.timetable.add(Row(step, commit.short, None, None, f"nothing applied, cause named after {seconds(told)}"))


def _running(stage: Setting) -> dict[str, tuple[int, str]]:
    deployments = stage.view.all("Deployment")
    return {found["metadata"]["name"]: (found["metadata"]["generation"], objects.image(found)) for found in deployments}


def _require_untouched(stage: Setting, before: dict[str, tuple[int, str]], mark: Mark) -> None:
    """By what runs, and by the API server's own word on who wrote what."""
    now = _running(stage)
    if now != before:
        raise NotAsExpected(f"everything runs as before: {before}", str(now))
    for found in stage.view.all("Deployment"):
        if not objects.is_available(found, objects.image(found)):
            raise NotAsExpected(f"Deployment {found['metadata']['name']} is available", str(found["status"]))
    written = shop_writes(stage, mark)
    if written:
        raise NotAsExpected(f"no write to namespace {cast.SHOP}", ", ".join(written))


def shop_writes(stage: Setting, mark: Mark) -> list[str]:
    """What the controllers have written to the shop since then."""
    entries = stage.audit.since(mark).entries
    return [
        f"{entry.verb} {entry.resource}/{entry.name}"
        for entry in entries
        if entry.is_write and entry.namespace == cast.SHOP and not entry.is_cluster_component
    ]
