"""Which hooks run at an event, in which order, what becomes of their objects, and when one is done. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from tidegate.engine import causes, health, identity
from tidegate.engine.health import Health, HealthStatus
from tidegate.engine.ownership import Owner, is_owned
from tidegate.helm.release import manifests
from tidegate.helm.release.record import Hook, HookExecution, Phase
from tidegate_api.codec import JsonObject

_INERT = frozenset(
    {
        *(("", kind) for kind in ("ServiceAccount", "ConfigMap", "Secret")),
        *(("rbac.authorization.k8s.io", kind) for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")),
        ("networking.k8s.io", "NetworkPolicy"),
    }
)


class DeletePolicy(StrEnum):
    """When the objects of a hook are deleted."""

    BEFORE_CREATION = "before-hook-creation"
    SUCCEEDED = "hook-succeeded"
    FAILED = "hook-failed"


def select(hooks: Iterable[Hook], event: str) -> list[Hook]:
    """The hooks of an event: by weight, then by name; equal ones as the record has them, which is by kind."""
    return sorted((hook for hook in hooks if event in hook.events), key=lambda hook: (hook.weight, hook.name))


def begin(hook: Hook, now: str) -> None:
    """Note that a hook runs from now; where it says nothing of its end, Helm writes down what holds then."""
    hook.delete_policies = hook.delete_policies or [DeletePolicy.BEFORE_CREATION]
    hook.last_run = HookExecution(started_at=now, phase=Phase.RUNNING)


def end(hook: Hook, now: str, phase: Phase) -> None:
    """Note how the run of a hook ended."""
    hook.last_run.completed_at, hook.last_run.phase = now, phase


def forget_runs(hooks: Iterable[Hook]) -> None:
    """None of these hooks has run at the event that begins."""
    for hook in hooks:
        hook.last_run = HookExecution(phase="")


def has_run(hook: Hook) -> bool:
    """Whether the hook ended well, so that a resumed action need not run it again."""
    return hook.last_run.phase == Phase.SUCCEEDED


def is_deleted(hook: Hook, policy: DeletePolicy) -> bool:
    """Whether the objects of `hook` go at this occasion; a definition never does, with all that is of its kind."""
    if hook.kind == "CustomResourceDefinition":
        return False
    return policy in hook.delete_policies


def is_inert(objects: Iterable[JsonObject]) -> bool:
    """Whether these objects do nothing by being there, so that to make them once more costs nothing but a request."""
    ids = [identity.object_id(obj) for obj in objects]
    return all(oid.name and oid.group_kind in _INERT for oid in ids)


def may_delete(live: JsonObject, owner: Owner) -> bool:
    """Whether an object by the name of a hook is one: ours, or of whoever released this before us."""
    notes = (live.get("metadata") or {}).get("annotations") or {}
    return is_owned(live, owner) or manifests.HOOK in notes


def is_under_way(hook: Hook, live: Sequence[JsonObject], owner: Owner) -> bool:
    """Whether these are the objects that an interrupted action created for the run that its record speaks of."""
    if hook.last_run.phase != Phase.RUNNING or not live:
        return False
    started = _time(hook.last_run.started_at)
    return started is not None and all(is_owned(obj, owner) and not _is_older(obj, started) for obj in live)


def judge(obj: JsonObject) -> Health:
    """How a hook's object stands: a Job and a Pod must have ended well, anything else must only be there."""
    match obj.get("apiVersion"), obj.get("kind"):
        case "batch/v1", "Job":
            return _judge_job(obj)
        case "v1", "Pod":
            return _judge_pod(obj)
        case _:
            return Health(HealthStatus.CURRENT, "")


def _judge_job(job: JsonObject) -> Health:
    verdict = health.compute_status(job)
    if verdict.status != HealthStatus.FAILED:
        return verdict
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            said = [str(condition[name]) for name in ("reason", "message") if condition.get(name)]
            return Health(HealthStatus.FAILED, ": ".join(said) or verdict.message)
    return verdict


def _judge_pod(pod: JsonObject) -> Health:
    match (pod.get("status") or {}).get("phase"):
        case "Succeeded":
            return Health(HealthStatus.CURRENT, "Pod has completed successfully")
        case "Failed":
            return Health(HealthStatus.FAILED, causes.pod_problem(pod) or "Pod has completed, but not successfully")
        case phase:
            return Health(HealthStatus.IN_PROGRESS, f"Pod is {phase or 'not observed'}")


def _is_older(obj: JsonObject, started: datetime) -> bool:
    created = _time(str(obj["metadata"].get("creationTimestamp")))
    # The API server counts in whole seconds.
    return created is None or created < started.replace(microsecond=0)


def _time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
