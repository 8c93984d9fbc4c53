"""Names the cause behind an object that is not healthy: what its pods say, and the last warning about them.

Asked once, after a wait has failed: a person should read the reason on the object and not have to look for it.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from tidegate.engine.health import Health
from tidegate.engine.identity import ObjectId
from tidegate.runtime import clock, errors
from tidegate.runtime.client import Client
from tidegate.runtime.discovery import NoMatch
from tidegate.runtime.resources import EVENTS, PODS
from tidegate.toolkit import texts
from tidegate_api.codec import JsonObject

WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"})
OBJECTS_LIMIT = 3
CAUSE_LIMIT = 300
LOOK_LIMIT = timedelta(seconds=5)


async def explain(client: Client, unhealthy: Sequence[tuple[ObjectId, Health]]) -> str:
    """What pods and events say about the first few of `unhealthy`, as "; Pod/ns/name: cause"; "" when nothing does."""
    found: list[str] = []
    try:
        async with clock.limit(LOOK_LIMIT):
            for oid, _ in unhealthy[:OBJECTS_LIMIT]:
                cause = await _find_cause(client, oid)
                if cause:
                    found.append(cause)
    except (errors.ApiError, errors.Unreachable, NoMatch, TimeoutError):
        # The failure itself is told in any case; its cause is a courtesy.
        pass
    return "".join(f"; {cause}" for cause in found)


async def _find_cause(client: Client, oid: ObjectId) -> str | None:
    async for pod in _pods(client, oid):
        problem = pod_problem(pod)
        if problem is None:
            continue
        name = pod["metadata"]["name"]
        warning = await _last_warning(client, oid.namespace, name)
        text = f"{problem}: {warning}" if warning and warning not in problem else problem
        return f"Pod/{oid.namespace}/{name}: {texts.clean(text, CAUSE_LIMIT)}"
    return None


async def _pods(client: Client, oid: ObjectId) -> AsyncIterator[JsonObject]:
    if oid.group_kind == ("", "Pod"):
        pod = await client.find(PODS, oid.key)
        if pod is not None:
            yield pod
        return
    if oid.kind not in WORKLOADS:
        return
    resource = await client.discovery.preferred(oid.group, oid.kind)
    workload = await client.find(resource, oid.key) if resource is not None else None
    labels = (((workload or {}).get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    if labels:
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        async for pod in client.list(PODS, oid.namespace, label_selector=selector):
            yield pod


def pod_problem(pod: JsonObject) -> str | None:
    """Why a pod does not run or is not ready, in its own words; None when nothing is wrong with it."""
    status = pod.get("status") or {}
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for container in containers:
        problem = _container_problem(container)
        if problem:
            return f"container {container.get('name')}: {problem}"
    for condition in status.get("conditions") or ():
        if condition.get("status") == "False" and condition.get("message"):
            return f"{condition.get('reason') or condition.get('type')}: {condition['message']}"
    return None


def _container_problem(container: JsonObject) -> str | None:
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
        return _said(waiting["reason"], waiting.get("message"))
    ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    if ended.get("exitCode"):
        return _said(ended.get("reason") or "Error", ended.get("message") or f"exit code {ended['exitCode']}")
    return None


def _said(reason: str, message: str | None) -> str:
    return f"{reason}: {message}" if message else reason


async def _last_warning(client: Client, namespace: str, name: str) -> str | None:
    selector = f"involvedObject.name={name},type=Warning"
    newest: JsonObject | None = None
    async for event in client.list(EVENTS, namespace, field_selector=selector):
        if newest is None or str(event.get("lastTimestamp")) >= str(newest.get("lastTimestamp")):
            newest = event
    return str(newest.get("message") or "") if newest is not None else None
