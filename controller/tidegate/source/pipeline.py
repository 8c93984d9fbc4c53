"""What every kind of source does around its own fetching: prepare -> (fetch) -> archive -> publish -> conclude."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from tidegate.adapters import archive
from tidegate.runtime import errors, metrics, threads
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Result, Turn
from tidegate.runtime.resources import SECRETS
from tidegate.source import conditions as kinds
from tidegate.source.conditions import FetchFailed, FetchStalled, StorageFailed
from tidegate.source.credentials import BadCredentials
from tidegate.source.storage import Storage, StorageError
from tidegate.toolkit import conditions, jitter
from tidegate.toolkit.attempt import Attempt, Tools
from tidegate.toolkit.conditions import Summary
from tidegate.toolkit.events import Severity
from tidegate.toolkit.finalizers import add_finalizer, remove_finalizer
from tidegate.toolkit.outcomes import Policy
from tidegate_api.codec import Duration
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.source.v1.source import Source

S = TypeVar("S", bound=Source)

DISAPPEARED = "building artifact: disappeared from storage"
DEFAULT_INTERVAL = Duration(minutes=1)


@dataclass(frozen=True)
class Written:
    """A file that is to be an artifact: its name, the revision that it is of, and its digest with the algorithm."""

    name: str
    revision: str
    digest: str


@dataclass(frozen=True)
class Pipeline:
    """The steps that all kinds share; the same for every kind of a source-controller."""

    client: Client
    storage: Storage
    jitter_percent: int

    async def attempt(
        self, obj: S, turn: Turn, tools: Tools, summary: Summary, update: Callable[[Attempt[S]], Awaitable[None]]
    ) -> Result:
        """Try once to bring `obj` up to date by `update`."""
        obj = await add_finalizer(tools.status, obj)
        interval = jitter.spread(obj.spec.interval or DEFAULT_INTERVAL, self.jitter_percent)
        attempt = Attempt(obj, turn, tools, Policy(interval, None, summary.apply))
        async with attempt:
            generation, observed = obj.metadata.generation, obj.status.observed_generation
            attempt.progress(
                "reconciliation in progress"
                if generation == observed
                else f"processing object: new generation {observed} -> {generation}"
            )
            await update(attempt)
        return attempt.result

    async def prepare(self, attempt: Attempt[S]) -> bool:
        """Whether we serve what the status promises; a lost or damaged file is rebuilt in this very pass.

        Until then the promise stays: who finds nothing there waits, and keeps what it has (F27).
        """
        artifact = attempt.obj.status.artifact
        if artifact is None:
            return False
        if not await threads.run(self.storage.holds, artifact):
            attempt.event(Severity.ERROR, kinds.VERIFICATION_FAILED, DISAPPEARED)
            attempt.conditions.remove(kinds.ARTIFACT_IN_STORAGE)
            return False
        # Here, and not when it is superseded: consumers may still be on their way to the one before.
        await threads.run(self.storage.collect, artifact)
        url = self.storage.url(artifact.path)
        if artifact.url != url:
            attempt.obj.status.artifact = msgspec.structs.replace(artifact, url=url)
        return True

    async def publish(self, attempt: Attempt[S], write: Callable[[Path], Awaitable[Written]]) -> Artifact:
        """The artifact of what `write` writes into a new file. Raises: StorageFailed."""
        obj = attempt.obj
        try:
            with self.storage.staging(obj.KIND, obj.key, "new") as staged:
                written = await write(staged.file)
                named = staged.named(written.name)
                return await threads.run(self.storage.publish, named, written.revision, written.digest)
        except (StorageError, archive.ArchiveTooLarge, OSError) as error:
            text = f"unable to archive artifact to storage: {error}"
            attempt.conditions.mark_true(kinds.STORAGE_OPERATION_FAILED, kinds.ARCHIVE_OPERATION_FAILED, text)
            raise StorageFailed(kinds.ARCHIVE_OPERATION_FAILED, text) from error

    async def finalize(self, obj: Source, tools: Tools) -> None:
        """Remove what is stored of an object that is being deleted, and let it go."""
        await threads.run(self.storage.remove_all, obj.KIND, obj.key)
        await remove_finalizer(tools.status, obj)
        metrics.forget_object(obj.KIND, obj.metadata.name, obj.metadata.namespace)

    async def read_secret(self, key: ObjectKey) -> dict[str, bytes]:
        """The data of a Secret. Raises: BadCredentials, ApiError, Unreachable."""
        try:
            secret = await self.client.get(SECRETS, key)
            return {name: base64.b64decode(value) for name, value in (secret.get("data") or {}).items()}
        except errors.NotFound as error:
            raise BadCredentials(f"failed to get secret '{key}': secrets \"{key.name}\" not found") from error
        except binascii.Error as error:
            raise BadCredentials(f"invalid credentials in secret '{key}': {error}") from error


def conclude_stored(attempt: Attempt[S], text: str, *, is_news: bool, reason: str = conditions.SUCCEEDED) -> None:
    """The artifact is stored and served: `text` says so in Ready, and in an event where it had failed before."""
    recovered = attempt.conditions.is_false(conditions.READY)
    attempt.conditions.remove(kinds.ARTIFACT_OUTDATED, kinds.FETCH_FAILED, kinds.STORAGE_OPERATION_FAILED)
    attempt.conditions.mark_true(kinds.ARTIFACT_IN_STORAGE, reason, text)
    if recovered and not is_news:
        announce(attempt, reason, text)


def announce(attempt: Attempt[S], reason: str, text: str) -> None:
    """An event about the artifact as it is now."""
    artifact = attempt.obj.status.artifact
    if artifact is not None:
        attempt.event(Severity.INFO, reason, text, revision=artifact.revision, digest=artifact.digest)


def fetch_failed(attempt: Attempt[S], reason: str, text: str) -> FetchFailed:
    """The ending of an attempt that could not have its content: to be raised."""
    attempt.conditions.mark_true(kinds.FETCH_FAILED, reason, text)
    return FetchFailed(reason, text)


def never(attempt: Attempt[S], reason: str, text: str) -> FetchStalled:
    """The ending of an attempt whose spec can never work: to be raised."""
    attempt.conditions.mark_true(kinds.FETCH_FAILED, reason, text)
    return FetchStalled(reason, text)
