"""Requests of the controllers, counted from the API server's audit log."""

import asyncio
import time

from e2e.tenant import Tenant
from hack.testbed import audit
from hack.testbed.audit import AuditLog, Mark, Window

CONTROLLERS = ("source-controller/", "kustomize-controller/", "helm-controller/")
POLL_SECONDS = 0.1


def of_tenant(window: Window, tenant: Tenant) -> Window:
    """What was asked about one tenant's objects."""
    return Window([entry for entry in window.entries if entry.namespace == tenant.namespace])


async def until_quiet(log: AuditLog, seconds: float = 1.0, *, patience: float = 30.0) -> Mark:
    """Waits until the controllers have asked nothing for a while; returns the end of the log.

    Raises:
        AssertionError: they go on and on; with what they ask.
    """
    deadline = time.monotonic() + patience
    mark, since = log.mark(), time.monotonic()
    while time.monotonic() - since < seconds:
        await asyncio.sleep(POLL_SECONDS)
        asked = log.since(mark).requests(CONTROLLERS, watches=False)
        if asked:
            assert time.monotonic() < deadline, f"the controllers do not come to rest:\n{audit.as_table(asked)}"
            mark, since = log.mark(), time.monotonic()
    return log.mark()
