"""The finalizer of all toolkit kinds: on before any work, off after the last clean-up."""

import contextlib
from collections.abc import Callable
from typing import TypeVar

from tidegate.runtime import errors
from tidegate.toolkit.status import CONFLICT_TRIES, StatusWriter
from tidegate_api import codec
from tidegate_api.meta.annotations import FINALIZER
from tidegate_api.meta.status import ReconciledObject

T = TypeVar("T", bound=ReconciledObject)


async def add_finalizer(status: StatusWriter, obj: T) -> T:
    """`obj` with our finalizer, as the server has it now. Raises: NotFound when it is gone, ApiError, Unreachable."""
    return await _patch(status, obj, lambda held: held if FINALIZER in held else [*held, FINALIZER])


async def remove_finalizer(status: StatusWriter, obj: ReconciledObject) -> None:
    """Let the object go; one that is gone already is fine. Raises: ApiError, Unreachable."""
    with contextlib.suppress(errors.NotFound):
        await _patch(status, obj, lambda held: [finalizer for finalizer in held if finalizer != FINALIZER])


async def _patch(status: StatusWriter, obj: T, change: Callable[[list[str]], list[str]]) -> T:
    """Change the finalizers, again when the object changed meanwhile (F7); the object as it is then."""
    for _ in range(CONFLICT_TRIES):
        wanted = change(obj.metadata.finalizers)
        if wanted == obj.metadata.finalizers:
            return obj
        try:
            return codec.decode(type(obj), await status.patch_finalizers(obj, wanted))
        except errors.Conflict as conflict:
            live = await status.find_live(obj)
            if live is None:
                raise errors.NotFound(404, {"message": f"{obj.KIND}/{obj.key} is gone"}) from conflict
            obj = codec.decode(type(obj), live)
    raise errors.Unreachable(f"finalizers of {obj.key} changed {CONFLICT_TRIES} times while they were written")
