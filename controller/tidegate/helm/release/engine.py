"""The face of the release engine: one session per release and turn."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from tidegate.engine import inventory as inventories
from tidegate.engine.inventory import Inventory
from tidegate.engine.members import Members
from tidegate.engine.ownership import Owner
from tidegate.helm.release import crds, words
from tidegate.helm.release import record as records
from tidegate.helm.release.deploy import Deployment
from tidegate.helm.release.entry import Entry
from tidegate.helm.release.model import (
    ActionFailed,
    Desired,
    Journal,
    OnStored,
    Options,
    RecordSummary,
    ReleaseKey,
    Stored,
)
from tidegate.helm.release.preparing import Preparation
from tidegate.helm.release.record import Record, Status
from tidegate.helm.release.rendering import Renderer, Revision
from tidegate.helm.release.scope import Scope
from tidegate.helm.release.sightings import Sightings
from tidegate.helm.release.storage import Storage
from tidegate.helm.release.uninstall import Uninstall
from tidegate.helm.release.words import INSTALL, ROLLBACK, UPGRADE
from tidegate.runtime import errors, threads
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn
from tidegate.runtime.errors import TidegateError
from tidegate_api.helm.v2.actions import CRDsPolicy


@dataclass(frozen=True)
class Releases:
    """What all sessions of a process share; `holder` names the process in journals."""

    members: Members
    sightings: Sightings
    renderer: Renderer
    holder: str

    def session(self, key: ReleaseKey, owner: Owner, client: Client, turn: Turn, options: Options) -> "Session":
        """Work on one release; `client` acts under the owner's identity, storage included."""
        storage = Storage(client, key.storage_namespace, key.name, self.sightings)
        scope = Scope(key, owner, client, self.members, storage, turn, options)
        return Session(scope, self.renderer, self.holder)


