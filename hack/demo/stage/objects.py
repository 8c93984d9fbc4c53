"""Questions about one object, as a watch brings it. Pure; each takes None for an object that is not there."""

from hack.controlplane.api import JsonObject

Found = JsonObject | None


def condition(found: Found, kind: str = "Ready") -> JsonObject:
    """The condition of that type, `{}` where there is none."""
    conditions = ((found or {}).get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry["type"] == kind), {})


def is_ready(found: Found, revision: str = "") -> bool:
    """Ready for its present spec; with `revision`, with that one applied (a source: stored)."""
    if found is None:
        return False
    status = found.get("status") or {}
    has_revision = revision in {"", status.get("lastAppliedRevision"), (status.get("artifact") or {}).get("revision")}
    is_observed = status.get("observedGeneration") == found["metadata"]["generation"]
    return has_revision and is_observed and condition(found).get("status") == "True"


def has_failed(found: Found, revision: str, reason: str) -> bool:
    """Not Ready for this reason, with that revision attempted."""
    status = (found or {}).get("status") or {}
    ready = condition(found)
    is_so = ready.get("status") == "False" and ready.get("reason") == reason
    return is_so and status.get("lastAttemptedRevision") == revision


def is_released(found: Found, version: str) -> bool:
    """A HelmRelease that is Ready for its present spec, with its chart in that version."""
    newest: JsonObject = next(iter(((found or {}).get("status") or {}).get("history") or []), {})
    return is_ready(found) and newest.get("chartVersion") == version


def has_handled(found: Found, token: str) -> bool:
    """Whether that request to reconcile has been answered."""
    return ((found or {}).get("status") or {}).get("lastHandledReconcileAt") == token


def inventory(found: Found) -> set[str]:
    """What a Kustomization has on record, as `namespace_name_group_kind`."""
    status = (found or {}).get("status") or {}
    return {entry["id"] for entry in (status.get("inventory") or {}).get("entries") or []}


def generation(found: Found) -> int:
    """How often its spec has changed; 0 where there is none."""
    return int(found["metadata"]["generation"]) if found else 0


def image(found: Found) -> str:
    """What a Deployment's first container runs."""
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"]) if found else ""


def is_available(found: Found, image_wanted: str) -> bool:
    """All replicas of this image and no others, and all of them up."""
    if found is None or image(found) != image_wanted:
        return False
    status = found.get("status") or {}
    replicas = found["spec"]["replicas"]
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")}
    return status.get("observedGeneration") == found["metadata"]["generation"] and counts == {replicas}


def fingerprint(found: JsonObject) -> JsonObject:
    """What an apply decides about an object, and who decided it; not what each object has of its own."""
    metadata = found["metadata"]
    owned = [
        {name: entry[name] for name in ("manager", "operation", "fieldsV1")}
        for entry in metadata.get("managedFields", ())
        if not entry.get("subresource") and entry["manager"] == "kustomize-controller"
    ]
    drawn = {"clusterIP", "clusterIPs"}
    spec = {name: value for name, value in found.get("spec", {}).items() if name not in drawn}
    return {"labels": metadata.get("labels"), "data": found.get("data"), "spec": spec, "owned": owned}
