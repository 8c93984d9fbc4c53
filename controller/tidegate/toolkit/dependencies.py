"""Whether what an object depends on is ready; decides, and asks nobody."""

from collections.abc import Callable
from typing import Any, TypeVar

from tidegate.toolkit import conditions
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.meta.status import ReconciledObject

T = TypeVar("T", bound=ReconciledObject)
Find = Callable[[ObjectKey], T | None]


def keys(obj: ReconciledObject) -> list[ObjectKey]:
    """What it depends on, by its spec.dependsOn."""
    spec: Any = obj.spec  # type: ignore[attr-defined]
    return [ObjectKey(one.namespace or obj.metadata.namespace, one.name) for one in spec.depends_on]


def find_obstacle(obj: T, find: Find[T], objection: Callable[[T, ObjectKey], str | None]) -> str | None:
    """Why it cannot go on yet, or None; `objection` is what else speaks against a dependency that is ready."""
    cycle = _find_cycle(obj, find)
    if cycle:
        return "dependency cycle: " + " -> ".join(str(key) for key in cycle)
    for key in keys(obj):
        dependency = find(key)
        if dependency is None:
            return f"dependency '{key}' not found"
        if not is_ready(dependency):
            return f"dependency '{key}' is not ready"
        problem = objection(dependency, key)
        if problem:
            return problem
    return None


def is_ready(obj: ReconciledObject) -> bool:
    """Whether it is Ready for its present spec."""
    if obj.metadata.generation != obj.status.observed_generation:
        return False
    return any(item.type == conditions.READY and item.status == conditions.TRUE for item in obj.status.conditions)


def _find_cycle(start: T, find: Find[T]) -> list[ObjectKey]:
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