class Session:
    """Actions on one release, one after the other.

    Every method raises ApiError and Unreachable, too. An action that raises anything but ActionFailed has left its
    pending record where it was, to be resumed; Superseded means that the turn was touched while it waited.
    """

    def __init__(self, scope: Scope, renderer: Renderer, holder: str) -> None:
        self._scope = scope
        self._storage = scope.storage
        self._renderer = renderer
        self._holder = holder
        self._history: list[RecordSummary] | None = None

    def under(self, options: Options) -> "Session":
        """A session on the same release under other options."""
        scope = replace(self._scope, options=options, logs=[])
        return Session(scope, self._renderer, self._holder)

    async def newest(self) -> Stored | None:
        """The newest revision that can be read."""
        return await self._storage.find_newest(await self.history())

    async def find(self, version: int) -> Stored | None:
        """One revision, if it is there and can be read."""
        return await self._storage.find(version)

    async def history(self) -> list[RecordSummary]:
        """All revisions, newest first, as they were when the session last wrote; nothing is decoded."""
        if self._history is None:
            self._history = await self._storage.history()
        return self._history

    async def inventory(self, record: Record) -> Inventory:
        """What belongs to a release: the objects of its manifest, and the definitions of its chart."""
        objects = await self._scope.known(record.manifest)
        if self._scope.options.crds != CRDsPolicy.SKIP:
            objects = [*objects, *await threads.run(crds.on_record, record)]
        return inventories.of_objects(objects)

    async def install(self, desired: Desired, on_stored: OnStored) -> Record:
        """Render and install. Raises: ActionFailed, Superseded."""
        history = await self.history()
        newest = history[0] if history else None
        if newest is not None and not self._is_replaceable(newest):
            raise ActionFailed(words.NAME_IN_USE)
        revision = Revision(newest.version + 1 if newest else 1, "", INSTALL)
        return await self._deploy(desired, revision, [], on_stored)

    async def upgrade(self, desired: Desired, current: Record, on_stored: OnStored) -> Record:
        """Render and upgrade; `current` is the newest record. Raises: ActionFailed, Superseded."""
        if current.status.is_pending:
            raise ActionFailed(words.IN_PROGRESS)
        history = await self.history()
        newest = history[0].version if history else current.version
        revision = Revision(newest + 1, current.info.first_deployed, UPGRADE)
        return await self._deploy(desired, revision, await self._previous(current, history), on_stored)

    async def rollback(self, version: int, current: Record, inputs: str, on_stored: OnStored) -> Record:
        """Bring the revision `version` back as a new one; `current` is the newest. Raises: ActionFailed, Superseded."""
        history = await self.history()
        found = await self._storage.find(version)
        if found is None:
            raise ActionFailed(f"release has no {version} version")
        record = _brought_back(found.record, max([current.version, *(one.version for one in history)]) + 1)
        previous = await self._previous(current, history)
        self._history = None
        await self._make_room(history)
        stored = await self._storage.create(record, self._journal(inputs))
        await on_stored(record)
        entry = Entry(self._storage, stored, on_stored)
        return await Deployment(self._scope, entry, ROLLBACK, previous, history).run()

    async def resume(self, stored: Stored, on_stored: OnStored) -> Record:
        """Finish the revision of our own pending record as it was begun. Raises: ActionFailed, Superseded."""
        action = words.of_pending(stored.record.status)
        if action is None:
            raise ActionFailed(f"release in status '{stored.record.info.status}' cannot be resumed", stored.record)
        older = [one for one in await self.history() if one.version < stored.record.version]
        found = await self._storage.find_newest(older) if action is not INSTALL else None
        previous = await self._previous(found.record, older) if found is not None else []
        self._history = None
        entry = Entry(self._storage, stored, on_stored)
        return await Deployment(self._scope, entry, action, previous, older).run()

    async def uninstall(self, on_stored: OnStored) -> Record | None:
        """Delete the release; None when there is none. Raises: ActionFailed, Superseded."""
        self._history = None
        return await Uninstall(self._scope, self._journal(""), on_stored).run()

    async def unlock(self, stored: Stored) -> Record:
        """Mark a pending record that nobody will finish as failed. Raises: Conflict when somebody just did."""
        status = stored.record.status
        if status.is_pending:
            self._history = None
            stored.record.info.status = Status.FAILED
            stored.record.info.description = words.unlocked(status)
            await self._storage.update(replace(stored, journal=self._journal("")))
        return stored.record

    async def trim(self, max_history: int) -> None:
        """Delete the oldest revisions beyond `max_history` (0: none), but never the deployed one."""
        if max_history > 0:
            await self._storage.trim(await self.history(), max_history)
            self._history = None

    def _is_replaceable(self, newest: RecordSummary) -> bool:
        return self._scope.options.replace and newest.status in (Status.UNINSTALLED, Status.FAILED)

    async def _previous(self, current: Record, history: Sequence[RecordSummary]) -> list[Record]:
        """`current` and the deployed revision: objects of both may be there, and none may be forgotten."""
        deployed = next((one.version for one in history if one.status == Status.DEPLOYED), current.version)
        if deployed == current.version:
            return [current]
        found = await self._storage.find(deployed)
        return [current, found.record] if found is not None else [current]

    async def _deploy(
        self, desired: Desired, revision: Revision, previous: Sequence[Record], on_stored: OnStored
    ) -> Record:
        older = await self.history()
        self._history = None
        try:
            record = await Preparation(self._scope, self._renderer, desired, revision).prepare(previous)
            await self._make_room(older)
            stored = await self._storage.create(record, self._journal(desired.inputs))
        except (errors.Unreachable, errors.ServerError):
            raise
        except TidegateError as error:
            raise ActionFailed(str(error), logs=tuple(self._scope.logs)) from error
        await on_stored(record)
        entry = Entry(self._storage, stored, on_stored)
        return await Deployment(self._scope, entry, revision.words, previous, older).run()

    async def _make_room(self, history: Sequence[RecordSummary]) -> None:
        most = self._scope.options.max_history
        if most > 0:
            await self._storage.trim(history, most - 1)

    def _journal(self, inputs: str) -> Journal:
        options = self._scope.options
        return Journal(options.uid, options.generation, inputs, self._holder)


def _brought_back(record: Record, version: int) -> Record:
    """The revision that takes `record` up again, as Helm's rollback has it."""
    info = msgspec.structs.replace(
        record.info,
        last_deployed=records.go_now(),
        status=Status.PENDING_ROLLBACK,
        description=ROLLBACK.begun.format(version=record.version),
        rollback_revision=record.version,
    )
    return msgspec.structs.replace(record, version=version, info=info)
