"""One event to two places: a core/v1 Event on the object, and a POST to notification-controller (1.7).

Recording never waits and never fails: events queue up to a bound and are sent beside the work. A storm drops its
oldest, counts them and says so.
"""

import asyncio
import os
import socket
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import aiohttp

from tidegate.runtime import clock, errors, logs
from tidegate.runtime.client import Client
from tidegate.runtime.resources import EVENTS
from tidegate.toolkit import texts
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.meta import annotations
from tidegate_api.meta.objects import ApiObject, ObjectKey

log = logs.get_logger(__name__)

QUEUE_LIMIT = 4096
REMEMBERED = 4096
SAME_WITHIN = timedelta(minutes=10)
POST_TRIES = 5
POSTS_LIMIT = 256
POST_LIMIT_S = 5.0


class Severity(StrEnum):
    """How much an event matters: to Kubernetes Normal or Warning, to notification-controller info or error.

    A trace is recorded in Kubernetes and never posted.
    """

    INFO = "info"
    ERROR = "error"
    TRACE = "trace"


@dataclass(frozen=True)
class Note:
    """One event, as it was when it happened."""

    involved: JsonObject
    severity: Severity
    reason: str
    message: str
    metadata: Mapping[str, str]
    at: float = field(default_factory=time.time)

    @property
    def type(self) -> str:
        """Kubernetes' word for the severity."""
        return "Warning" if self.severity == Severity.ERROR else "Normal"


# Where an event is stored, how often it happened, and when last.
Sent = tuple[ObjectKey, int, float]


class Recorder:
    """Events of one controller; `run` sends them.

    `address` is where notification-controller listens (`--events-addr`), "" for nowhere.
    """

    def __init__(self, client: Client, controller: str, address: str = "") -> None:
        self._client = client
        self._controller = controller
        self._address = address
        self._instance = os.environ.get("HOSTNAME") or socket.gethostname()
        self._notes: deque[Note] = deque()
        self._wake = asyncio.Event()
        self._posting = 0
        self._sent: OrderedDict[tuple[str, str, str, str], Sent] = OrderedDict()

    def event(
        self, obj: ApiObject, severity: Severity, reason: str, message: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        """Record an event on `obj`; `metadata` keys carry their API group's prefix already."""
        own = {
            key: value
            for key, value in (obj.metadata.annotations or {}).items()
            if key.startswith(annotations.EVENT_PREFIX)
        }
        if len(self._notes) >= QUEUE_LIMIT:
            self._notes.popleft()
            log.error("event dropped, too many at once", limit=QUEUE_LIMIT)
        self._notes.append(Note(_reference(obj), severity, reason, message, {**(metadata or {}), **own}))
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        timeout = aiohttp.ClientTimeout(total=POST_LIMIT_S)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session, asyncio.TaskGroup() as group:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._notes:
                    note = self._notes.popleft()
                    if self._address and note.severity != Severity.TRACE:
                        self._start_posting(group, session, note)
                    await self._store(note)

    def _start_posting(self, group: asyncio.TaskGroup, session: aiohttp.ClientSession, note: Note) -> None:
        """Post beside the rest: a receiver that is down delays no other event, up to a bound."""
        if self._posting >= POSTS_LIMIT:
            log.error("event not posted, too many at once", limit=POSTS_LIMIT, reason=note.reason)
            return
        self._posting += 1
        group.create_task(self._post(session, note))

    async def _store(self, note: Note) -> None:
        message = texts.clean(note.message, texts.EVENT_NOTE)
        same = (note.involved["uid"], note.type, note.reason, message)
        known = self._sent.pop(same, None)
        try:
            if known is None or note.at - known[2] >= SAME_WITHIN.total_seconds() or not await self._count(known, note):
                known = await self._create(note, message)
            else:
                known = (known[0], known[1] + 1, note.at)
        except errors.TidegateError as error:
            log.info("event not recorded", error=str(error), reason=note.reason)
            return
        self._sent[same] = known
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    async def _count(self, known: Sent, note: Note) -> bool:
        """Count one more of an event that is stored; False when it is not any more."""
        patch = {"count": known[1] + 1, "lastTimestamp": _time(note.at)}
        try:
            await self._client.merge_patch(EVENTS, known[0], patch, self._controller)
        except errors.NotFound:
            return False
        return True

    async def _create(self, note: Note, message: str) -> Sent:
        event = self._event(note, message)
        await self._client.create(EVENTS, event)
        return ObjectKey.of(event), 1, note.at

    def _event(self, note: Note, message: str) -> JsonObject:
        namespace = note.involved.get("namespace") or "default"
        name = f"{note.involved['name']}.{time.time_ns():x}"
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": namespace, "name": name, "annotations": dict(note.metadata)},
            "involvedObject": note.involved,
            "reason": note.reason,
            "message": message,
            "type": note.type,
            "source": {"component": self._controller},
            "reportingComponent": self._controller,
            "reportingInstance": self._instance,
            "firstTimestamp": _time(note.at),
            "lastTimestamp": _time(note.at),
            "count": 1,
        }

    async def _post(self, session: aiohttp.ClientSession, note: Note) -> None:
        body = self._body(note)
        try:
            for attempt in range(POST_TRIES):
                if attempt:
                    await clock.pause(timedelta(seconds=min(2 ** (attempt - 1), 30)))
                problem, is_passing = await self._try_post(session, body)
                if not is_passing:
                    break
            if problem:
                log.info("event not posted", error=problem, reason=note.reason)
        finally:
            self._posting -= 1

    async def _try_post(self, session: aiohttp.ClientSession, body: JsonObject) -> tuple[str, bool]:
        """What went wrong, "" for nothing, and whether it may go better later."""
        try:
            async with session.post(self._address, json=body, allow_redirects=False) as response:
                # 429 means "you said so already": the receiver suppresses duplicates that way.
                if response.status < 300 or response.status == 429:
                    return "", False
                return f"HTTP {response.status}", response.status >= 500
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return type(error).__name__, not isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError)

    def _body(self, note: Note) -> JsonObject:
        return {
            "involvedObject": note.involved,
            "severity": note.severity.value,
            "timestamp": _time(note.at),
            "message": texts.clean(note.message, texts.POSTED_EVENT),
            "reason": note.reason,
            "metadata": dict(note.metadata),
            "reportingController": self._controller,
            "reportingInstance": self._instance,
        }


def _reference(obj: ApiObject) -> JsonObject:
    return {
        "apiVersion": obj.API_VERSION,
        "kind": obj.KIND,
        "namespace": obj.metadata.namespace,
        "name": obj.metadata.name,
        "uid": obj.metadata.uid,
        "resourceVersion": obj.metadata.resource_version,
    }


def _time(seconds: float) -> str:
    return codec.format_time(clock.from_epoch(seconds))
