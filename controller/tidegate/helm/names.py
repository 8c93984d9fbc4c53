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


def has_moved(release: HelmRelease, held: Snapshot, chart_name: str) -> bool:
    """Whether the spec now means another release than the one whose revision is `held`.

    `chart_name` is that of the chart to release: another chart is another release, unless it may be changed in place.
    """
    before = ReleaseKey(held.name, held.namespace, release.status.storage_namespace)
    return before != release_key(release) or _is_other_chart(release, held, chart_name)


def _is_other_chart(release: HelmRelease, newest: Snapshot, chart_name: str) -> bool:
    upgrade = release.spec.upgrade
    may_change = upgrade is not None and upgrade.chart_name_change_strategy == "InPlaceUpdate"
    return bool(chart_name) and newest.chart_name != chart_name and not may_change
