"""Replaces an object whose immutable fields changed: delete, wait until it is gone, apply again (force)."""

from contextlib import aclosing
from datetime import timedelta

from tidegate.runtime import clock, errors
from tidegate.runtime.client import Client, Preconditions
from tidegate.runtime.resources import Resource
from tidegate.runtime.watch import Change, Changed, Listed, Selection, Watch
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

GONE_WITHIN = timedelta(minutes=1)


async def recreate(client: Client, resource: Resource, obj: JsonObject, manager: str) -> JsonObject:
    """Delete the object and apply `obj` afresh; what is stored then.

    Raises: ApiError, such as Conflict when the old object does not go within a minute.
    """
    key = ObjectKey.of(obj)
    live = await client.find(resource, key)
    if live is not None:
        await client.delete(resource, key, Preconditions(live["metadata"]["uid"]))
        await until_gone(client, resource, key, live["metadata"]["uid"], GONE_WITHIN)
    return await client.apply(resource, obj, manager)


async def until_gone(client: Client, resource: Resource, key: ObjectKey, uid: str, within: timedelta) -> None:
    """Wait by watch until the object with `uid` is not there any more. Raises: Conflict when it stays."""
    selection = Selection(resource, key.namespace, field_selector=f"metadata.name={key.name}", metadata_only=True)
    try:
        async with clock.limit(within), aclosing(Watch(client.transport, selection).changes()) as changes:
            async for change in changes:
                if _is_gone(change, uid):
                    return
    except TimeoutError as error:
        raise errors.Conflict(409, {"message": f"the old object is still being deleted after {within}"}) from error


def _is_gone(change: Change, uid: str) -> bool:
    match change:
        case Listed(items):
            return all(item["metadata"]["uid"] != uid for item in items)
        case Changed(event, _):
            return event == "DELETED"
