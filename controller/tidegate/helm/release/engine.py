"""The face of the release engine: one session per release and turn."""

from dataclasses import dataclass
from typing import Any

from tidegate.engine.members import Members
from tidegate.engine.ownership import Owner
from tidegate.helm.release.model import Desired, OnStored, Options, RecordSummary, ReleaseKey, Stored
from tidegate.helm.release.record import Record
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn


@dataclass(frozen=True)
class Releases:
    """What all sessions of a process share; `holder` names the process in journals."""

    members: Members
    renderer: Any
    holder: str

    def session(self, key: ReleaseKey, owner: Owner, client: Client, turn: Turn, options: Options) -> "Session":
        """Work on one release; `client` acts under the owner's identity, storage included."""
        return Session(self, key, owner, client, turn, options)


class Session:
    """Actions on one release, one after the other. Every method raises ApiError and Unreachable as well."""

    def __init__(
        self, parts: Releases, key: ReleaseKey, owner: Owner, client: Client, turn: Turn, options: Options
    ) -> None: ...

    async def newest(self) -> Stored | None:
        """The newest revision. Raises: InvalidRecord."""
        raise NotImplementedError

    async def history(self) -> list[RecordSummary]:
        """All revisions, newest first; nothing is decoded."""
        raise NotImplementedError

    async def install(self, desired: Desired, on_stored: OnStored) -> Record:
        """Render and install. Raises: ActionFailed, Superseded (the pending record stays, to be resumed)."""
        raise NotImplementedError

    async def upgrade(self, desired: Desired, current: Record, on_stored: OnStored) -> Record:
        """Render and upgrade; `current` is the newest record. Raises: ActionFailed, Superseded."""
        raise NotImplementedError

    async def resume(self, stored: Stored, on_stored: OnStored) -> Record:
        """Finish the revision of our own pending record as it was begun. Raises: ActionFailed, Superseded."""
        raise NotImplementedError

    async def uninstall(self, on_stored: OnStored) -> Record | None:
        """Delete the release; None when there is none. Raises: ActionFailed, Superseded."""
        raise NotImplementedError

    async def unlock(self, stored: Stored) -> Record:
        """Mark a pending record that nobody will finish as failed. Raises: Conflict when somebody just did."""
        raise NotImplementedError

    async def trim(self, max_history: int) -> None:
        """Delete the oldest revisions beyond `max_history` (0: none), but never the deployed one."""
        raise NotImplementedError
