"""What is played, in which order."""

from collections.abc import Awaitable, Callable

from hack.demo.acts import crash, delivery, hands, mistakes, releases
from hack.demo.stage.setting import Setting

Act = Callable[[Setting], Awaitable[None]]

STORY: tuple[Act, ...] = (
    delivery.follow,
    delivery.change_image,
    delivery.add_application,
    mistakes.reject,
    mistakes.garble,
    mistakes.fix,
    hands.edit,
    hands.delete,
    delivery.remove_application,
    releases.build,
    releases.install,
    releases.upgrade,
    releases.add,
    releases.mistake,
    releases.failing_hook,
    releases.fix,
    releases.remove,
    crash.kill,
    crash.compare,
)
