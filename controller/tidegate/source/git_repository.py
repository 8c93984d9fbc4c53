"""GitRepository: follows a reference of a Git repository and serves its tree as an artifact.

The story of an attempt: prepare (is what we serve still there?) -> fetch (which commit is wanted, and have it) ->
archive -> publish. What the server says is asked once per URL, however many objects follow it.
"""

from dataclasses import dataclass
from pathlib import Path

from tidegate.adapters import archive, git_url
from tidegate.adapters.git_auth import GitAuth
from tidegate.adapters.git_errors import EmptyRepository, GitError, InvalidUrl
from tidegate.adapters.git_remote import GitRemote
from tidegate.adapters.git_remotes import GitRemotes
from tidegate.adapters.ignore import InvalidIgnoreFile
from tidegate.adapters.versions import InvalidRange, NoMatchingVersion
from tidegate.runtime.cache import Cache
from tidegate.runtime.controller import Result, Turn
from tidegate.source import conditions as kinds
from tidegate.source import git, pipeline
from tidegate.source.credentials import BadCredentials
from tidegate.source.git import Target
from tidegate.source.pipeline import Pipeline, Written
from tidegate.source.polls import Polls
from tidegate.toolkit.attempt import Attempt, Tools
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.source.v1.git_repository import GitRepository


@dataclass(frozen=True)
class GitRepositoryReconciler:
    """Reconciles GitRepositories from `cache`; everything it needs is plugged in by main.py."""

    pipeline: Pipeline
    cache: Cache[GitRepository]
    tools: Tools
    remotes: GitRemotes
    polls: Polls

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
        return await self.pipeline.attempt(repository, turn, self.tools, kinds.GIT_SUMMARY, self._update)

    async def _update(self, attempt: Attempt[GitRepository]) -> None:
        _check_spec(attempt)
        # Left by Flux for fields that are set no more, or the spec would not have come this far (F44).
        attempt.conditions.remove(kinds.SOURCE_VERIFIED, kinds.INCLUDE_UNAVAILABLE)
        is_served = await self.pipeline.prepare(attempt)
        remote, target = await self._find_target(attempt)
        if is_served and self._is_current(attempt.obj, target):
            pipeline.conclude_stored(attempt, _stored(target), is_news=False)
            return
        await self._publish(attempt, remote, target)

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
            raise pipeline.fetch_failed(attempt, kinds.EMPTY_REPOSITORY, str(error)) from error
        except (GitError, git.RefNotFound, InvalidRange, NoMatchingVersion) as error:
            text = f"failed to checkout and determine revision: {error}"
            raise pipeline.fetch_failed(attempt, kinds.GIT_OPERATION_FAILED, text) from error
        attempt.conditions.remove(kinds.FETCH_FAILED)
        return remote, target

    async def _find_remote(self, attempt: Attempt[GitRepository]) -> GitRemote:
        repository = attempt.obj
        auth = await self._read_auth(attempt)
        try:
            remote = self.remotes.remote(repository.spec.url, auth)
        except GitError as error:
            raise pipeline.fetch_failed(attempt, kinds.AUTHENTICATION_FAILED, str(error)) from error
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
            raise pipeline.fetch_failed(attempt, kinds.GIT_OPERATION_FAILED, text) from error
        attempt.conditions.remove(kinds.FETCH_FAILED, kinds.STORAGE_OPERATION_FAILED)
        old = repository.status.artifact
        repository.status.artifact = artifact
        repository.status.observed_ignore = repository.spec.ignore
        is_news = old is None or old.digest != artifact.digest
        pipeline.conclude_stored(attempt, _stored(target), is_news=is_news)
        if is_news:
            pipeline.announce(attempt, kinds.NEW_ARTIFACT, f"stored artifact for commit '{commit.subject[:50]}'")

    async def _archive(self, attempt: Attempt[GitRepository], remote: GitRemote, target: Target) -> Artifact:
        algorithm = self.pipeline.storage.algorithm
        writing = archive.Writing(spec_ignore=attempt.obj.spec.ignore or "", algorithm=algorithm)

        async def write(file: Path) -> Written:
            info = await remote.write_archive(target.oid, file, writing)
            return Written(f"{target.oid}.tar.gz", target.revision, info.digest)

        try:
            return await self.pipeline.publish(attempt, write)
        except InvalidIgnoreFile as error:
            raise pipeline.fetch_failed(attempt, kinds.SOURCE_IGNORE_ERROR, str(error)) from error

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
            secret = await self.pipeline.read_secret(key)
        except BadCredentials as error:
            raise pipeline.fetch_failed(attempt, kinds.AUTHENTICATION_FAILED, str(error)) from error
        try:
            return git.read_auth(secret, repository.spec.url)
        except BadCredentials as error:
            cause = f"invalid credentials in secret '{key}': {error}"
            raise pipeline.fetch_failed(attempt, kinds.AUTHENTICATION_FAILED, cause) from error

    async def _finalize(self, repository: GitRepository) -> None:
        self.polls.forget(repository.key)
        await self.remotes.collect(self.polls.in_use())
        await self.pipeline.finalize(repository, self.tools)


def _stored(target: Target) -> str:
    return f"stored artifact for revision '{target.revision}'"


def _check_spec(attempt: Attempt[GitRepository]) -> None:
    """Refuse what can never work, or what this version cannot do. Raises: FetchStalled."""
    spec = attempt.obj.spec
    try:
        git_url.parse(spec.url)
    except InvalidUrl as error:
        raise pipeline.never(attempt, kinds.URL_INVALID, str(error)) from error
    missing = git.unsupported(spec)
    if missing:
        raise pipeline.never(attempt, kinds.UNSUPPORTED, f"not supported yet: {', '.join(missing)}")
