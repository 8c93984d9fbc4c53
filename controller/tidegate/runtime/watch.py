"""Lists and then watches the objects of one selection, for ever, as an async iterator of changes.

Survives what a watch meets: 410 (lists again), an end of the stream (resumes at the last version seen, which
bookmarks keep fresh), a stream that ends at once again and again (backs off and lists again after each third, F3), and
a connection that is half open: no byte within `SILENCE` after its first bookmark means that it is dead (F4).
"""

import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import msgspec

from tidegate.runtime import clock, errors, json_text, logs, metrics, transport
from tidegate.runtime.backoff import Backoff
from tidegate.runtime.resources import Resource
from tidegate.runtime.transport import Request, Transport
from tidegate_api.codec import JsonObject

log = logs.get_logger(__name__)

PAGE = 500
SILENCE = timedelta(seconds=90)
FIRST_SILENCE = timedelta(seconds=150)
SHORT_LIFE_S = 1.0


@dataclass(frozen=True)
class Selection:
    """Which objects are watched, and how much of each is on the wire."""

    resource: Resource
    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    metadata_only: bool = False

    def query(self) -> dict[str, str]:
        """The selectors as query parameters."""
        pairs = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {name: value for name, value in pairs.items() if value}


@dataclass(frozen=True)
class Listed:
    """The whole selection as it stands: what is not in `items` does not exist (any more)."""

    items: list[JsonObject]


@dataclass(frozen=True)
class Changed:
    """One object was added, modified or deleted."""

    event: Literal["ADDED", "MODIFIED", "DELETED"]
    obj: JsonObject


Change = Listed | Changed


class Gone(errors.TidegateError):
    """The watched kind is not served any more, or may not be watched."""


@dataclass
class Watch:
    """One endless list-and-watch; `believed` tells whether what it has seen can be relied on now."""

    transport: Transport
    selection: Selection
    _version: str = ""
    _heard_at: float = float("-inf")
    _bookmarked: bool = False
    _short_lives: int = 0
    # A server that comes back finds its watches back within ten seconds (F1).
    _backoff: Backoff = field(default_factory=lambda: Backoff(timedelta(seconds=0.2), timedelta(seconds=8), jitter=0.5))

    @property
    def version(self) -> int:
        """The resource version up to which everything has been seen; 0 where that is not known."""
        return int(self._version) if self._version.isdecimal() else 0

    @property
    def believed(self) -> bool:
        """Whether the server was heard recently enough (DESIGN §5: 90 s, 150 s before the first bookmark)."""
        return clock.monotonic() - self._heard_at < self._silence().total_seconds()

    async def changes(self) -> AsyncGenerator[Change, None]:
        """A `Listed` first and after each loss of continuity, `Changed` between.

        Raises: Gone when the kind is not there or the identity may not watch it.
        """
        while True:
            self._short_lives += 1
            try:
                if not self._version:
                    yield await self._list()
                async with aclosing(self._watch()) as changes:
                    async for change in changes:
                        yield change
            except errors.Expired:
                await self._restart("expired", relist=True)
            except errors.Forbidden as error:
                raise Gone(str(error)) from error
            except errors.NotFound as error:
                # Should the kind come back, it will be with other objects.
                self._version = ""
                raise Gone(str(error)) from error
            except errors.ApiError as error:
                await self._failed(error, error.retry_after or 0.0)
            except errors.Unreachable as error:
                await self._failed(error, None)
            else:
                await self._restart("closed", relist=self._is_third())

    async def _failed(self, error: Exception, retry_after: float | None) -> None:
        log.debug("watch failed", resource=self.selection.resource.plural, error=str(error))
        # A server that answers may do so because of our version; one that is not there loses nothing of it.
        relist = retry_after is not None and self._is_third()
        await self._restart("failed", relist=relist, at_least=timedelta(seconds=retry_after or 0.0))

    async def _restart(self, cause: str, *, relist: bool, at_least: timedelta = timedelta()) -> None:
        """To end after minutes is normal; to end at once is a fault, and waited for ever longer."""
        metrics.WATCH_RESTARTS.labels(resource=self.selection.resource.plural, cause=cause).inc()
        if relist:
            self._version = ""
        if self._short_lives:
            await clock.pause(max(self._backoff.delay("watch"), at_least))

    def _is_third(self) -> bool:
        return self._short_lives > 0 and self._short_lives % 3 == 0

    async def _list(self) -> Listed:
        accept = transport.PARTIAL_METADATA_LIST if self.selection.metadata_only else "application/json"
        path = self.selection.resource.collection(self.selection.namespace)
        query = {**self.selection.query(), "limit": str(PAGE)}
        items: list[JsonObject] = []
        while True:
            page = _decode(await self.transport.request(Request("GET", path, query, accept=accept)))
            # Items of a list do not say what they are; those of a watch do.
            named = {"apiVersion": self.selection.resource.api_version, "kind": self.selection.resource.kind}
            items += [{**named, **item} for item in page.get("items") or []]
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                break
            query["continue"] = metadata["continue"]
        self._heard_at = clock.monotonic()
        self._bookmarked = False
        self._version = str(metadata.get("resourceVersion") or "0")
        return Listed(items)

    async def _watch(self) -> AsyncGenerator[Change, None]:
        started = clock.monotonic()
        query = {
            **self.selection.query(),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            # Spread out, so that a restart of the server is not followed by all watches ending together.
            "timeoutSeconds": str(random.randint(300, 600)),  # noqa: S311
        }
        accept = transport.PARTIAL_METADATA if self.selection.metadata_only else "application/json"
        path = self.selection.resource.collection(self.selection.namespace)
        try:
            async with self.transport.stream(Request("GET", path, query, accept=accept)) as lines:
                self._opened()
                while (event := await self._next_event(lines)) is not None:
                    if event[0] == "BOOKMARK":
                        self._bookmarked = True
                    elif event[0] in ("ADDED", "MODIFIED", "DELETED"):
                        yield Changed(*event)
        finally:
            if clock.monotonic() - started >= SHORT_LIFE_S:
                self._short_lives = 0
                self._backoff.forget("watch")

    def _opened(self) -> None:
        """To go on from our version is a sign of life, from a server that is known to give more of them."""
        if self._bookmarked:
            self._heard_at = clock.monotonic()
            self._bookmarked = False

    async def _next_event(self, lines: AsyncIterator[bytes]) -> tuple[Any, JsonObject] | None:
        try:
            async with clock.limit(self._silence()):
                line = await anext(lines, None)
        except TimeoutError as error:
            raise errors.Unreachable("the watch fell silent") from error
        if line is None:
            return None
        event = _decode(line)
        try:
            kind, obj = event["type"], event["object"]
            if kind == "ERROR":
                raise errors.from_status(obj["code"], obj)
            self._version = obj["metadata"]["resourceVersion"]
        except (LookupError, TypeError) as error:
            raise errors.Unreachable(f"the watch sent no event: {line[:64]!r}") from error
        self._heard_at = clock.monotonic()
        return kind, obj

    def _silence(self) -> timedelta:
        return SILENCE if self._bookmarked else FIRST_SILENCE


def _decode(text: bytes) -> JsonObject:
    try:
        decoded = json_text.decode(text)
    except msgspec.DecodeError as error:
        raise errors.Unreachable(f"the API server sent no JSON: {error}") from error
    if not isinstance(decoded, dict):
        raise errors.Unreachable(f"the API server sent no object: {text[:64]!r}")
    return decoded
