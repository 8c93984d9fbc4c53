"""Acts in which charts are released: built by a pipeline, upgraded, broken, mended, and removed again."""

from collections.abc import Sequence

from hack.controlplane.api import JsonObject
from hack.demo.acts import cast, delivery
from hack.demo.stage import charts, objects
from hack.demo.stage.setting import Commit, Setting
from hack.demo.stage.timetable import Row, seconds
from hack.demo.stage.view import Milestone, NotAsExpected

FIRST, SECOND = "158.0.0", "160.0.0"
OTHER = "2.4.1"
REPLICAS = {"replicas": 3}
MISTAKE = {"replicas": "three"}
FAILING = {**REPLICAS, "migration": {"exitCode": 3}}
GREETING = {**REPLICAS, "greeting": "good morning"}
HOOKS = ["appa-check", "appa-migrate", "appa-announce"]


async def build(stage: Setting) -> None:
    """The pipeline pushes the first chart to the registry."""
    stage.narrator.act(
        "A pipeline builds a chart",
        "The chart of [bold]appa[/] lies in its application's repository with tokens in it. The pipeline replaces "
        "them, packages the chart and pushes it to the OCI registry, as one in Azure DevOps would.",
    )
    await _run_pipeline(stage, FIRST)


async def install(stage: Setting) -> None:
    """A HelmRelease is committed and the release runs."""
    stage.narrator.act(
        "The first release",
        "Someone commits [bold]releases/appa.yaml[/], a HelmRelease of that version. A Kustomization brings it into "
        "the cluster, and the release runs: two hooks before it, one after it, in the order of their weights.",
    )
    sources = charts.repositories(stage.registry.charts, stage.charts.url)
    commit = stage.commit(f"Release appa {FIRST}", sources | charts.release("appa", FIRST, charts.COMPANY))
    applied, healthy = _released(stage, "appa", FIRST)
    await stage.api.create(cast.KUSTOMIZATIONS, cast.releases())
    await stage.announce(commit)
    times = await delivery.settle(stage, commit.at, applied, healthy)
    await _show_hooks(stage)
    await _show(stage, "list")
    _note(stage, "Chart released", commit, times, f"appa {FIRST} from the registry, 3 hooks")


async def upgrade(stage: Setting) -> None:
    """Another version by a commit."""
    stage.narrator.act("An upgrade", "The pipeline has built the next version; a commit asks for it.")
    await _run_pipeline(stage, SECOND)
    commit = stage.commit(f"Release appa {SECOND}", charts.release("appa", SECOND, charts.COMPANY, REPLICAS))
    applied, healthy = _released(stage, "appa", SECOND)
    await stage.announce(commit)
    times = await delivery.settle(stage, commit.at, applied, healthy)
    await _show(stage, "history", "appa")
    _note(stage, "Upgrade", commit, times, f"appa {FIRST} → {SECOND}, 3 replicas")


async def add(stage: Setting) -> None:
    """A second release beside it, from the other kind of repository."""
    stage.charts.push(charts.community("appb", OTHER))
    stage.narrator.act(
        "A second chart beside it", f"[bold]appb[/] {OTHER} is somebody else's chart, in a Helm repository over HTTP."
    )
    # The index was fetched before the chart was there: its next look is asked for, not waited for.
    await stage.request_reconcile(f"{cast.HELM_REPOSITORIES}/{charts.COMMUNITY}")
    commit = stage.commit(f"Release appb {OTHER}", charts.release("appb", OTHER, charts.COMMUNITY))
    applied, healthy = _released(stage, "appb", OTHER)
    await stage.announce(commit)
    times = await delivery.settle(stage, commit.at, applied, healthy)
    await _show(stage, "list")
    _note(stage, "Second chart", commit, times, f"appb {OTHER} from the HTTP repository")


async def mistake(stage: Setting) -> None:
    """A value that the chart cannot be rendered with."""
    stage.narrator.act("A value that breaks the chart", "A number is written as a word; the chart's schema forbids it.")
    commit = stage.commit("Three replicas of appa", charts.release("appa", SECOND, charts.COMPANY, MISTAKE))
    await _fails(stage, commit, "replicas", "Broken value")


async def failing_hook(stage: Setting) -> None:
    """A migration that fails before the upgrade."""
    stage.narrator.act(
        "A hook fails",
        "The value is right again, but the migration that runs before the upgrade fails.",
    )
    commit = stage.commit("Migrate appa", charts.release("appa", SECOND, charts.COMPANY, FAILING))
    await _fails(stage, commit, "appa-migrate", "Failing hook")


async def fix(stage: Setting) -> None:
    """The right values, and all is well."""
    stage.narrator.act("The fix", "The migration works, and another greeting comes with it.")
    commit = stage.commit("Mend appa", charts.release("appa", SECOND, charts.COMPANY, GREETING))
    greeted = stage.view.expect("appa greets", cast.APPA_CONFIG, _greets)
    _, healthy = _released(stage, "appa", SECOND)
    await stage.announce(commit)
    times = await delivery.settle(stage, commit.at, [greeted], healthy)
    await _show(stage, "history", "appa")
    _note(stage, "Fix of the release", commit, times, "recovered, greeting changed")


