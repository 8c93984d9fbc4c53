"""What becomes of a release when its HelmRelease is deleted (flux-v2-behaviour.md 6.4, step 2)."""

from tidegate.helm import chart_template, history, options, reasons, reports
from tidegate.helm.parts import Parts
from tidegate.helm.release.model import ActionFailed, ReleaseKey
from tidegate.helm.release.record import Record
from tidegate.runtime.controller import Turn
from tidegate.runtime.errors import TidegateError
from tidegate.runtime.resources import SERVICE_ACCOUNTS
from tidegate.toolkit.events import Severity
from tidegate.toolkit.finalizers import remove_finalizer
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.meta.objects import ObjectKey


class DeletionError(TidegateError):
    """The release could not be uninstalled: the finalizer stays, and it is tried again."""


async def finalize(parts: Parts, release: HelmRelease, turn: Turn) -> None:
    """Uninstall, take the HelmChart away, and let the HelmRelease go. Raises: DeletionError, ApiError, Unreachable."""
    if not release.spec.suspend:
        if release.status.storage_namespace and release.status.history:
            await _uninstall_unless_orphaned(parts, release, turn)
        await chart_template.remove(parts.client, release)
    await remove_finalizer(parts.tools.status, release)


async def uninstall(parts: Parts, release: HelmRelease, turn: Turn) -> str:
    """Uninstall what the newest revision in status.history stands for, and say so in an event. Says what came of it.

    Raises: DeletionError, whose event is out, too; ApiError, Unreachable.
    """
    newest = release.status.history[0]
    key = ReleaseKey(newest.name, newest.namespace, release.status.storage_namespace)
    session = parts.session(release, key, turn, options.for_uninstall(release))
    what = f"release {history.full_name(newest)}"
    chart = history.chart_of(newest)
    try:
        record = await session.uninstall(_ignore)
    except ActionFailed as error:
        text = f"Helm uninstall failed for {what} with chart {chart}: {error}"
        _event(parts, release, Severity.ERROR, reasons.UNINSTALL_FAILED, text)
        raise DeletionError(text) from error
    if record is None:
        return f"{what.capitalize()} was not found, assuming it is uninstalled"
    text = f"Helm uninstall succeeded for {what} with chart {chart}"
    _event(parts, release, Severity.INFO, reasons.UNINSTALL_SUCCEEDED, text)
    return text


async def _uninstall_unless_orphaned(parts: Parts, release: HelmRelease, turn: Turn) -> None:
    missing = await _missing_account(parts, release)
    if missing is None:
        await uninstall(parts, release, turn)
        return
    # Nobody is left who may delete anything: say so, and do not hang for ever (F12).
    text = f"unable to uninstall: service account '{missing}' not found"
    _event(parts, release, Severity.ERROR, reasons.UNINSTALL_FAILED, text)


async def _ignore(_record: Record) -> None:
    """Nothing is to be noted of a release that goes with its status."""


def _event(parts: Parts, release: HelmRelease, severity: Severity, reason: str, text: str) -> None:
    about = reports.event_facts(release.status.history[0])
    metadata = {f"{HelmRelease.GROUP}/{name}": value for name, value in about.items() if value}
    parts.tools.recorder.event(release, severity, reason, text, metadata)


async def _missing_account(parts: Parts, release: HelmRelease) -> str | None:
    account = parts.account_of(release)
    if not account:
        return None
    key = ObjectKey(release.metadata.namespace, account)
    found = await parts.client.find(SERVICE_ACCOUNTS, key, metadata_only=True)
    return None if found is not None else str(key)
