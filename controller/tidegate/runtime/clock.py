"""The only place that waits for time to pass; everything above it waits for something to happen."""

import asyncio
from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    """The time now, to the second, as Kubernetes writes it."""
    return datetime.now(UTC).replace(microsecond=0)


def monotonic() -> float:
    """Seconds on a clock that never goes back."""
    return asyncio.get_running_loop().time()


async def pause(span: timedelta) -> None:
    """Wait for `span`."""
    await asyncio.sleep(max(0.0, span.total_seconds()))


async def happened(event: asyncio.Event, within: timedelta) -> bool:
    """Wait for `event`, no longer than `within`; whether it came."""
    try:
        async with asyncio.timeout(max(0.0, within.total_seconds())):
            await event.wait()
    except TimeoutError:
        return False
    return True


def from_epoch(seconds: float) -> datetime:
    """The aware UTC time of a Unix timestamp."""
    return datetime.fromtimestamp(seconds, UTC)


def span(seconds: float) -> timedelta:
    """So many seconds."""
    return timedelta(seconds=seconds)


def limit(span: timedelta) -> asyncio.Timeout:
    """An async context that raises TimeoutError after `span`."""
    return asyncio.timeout(max(0.0, span.total_seconds()))
