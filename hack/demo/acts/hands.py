"""Acts in which somebody changes by hand what Git decides: it is put back."""

import time

from hack.demo.acts import cast, delivery
from hack.demo.stage import manifests, objects
from hack.demo.stage.setting import Setting
from hack.demo.stage.timetable import Row, seconds

VERSION = "1.1.0"
HOTFIX = "hotfix"


async def edit(stage: Setting) -> None:
    """Another image and fewer replicas, as by `kubectl edit`."""
    stage.narrator.act("Somebody edits by hand", "An image and a number of replicas that Git knows nothing of.")
    edited = stage.view.expect("the edit is seen", cast.WEB, _is_edited)
    container = {"name": cast.WEB.name, "image": manifests.image(cast.WEB.name, HOTFIX)}
    change = {"spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}}}
    began = time.monotonic()
    await stage.api.request(
        "PATCH", f"{cast.DEPLOYMENTS}/web?fieldManager=kubectl-edit", change, "application/strategic-merge-patch+json"
    )
    stage.narrator.say("kubectl edit deployment web: image web:hotfix, replicas 1")
    await stage.view.reach([edited], delivery.SECONDS)
    restored = stage.view.expect("the edit is put back", cast.WEB, _is_as_in_git)
    times = await delivery.settle(stage, began, [restored], [delivery.runs(stage, cast.WEB, VERSION)])
    stage.narrator.done(
        f"put back after {seconds(times.applied)}, three replicas of {VERSION} after {seconds(times.healthy)}"
    )
    stage.timetable.add(Row("Edited by hand", "by hand", times.applied, times.healthy, "image and replicas put back"))


async def delete(stage: Setting) -> None:
    """A Service is deleted."""
    gone = delivery.is_gone(stage, cast.WEB_SERVICE)
    began = time.monotonic()
    await stage.api.delete(f"{cast.SERVICES}/web")
    stage.narrator.say("kubectl delete service web")
    await stage.view.reach([gone], delivery.SECONDS)
    back = delivery.exists(stage, cast.WEB_SERVICE)
    times = await delivery.settle(stage, began, [back], [back])
    stage.narrator.done(f"back after {seconds(times.applied)}")
    stage.timetable.add(Row("Deleted by hand", "by hand", times.applied, times.healthy, "Service created again"))


def _is_edited(found: objects.Found) -> bool:
    return objects.image(found).endswith(f":{HOTFIX}")


def _is_as_in_git(found: objects.Found) -> bool:
    is_image = objects.image(found) == manifests.image(cast.WEB.name, VERSION)
    return found is not None and is_image and found["spec"]["replicas"] == manifests.WEB_REPLICAS
