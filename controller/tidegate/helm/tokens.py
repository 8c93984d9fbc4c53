"""`reconcile.fluxcd.io/forceAt` and `resetAt`: a release or its counters are to be done over (6.4). Pure."""

from tidegate.toolkit import requests
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.meta import annotations


def is_forced(release: HelmRelease) -> bool:
    """Whether an upgrade is asked for that nothing else calls for."""
    return _is_new(release, annotations.RECONCILE_FORCE_AT, release.status.last_handled_force_at)


def is_reset(release: HelmRelease) -> bool:
    """Whether the failures so far are to be forgotten."""
    return _is_new(release, annotations.RECONCILE_RESET_AT, release.status.last_handled_reset_at)


def _is_new(release: HelmRelease, annotation: str, handled: str) -> bool:
    """Such a token counts beside an equal and new request for a reconcile only."""
    token = release.metadata.annotations.get(annotation, "")
    is_requested = token == requests.token(release.metadata) != release.status.last_handled_reconcile_at
    return bool(token) and is_requested and token != handled


def handle(release: HelmRelease) -> None:
    """Note in the status which tokens were acted upon."""
    notes = release.metadata.annotations
    status = release.status
    status.last_handled_force_at = notes.get(annotations.RECONCILE_FORCE_AT, status.last_handled_force_at)
    status.last_handled_reset_at = notes.get(annotations.RECONCILE_RESET_AT, status.last_handled_reset_at)
