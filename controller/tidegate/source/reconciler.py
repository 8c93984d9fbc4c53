"""GitRepository: follows a reference of a Git repository and serves its tree as an artifact.

The story of an attempt: prepare (is what we serve still there?) -> fetch (which commit is wanted, and have it) ->
archive -> publish. What the server says is asked once per URL, however many objects follow it.
"""

import base64
import binascii
from dataclasses import dataclass

import msgspec

from tidegate.adapters import archive, git_url
from tidegate.adapters.git_auth import GitAuth
from tidegate.adapters.git_errors import EmptyRepository, GitError, InvalidUrl
from tidegate.adapters.git_remote import GitRemote
from tidegate.adapters.git_remotes import GitRemotes
from tidegate.adapters.ignore import InvalidIgnoreFile
from tidegate.adapters.versions import InvalidRange, NoMatchingVersion
from tidegate.runtime import errors, metrics, threads
from tidegate.runtime.cache import Cache
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Result, Turn
from tidegate.runtime.resources import SECRETS
from tidegate.source import conditions as kinds
from tidegate.source import git
from tidegate.source.conditions import FetchFailed, FetchStalled, StorageFailed
from tidegate.source.git import Target
from tidegate.source.polls import Polls
from tidegate.source.storage import Storage, StorageError
from tidegate.toolkit import conditions, jitter
from tidegate.toolkit.attempt import Attempt, Tools
from tidegate.toolkit.events import Severity
from tidegate.toolkit.finalizers import add_finalizer, remove_finalizer
from tidegate.toolkit.outcomes import Policy
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.source.v1.git_repository import GitRepository

KIND = GitRepository.KIND
DISAPPEARED = "building artifact: disappeared from storage"


