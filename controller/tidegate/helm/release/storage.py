"""The revisions of one release in its namespace's Secrets. Reads by metadata, and decodes one record at a time."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tidegate.helm.release import secrets
from tidegate.helm.release.model import Journal, RecordSummary, Stored
from tidegate.helm.release.record import InvalidRecord, Record, Status
from tidegate.helm.release.sightings import Sightings
from tidegate.runtime import clock, errors, logs, threads
from tidegate.runtime.client import Client, Preconditions
from tidegate.runtime.resources import SECRETS
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

log = logs.get_logger(__name__)

MANAGER = "helm-controller"


@dataclass(frozen=True)
class Storage:
    """The records of release `name`; `client` acts under the release's identity."""

    client: Client
    namespace: str
    name: str
    sightings: Sightings

    async def history(self) -> list[RecordSummary]:
        """All revisions, newest first; nothing is decoded."""
        summaries = self.sightings.find_history(self.namespace, self.name)
        if summaries is None:
            selector = secrets.selector(self.name)
            found = self.client.list(SECRETS, self.namespace, label_selector=selector, metadata_only=True)
            summaries = [summary async for secret in found if (summary := secrets.summarize(secret)) is not None]
        return sorted(summaries, key=operator.attrgetter("version"), reverse=True)

    async def find(self, version: int) -> Stored | None:
        """One revision; None as well when what is stored is no record: Helm overlooks those, too."""
        secret = await self.client.find(SECRETS, self._key(version))
        if secret is None:
            return None
        try:
            return _stored(secret, await threads.run(secrets.read, secret))
        except InvalidRecord as error:
            log.warning("release record ignored", secret=secret["metadata"]["name"], cause=str(error))
            return None

    async def find_newest(self, history: Sequence[RecordSummary]) -> Stored | None:
        """The newest revision in `history` that there is."""
        for summary in history:
            if (stored := await self.find(summary.version)) is not None:
                return stored
        return None

    async def create(self, record: Record, journal: Journal) -> Stored:
        """Store a new revision. Raises: AlreadyExists, RecordTooLarge."""
        secret = await threads.run(secrets.build, record, journal, self.namespace, _now())
        return self._wrote(await self.client.create(SECRETS, secret, metadata_only=True), record)

    async def update(self, stored: Stored) -> Stored:
        """Write a revision over the version that was read. Raises: Conflict when it is another by now."""
        patch = await threads.run(secrets.change, stored.record, stored.journal, stored.resource_version, _now())
        key = self._key(stored.record.version)
        # The answer need not repeat a megabyte.
        written = await self.client.merge_patch(SECRETS, key, patch, MANAGER, metadata_only=True)
        return self._wrote(written, stored.record)

    async def delete(self, summary: RecordSummary) -> None:
        """Delete a revision, should it still be there."""
        # First, as the watch may be quicker than the answer.
        self.sightings.deleted(self.namespace, self.name, summary.uid)
        try:
            await self.client.delete(SECRETS, self._key(summary.version), Preconditions(summary.uid))
        except errors.NotFound:
            return
        except BaseException:
            self.sightings.not_deleted(self.namespace, self.name, summary.uid)
            raise

    async def trim(self, history: Sequence[RecordSummary], most: int) -> None:
        """Delete the oldest of `history` until `most` are left, but never the newest that is deployed."""
        deployed = next((one.version for one in history if one.status == Status.DEPLOYED), None)
        excess = len(history) - most
        for summary in [one for one in reversed(history) if one.version != deployed][: max(0, excess)]:
            await self.delete(summary)

    async def supersede(
        self, history: Sequence[RecordSummary], known: Sequence[Record], journal: Journal | None
    ) -> list[Record]:
        """Mark the deployed revisions in `history` as superseded, and say which; those in `known` are not read again.

        Raises: Conflict when one is another by now.
        """
        records, superseded = {record.version: record for record in known}, list[Record]()
        for summary in history:
            if summary.status != Status.DEPLOYED:
                continue
            record = records.get(summary.version)
            stored = Stored(record, None, summary.resource_version) if record else await self.find(summary.version)
            if stored is not None:
                stored.record.info.status = Status.SUPERSEDED
                await self.update(replace(stored, journal=journal))
                superseded.append(stored.record)
        return superseded

    def _wrote(self, secret: JsonObject, record: Record) -> Stored:
        stored = _stored(secret, record)
        self.sightings.wrote(self.namespace, self.name, stored.resource_version)
        return stored

    def _key(self, version: int) -> ObjectKey:
        return ObjectKey(self.namespace, secrets.secret_name(self.name, version))


async def find_begun(client: Client, namespace: str, uid: str, sightings: Sightings) -> Record | None:
    """What an action of the HelmRelease `uid` has begun in `namespace`: its newest revision, unless uninstalled.

    For when only the journals in the Secrets tell: the status is written when an action has ended.
    """
    summaries = sightings.find_all(namespace)
    if summaries is None:
        found = client.list(SECRETS, namespace, label_selector="owner=helm", metadata_only=True)
        summaries = [summary async for secret in found if (summary := secrets.summarize(secret)) is not None]
    ours = [one for one in summaries if one.journal is not None and one.journal.uid == uid]
    begun = [one for one in ours if one.status != Status.UNINSTALLED]
    for summary in sorted(begun, key=operator.attrgetter("version"), reverse=True):
        secret = await client.find(SECRETS, ObjectKey(namespace, secrets.secret_name(summary.name, summary.version)))
        if secret is not None:
            return await threads.run(secrets.read, secret)
    return None


def _stored(secret: JsonObject, record: Record) -> Stored:
    metadata = secret["metadata"]
    return Stored(record, secrets.read_journal(metadata), metadata["resourceVersion"])


def _now() -> int:
    return int(clock.utc_now().timestamp())
