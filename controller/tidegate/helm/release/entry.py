"""The record of the action that is under way: written before what it says begins to be true."""

from dataclasses import dataclass, replace

from tidegate.helm.release.model import OnStored, Stored
from tidegate.helm.release.record import Record, Status
from tidegate.helm.release.storage import Storage

MAX_DESCRIPTION = 4_096


@dataclass
class Entry:
    """One revision in storage and in hand. Writes raise Conflict when somebody else has written it meanwhile."""

    storage: Storage
    stored: Stored
    on_stored: OnStored

    @property
    def record(self) -> Record:
        """The revision; changes are stored by the next write."""
        return self.stored.record

    @property
    def event(self) -> str:
        """The last hook event that was begun."""
        return self.stored.journal.event if self.stored.journal is not None else ""

    def begin(self, event: str) -> None:
        """Note that this hook event has begun; stored by the next write."""
        if self.stored.journal is not None:
            self.stored = replace(self.stored, journal=replace(self.stored.journal, event=event))

    async def write(self) -> None:
        """Store what is in hand."""
        self.stored = await self.storage.update(self.stored)

    async def mark(self, status: Status, description: str) -> None:
        """Store how the release stands now, and tell it."""
        self.record.info.status = status
        self.record.info.description = description[:MAX_DESCRIPTION]
        await self.write()
        await self.on_stored(self.record)
