"""Finds where a kind is served: one aggregated discovery for the whole process, read again when a kind is missing."""

import asyncio

import msgspec

from tidegate.runtime import clock
from tidegate.runtime.errors import TidegateError
from tidegate.runtime.resources import Resource, split_api_version
from tidegate.runtime.transport import Request, Transport
from tidegate_api.codec import JsonObject

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
FRESH_S = 2.0


class NoMatch(TidegateError):
    """The API server serves no such kind; `api_version` and `kind` say which."""

    def __init__(self, api_version: str, kind: str) -> None:
        self.api_version = api_version
        self.kind = kind
        super().__init__(f'no matches for kind "{kind}" in version "{api_version}"')


class Discovery:
    """What the API server serves.

    A miss reads discovery again (two requests, shared by all who wait), at most every two seconds: a controller that
    is asked for an unknown kind a thousand times must not ask the server a thousand times. A group whose server does
    not answer keeps what it served before: a partial discovery never means that a kind is gone (F11).
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._by_kind: dict[tuple[str, str, str], Resource] = {}
        self._silent: frozenset[str] = frozenset()
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")

    async def find(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind. Raises: NoMatch."""
        group, version = split_api_version(api_version)
        known = self._by_kind.get((group, version, kind))
        if known is not None:
            return known
        await self._refresh()
        try:
            return self._by_kind[group, version, kind]
        except KeyError:
            raise NoMatch(api_version, kind) from None

    async def preferred(self, group: str, kind: str) -> Resource | None:
        """Any served version of a kind, the server's preferred first; None when it serves none."""
        if not self._by_kind:
            await self._refresh()
        return next(
            (
                found
                for (its_group, _, its_kind), found in self._by_kind.items()
                if (its_group, its_kind) == (group, kind)
            ),
            None,
        )

    async def served(self) -> list[Resource]:
        """All that the server serves, as it was at most two seconds ago."""
        await self._refresh()
        return list(self._by_kind.values())

    def answers(self, group: str) -> bool:
        """Whether all of a group was there to be read: only then a kind that was not found is not there (F11)."""
        return group not in self._silent

    def invalidate(self) -> None:
        """A kind may have come: the next miss reads again at once."""
        self._read_at = float("-inf")

    async def _refresh(self) -> None:
        asked_at = clock.monotonic()
        async with self._lock:
            if self._read_at >= asked_at or asked_at - self._read_at < FRESH_S:
                return
            silent: set[str] = set()
            found = {**await self._read("/api", silent), **await self._read("/apis", silent)}
            self._by_kind, self._silent = found, frozenset(silent)
            self._read_at = clock.monotonic()

    async def _read(self, path: str, silent: set[str]) -> dict[tuple[str, str, str], Resource]:
        body = await self._transport.request(Request("GET", path, accept=AGGREGATED))
        found: dict[tuple[str, str, str], Resource] = {}
        for group in msgspec.json.decode(body).get("items") or []:
            name = (group.get("metadata") or {}).get("name") or ""
            for version in group.get("versions") or []:
                self._read_version(name, version, found)
                if version.get("freshness") == "Stale":
                    silent.add(name)
        return found

    def _read_version(self, group: str, version: JsonObject, found: dict[tuple[str, str, str], Resource]) -> None:
        if version.get("freshness") == "Stale":
            found.update(
                {place: known for place, known in self._by_kind.items() if place[:2] == (group, version["version"])}
            )
        for served in version.get("resources") or []:
            kind = (served.get("responseKind") or {}).get("kind")
            if not kind:
                continue
            place = (group, version["version"], kind)
            found.setdefault(
                place,
                Resource(
                    *place,
                    served["resource"],
                    served.get("scope") == "Namespaced",
                    frozenset(served.get("verbs") or ()),
                ),
            )
