"""Brings a set of objects into a cluster by server-side apply, touching only what has to be touched.

What each object needs is decided in plan.py from what members.py knows. When the set has an inventory already, all that
changed is rehearsed by dry-run first, so that one rejection stops everything before any write.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tidegate.engine import fingerprint, identity, messages, normalize, ownership, plan, policy, stages, waits
from tidegate.engine.identity import ChangeAction, ObjectId
from tidegate.engine.inventory import Inventory
from tidegate.engine.members import Members
from tidegate.engine.ownership import Owner
from tidegate.engine.plan import Facts, Step
from tidegate.engine.policy import ApplyAction
from tidegate.engine.recreate import recreate
from tidegate.engine.stages import Rank
from tidegate.runtime import clock, errors
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn
from tidegate.runtime.discovery import NoMatch
from tidegate.runtime.resources import Resource
from tidegate_api.codec import JsonObject

Ranks = Callable[[Iterable[JsonObject], Collection[tuple[str, str]]], list[Rank]]
Describe = Callable[[ObjectId, errors.TidegateError, Sequence[str]], str]

# Proven on 1.37: with this resourceVersion an apply creates or conflicts, whoever owns what is there (DESIGN §7).
CREATE_ONLY = "1"
STAGE_WAIT = timedelta(seconds=60)
CLEANUP_TRIES = 5
DISCOVERY_TRIES = 10
DISCOVERY_PAUSE = timedelta(seconds=0.3)


class ApplyError(errors.TidegateError):
    """Objects that the API server would not take, or that could not be sent; the message lists each with its cause."""


@dataclass(frozen=True)
class Change:
    """What became of one object; `note` is for the user where the action alone does not tell."""

    id: ObjectId
    action: ChangeAction
    note: str = ""


@dataclass(frozen=True)
class Options:
    """How a set is applied; `ranks` says in which order."""

    concurrency: int = 4
    force: bool = False
    custom_stage_kinds: Collection[tuple[str, str]] = ()
    inputs_changed: bool = True
    ranks: Ranks = stages.build_ranks


@dataclass
class _Item:
    """One wanted object on its way."""

    id: ObjectId
    obj: JsonObject
    desired: str
    resource: Resource | None = None
    step: Step = Step.CREATE
    change: Change | None = None


@dataclass
class ApplySet:
    """One pass over one owner's wanted objects. `client` acts under the owner's identity.

    `before_write` is awaited once, before the first write of the pass, and not at all when nothing needs one.
    """

    client: Client
    members: Members
    owner: Owner
    options: Options
    turn: Turn
    before_write: Callable[[], Awaitable[None]]
    _announced: asyncio.Lock = field(default_factory=asyncio.Lock)
    _has_announced: bool = False
    _limit: asyncio.Semaphore = field(init=False)
    _marks: policy.Marks = field(init=False)

    def __post_init__(self) -> None:
        self._limit = asyncio.Semaphore(self.options.concurrency)
        self._marks = policy.marks_for(self.owner.group)

    async def apply(self, objects: Sequence[JsonObject], inventory: Inventory) -> list[Change]:
        """Apply `objects`, of which those in `inventory` are known to be ours; the changes in Flux's order.

        Raises: ApplyError; HealthError when a stage others stand on does not become ready; Unreachable; Superseded.
        """
        items = {item.id: item for item in map(self._item, objects)}
        await self._resolve(items.values())
        await self.members.follow([item.resource for item in items.values() if item.resource])
        for item in items.values():
            self._decide(item, inventory)
        if inventory:
            now = [item for item in items.values() if not self._comes_later(item, items)]
            await self._each(self._rehearse, now, messages.dry_run_failed)
        for rank in self.options.ranks((item.obj for item in items.values()), self.options.custom_stage_kinds):
            chosen = [items[identity.object_id(obj)] for obj in rank.objects]
            await self._apply_rank(chosen, rank.wait_for)
        order = stages.report_order(items, self.options.custom_stage_kinds)
        return [change for oid in order if (change := items[oid].change) is not None]

    def _item(self, obj: JsonObject) -> _Item:
        wanted = ownership.without_marks(normalize.normalize(obj))
        return _Item(identity.object_id(wanted), wanted, fingerprint.desired_digest(wanted))

    async def _resolve(self, items: Collection[_Item]) -> None:
        """Find each object's resource. A kind that the set itself defines may come later; any other must be there."""
        defined = {kind for item in items if (kind := _defined_kind(item.obj)) is not None}
        problems: list[str] = []
        for item in items:
            try:
                item.resource = await self.client.discovery.find(item.obj["apiVersion"], item.id.kind)
            except NoMatch as error:
                if item.id.group_kind not in defined:
                    problems.append(f"{item.id} dry-run failed: {error}")
                continue
            if item.resource.namespaced and not item.id.namespace:
                problems.append(f"{item.id} namespace not specified: the server could not find the requested resource")
        if problems:
            raise ApplyError("\n".join(problems))

    async def _resolve_new(self, items: Collection[_Item]) -> None:
        """Resolve kinds that the set itself has just defined: discovery follows a definition in a moment."""
        for _ in range(DISCOVERY_TRIES):
            try:
                await self._resolve(items)
            except ApplyError:
                await clock.pause(DISCOVERY_PAUSE)
                self.client.discovery.invalidate()
            else:
                return
        await self._resolve(items)

    def _decide(self, item: _Item, inventory: Inventory) -> None:
        if item.resource is None:
            return
        watched = self.members.is_watched(item.resource)
        seen = self.members.find(item.resource, item.id)
        item.step = plan.next_step(
            Facts(
                owner=self.owner,
                action=policy.apply_action(item.obj, None, self._marks),
                desired=item.desired,
                in_inventory=item.id in inventory,
                baseline=self.members.baseline(self.owner, item.id),
                seen=seen,
                watched=watched,
                drifted=item.id in self.members.drifted(self.owner),
                inputs_changed=self.options.inputs_changed,
            )
        )

    def _comes_later(self, item: _Item, items: Mapping[ObjectId, _Item]) -> bool:
        """Whether the object needs something that this very set brings: no dry-run succeeds before."""
        if item.resource is None:
            return True
        needed = [items[oid] for oid in _prerequisites(item) if oid in items]
        # What we did about them before says nothing: they may have been deleted since.
        return any(self.members.find(_resource(other), other.id) is None for other in needed)

    async def _apply_rank(self, items: Sequence[_Item], wait_for: Sequence[ObjectId]) -> None:
        if any(item.resource is None for item in items):
            await self._resolve_new(items)
            await self.members.follow([item.resource for item in items if item.resource])
        await self._each(self._apply_one, items)
        fresh = [item for item in items if item.id in wait_for and item.change and _is_new(item.change)]
        if fresh:
            targets = [(item.resource, item.id) for item in fresh if item.resource]
            await waits.until_current(self.members, self.owner, self.turn, targets, STAGE_WAIT)
            self.client.discovery.invalidate()

    async def _each(
        self,
        act: Callable[[_Item], Awaitable[None]],
        items: Sequence[_Item],
        describe: Describe = messages.apply_failed,
    ) -> None:
        """Do all at once, within the limit; every failure is collected before the first is raised."""
        problems: dict[ObjectId, str] = {}
        away: list[errors.Unreachable] = []

        async def one(item: _Item) -> None:
            async with self._limit:
                try:
                    await act(item)
                except errors.Unreachable as error:
                    away.append(error)
                except errors.ApiError as error:
                    problems[item.id] = describe(item.id, error, messages.secret_values(item.obj))

        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(one(item))
        if problems:
            raise ApplyError("\n".join(problems[oid] for oid in stages.report_order(problems)))
        if away:
            raise away[0]

    async def _rehearse(self, item: _Item) -> None:
        """Ask the server what it would say, and refine the step by what it does."""
        if item.resource is None:
            return
        match item.step:
            case Step.CREATE:
                try:
                    await self._send(item, create_only=True, dry_run=True)
                except errors.Conflict:
                    item.step = await self._meet(item)
                    if item.step == Step.REPAIR:
                        await self._rehearse_update(item)
            case Step.VERIFY:
                await self._verify(item)
            case Step.UPDATE:
                await self._rehearse_update(item)
            case _:
                return

    async def _rehearse_update(self, item: _Item) -> JsonObject | None:
        """What an apply would leave; None where the object would have to be replaced, and may be."""
        try:
            return await self._send(item, dry_run=True)
        except errors.ApiError as error:
            self._require_replaceable(item, error)
            return None

    def _require_replaceable(self, item: _Item, error: errors.ApiError) -> None:
        """Raise `error` again unless it means that a field is immutable and the object may be replaced for it."""
        forced = policy.may_recreate(item.obj, {}, self._marks, force=self.options.force)
        if not (forced and policy.is_immutable(error)):
            raise error

    async def _verify(self, item: _Item) -> None:
        """Is the object as an apply would leave it? A dry-run tells; equal means that nothing is to be written."""
        resource = _resource(item)
        would_be = await self._rehearse_update(item)
        if would_be is None:
            item.step = Step.UPDATE
            return
        live = await self.client.find(resource, item.id.key)
        if live is None:
            item.step = Step.CREATE
            return
        if self._action(item, live) == ApplyAction.SKIP:
            item.step = Step.LEAVE
            return
        manager = self.members.migration.manager
        same = fingerprint.owned_digest(would_be, manager) == fingerprint.owned_digest(live, manager)
        if same and not self._needs_cleanup(item, live):
            self.members.settle(self.owner, resource, item.id, item.desired, live)
            item.step = Step.KEEP
        else:
            item.step = Step.REPAIR

    async def _apply_one(self, item: _Item) -> None:
        resource = _resource(item)
        match item.step:
            case Step.KEEP:
                item.change = Change(item.id, ChangeAction.UNCHANGED)
            case Step.LEAVE:
                self.members.forget(self.owner, [item.id])
                item.change = Change(item.id, ChangeAction.SKIPPED)
            case Step.YIELD:
                seen = self.members.find(resource, item.id)
                note = f"now managed by {seen.owner}" if seen else ""
                self.members.forget(self.owner, [item.id])
                item.change = Change(item.id, ChangeAction.SKIPPED, note)
            case Step.CREATE:
                await self._create(item)
            case Step.VERIFY | Step.REPAIR:
                await self._repair(item)
            case Step.UPDATE:
                await self._update(item)

    async def _create(self, item: _Item) -> None:
        try:
            stored = await self._write(item, create_only=True)
        except errors.Conflict:
            item.step = await self._meet(item)
            await self._apply_one(item)
            return
        self._settle(item, stored, ChangeAction.CREATED)

    async def _meet(self, item: _Item) -> Step:
        """First contact with an object that is there already: what it says about itself, and whose it was."""
        live = await self.client.get(_resource(item), item.id.key)
        if self._action(item, live) == ApplyAction.SKIP:
            return Step.LEAVE
        others = ownership.other_owners(live, self.owner)
        if others:
            item.change = Change(item.id, ChangeAction.CONFIGURED, f"taken over from {others[0]}")
        return Step.REPAIR

    async def _repair(self, item: _Item) -> None:
        live = await self.client.find(_resource(item), item.id.key)
        if live is None:
            await self._create(item)
            return
        if self._action(item, live) == ApplyAction.SKIP:
            item.step = Step.LEAVE
            await self._apply_one(item)
            return
        await self._update(item, live)

    async def _update(self, item: _Item, live: JsonObject | None = None) -> None:
        resource = _resource(item)
        cleaned = False
        if self._needs_cleanup(item, live):
            live = live or await self.client.get(resource, item.id.key)
            cleaned = await self._clean(item, live)
        before = self._version(item, live) if not cleaned else None
        try:
            stored = await self._write(item)
        except errors.ApiError as error:
            self._require_replaceable(item, error)
            await self._announce()
            stored = await recreate(self.client, resource, item.obj, self.members.migration.manager)
        unchanged = before is not None and int(stored["metadata"]["resourceVersion"]) == before
        self._settle(item, stored, ChangeAction.UNCHANGED if unchanged else ChangeAction.CONFIGURED)

    def _version(self, item: _Item, live: JsonObject | None) -> int | None:
        """The object's version before a write, as far as it is known."""
        if live is not None:
            return int(live["metadata"]["resourceVersion"])
        seen = self.members.find(_resource(item), item.id)
        return seen.version if seen is not None else None

    def _needs_cleanup(self, item: _Item, live: JsonObject | None) -> bool:
        if live is not None:
            return policy.may_clean_up(item.obj, live, self._marks) and ownership.needs_cleanup(
                live, self.members.migration
            )
        seen = self.members.find(_resource(item), item.id)
        return seen is not None and seen.unclean

    async def _clean(self, item: _Item, live: JsonObject) -> bool:
        """Take over what kubectl and older managers hold, so that fields removed from Git go from the object too."""
        if not policy.may_clean_up(item.obj, live, self._marks):
            return False
        resource, manager = _resource(item), self.members.migration.manager
        for _ in range(CLEANUP_TRIES):
            operations = ownership.cleanup_patch(live, self.members.migration)
            if not operations:
                return False
            await self._announce()
            try:
                with self.members.writing(self.owner, item.id):
                    await self.client.json_patch(resource, item.id.key, operations, manager)
            except (errors.Conflict, errors.Invalid):
                # The patch holds only for the version it was made for, and a rollout writes status all the time.
                live = await self.client.get(resource, item.id.key)
            else:
                return True
        raise errors.Conflict(409, {"message": "it kept changing while its field managers were cleaned up"})

    async def _write(self, item: _Item, *, create_only: bool = False) -> JsonObject:
        await self._announce()
        with self.members.writing(self.owner, item.id):
            return await self._send(item, create_only=create_only)

    async def _send(self, item: _Item, *, create_only: bool = False, dry_run: bool = False) -> JsonObject:
        body = item.obj
        if create_only:
            body = {**body, "metadata": {**body["metadata"], "resourceVersion": CREATE_ONLY}}
        return await self.client.apply(_resource(item), body, self.members.migration.manager, dry_run=dry_run)

    async def _announce(self) -> None:
        """STRICTLY BEFORE the first write: what is about to exist must be on record (F18)."""
        async with self._announced:
            if not self._has_announced:
                await self.before_write()
                self._has_announced = True

    def _settle(self, item: _Item, stored: JsonObject, action: ChangeAction) -> None:
        self.members.settle(self.owner, _resource(item), item.id, item.desired, stored)
        item.change = Change(item.id, action, item.change.note if item.change else "")

    def _action(self, item: _Item, live: JsonObject) -> ApplyAction:
        return policy.apply_action(item.obj, live, self._marks)


def _resource(item: _Item) -> Resource:
    if item.resource is None:
        raise errors.Unreachable(f"{item.id}: its kind is not served yet")
    return item.resource


def _defined_kind(obj: JsonObject) -> tuple[str, str] | None:
    """Group and kind that a CustomResourceDefinition brings."""
    if not normalize.is_crd(obj):
        return None
    spec = obj.get("spec") or {}
    return str(spec.get("group") or ""), str((spec.get("names") or {}).get("kind") or "")


def _prerequisites(item: _Item) -> list[ObjectId]:
    """What has to be there before the API server takes the object: its namespace, its kind, and the role it binds."""
    definition = f"{_resource(item).plural}.{item.id.group}"
    found = [ObjectId("", item.id.namespace, "", "Namespace"), ObjectId("", definition, *stages.CRD)]
    role = item.obj.get("roleRef")
    if item.id.group == stages.RBAC and isinstance(role, dict):
        kind = str(role.get("kind"))
        namespace = item.id.namespace if kind == "Role" else ""
        found.append(ObjectId(namespace, str(role.get("name")), item.id.group, kind))
    return found


def _is_new(change: Change) -> bool:
    return change.action in (ChangeAction.CREATED, ChangeAction.CONFIGURED)
