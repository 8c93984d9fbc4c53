"""What a release is called and where it lives (flux-v2-behaviour.md 6.1); decides, and asks nobody."""

import hashlib

from tidegate.helm.release.model import ReleaseKey
from tidegate_api.helm.v2.helm_release import HelmRelease, Snapshot
from tidegate_api.meta.objects import ObjectKey

LONGEST = 53
_KEPT, _HASHED = 40, 12


def shorten(name: str) -> str:
    """A release's name as Helm allows it: of a longer one the beginning, and a hash that tells it from others (H17)."""
    if len(name) <= LONGEST:
        return name
    return f"{name[:_KEPT]}-{hashlib.sha256(name.encode()).hexdigest()[:_HASHED]}"


def release_key(release: HelmRelease) -> ReleaseKey:
    """The Helm release that a HelmRelease stands for."""
    spec, own = release.spec, release.metadata.namespace
    default = f"{spec.target_namespace}-{release.metadata.name}" if spec.target_namespace else release.metadata.name
    return ReleaseKey(
        name=shorten(spec.release_name or default),
        namespace=spec.target_namespace or own,
        storage_namespace=spec.storage_namespace or own,
    )


def chart_key(release: HelmRelease) -> ObjectKey | None:
    """The HelmChart that is made for a release; None when it refers to an object of its own."""
    template = release.spec.chart
    if template is None:
        return None
    namespace = template.spec.source_ref.namespace or release.metadata.namespace
    return ObjectKey(namespace, f"{release.metadata.namespace}-{release.metadata.name}")


def moved_from(release: HelmRelease, chart_name: str) -> ReleaseKey | None:
    """Where the release was before, when the spec now means another one; None when it is where it should be.

    `chart_name` is that of the chart to release: another chart is another release, unless it may be changed in place.
    """
    status, wanted = release.status, release_key(release)
    if not status.history or not status.storage_namespace:
        return None
    newest = status.history[0]
    held = ReleaseKey(newest.name, newest.namespace, status.storage_namespace)
    return held if held != wanted or _is_other_chart(release, newest, chart_name) else None


def _is_other_chart(release: HelmRelease, newest: Snapshot, chart_name: str) -> bool:
    upgrade = release.spec.upgrade
    may_change = upgrade is not None and upgrade.chart_name_change_strategy == "InPlaceUpdate"
    return bool(chart_name) and newest.chart_name != chart_name and not may_change
