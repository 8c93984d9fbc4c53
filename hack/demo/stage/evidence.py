"""What the cluster and the controllers say, for a user who has to find out why the demo did not go as told."""

import json

from hack.controlplane.api import Api, JsonObject
from hack.demo.stage.charts import NAMESPACE
from hack.demo.stage.view import View
from hack.testbed.controller import Controllers

EVENTS = [f"/api/v1/namespaces/{name}/events" for name in ("flux-system", NAMESPACE)]
KINDS = ("GitRepository", "Kustomization", "HelmRepository", "HelmChart", "HelmRelease")
KEPT_EVENTS = 12
KEPT_LINES = 15


async def collect(view: View, api: Api, controllers: Controllers) -> str:
    """Conditions, the last events, the ends of the logs."""
    lines = ["conditions:"]
    for kind in KINDS:
        lines += [line for found in view.all(kind) for line in _conditions(found)]
    events = [event for path in EVENTS for event in (await api.get(path))["items"]]
    events.sort(key=lambda event: event["metadata"]["creationTimestamp"])
    lines += ["", "events:", *map(_event, events[-KEPT_EVENTS:])]
    for name, controller in controllers.programs.items():
        lines += ["", f"the end of {controller.log} (tidegate {name}):"]
        lines += [_log_line(line) for line in controller.said(KEPT_LINES).splitlines()]
    return "\n".join(lines)


def _conditions(found: JsonObject) -> list[str]:
    name = f"  {found['kind']}/{found['metadata']['name']}"
    conditions = (found.get("status") or {}).get("conditions") or []
    said = [f"{name} {entry['type']}={entry['status']} {entry['reason']}: {entry['message']}" for entry in conditions]
    return said or [f"{name} has no conditions"]


def _event(event: JsonObject) -> str:
    involved, said = event["involvedObject"], "; ".join(event["message"].splitlines())
    return f"  {event['type']} {involved['kind']}/{involved['name']} {event['reason']}: {said}"


def _log_line(line: str) -> str:
    """Time, level, message, object and facts of a structured line; any other as it is."""
    try:
        facts = json.loads(line)
    except json.JSONDecodeError:
        return f"  {line}"
    said = [facts.get(name, "") for name in ("level", "msg", "controllerKind", "name", "reason", "error", "cause")]
    return f"  {facts.get('ts', '')[11:23]} " + " ".join(str(word) for word in said if word)