async def remove(stage: Setting) -> None:
    """What is no longer in Git is uninstalled."""
    stage.narrator.act("A release goes", "[bold]releases/appa.yaml[/] is removed from Git; appb stays.")
    commit = stage.commit("Remove appa", {}, remove=[charts.path("appa")])
    gone = [delivery.is_gone(stage, key) for key in (cast.APPA, cast.APPA_SERVICE, cast.APPA_RELEASE)]
    healthy = [delivery.ready(stage, commit, cast.RELEASES), delivery.runs(stage, cast.APPB, OTHER)]
    await stage.announce(commit)
    times = await delivery.settle(stage, commit.at, gone, healthy)
    listed = await _show(stage, "list")
    if "appa" in listed:
        raise NotAsExpected("helm knows nothing of appa any more", listed)
    _note(stage, "Release removed", commit, times, "appa uninstalled, appb untouched")


async def _run_pipeline(stage: Setting, version: str) -> None:
    source = charts.application("appa")
    facts = {charts.NUMBER: version, charts.COMMIT: stage.repository.resolve("main")[:7]}
    with stage.narrator.working("packaging and pushing"):
        built = await stage.pipeline.run(source, facts)
    stage.narrator.change([f"- version: #{{{charts.NUMBER}}}#", f"+ version: {version}"])
    stage.narrator.done(f"helm push: {stage.registry.charts}/{built.name}:{built.version}  {built.digest[:19]}…")


def _released(stage: Setting, name: str, version: str) -> tuple[list[Milestone], list[Milestone]]:
    """What is to be applied, and what is to be healthy."""
    deployment, release = cast.released(name)
    is_ready = stage.view.expect(
        f"HelmRelease {name} is Ready with {version}", release, lambda found: objects.is_released(found, version)
    )
    return [delivery.has_image(stage, deployment, version)], [delivery.runs(stage, deployment, version), is_ready]


async def _fails(stage: Setting, commit: Commit, named: str, step: str) -> None:
    """The HelmRelease is to fail, name the cause, and leave what runs as it was."""
    before = objects.generation(stage.view.find(cast.APPA))
    failed = stage.view.expect(
        "HelmRelease appa says that the upgrade failed", cast.APPA_RELEASE, lambda found: _has_failed(found, named)
    )
    await stage.announce(commit)
    with stage.narrator.working("waiting for the cause to be named"):
        told = await stage.view.reach([failed], delivery.SECONDS) - commit.at
    said = objects.condition(stage.view.find(cast.APPA_RELEASE))
    stage.narrator.quote(f"HelmRelease appa, Ready=False, {said['reason']},", said["message"])
    found = stage.view.find(cast.APPA)
    if objects.generation(found) != before or not objects.is_available(found, objects.image(found)):
        raise NotAsExpected("the last good release of appa runs on", str(found))
    await _show(stage, "list")
    stage.narrator.done(f"cause named after {seconds(told)}; the last good release runs on, its objects untouched")
    stage.timetable.add(Row(step, commit.short, None, None, f"appa runs on, cause named after {seconds(told)}"))


def _has_failed(found: objects.Found, named: str) -> bool:
    said = objects.condition(found)
    return (said.get("status"), said.get("reason")) == ("False", "UpgradeFailed") and named in said["message"]


def _greets(found: JsonObject | None) -> bool:
    return found is not None and found["data"]["greeting"] == GREETING["greeting"]


async def _show(stage: Setting, *words: str) -> str:
    """What the real helm says."""
    said = await stage.helm(*words, namespace=charts.NAMESPACE)
    stage.narrator.say(f"$ helm {' '.join(words)}")
    stage.narrator.program(_columns(said))
    return said


def _columns(said: str) -> list[str]:
    """A table of helm's, without the columns that a reader of the demo does not need."""
    rows = [[cell.strip() for cell in line.split("\t")] for line in said.splitlines() if line.strip()]
    kept = [number for number, head in enumerate(rows[0]) if head not in {"NAMESPACE", "UPDATED", "APP VERSION"}]
    shown = [[row[number] for number in kept if number < len(row)] for row in rows]
    widths = [max(len(row[column]) for row in shown if column < len(row)) for column in range(len(kept))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in shown]


async def _show_hooks(stage: Setting) -> None:
    """The order in which they ran, by the release's own record."""
    release = await stage.helm.loaded("status", "appa", namespace=charts.NAMESPACE)
    ran: Sequence[JsonObject] = sorted(release["hooks"], key=lambda hook: str(hook["last_run"]["started_at"]))
    names = [str(hook["name"]) for hook in ran]
    phases = {str(hook["last_run"]["phase"]) for hook in ran}
    if names != HOOKS or phases != {"Succeeded"}:
        raise NotAsExpected(f"hooks in the order of their weights: {HOOKS}", f"{names}, {phases}")
    told = ", ".join(f"{hook['name']} ({hook.get('weight', 0)})" for hook in ran)
    stage.narrator.done(f"hooks ran by weight: {told}")


def _note(stage: Setting, step: str, commit: Commit, times: delivery.Times, result: str) -> None:
    stage.narrator.done(f"applied {seconds(times.applied)} after the commit, Ready after {seconds(times.healthy)}")
    stage.timetable.add(Row(step, commit.short, times.applied, times.healthy, result))
