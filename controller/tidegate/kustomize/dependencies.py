"""Whether what a Kustomization depends on is ready; decides, and asks nobody."""

from collections.abc import Callable, Iterable

from tidegate.kustomize import sources
from tidegate.toolkit import conditions
from tidegate_api.kustomize.v1.kustomization import Kustomization
from tidegate_api.meta.conditions import Condition
from tidegate_api.meta.objects import ObjectKey

Find = Callable[[ObjectKey], Kustomization | None]


def keys(kustomization: Kustomization) -> list[ObjectKey]:
    """What it depends on."""
    namespace = kustomization.metadata.namespace
    return [ObjectKey(one.namespace or namespace, one.name) for one in kustomization.spec.depends_on]


def find_obstacle(kustomization: Kustomization, revision: str, find: Find) -> str | None:
    """Why it cannot go on yet, or None; `revision` is that of its source's artifact now."""
    cycle = _find_cycle(kustomization, find)
    if cycle:
        return "dependency cycle: " + " -> ".join(str(key) for key in cycle)
    for key in keys(kustomization):
        obstacle = _obstacle(kustomization, key, revision, find)
        if obstacle:
            return obstacle
    return None


def _obstacle(kustomization: Kustomization, key: ObjectKey, revision: str, find: Find) -> str | None:
    dependency = find(key)
    if dependency is None:
        return f"dependency '{key}' not found"
    if not is_ready(dependency):
        return f"dependency '{key}' is not ready"
    same_source = sources.source_id(dependency) == sources.source_id(kustomization)
    if same_source and dependency.status.last_applied_revision != revision:
        return f"dependency '{key}' revision is not up to date"
    return None


def is_ready(kustomization: Kustomization) -> bool:
    """Whether it is Ready for its present spec."""
    if kustomization.metadata.generation != kustomization.status.observed_generation:
        return False
    ready = _find(kustomization.status.conditions, conditions.READY)
    return ready is not None and ready.status == conditions.TRUE


def _find(items: Iterable[Condition], kind: str) -> Condition | None:
    return next((item for item in items if item.type == kind), None)


def _find_cycle(start: Kustomization, find: Find) -> list[ObjectKey]:
    """The way from `start` back to itself; [] when there is none."""
    came_from: dict[ObjectKey, ObjectKey] = {}
    pending = [(start.key, key) for key in keys(start)]
    while pending:
        origin, key = pending.pop()
        if key == start.key:
            return _path(origin, start.key, came_from)
        if key not in came_from:
            came_from[key] = origin
            found = find(key)
            pending += [(key, following) for following in keys(found)] if found is not None else []
    return []


def _path(last: ObjectKey, start: ObjectKey, came_from: dict[ObjectKey, ObjectKey]) -> list[ObjectKey]:
    path = [start]
    while last != start:
        path.append(last)
        last = came_from[last]
    return [start, *reversed(path)]
