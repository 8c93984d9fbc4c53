"""Runs the hooks of an event, one after the other, and keeps in the record how far they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.engine import causes, identity, messages, recreate
from tidegate.engine.health import HealthStatus, jobs
from tidegate.engine.identity import ObjectId
from tidegate.engine.waits import HealthError, Target
from tidegate.helm.release import hook_plan, manifests
from tidegate.helm.release.entry import Entry
from tidegate.helm.release.hook_plan import DeletePolicy
from tidegate.helm.release.record import Hook, Phase, go_now
from tidegate.helm.release.scope import Scope
from tidegate.runtime import errors, threads
from tidegate.runtime.client import Preconditions
from tidegate.runtime.discovery import NoMatch
from tidegate.runtime.errors import TidegateError
from tidegate.runtime.resources import Resource
from tidegate_api.codec import JsonObject, format_duration
from tidegate_api.meta.objects import ObjectKey


class HookFailed(TidegateError):
    """A hook could not be run, or did not end well; the message names it and what its pod says."""


async def run(scope: Scope, entry: Entry, event: str) -> bool:
    """Run the hooks of `event` that have not run yet, and say whether there were any.

    Each that does something is on record as running before it is created, so that it runs once, and twice at most when
    we are interrupted.
    Raises: HookFailed, Superseded, Conflict when the record was written by somebody else.
    """
    chosen = hook_plan.select(entry.record.hooks, event)
    if scope.options.hooks_disabled or not chosen:
        return False
    if entry.event != event:
        entry.begin(event)
        hook_plan.forget_runs(chosen)
    done: list[Hook] = []
    runner = _Runner(scope, entry, event)
    for hook in chosen:
        if not hook_plan.has_run(hook):
            try:
                await runner.run(hook)
            except HookFailed:
                await runner.clean_up_after_failure(hook, done)
                raise
        done.append(hook)
    for hook in reversed(done):
        await runner.clean_up(hook, DeletePolicy.SUCCEEDED)
    return True


@dataclass(frozen=True)
class _Runner:
    scope: Scope
    entry: Entry
    event: str

    async def run(self, hook: Hook) -> None:
        """Create a hook's objects and wait for them. Raises: HookFailed, Superseded, Conflict."""
        self.scope.log(f"running {self.event} hook {hook.path}")
        objects = await self._objects(hook)
        if not await self._is_under_way(hook, objects):
            hook_plan.begin(hook, go_now())
            await self.clean_up(hook, DeletePolicy.BEFORE_CREATION)
            if not hook_plan.is_inert(objects):
                await self.entry.write()
            objects = [await self._create(hook, obj) for obj in objects]
        try:
            await self._wait(objects)
        except HealthError as error:
            hook_plan.end(hook, go_now(), Phase.FAILED)
            raise HookFailed(await self._explain(error)) from error
        hook_plan.end(hook, go_now(), Phase.SUCCEEDED)

    async def clean_up(self, hook: Hook, policy: DeletePolicy) -> None:
        """Delete the hook's objects if it says so, and wait until they are gone. Raises: HookFailed."""
        if not hook_plan.is_deleted(hook, policy):
            return
        for obj in await self._objects(hook):
            if identity.object_id(obj).name:
                await self._delete(obj)

    async def clean_up_after_failure(self, failed: Hook, done: Sequence[Hook]) -> None:
        """Delete what the policies say; what stays because of another failure must not hide the first."""
        occasions = [(failed, DeletePolicy.FAILED), *((hook, DeletePolicy.SUCCEEDED) for hook in done)]
        for hook, policy in occasions:
            try:
                await self.clean_up(hook, policy)
            except HookFailed as error:
                self.scope.log(f"error deleting the hook resource on hook failure: {error}")

    async def _objects(self, hook: Hook) -> list[JsonObject]:
        options = self.scope.options
        try:
            placed = await self.scope.placed(await threads.run(manifests.read_hook, hook.manifest))
        except manifests.InvalidManifest as error:
            raise HookFailed(f"unable to build kubernetes object for {self.event} hook {hook.path}: {error}") from error
        return [manifests.mark_hook(obj, self.scope.owner, options.labels, options.annotations) for obj in placed]

    async def _is_under_way(self, hook: Hook, objects: Sequence[JsonObject]) -> bool:
        if hook.last_run.phase != Phase.RUNNING:
            return False
        live = [await self.scope.client.find(*await self._place(obj)) for obj in objects]
        there = [obj for obj in live if obj is not None]
        return len(there) == len(objects) and hook_plan.is_under_way(hook, there, self.scope.owner)

    async def _create(self, hook: Hook, obj: JsonObject) -> JsonObject:
        oid = identity.object_id(obj)
        try:
            resource = await self._resource(obj)
            if not oid.name:
                return await self.scope.client.create(resource, obj)
            return await self.scope.client.apply(resource, obj, self.scope.members.migration.manager)
        except errors.ApiError as error:
            hook_plan.end(hook, go_now(), Phase.FAILED)
            said = messages.apply_failed(oid, error, messages.secret_values(obj))
            raise HookFailed(f"warning: Hook {self.event} {hook.path} failed: {said}") from error

    async def _wait(self, objects: Sequence[JsonObject]) -> None:
        waited = [obj for obj in objects if (obj["apiVersion"], obj["kind"]) in (("batch/v1", "Job"), ("v1", "Pod"))]
        targets: list[Target] = [(await self._resource(obj), identity.object_id(obj)) for obj in waited]
        vanishing = {identity.object_id(obj) for obj in waited if jobs.may_be_gone(obj)}
        if targets:
            limit = self.scope.options.timeout
            await self.scope.watcher.until([], targets, limit, hook_plan.judge, vanishing)

    async def _delete(self, obj: JsonObject) -> None:
        resource, key = await self._place(obj)
        client, scope = self.scope.client, self.scope
        try:
            live = await client.find(resource, key, metadata_only=True)
            if live is None:
                return
            if not hook_plan.may_delete(live, scope.owner):
                raise HookFailed(f"{identity.object_id(obj)} exists and is no hook of this release")
            uid = live["metadata"]["uid"]
            await client.delete(resource, key, Preconditions(uid))
            async with scope.turn.parked():
                await recreate.until_gone(client, resource, key, uid, scope.options.timeout)
        except errors.NotFound:
            return
        except errors.ApiError as error:
            raise HookFailed(messages.delete_failed(identity.object_id(obj), error)) from error

    async def _place(self, obj: JsonObject) -> tuple[Resource, ObjectKey]:
        return await self._resource(obj), identity.object_id(obj).key

    async def _resource(self, obj: JsonObject) -> Resource:
        try:
            return await self.scope.client.discovery.find(str(obj.get("apiVersion")), str(obj.get("kind")))
        except NoMatch as error:
            raise HookFailed(f"unable to build kubernetes object for {self.event} hook: {error}") from error

    async def _explain(self, error: HealthError) -> str:
        oid, found = error.unhealthy[0]
        cause = await causes.explain(self.scope.client, error.unhealthy)
        if found.status == HealthStatus.FAILED:
            return f"hook {oid} failed: {found.message}{cause}"
        return f"{_timed_out(oid, self.scope)}: {found.message}{cause}"


def _timed_out(oid: ObjectId, scope: Scope) -> str:
    return f"hook {oid} did not end within {format_duration(scope.options.timeout)}"
