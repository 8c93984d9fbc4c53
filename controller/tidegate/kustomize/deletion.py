"""What becomes of a Kustomization's objects when it is deleted (flux-v2-behaviour.md 5.8)."""

from datetime import timedelta

from tidegate.engine import inventory as inventories
from tidegate.engine.apply import Change
from tidegate.engine.identity import ChangeAction, change_line
from tidegate.engine.inventory import Inventory
from tidegate.engine.prune import prune
from tidegate.kustomize import checks, reasons
from tidegate.kustomize.parts import Parts, owner_of
from tidegate.runtime import clock, errors
from tidegate.runtime.controller import Turn
from tidegate.runtime.resources import SERVICE_ACCOUNTS
from tidegate.toolkit.events import Severity
from tidegate.toolkit.finalizers import remove_finalizer
from tidegate_api.kustomize.v1.kustomization import DeletionPolicy, Kustomization
from tidegate_api.meta.objects import ObjectKey


class DeletionError(errors.TidegateError):
    """Some objects could not be deleted: the finalizer stays, and it is tried again."""


async def finalize(parts: Parts, kustomization: Kustomization, turn: Turn) -> None:
    """Delete what the policy says, then let the Kustomization go. Raises: DeletionError, ApiError, Unreachable."""
    stored = kustomization.status.inventory
    inventory, _ = inventories.parse((entry.id, entry.v) for entry in stored.entries) if stored else ({}, [])
    if inventory and must_prune(kustomization):
        missing = await _missing_account(parts, kustomization)
        if missing is None:
            await _prune(parts, kustomization, inventory, turn)
        else:
            # Nobody is left who may delete them: say so, and do not hang for ever (F12).
            text = f"unable to prune objects: service account '{missing}' not found"
            parts.tools.recorder.event(kustomization, Severity.ERROR, reasons.PRUNE_FAILED, text)
    await remove_finalizer(parts.tools.status, kustomization)


def must_prune(kustomization: Kustomization) -> bool:
    """Whether the objects go with the Kustomization."""
    spec = kustomization.spec
    if spec.suspend:
        return False
    match spec.deletion_policy:
        case DeletionPolicy.DELETE | DeletionPolicy.WAIT_FOR_TERMINATION:
            return True
        case DeletionPolicy.ORPHAN:
            return False
        case _:
            return spec.prune


async def _prune(parts: Parts, kustomization: Kustomization, inventory: Inventory, turn: Turn) -> None:
    owner = owner_of(kustomization.key)
    pruned = await prune(parts.acting_client(kustomization), parts.members, owner, inventory)
    text = "\n".join([change_line(change.id, change.action) for change in pruned.changes if _is_deleted(change)])
    if text:
        parts.tools.recorder.event(kustomization, Severity.INFO, reasons.RECONCILIATION_SUCCEEDED, text)
    if pruned.problems:
        problems = "; ".join(pruned.problems)
        parts.tools.recorder.event(kustomization, Severity.ERROR, reasons.PRUNE_FAILED, problems)
        raise DeletionError(problems)
    if kustomization.spec.deletion_policy == DeletionPolicy.WAIT_FOR_TERMINATION:
        await _until_gone(parts, kustomization, [change for change in pruned.changes if _is_deleted(change)], turn)


async def _until_gone(parts: Parts, kustomization: Kustomization, deleted: list[Change], turn: Turn) -> None:
    """Wait for termination, by watch, up to the timeout, which is only told and never held against the deletion."""
    timeout = checks.timeout_of(kustomization)
    deadline = clock.monotonic() + timeout.total_seconds()
    with parts.members.listening(owner_of(kustomization.key)) as changed:
        async with turn.parked():
            while left := [change for change in deleted if parts.members.is_there(change.id)]:
                remaining = deadline - clock.monotonic()
                if remaining <= 0:
                    text = f"timeout waiting for termination of {', '.join(str(change.id) for change in left)}"
                    parts.tools.recorder.event(kustomization, Severity.ERROR, reasons.PRUNE_FAILED, text)
                    return
                changed.clear()
                await clock.happened(changed, timedelta(seconds=remaining))


async def _missing_account(parts: Parts, kustomization: Kustomization) -> str | None:
    """The service account to act as, when it does not exist any more."""
    account = parts.account_of(kustomization)
    if not account:
        return None
    key = ObjectKey(kustomization.metadata.namespace, account)
    return str(key) if await parts.client.find(SERVICE_ACCOUNTS, key, metadata_only=True) is None else None


def _is_deleted(change: Change) -> bool:
    return change.action == ChangeAction.DELETED
