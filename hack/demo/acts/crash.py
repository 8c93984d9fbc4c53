"""The act in which the controller is killed in the middle of an apply, and one sees that it makes no difference.

The proxy between the controller and the API server lets the controller's writes pass one by one; the n-th is answered
to nobody: the controller is gone (SIGKILL) before it hears of it. It starts again with nothing but what it had
recorded. Afterwards the same commit is taken back and played once more, undisturbed, to compare the two ends.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial

from hack.controlplane.api import JsonObject
from hack.demo.acts import cast, delivery, mistakes
from hack.demo.stage import manifests, objects
from hack.demo.stage.setting import Commit, Setting
from hack.demo.stage.timetable import Row, seconds
from hack.demo.stage.view import PATHS, Key, Milestone, NotAsExpected
from hack.testbed.fault_proxy import Dropped, Exchange, Phase

BEFORE, AFTER = {"web": "1.1.0"}, {"web": "1.2.0", "orders": "1.0.0"}
MESSAGE = "Add orders, release web 1.2.0"
LAST_WRITE = 3
GROUPS = {"ConfigMap": "", "Service": "", "Deployment": "apps", "PodDisruptionBudget": "policy"}
ADDED = [
    Key("ConfigMap", cast.SHOP, "orders"),
    Key("ConfigMap", cast.SHOP, "orders-worker"),
    Key("Deployment", cast.SHOP, "orders"),
    Key("Deployment", cast.SHOP, "orders-worker"),
    Key("PodDisruptionBudget", cast.SHOP, "orders"),
    Key("Service", cast.SHOP, "orders"),
]
WRITES = len(ADDED) + 1
"""A new application, and a new version of an old one."""


class Killer:
    """A hook of the fault proxy: the n-th write reaches the API server, its answer reaches nobody."""

    def __init__(self, last: int, kill: Callable[[], None]) -> None:
        self.killed = asyncio.Event()
        self.writes: list[str] = []
        """The paths of what was written, in order."""
        self._last = last
        self._kill = kill
        self._turn = asyncio.Lock()

    async def __call__(self, exchange: Exchange) -> None:
        if "dryRun" in exchange.query or self.killed.is_set():
            return
        if exchange.phase is Phase.BEFORE:
            await self._turn.acquire()
            if self.killed.is_set():  # it waited behind the last one
                raise Dropped
            return
        self.writes.append(exchange.path)
        if len(self.writes) == self._last:
            self._kill()
            self.killed.set()
        self._turn.release()
        if self.killed.is_set():
            raise Dropped


async def kill(stage: Setting) -> None:
    """kill -9 in the middle of an apply."""
    stage.narrator.act(
        "kill -9 in the middle of an apply",
        f"The next commit is {WRITES} writes. A proxy before the API server counts them, and kills the controller when "
        f"the answer to number {LAST_WRITE} comes back.",
    )
    stage.weigh("before the kill")
    killer = Killer(LAST_WRITE, stage.controllers.kustomize.kill)
    stage.proxy.observe(killer, method="PATCH", path=f"/namespaces/{cast.SHOP}/")
    commit = _commit(stage)
    await stage.announce(commit)
    await _until_killed(killer)
    await _show_what_is_left(stage, commit)
    times = await _recover(stage, commit)
    stage.timetable.add(
        Row(
            "kill -9 and restart",
            commit.short,
            times.applied,
            times.healthy,
            f"killed after write {LAST_WRITE} of {WRITES}",
        )
    )
    await _look_again(stage)


async def compare(stage: Setting) -> None:
    """The same commit without a kill: do both ends look the same?"""
    stage.narrator.act(
        "And undisturbed?", "The commit is taken back, and comes again. This time nobody kills anything: what differs?"
    )
    disturbed = await _fingerprints(stage)
    commit = stage.commit(f'Revert "{MESSAGE}"', manifests.overlay(BEFORE), remove=[manifests.base("orders")])
    reverted = [delivery.is_gone(stage, key) for key in ADDED]
    healthy = [delivery.runs(stage, cast.WEB, BEFORE["web"]), delivery.ready(stage, commit, cast.APPS)]
    await stage.announce(commit)
    times = await delivery.settle(stage, commit.at, reverted, healthy)
    stage.narrator.done(f"taken back: pruned after {seconds(times.applied)}, healthy after {seconds(times.healthy)}")
    stage.timetable.add(
        Row("git revert", commit.short, times.applied, times.healthy, f"{len(ADDED)} objects pruned, web as before")
    )
    commit = _commit(stage)
    applied, healthy = _as_committed(stage, commit)
    await stage.announce(commit)
    times = await delivery.settle(stage, commit.at, applied, healthy)
    undisturbed = await _fingerprints(stage)
    if disturbed != undisturbed:
        raise NotAsExpected(f"both ends are equal: {disturbed}", str(undisturbed))
    stage.narrator.done(
        f"no difference: the same {len(disturbed)} objects, field by field, each owned by the same manager"
    )
    stage.timetable.add(
        Row("The same, undisturbed", commit.short, times.applied, times.healthy, "ends as after the kill")
    )


def _commit(stage: Setting) -> Commit:
    return stage.commit(MESSAGE, manifests.orders() | manifests.overlay(AFTER))


def _as_committed(stage: Setting, commit: Commit) -> tuple[list[Milestone], list[Milestone]]:
    """What is to be applied, and what is to be healthy."""
    applied = [delivery.exists(stage, key) for key in ADDED]
    applied.append(delivery.has_image(stage, cast.WEB, AFTER["web"]))
    healthy = [delivery.runs(stage, Key("Deployment", cast.SHOP, name), version) for name, version in AFTER.items()]
    return applied, [*healthy, delivery.ready(stage, commit, cast.APPS)]


async def _until_killed(killer: Killer) -> None:
    try:
        async with asyncio.timeout(delivery.SECONDS):
            await killer.killed.wait()
    except TimeoutError:
        raise NotAsExpected(f"{LAST_WRITE} writes at least", f"{len(killer.writes)}: {killer.writes}") from None


async def _show_what_is_left(stage: Setting, commit: Commit) -> None:
    """Half an apply, and a record of the whole."""
    found = await stage.api.get(f"{cast.KUSTOMIZATIONS}/{cast.APPS.name}")
    written = [str(key) for key in ADDED if await stage.api.find(_path(key))]
    stage.narrator.done(f"[bold]kill -9[/] after write {LAST_WRITE} of {WRITES}; there is now: {', '.join(written)}")
    missing = {_id(key) for key in ADDED} - objects.inventory(found)
    if missing:
        raise NotAsExpected("all objects are on record before the first of them is written", f"missing: {missing}")
    if found["status"].get("lastAppliedRevision") == commit.revision:
        raise NotAsExpected("a revision that is half applied is not called applied", commit.revision)
    stage.narrator.say(
        f"On record, since before the first write: all {len(objects.inventory(found))} objects "
        f"(status.inventory); applied revision: still {found['status']['lastAppliedRevision'][-40:][:7]}."
    )


async def _recover(stage: Setting, commit: Commit) -> delivery.Times:
    applied, healthy = _as_committed(stage, commit)
    began = time.monotonic()
    with stage.narrator.working("starting the controller again"):
        await stage.controllers.start()
    times = await delivery.settle(stage, commit.at, applied, healthy)
    applied_after, ready_after = times.applied - (began - commit.at), times.healthy - (began - commit.at)
    stage.narrator.done(
        f"started again: all is applied {seconds(applied_after)} later, Ready {seconds(ready_after)} later"
    )
    return times


async def _look_again(stage: Setting) -> None:
    """A controller that left something behind would have something to write now."""
    mark = stage.audit.mark()
    token = await stage.request_reconcile(f"{cast.KUSTOMIZATIONS}/{cast.APPS.name}")
    handled = stage.view.expect("apps has handled the request", cast.APPS, partial(objects.has_handled, token=token))
    await stage.view.reach([handled], delivery.SECONDS)
    written = mistakes.shop_writes(stage, mark)
    if written:
        raise NotAsExpected("nothing is left to write", ", ".join(written))
    stage.narrator.done("asked to look again: it finds nothing to write")


async def _fingerprints(stage: Setting) -> dict[str, JsonObject]:
    """Every object that belongs to apps, as it was decided."""
    found: dict[str, JsonObject] = {}
    for kind in GROUPS:
        collection = _path(Key(kind, cast.SHOP, ""))
        owned = await stage.api.get(f"{collection}?labelSelector=kustomize.toolkit.fluxcd.io/name={cast.APPS.name}")
        found |= {f"{kind}/{one['metadata']['name']}": objects.fingerprint(one) for one in owned["items"]}
    return found


def _path(key: Key) -> str:
    prefix, _, plural = PATHS[key.kind].rpartition("/")
    return f"{prefix}/namespaces/{key.namespace}/{plural}/{key.name}".rstrip("/")


def _id(key: Key) -> str:
    return f"{key.namespace}_{key.name}_{GROUPS[key.kind]}_{key.kind}"
