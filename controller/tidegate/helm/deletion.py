"""What becomes of a release when its HelmRelease is deleted (flux-v2-behaviour.md 6.4, step 2)."""

from tidegate.helm import chart_template, options, reasons
from tidegate.helm.parts import Parts, owner_of
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
            await _uninstall(parts, release, turn)
        await chart_template.remove(parts.client, release)
    await remove_finalizer(parts.tools.status, release)


async def ignore(_record: Record) -> None:
    """Nothing is to be noted of a release that goes with its status."""


async def _uninstall(parts: Parts, release: HelmRelease, turn: Turn) -> None:
    newest = release.status.history[0]
    missing = await _missing_account(parts, release)
    if missing is not None:
        # Nobody is left who may delete them: say so, and do not hang for ever (F12).
        text = f"unable to uninstall: service account '{missing}' not found"
        parts.tools.recorder.event(release, Severity.ERROR, reasons.UNINSTALL_FAILED, text)
        return
    key = ReleaseKey(newest.name, newest.namespace, release.status.storage_namespace)
    acting = parts.acting_client(release)
    session = parts.releases.session(key, owner_of(release.key), acting, turn, options.for_uninstall(release))
    what = f"release {newest.namespace}/{newest.name}.v{newest.version}"
    chart = f"{newest.chart_name}@{newest.chart_version}"
    try:
        record = await session.uninstall(ignore)
    except ActionFailed as error:
        text = f"Helm uninstall failed for {what} with chart {chart}: {error}"
        parts.tools.recorder.event(release, Severity.ERROR, reasons.UNINSTALL_FAILED, text)
        raise DeletionError(text) from error
    text = (
        f"Helm uninstall succeeded for {what} with chart {chart}"
        if record is not None
        else f"{what[0].upper()}{what[1:]} was not found, assuming it is uninstalled"
    )
    parts.tools.recorder.event(release, Severity.INFO, reasons.UNINSTALL_SUCCEEDED, text)


async def _missing_account(parts: Parts, release: HelmRelease) -> str | None:
    account = parts.account_of(release)
    if not account:
        return None
    key = ObjectKey(release.metadata.namespace, account)
    found = await parts.client.find(SERVICE_ACCOUNTS, key, metadata_only=True)
    return None if found is not None else str(key)
