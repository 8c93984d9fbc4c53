"""What holds for every kind: deletion, observed generation, and the conditions Reconciling, Stalled and Ready."""

from tidegate.engine.health import status
from tidegate.engine.health.status import Condition, Health, HealthStatus
from tidegate_api.codec import JsonObject

CONDITIONS = frozenset({"Reconciling", "Stalled"})
READY = frozenset({"Ready"})


def find_verdict(obj: JsonObject) -> Health | None:
    """The verdict that needs no rule of the kind, or None. Raises: Unreadable."""
    if status.require_text(obj, ("metadata", "deletionTimestamp")):
        return Health(HealthStatus.TERMINATING, "Resource scheduled for deletion")
    generation = status.require_integer(obj, ("metadata", "generation"))
    if generation is not None:
        observed = status.require_integer(obj, ("status", "observedGeneration"))
        if observed is not None and observed != generation:
            message = f"{obj.get('kind')} generation is {generation}, but latest observed generation is {observed}"
            return status.in_progress("LatestGenerationNotObserved", message)
    return next((verdict for verdict in map(_abnormal, status.conditions(obj)) if verdict), None)


def by_ready(obj: JsonObject) -> Health:
    """The verdict on a kind without a rule: its Ready condition, if it shows one."""
    for condition in status.conditions(obj):
        if condition.type == "Ready":
            if condition.status == "True":
                return status.current("Resource is Ready")
            if condition.status in {"False", "Unknown"}:
                return status.in_progress(condition.reason, condition.message)
    return status.current("Resource is current")


def _abnormal(condition: Condition) -> Health | None:
    if condition.status != "True":
        return None
    if condition.type == "Reconciling":
        return status.in_progress(condition.reason, condition.message)
    if condition.type == "Stalled":
        return status.failed(condition.reason, condition.message)
    return None
