"""Service, PersistentVolumeClaim, CustomResourceDefinition, and the kinds that are well by being there."""

from datetime import datetime

from tidegate.engine.health import status
from tidegate.engine.health.status import Health, Rule
from tidegate_api.codec import JsonObject


def service(obj: JsonObject, _now: datetime | None) -> Health:
    """Current, unless a load balancer's service has no cluster address yet."""
    is_balanced = status.text(obj, ("spec", "type"), "ClusterIP") == "LoadBalancer"
    if is_balanced and not status.text(obj, ("spec", "clusterIP"), ""):
        return status.in_progress("NoIPAssigned", "ClusterIP not set. Service type: LoadBalancer")
    return status.current("Service is ready")


def volume_claim(obj: JsonObject, _now: datetime | None) -> Health:
    """Current when bound."""
    phase = status.text(obj, ("status", "phase"), "unknown")
    if phase != "Bound":
        return status.in_progress("NotBound", f"PVC is not Bound. phase: {phase}")
    return status.current("PVC is Bound")


def definition(obj: JsonObject, _now: datetime | None) -> Health:
    """Current when established; Failed when its names are taken or it cannot be established."""
    for condition in status.conditions(obj):
        if condition.type == "NamesAccepted" and condition.status == "False":
            return status.failed(condition.reason, condition.message)
        if condition.type == "Established":
            if condition.status == "True":
                return status.current("CRD is established")
            if condition.status == "False" and condition.reason != "Installing":
                return status.failed(condition.reason, condition.message)
    return status.in_progress("Installing", "Install in progress")


def always_ready(_obj: JsonObject, _now: datetime | None) -> Health:
    """Current by being there."""
    return status.current("Resource is always ready")


def disruption_budget(_obj: JsonObject, _now: datetime | None) -> Health:
    """Current once its controller has seen it, which the generation has told already."""
    return status.current("AllowedDisruptions has been computed.")


_ALWAYS_READY = Rule(always_ready)

RULES = {
    ("", "Service"): Rule(service, (("spec", "type"), ("spec", "clusterIP"))),
    ("", "PersistentVolumeClaim"): Rule(volume_claim, (("status", "phase"),)),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Rule(
        definition, (), frozenset({"NamesAccepted", "Established"})
    ),
    ("policy", "PodDisruptionBudget"): Rule(disruption_budget),
    ("batch", "CronJob"): _ALWAYS_READY,
    ("", "ConfigMap"): _ALWAYS_READY,
    ("", "Secret"): _ALWAYS_READY,
}
