"""Brings a revision that is on record into the cluster: hooks, objects, wait, hooks, and how it ended.

The same for an install, an upgrade and the rest of either after a crash: it knows no more than the record says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.engine import causes, identity
from tidegate.engine import inventory as inventories
from tidegate.engine.apply import ApplyError, ApplySet, Options
from tidegate.engine.health import jobs
from tidegate.engine.identity import ChangeAction, ObjectId
from tidegate.engine.waits import HealthError
from tidegate.helm.release import hooks, order
from tidegate.helm.release.entry import Entry
from tidegate.helm.release.hooks import HookFailed
from tidegate.helm.release.manifests import InvalidManifest
from tidegate.helm.release.model import ActionFailed, RecordSummary
from tidegate.helm.release.record import Record, Status
from tidegate.helm.release.scope import CONCURRENT, DeleteFailed, Scope, removed
from tidegate.helm.release.words import Words
from tidegate.runtime import errors
from tidegate.runtime.discovery import NoMatch
from tidegate.runtime.errors import TidegateError
from tidegate_api.codec import JsonObject


class _Failed(TidegateError):
    """The revision cannot be brought into the cluster; the message says why."""


@dataclass(frozen=True)
class Deployment:
    """One revision on its way; `previous` are those of the `older` ones of whose objects some may be there."""

    scope: Scope
    entry: Entry
    words: Words
    previous: Sequence[Record]
    older: Sequence[RecordSummary]

    async def run(self) -> Record:
        """The deployed record. Raises: ActionFailed with the failed one; Superseded, Unreachable: it is to be resumed.

        Conflict when somebody else has written the record meanwhile.
        """
        try:
            await self._deploy()
        except _Failed as error:
            await self._fail(str(error))
            raise ActionFailed(str(error), self.entry.record, tuple(self.scope.logs)) from error
        journal = self.entry.stored.journal
        for superseded in await self.scope.storage.supersede(self.older, self.previous, journal):
            await self.entry.on_stored(superseded)
        await self.entry.mark(Status.DEPLOYED, self.words.done or self.entry.record.info.description)
        return self.entry.record

    async def _deploy(self) -> None:
        if self.entry.event != self.words.after and await self._run_hooks(self.words.before):
            # Those that ended well must not run again, however the rest ends.
            await self.entry.write()
        try:
            new = await self.scope.wanted(self.entry.record.manifest)
            skipped = await self._apply(new)
            await self._wait([obj for obj in new if identity.object_id(obj) not in skipped])
        except HealthError as error:
            raise _Failed(f"{error}{await causes.explain(self.scope.client, error.unhealthy)}") from error
        except (ApplyError, DeleteFailed, InvalidManifest, NoMatch, errors.ApiError) as error:
            raise _Failed(str(error)) from error
        await self._run_hooks(self.words.after)

    async def _run_hooks(self, event: str) -> bool:
        try:
            return await hooks.run(self.scope, self.entry, event)
        except HookFailed as error:
            raise _Failed(self.words.hook_failed(event, str(error))) from error

    async def _apply(self, new: list[JsonObject]) -> set[ObjectId]:
        """Apply all, delete what is not wanted any more; the objects that were left to somebody else."""
        scope = self.scope
        old = await self._old_objects()
        scope.log(f"applying {len(new)} resource(s)")
        options = Options(CONCURRENT, scope.options.force, ranks=order.install_ranks)
        apply_set = ApplySet(scope.client, scope.members, scope.owner, options, scope.turn, _is_on_record)
        changes = await apply_set.apply(new, inventories.of_objects(old))
        stale = removed(old, new)
        if stale:
            scope.log(f"deleting {len(stale)} resource(s)")
            await scope.delete(stale)
        return {change.id for change in changes if change.action == ChangeAction.SKIPPED}

    async def _old_objects(self) -> list[JsonObject]:
        return [obj for record in self.previous for obj in await self.scope.known(record.manifest)]

    async def _wait(self, objects: Sequence[JsonObject]) -> None:
        options = self.scope.options
        if not options.wait:
            return
        waited = [obj for obj in objects if _is_waited_for(obj, jobs_too=options.wait_for_jobs)]
        self.scope.log(f"waiting for {len(waited)} resource(s) to be ready")
        find = self.scope.client.discovery.find
        targets = [(await find(obj["apiVersion"], obj["kind"]), identity.object_id(obj)) for obj in waited]
        vanishing = {identity.object_id(obj) for obj in waited if jobs.may_be_gone(obj)}
        await self.scope.watcher.until_members(targets, options.timeout, vanishing)

    async def _fail(self, cause: str) -> None:
        await self.entry.mark(Status.FAILED, self.words.failed(self.entry.record.name, cause))
        if self.words.name == "upgrade" and self.scope.options.cleanup_on_fail:
            new = await self.scope.known(self.entry.record.manifest)
            try:
                await self.scope.delete(removed(new, await self._old_objects()))
            except DeleteFailed as error:
                self.scope.log(f"unable to cleanup resources: {error}")


async def _is_on_record() -> None:
    """What is about to exist is on record before the action begins."""


def _is_waited_for(obj: JsonObject, *, jobs_too: bool) -> bool:
    group_kind = identity.object_id(obj).group_kind
    if group_kind == ("apps", "Deployment") and (obj.get("spec") or {}).get("paused") is True:
        return False
    return jobs_too or group_kind != ("batch", "Job")
