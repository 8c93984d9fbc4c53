"""What becomes of a release when its HelmRelease is deleted (flux-v2-behaviour.md 6.4, step 2)."""

import copy

from tidegate.helm import chart_template, history, options, reasons, reports
from tidegate.helm.parts import Parts
from tidegate.helm.release import storage
from tidegate.helm.release.model import ActionFailed, ReleaseKey
from tidegate.helm.release.record import InvalidRecord, Record
from tidegate.runtime.controller import Turn
from tidegate.runtime.errors import TidegateError
from tidegate.runtime.resources import SERVICE_ACCOUNTS
from tidegate.toolkit import conditions
from tidegate.toolkit.conditions import Conditions
from tidegate.toolkit.events import Severity
from tidegate.toolkit.finalizers import remove_finalizer
from tidegate_api.helm.v2.helm_release import HelmRelease, Snapshot
from tidegate_api.meta.objects import ObjectKey


class DeletionError(TidegateError):
    """The release could not be uninstalled: the finalizer stays, and it is tried again."""


async def finalize(parts: Parts, release: HelmRelease, turn: Turn) -> None:
    """Uninstall, take the HelmChart away, and let the HelmRelease go. Raises: DeletionError, ApiError, Unreachable."""
    if not release.spec.suspend:
        held = await find_held(parts, release)
        if held is not None:
            await _uninstall_unless_orphaned(parts, release, held, turn)
        await chart_template.remove(parts.client, release)
    await remove_finalizer(parts.tools.status, release)


async def find_held(parts: Parts, release: HelmRelease) -> Snapshot | None:
    """The revision that the HelmRelease holds: the newest of its history, else what an action of its own has begun.

    An action is in the history once it has ended: before, or when its process died, its record alone tells of it.
    Raises: ApiError, Unreachable.
    """
    status = release.status
    if not status.storage_namespace:
        return None
    if status.history:
        return status.history[0]
    if not status.last_attempted_release_action:
        return None
    client, uid = parts.acting_client(release), release.metadata.uid
    try:
        begun = await storage.find_begun(client, status.storage_namespace, uid, parts.releases.sightings)
    except InvalidRecord as error:
        raise DeletionError(f"the record of what was begun cannot be read: {error}") from error
    return history.snapshot(begun, status.last_attempted_release_action) if begun is not None else None


async def uninstall(parts: Parts, release: HelmRelease, held: Snapshot, turn: Turn) -> str:
    """Uninstall what the revision `held` stands for, and say so in an event. Says what came of it.

    Raises: DeletionError, whose event is out, too; ApiError, Unreachable.
    """
    key = ReleaseKey(held.name, held.namespace, release.status.storage_namespace)
    session = parts.session(release, key, turn, options.for_uninstall(release))
    what = f"release {history.full_name(held)}"
    chart = history.chart_of(held)
    try:
        record = await session.uninstall(_ignore)
    except ActionFailed as error:
        text = f"Helm uninstall failed for {what} with chart {chart}: {error}"
        _event(parts, release, held, Severity.ERROR, reasons.UNINSTALL_FAILED, text)
        raise DeletionError(text) from error
    if record is None:
        return f"{what.capitalize()} was not found, assuming it is uninstalled"
    text = f"Helm uninstall succeeded for {what} with chart {chart}"
    _event(parts, release, held, Severity.INFO, reasons.UNINSTALL_SUCCEEDED, text)
    return text


async def note_failure(parts: Parts, release: HelmRelease, text: str) -> None:
    """Say in the status why the release is still there; once, however often. Raises: ApiError, Unreachable."""
    marks = Conditions(release.status.conditions, release.metadata.generation)
    for kind in (reasons.RELEASED, conditions.READY):
        marks.mark_false(kind, reasons.UNINSTALL_FAILED, text)
    after = copy.copy(release.status)
    after.conditions = marks.items()
    await parts.tools.status.write(release, release.metadata.resource_version, release.status, after)


async def _uninstall_unless_orphaned(parts: Parts, release: HelmRelease, held: Snapshot, turn: Turn) -> None:
    missing = await _missing_account(parts, release)
    if missing is None:
        await uninstall(parts, release, held, turn)
        return
    # Nobody is left who may delete anything: say so, and do not hang for ever (F12).
    text = f"unable to uninstall: service account '{missing}' not found"
    _event(parts, release, held, Severity.ERROR, reasons.UNINSTALL_FAILED, text)


async def _ignore(_record: Record) -> None:
    """Nothing is to be noted of a release that goes with its status."""


def _event(parts: Parts, release: HelmRelease, held: Snapshot, severity: Severity, reason: str, text: str) -> None:
    about = reports.event_facts(held)
    metadata = {f"{HelmRelease.GROUP}/{name}": value for name, value in about.items() if value}
    parts.tools.recorder.event(release, severity, reason, text, metadata)


async def _missing_account(parts: Parts, release: HelmRelease) -> str | None:
    account = parts.account_of(release)
    if not account:
        return None
    key = ObjectKey(release.metadata.namespace, account)
    found = await parts.client.find(SERVICE_ACCOUNTS, key, metadata_only=True)
    return None if found is not None else str(key)
