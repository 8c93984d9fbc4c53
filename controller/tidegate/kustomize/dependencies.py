"""Whether what a Kustomization depends on is ready; decides, and asks nobody."""

from tidegate.kustomize import sources
from tidegate.toolkit import dependencies
from tidegate.toolkit.dependencies import Find, is_ready, keys
from tidegate_api.kustomize.v1.kustomization import Kustomization
from tidegate_api.meta.objects import ObjectKey

__all__ = ["find_obstacle", "is_ready", "keys"]


def find_obstacle(kustomization: Kustomization, revision: str, find: Find[Kustomization]) -> str | None:
    """Why it cannot go on yet, or None; `revision` is that of its source's artifact now."""

    def objection(dependency: Kustomization, key: ObjectKey) -> str | None:
        same_source = sources.source_id(dependency) == sources.source_id(kustomization)
        if same_source and dependency.status.last_applied_revision != revision:
            return f"dependency '{key}' revision is not up to date"
        return None

    return dependencies.find_obstacle(kustomization, find, objection)
