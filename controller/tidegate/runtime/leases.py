"""Leader election on a Lease, wire compatible with client-go's: of several replicas one acts.

A Lease is no fence (client-go says so itself): who loses it must stop at once, so losing it ends the process.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tidegate.runtime import clock, errors, logs, metrics
from tidegate.runtime.client import Client
from tidegate.runtime.resources import LEASES
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

log = logs.get_logger(__name__)

MANAGER = "leader-election"


class LostLeadership(errors.TidegateError):
    """Somebody else holds the Lease, or it could not be renewed in time: nothing may be written any more."""


@dataclass(frozen=True)
class LeaseTimes:
    """client-go's three durations, with Flux's defaults."""

    duration: timedelta = timedelta(seconds=35)
    renew_deadline: timedelta = timedelta(seconds=30)
    retry_period: timedelta = timedelta(seconds=5)


class Lease:
    """One candidate for one Lease; `releases`: it is given up at the end (`--leader-election-release-on-cancel`)."""

    def __init__(
        self, client: Client, key: ObjectKey, identity: str, times: LeaseTimes, *, releases: bool = True
    ) -> None:
        self._client = client
        self._key = key
        self._identity = identity
        self._times = times
        self._releases = releases
        self._seen: tuple[str, str] | None = None
        self._seen_at = 0.0
        self._renewed_at = 0.0
        self._held: JsonObject | None = None
        metrics.LEADER.labels(name=key.name).set(0)

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        log.info("attempting to acquire leader lease", lease=str(self._key))
        while not await self._try():
            await clock.pause(self._times.retry_period)
        metrics.LEADER.labels(name=self._key.name).set(1)
        log.info("acquired lease", lease=str(self._key))

    async def keep(self) -> None:
        """Renew until cancelled. Raises: LostLeadership."""
        while True:
            await clock.pause(min(self._times.retry_period, self._left()))
            if not await self._try() and (self._held is None or self._left() <= timedelta()):
                metrics.LEADER.labels(name=self._key.name).set(0)
                raise LostLeadership(f"leader election lost: {self._key}")

    async def release(self) -> None:
        """Give the Lease up, so that the next one need not wait for its end."""
        if self._held is None or not self._releases:
            return
        spec = {
            "holderIdentity": "",
            "leaseDurationSeconds": 1,
            "renewTime": _micro_time(),
            "acquireTime": _micro_time(),
        }
        try:
            async with asyncio.timeout(2.0):
                await self._write({"spec": spec, "metadata": {"resourceVersion": _version(self._held)}})
        except (errors.ApiError, errors.Unreachable, TimeoutError) as error:
            log.info("lease not released", lease=str(self._key), error=str(error))
        self._held = None
        metrics.LEADER.labels(name=self._key.name).set(0)

    def _left(self) -> timedelta:
        """How long we may go on without having renewed."""
        return self._times.renew_deadline - clock.span(clock.monotonic() - self._renewed_at)

    async def _try(self) -> bool:
        # A renewal may not outlast what it renews: others take over when our time is up, not when we notice.
        limit = self._left() if self._held is not None else self._times.renew_deadline
        try:
            async with clock.limit(limit):
                return await (self._claim() if self._held is None else self._renew(self._held))
        except errors.Conflict:
            self._held = None
        except (errors.ApiError, errors.Unreachable, TimeoutError) as error:
            log.warning("error retrieving resource lock", lease=str(self._key), error=str(error))
        return False

    async def _renew(self, held: JsonObject) -> bool:
        started = clock.monotonic()
        try:
            self._held = await self._write_renewal(held)
        except (errors.Conflict, errors.NotFound):
            # Deleted by hand, taken, or written by ourselves without our hearing of it (F6): the Lease tells.
            found = await self._client.find(LEASES, self._key)
            if found is None:
                self._held = await self._client.create(LEASES, self._fresh())
            elif _spec(found).get("holderIdentity") == self._identity:
                self._held = await self._write_renewal(found)
            else:
                self._held = None
                return False
        self._renewed_at = started
        return True

    async def _claim(self) -> bool:
        found = await self._client.find(LEASES, self._key)
        started = clock.monotonic()
        if found is None:
            self._held = await self._client.create(LEASES, self._fresh())
        elif not self._is_free(found):
            return False
        else:
            spec = {**self._spec(), "leaseTransitions": int(_spec(found).get("leaseTransitions") or 0) + 1}
            self._held = await self._write({"spec": spec, "metadata": {"resourceVersion": _version(found)}})
        self._renewed_at = started
        return True

    def _is_free(self, found: JsonObject) -> bool:
        """Whether the holder let go, or was silent for a whole duration on our own clock: clocks may be skewed."""
        spec = _spec(found)
        holder = spec.get("holderIdentity") or ""
        record = (holder, str(spec.get("renewTime")))
        if record != self._seen:
            self._seen, self._seen_at = record, clock.monotonic()
        duration = float(spec.get("leaseDurationSeconds") or self._times.duration.total_seconds())
        return not holder or holder == self._identity or clock.monotonic() - self._seen_at > duration

    async def _write_renewal(self, lease: JsonObject) -> JsonObject:
        return await self._write(
            {"spec": {"renewTime": _micro_time()}, "metadata": {"resourceVersion": _version(lease)}}
        )

    async def _write(self, patch: JsonObject) -> JsonObject:
        return await self._client.merge_patch(LEASES, self._key, patch, MANAGER)

    def _fresh(self) -> JsonObject:
        metadata = {"namespace": self._key.namespace, "name": self._key.name}
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": self._spec()}

    def _spec(self) -> JsonObject:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._times.duration.total_seconds()),
            "acquireTime": _micro_time(),
            "renewTime": _micro_time(),
            "leaseTransitions": 0,
        }


def _spec(lease: JsonObject) -> JsonObject:
    return lease.get("spec") or {}


def _version(lease: JsonObject) -> str:
    return str(lease["metadata"]["resourceVersion"])


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
