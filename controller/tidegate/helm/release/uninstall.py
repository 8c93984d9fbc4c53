"""Takes a release out of the cluster: hooks, objects in Helm's order, wait, hooks, records."""

from dataclasses import dataclass, replace

from tidegate.helm.release import hooks, words
from tidegate.helm.release.departure import Departure, StillThere
from tidegate.helm.release.entry import Entry
from tidegate.helm.release.hooks import HookFailed
from tidegate.helm.release.model import ActionFailed, Journal, OnStored, RecordSummary, Stored
from tidegate.helm.release.record import Record, Status, go_now
from tidegate.helm.release.scope import DeleteFailed, Scope, removed
from tidegate_api.codec import JsonObject
from tidegate_api.helm.v2.actions import DeletionPropagation

_PROPAGATION: dict[str, str] = {
    DeletionPropagation.BACKGROUND: "Background",
    DeletionPropagation.FOREGROUND: "Foreground",
    DeletionPropagation.ORPHAN: "Orphan",
}


@dataclass(frozen=True)
class Uninstall:
    """One release on its way out; `journal` marks its record as ours."""

    scope: Scope
    journal: Journal
    on_stored: OnStored

    async def run(self) -> Record | None:
        """The uninstalled record; None when there is no release. Raises: ActionFailed, Superseded, Conflict."""
        history = await self.scope.storage.history()
        stored = await self.scope.storage.find_newest(history)
        if stored is None:
            return None
        if stored.record.status == Status.UNINSTALLED:
            if not self.scope.options.keep_history:
                await self._purge(history)
            return stored.record
        entry = await self._begin(stored)
        problems = await self._uninstall(entry, await self._objects(entry.record, history))
        await self._conclude(entry, history)
        self.scope.members.forget(self.scope.owner)
        if problems:
            text = f"uninstallation completed with {len(problems)} error(s): {'; '.join(problems)}"
            raise ActionFailed(text, entry.record, tuple(self.scope.logs))
        return entry.record

    async def _begin(self, stored: Stored) -> Entry:
        """What was begun before goes on where it was interrupted."""
        event = ""
        if stored.record.status == Status.UNINSTALLING and stored.journal is not None:
            event = stored.journal.event
        journal = replace(self.journal, event=event)
        entry = Entry(self.scope.storage, replace(stored, journal=journal), self.on_stored)
        entry.record.info.deleted = go_now()
        await entry.mark(Status.UNINSTALLING, words.UNINSTALLING)
        return entry

    async def _objects(self, record: Record, history: list[RecordSummary]) -> list[JsonObject]:
        """Those of the newest revision, and of the deployed one: a failed upgrade has deleted nothing."""
        objects = await self.scope.known(record.manifest)
        deployed = next((one.version for one in history[1:] if one.status == Status.DEPLOYED), None)
        found = await self.scope.storage.find(deployed) if deployed is not None else None
        return [*objects, *(await self.scope.known(found.record.manifest) if found is not None else [])]

    async def _uninstall(self, entry: Entry, objects: list[JsonObject]) -> list[str]:
        """Delete everything; what goes wrong once all objects are deleted does not bring them back, and is told."""
        scope, problems = self.scope, list[str]()
        departure = Departure(scope, removed(objects, []))
        try:
            if entry.event != words.POST_DELETE and await hooks.run(scope, entry, words.PRE_DELETE):
                await entry.write()
            scope.log(f"deleting {len(departure.stale)} resource(s)")
            await departure.delete(_PROPAGATION.get(scope.options.deletion_propagation, "Background"))
        except (HookFailed, DeleteFailed) as error:
            if isinstance(error, HookFailed):
                # It has ended: the next try runs it anew, and does not wait for what has failed.
                await entry.write()
            raise ActionFailed(str(error), entry.record, tuple(scope.logs)) from error
        try:
            if scope.options.wait:
                await departure.until_gone(scope.options.timeout)
        except StillThere as error:
            problems.append(str(error))
        try:
            await hooks.run(scope, entry, words.POST_DELETE)
        except HookFailed as error:
            problems.append(str(error))
        return problems

    async def _conclude(self, entry: Entry, history: list[RecordSummary]) -> None:
        if self.scope.options.keep_history:
            await entry.mark(Status.UNINSTALLED, words.UNINSTALLED)
            await self.scope.storage.supersede(history[1:], [], self.journal)
            return
        await self._purge(history)
        entry.record.info.status = Status.UNINSTALLED
        entry.record.info.description = words.UNINSTALLED
        await self.on_stored(entry.record)

    async def _purge(self, history: list[RecordSummary]) -> None:
        """The newest goes last: until then it tells how far we are."""
        for summary in reversed(history):
            await self.scope.storage.delete(summary)
