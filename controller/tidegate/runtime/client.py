"""Objects of the API server by kind and key, as plain JSON: get, list, create, apply, patch, delete."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from tidegate.runtime import errors, json_text, transport
from tidegate.runtime.discovery import Discovery
from tidegate.runtime.resources import Resource
from tidegate.runtime.transport import Request, Transport
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

PAGE = 500


@dataclass(frozen=True)
class Preconditions:
    """What must still hold for a delete: the object's UID and, unless empty, its resource version."""

    uid: str
    resource_version: str = ""


@dataclass(frozen=True)
class Client:
    """Reads and writes under one identity; every method raises the errors of Transport.request."""

    transport: Transport
    discovery: Discovery

    def acting_as(self, user: str) -> "Client":
        """The same client for another user: a header, never new connections."""
        return replace(self, transport=self.transport.acting_as(user))

    async def get(self, resource: Resource, key: ObjectKey, *, metadata_only: bool = False) -> JsonObject:
        """The object at `key`. Raises: NotFound."""
        request = Request("GET", resource.path(key), accept=_accept(metadata_only))
        return _decode(await self.transport.request(request))

    async def find(self, resource: Resource, key: ObjectKey, *, metadata_only: bool = False) -> JsonObject | None:
        """The object at `key`, or None."""
        try:
            return await self.get(resource, key, metadata_only=metadata_only)
        except errors.NotFound:
            return None

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncIterator[JsonObject]:
        """All objects that the selectors choose, a page at a time."""
        accept = transport.PARTIAL_METADATA_LIST if metadata_only else transport.JSON
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        query = {"limit": str(PAGE)} | {name: value for name, value in selectors.items() if value}
        while True:
            page = _decode(
                await self.transport.request(Request("GET", resource.collection(namespace), query, accept=accept))
            )
            for item in page.get("items") or []:
                yield item
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return
            query["continue"] = following

    async def create(self, resource: Resource, obj: JsonObject, *, metadata_only: bool = False) -> JsonObject:
        """Create `obj` in its own namespace and return what is stored, or its metadata. Raises: AlreadyExists."""
        path = resource.collection((obj.get("metadata") or {}).get("namespace") or "")
        return _decode(await self.transport.request(Request("POST", path, body=obj, accept=_accept(metadata_only))))

    async def apply(
        self, resource: Resource, obj: JsonObject, manager: str, *, force: bool = True, dry_run: bool = False
    ) -> JsonObject:
        """Server-side apply `obj` and return what is stored now, or would be.

        With `metadata.resourceVersion: "1"` in `obj` this is a create-only apply. Raises: Conflict, Invalid, …
        """
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        if dry_run:
            query["dryRun"] = "All"
        path = resource.path(ObjectKey.of(obj))
        return _decode(await self.transport.request(Request("PATCH", path, query, obj, transport.APPLY_PATCH)))

    async def merge_patch(
        self,
        resource: Resource,
        key: ObjectKey,
        patch: JsonObject,
        manager: str,
        subresource: str = "",
        *,
        metadata_only: bool = False,
    ) -> JsonObject:
        """Merge `patch` into the object or its subresource; a resourceVersion in it is an optimistic lock.

        Returns what is stored now, or its metadata.
        """
        query, path = {"fieldManager": manager}, resource.path(key, subresource)
        request = Request("PATCH", path, query, patch, transport.MERGE_PATCH, _accept(metadata_only))
        return _decode(await self.transport.request(request))

    async def json_patch(
        self, resource: Resource, key: ObjectKey, operations: Sequence[JsonObject], manager: str
    ) -> JsonObject:
        """Apply JSON Patch `operations` to the object."""
        query = {"fieldManager": manager}
        request = Request("PATCH", resource.path(key), query, list(operations), transport.JSON_PATCH)
        return _decode(await self.transport.request(request))

    async def delete(
        self, resource: Resource, key: ObjectKey, only_if: Preconditions, propagation: str = "Background"
    ) -> None:
        """Delete the object. Raises: NotFound; Conflict when the preconditions do not hold."""
        preconditions = {"uid": only_if.uid}
        if only_if.resource_version:
            preconditions["resourceVersion"] = only_if.resource_version
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": preconditions,
        }
        await self.transport.request(Request("DELETE", resource.path(key), body=options))


def _accept(metadata_only: bool) -> str:  # noqa: FBT001
    return transport.PARTIAL_METADATA if metadata_only else transport.JSON


def _decode(body: bytes) -> JsonObject:
    try:
        decoded = json_text.decode(body)
    except msgspec.DecodeError as error:
        raise errors.Unreachable(f"the API server's answer is not JSON: {error}") from error
    if not isinstance(decoded, dict):
        raise errors.Unreachable(f"the API server's answer is no object: {body[:64]!r}")
    return decoded
