"""Structured logs with the fields that Flux's tools read: ts, level, msg, controllerKind, name, namespace, …

THE door to structlog. Context (controller, object, reconcile id) is bound once by who knows it and appears on every
line below; a line itself is a constant message and facts. Never a secret, never a value of one.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

LEVELS = {"trace": logging.NOTSET, "debug": logging.DEBUG, "info": logging.INFO, "error": logging.ERROR}

Logger = structlog.stdlib.BoundLogger


def get_logger(name: str) -> Logger:
    """A logger that names its module; configured lazily, so it may be made at import."""
    return cast("Logger", structlog.get_logger(module=name.removeprefix("tidegate.")))


@contextmanager
def context(**facts: Any) -> Iterator[None]:
    """Bind `facts` to every line logged inside, also in what is awaited there."""
    with structlog.contextvars.bound_contextvars(**facts):
        yield


def configure(encoding: str = "json", level: str = "info", stream: TextIO | None = None) -> None:
    """Send logs to `stream` (stderr) as JSON lines, or as text for people when `encoding` is "console"."""
    json_lines = encoding == "json"
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%S.%fZ", utc=True, key="ts"),
            *(_json() if json_lines else _console()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def _json() -> list[Any]:
    # A frame's local variables hold what no log may hold: credentials, decrypted values (promise 11).
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    renderer = structlog.processors.ExceptionRenderer(tracebacks)
    return [renderer, _flux_names, structlog.processors.JSONRenderer(default=str)]


def _console() -> list[Any]:
    formatter = structlog.dev.plain_traceback
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), timestamp_key="ts", exception_formatter=formatter
    )
    return [renderer]


def _flux_names(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Flux's order and names: level, ts, msg first, then the facts."""
    line: EventDict = {"level": event.pop("level"), "ts": event.pop("ts"), "msg": event.pop("event")}
    line["logger"] = event.pop("module", "")
    if "exception" in event:
        line["error"] = _last_line(event["exception"])
    return {**line, **event}


def _last_line(exception: Any) -> str:
    try:
        outermost = exception[0]
        return f"{outermost['exc_type']}: {outermost['exc_value']}"
    except (TypeError, LookupError):
        return str(exception)
