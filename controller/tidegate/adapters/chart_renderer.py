"""Renders charts in worker processes that can be killed: the client side of chart_worker."""

from datetime import timedelta
from types import TracebackType
from typing import Self

from tidegate.adapters import chart_jobs
from tidegate.adapters.chart_jobs import Problem, Refusal, Rendered, RenderRequest
from tidegate.runtime.errors import TidegateError
from tidegate.runtime.workers import WorkerDied, WorkerLimits, Workers, WorkerTimedOut

TIMEOUT = timedelta(seconds=60)
_MODULE = "tidegate.adapters.chart_worker"


class RenderError(TidegateError):
    """A chart was not rendered; the message is for the user."""


class ChartInvalid(RenderError):
    """The archive is no chart, or not one for this cluster."""


class ValuesInvalid(RenderError):
    """The values do not fit the chart: its schema refuses them, or is refused itself."""


class TemplateFailed(RenderError):
    """A template failed, or gave no objects."""


class RenderLimit(RenderError):
    """Rendering took too long, needed too much memory, gave too much, or crashed."""


_ERRORS: dict[Problem, type[RenderError]] = {
    Problem.CHART: ChartInvalid,
    Problem.VALUES: ValuesInvalid,
    Problem.TEMPLATE: TemplateFailed,
    Problem.LIMIT: RenderLimit,
}


class Renderer:
    """Renders charts, a few at a time; an async context manager, after which no process is left."""

    def __init__(self, limits: WorkerLimits | None = None, within: timedelta = TIMEOUT) -> None:
        self._limits = limits or WorkerLimits()
        self._workers = Workers(_MODULE, self._limits)
        self._within = within

    async def __aenter__(self) -> Self:
        await self._workers.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._workers.__aexit__(kind, error, trace)

    async def render(self, request: RenderRequest) -> Rendered:
        """Raises: RenderError."""
        try:
            answer = await self._workers.run(chart_jobs.encode(request), self._within)
        except WorkerTimedOut as error:
            raise RenderLimit(f"rendering took longer than {self._within.total_seconds():g}s") from error
        except WorkerDied as error:
            text = (
                f"rendering crashed: more than {self._limits.memory >> 20} MiB of memory needed, or a fault of its own"
            )
            raise RenderLimit(text) from error
        outcome = chart_jobs.decode_outcome(answer)
        if isinstance(outcome, Refusal):
            raise _ERRORS[outcome.problem](outcome.message)
        return outcome