@dataclass(frozen=True)
class GitRepositoryReconciler:
    """Reconciles GitRepositories from `cache`; everything it needs is plugged in by main.py."""

    client: Client
    cache: Cache[GitRepository]
    tools: Tools
    remotes: GitRemotes
    polls: Polls
    storage: Storage
    jitter_percent: int

    async def reconcile(self, turn: Turn) -> Result:
        """One turn of one GitRepository."""
        repository = self.cache.find(turn.key)
        if repository is None:
            self.polls.forget(turn.key)
            return Result()
        if repository.metadata.deletion_timestamp is not None:
            await self._finalize(repository)
            return Result()
        if repository.spec.suspend:
            self.polls.forget(turn.key)
            return Result()
        repository = await add_finalizer(self.tools.status, repository)
        interval = jitter.spread(repository.spec.interval, self.jitter_percent)
        attempt = Attempt(repository, turn, self.tools, Policy(interval, None, kinds.GIT_SUMMARY.apply))
        async with attempt:
            await self._update(attempt)
        return attempt.result

    async def _update(self, attempt: Attempt[GitRepository]) -> None:
        repository = attempt.obj
        generation, observed = repository.metadata.generation, repository.status.observed_generation
        attempt.progress(
            "reconciliation in progress"
            if generation == observed
            else f"processing object: new generation {observed} -> {generation}"
        )
        _check_spec(attempt)
        # Left by Flux for fields that are set no more, or the spec would not have come this far (F44).
        attempt.conditions.remove(kinds.SOURCE_VERIFIED, kinds.INCLUDE_UNAVAILABLE)
        is_served = await self._prepare(attempt)
        remote, target = await self._find_target(attempt)
        if is_served and self._is_current(repository, target):
            self._conclude_stored(attempt, target.revision, is_news=False)
            return
        await self._publish(attempt, remote, target)

    async def _prepare(self, attempt: Attempt[GitRepository]) -> bool:
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

    async def _find_target(self, attempt: Attempt[GitRepository]) -> tuple[GitRemote, Target]:
        repository = attempt.obj
        remote = await self._find_remote(attempt)
        fixed = git.find_fixed(repository.spec.ref)
        if fixed is not None:
            return remote, fixed
        try:
            refs = await self.polls.refs(repository, remote)
            target = git.select_target(repository.spec.ref, refs)
        except EmptyRepository as error:
            raise self._fetch_failed(attempt, kinds.EMPTY_REPOSITORY, str(error)) from error
        except (GitError, git.RefNotFound, InvalidRange, NoMatchingVersion) as error:
            text = f"failed to checkout and determine revision: {error}"
            raise self._fetch_failed(attempt, kinds.GIT_OPERATION_FAILED, text) from error
        attempt.conditions.remove(kinds.FETCH_FAILED)
        return remote, target

    async def _find_remote(self, attempt: Attempt[GitRepository]) -> GitRemote:
        repository = attempt.obj
        auth = await self._read_auth(attempt)
        try:
            remote = self.remotes.remote(repository.spec.url, auth)
        except GitError as error:
            raise self._fetch_failed(attempt, kinds.AUTHENTICATION_FAILED, str(error)) from error
        self.polls.follow(repository.key, remote, (repository.spec.url, auth))
        return remote

    async def _publish(self, attempt: Attempt[GitRepository], remote: GitRemote, target: Target) -> None:
        repository = attempt.obj
        attempt.progress(f"building artifact: new upstream revision '{target.revision}'")
        try:
            await remote.fetch(target.ref_name, target.oid, repository.spec.timeout)
            commit = await remote.read_commit(target.oid)
            artifact = await self._archive(attempt, remote, target)
        except GitError as error:
            text = f"failed to checkout and determine revision: {error}"
            raise self._fetch_failed(attempt, kinds.GIT_OPERATION_FAILED, text) from error
        attempt.conditions.remove(kinds.FETCH_FAILED, kinds.STORAGE_OPERATION_FAILED)
        old = repository.status.artifact
        repository.status.artifact = artifact
        repository.status.observed_ignore = repository.spec.ignore
        is_news = old is None or old.digest != artifact.digest
        self._conclude_stored(attempt, target.revision, is_news=is_news)
        if is_news:
            self._announce(attempt, artifact, kinds.NEW_ARTIFACT, f"stored artifact for commit '{commit.subject[:50]}'")

    async def _archive(self, attempt: Attempt[GitRepository], remote: GitRemote, target: Target) -> Artifact:
        repository = attempt.obj
        name = f"{target.oid}.tar.gz"
        try:
            with self.storage.staging(KIND, repository.key, name) as staged:
                writing = archive.Writing(spec_ignore=repository.spec.ignore or "", algorithm=self.storage.algorithm)
                info = await remote.write_archive(target.oid, staged.file, writing)
                return await threads.run(self.storage.publish, staged, target.revision, info.digest)
        except (StorageError, archive.ArchiveTooLarge, OSError) as error:
            text = f"unable to archive artifact to storage: {error}"
            attempt.conditions.mark_true(kinds.STORAGE_OPERATION_FAILED, kinds.ARCHIVE_OPERATION_FAILED, text)
            raise StorageFailed(kinds.ARCHIVE_OPERATION_FAILED, text) from error
        except InvalidIgnoreFile as error:
            raise self._fetch_failed(attempt, kinds.SOURCE_IGNORE_ERROR, str(error)) from error

    def _conclude_stored(self, attempt: Attempt[GitRepository], revision: str, *, is_news: bool) -> None:
        recovered = attempt.conditions.is_false(conditions.READY)
        text = f"stored artifact for revision '{revision}'"
        attempt.conditions.remove(kinds.ARTIFACT_OUTDATED, kinds.FETCH_FAILED, kinds.STORAGE_OPERATION_FAILED)
        attempt.conditions.mark_true(kinds.ARTIFACT_IN_STORAGE, conditions.SUCCEEDED, text)
        if recovered and not is_news and attempt.obj.status.artifact is not None:
            self._announce(attempt, attempt.obj.status.artifact, conditions.SUCCEEDED, text)

    def _announce(self, attempt: Attempt[GitRepository], artifact: Artifact, reason: str, text: str) -> None:
        attempt.event(Severity.INFO, reason, text, revision=artifact.revision, digest=artifact.digest)

    def _is_current(self, repository: GitRepository, target: Target) -> bool:
        """Whether the artifact is of this very commit, under this name, made with these ignore rules."""
        status = repository.status
        same_revision = status.artifact is not None and status.artifact.revision == target.revision
        return same_revision and status.observed_ignore == repository.spec.ignore

    async def _read_auth(self, attempt: Attempt[GitRepository]) -> GitAuth:
        repository = attempt.obj
        reference = repository.spec.secret_ref
        if reference is None:
            return GitAuth()
        key = ObjectKey(repository.metadata.namespace, reference.name)
        try:
            secret = await self.client.get(SECRETS, key)
            data = {name: base64.b64decode(value) for name, value in (secret.get("data") or {}).items()}
            return git.read_auth(data, repository.spec.url)
        except errors.NotFound as error:
            cause = f"failed to get secret '{key}': secrets \"{key.name}\" not found"
            raise self._fetch_failed(attempt, kinds.AUTHENTICATION_FAILED, cause) from error
        except (git.BadCredentials, binascii.Error) as error:
            cause = f"invalid credentials in secret '{key}': {error}"
            raise self._fetch_failed(attempt, kinds.AUTHENTICATION_FAILED, cause) from error

    def _fetch_failed(self, attempt: Attempt[GitRepository], reason: str, text: str) -> FetchFailed:
        attempt.conditions.mark_true(kinds.FETCH_FAILED, reason, text)
        return FetchFailed(reason, text)

    async def _finalize(self, repository: GitRepository) -> None:
        self.polls.forget(repository.key)
        await threads.run(self.storage.remove_all, KIND, repository.key)
        await self.remotes.collect(self.polls.in_use())
        await remove_finalizer(self.tools.status, repository)
        metrics.forget_object(KIND, repository.metadata.name, repository.metadata.namespace)


def _check_spec(attempt: Attempt[GitRepository]) -> None:
    """Refuse what can never work, or what this version cannot do. Raises: FetchStalled."""
    spec = attempt.obj.spec
    try:
        git_url.parse(spec.url)
    except InvalidUrl as error:
        raise _never(attempt, kinds.URL_INVALID, str(error)) from error
    missing = git.unsupported(spec)
    if missing:
        raise _never(attempt, kinds.UNSUPPORTED, f"not supported yet: {', '.join(missing)}")


def _never(attempt: Attempt[GitRepository], reason: str, text: str) -> FetchStalled:
    attempt.conditions.mark_true(kinds.FETCH_FAILED, reason, text)
    return FetchStalled(reason, text)
