"""One try at one object: however the block ends, it is concluded and its status written.

    async with Attempt(obj, turn, tools, policy) as attempt:
        ...steps mark conditions, or raise an ending (outcomes.py)
    return attempt.result

Nothing is written while a step is quick: progress reaches the status only when one step, counted from when it got its
slot, lasts over a second, and only if there is something to do.
"""

import asyncio
import contextlib
import copy
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Generic, Self, TypeVar

from tidegate.runtime import clock, errors, logs, metrics
from tidegate.runtime.controller import Result, Superseded, Turn
from tidegate.toolkit import conditions as kinds
from tidegate.toolkit import outcomes, requests, texts
from tidegate.toolkit.conditions import Conditions
from tidegate.toolkit.events import Recorder, Severity
from tidegate.toolkit.outcomes import Ending, Policy
from tidegate.toolkit.status import StatusWriter
from tidegate_api import codec
from tidegate_api.meta.status import ReconciledObject

log = logs.get_logger(__name__)

T = TypeVar("T", bound=ReconciledObject)

QUIET = timedelta(seconds=1)


@dataclass(frozen=True)
class Tools:
    """What an attempt of any kind writes with; `resets_ready`: Ready turns Unknown in long steps."""

    status: StatusWriter
    recorder: Recorder
    resets_ready: bool = False


class Attempt(Generic[T]):
    """An async context manager around one try; `obj.status` and `conditions` are this attempt's own to change.

    Nested values of the status are replaced, never edited: the object as cached shares them.
    """

    def __init__(self, obj: T, turn: Turn, tools: Tools, policy: Policy) -> None:
        self.turn = turn
        self.result = Result()
        self._stored = obj
        self._tools = tools
        self._policy = policy
        self._written = obj.status
        self._version = obj.metadata.resource_version
        self.obj = copy.copy(obj)
        self.obj.status = copy.copy(obj.status)
        self.conditions = Conditions(obj.status.conditions, obj.metadata.generation)
        self._started = clock.monotonic()
        self._step_began = asyncio.Event()
        self._is_told = True
        self._narrator: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._is_in_doubt = False

    @property
    def seconds(self) -> float:
        """How long this attempt has lasted."""
        return clock.monotonic() - self._started

    def progress(self, message: str, *, is_told: bool = True) -> None:
        """A step begins: what users read in Reconciling when it lasts; if not `is_told`, only once it has failed."""
        self._is_told = is_told
        self._step_began.set()
        self.conditions.mark_reconciling(kinds.PROGRESSING, message)
        if self._narrator is None:
            self._narrator = self.turn.spawn(self._narrate())

    def event(self, severity: Severity, reason: str, message: str, **metadata: str) -> None:
        """Record an event; metadata names are prefixed with the object's API group."""
        group = self.obj.API_VERSION.rpartition("/")[0]
        prefixed = {f"{group}/{name}": value for name, value in metadata.items() if value}
        self._tools.recorder.event(self._stored, severity, reason, message, prefixed)

    async def write(self) -> None:
        """Write the status as it stands now, if it differs from what is stored."""
        async with self._lock:
            if self._is_in_doubt:
                await self._read_again()
            status = copy.copy(self.obj.status)
            status.conditions = self.conditions.items()
            self._is_in_doubt = True
            self._version = await self._tools.status.write(self._stored, self._version, self._written, status)
            self._written = status
            self._is_in_doubt = False

    async def _read_again(self) -> None:
        """The last write ended without an answer: it may count or not, so what is stored is not known (F6)."""
        live = await self._tools.status.find_live(self._stored)
        if live is not None:
            self._written = codec.decode(type(self._stored), live).status
            self._version = live["metadata"]["resourceVersion"]

    async def write_progress(self) -> None:
        """Write now that work goes on, with whatever else the status has: something must be on record."""
        if self._tools.resets_ready:
            self.conditions.mark_unknown(kinds.READY, kinds.PROGRESSING, "Reconciliation in progress")
        await self.write()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        if self._narrator is not None:
            await self._end(self._narrator, at_once=isinstance(error, asyncio.CancelledError))
        if isinstance(error, Superseded) or (error is not None and not isinstance(error, Exception)):
            # Stopped from outside, perhaps because the Lease is lost: not one more write (promise 5). Whatever must not
            # be forgotten was recorded before it was done.
            return False
        self._conclude(error)
        await self.write()
        self._measure()
        return True

    async def _end(self, narrator: asyncio.Task[None], *, at_once: bool) -> None:
        """A write under way is waited for: of one cut off nobody knows whether it counts, nor what to write next."""
        async with contextlib.nullcontext() if at_once else self._lock:
            narrator.cancel()
        await asyncio.wait([narrator])

    def _conclude(self, error: Exception | None) -> None:
        self.result, observed = outcomes.conclude(error, self.conditions, self._policy)
        if observed:
            self.obj.status.observed_generation = self._stored.metadata.generation
        token = requests.token(self._stored.metadata)
        if token:
            self.obj.status.last_handled_reconcile_at = token
        if error is not None:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """One log line and one event where the error stops. Waiting is no failure, and cancelled work no news."""
        reason = error.reason if isinstance(error, Ending) else kinds.FAILED
        message = texts.clean(str(error) or type(error).__name__)
        if isinstance(error, outcomes.Waiting | outcomes.Again | errors.Unreachable | errors.ServerError):
            log.info("waiting", reason=reason, cause=message)
            if isinstance(error, outcomes.Waiting) and error.notify and self._is_news(reason):
                self.event(Severity.INFO, reason, error.notify)
            return
        if isinstance(error, errors.TidegateError | outcomes.Stalled):
            log.error("reconciliation failed", reason=reason, error=message)
        else:
            log.exception("reconciliation failed", exc_info=error)
        if not (isinstance(error, Ending) and error.is_told):
            self.event(Severity.ERROR, reason, message)

    def _is_news(self, reason: str) -> bool:
        """Whether the object was not waiting for the same kind of thing already."""
        return all(item.reason != reason for item in self._stored.status.conditions if item.type == kinds.READY)

    def _measure(self) -> None:
        meta = self._stored.metadata
        metrics.RECONCILE_DURATION.labels(self.obj.KIND, meta.name, meta.namespace).observe(self.seconds)

    async def _narrate(self) -> None:
        """Write progress whenever a step outlasts a second; a failure here is no failure of the attempt."""
        while True:
            self._step_began.clear()
            if await clock.happened(self._step_began, QUIET):
                continue
            if self._is_told:
                try:
                    await self.write_progress()
                except errors.TidegateError as error:
                    log.info("progress not written", error=str(error))
            await self._step_began.wait()
