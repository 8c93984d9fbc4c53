"""HelmRepository: the index of a chart repository, served as it was received.

One of type `oci` is a static address (flux-v2-behaviour.md 3.3): it is cleaned of what another version left, and that
is all that ever happens to it.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tidegate.adapters import helm_index
from tidegate.adapters.helm_index import InvalidIndex
from tidegate.adapters.http_files import Downloaded, HttpAuth, HttpError, HttpFiles, InvalidAddress
from tidegate.runtime import threads
from tidegate.runtime.cache import Cache
from tidegate.runtime.controller import Result, Turn
from tidegate.source import charts, credentials, pipeline
from tidegate.source import conditions as kinds
from tidegate.source.credentials import BadCredentials
from tidegate.source.pipeline import Pipeline, Written
from tidegate.toolkit import conditions, texts
from tidegate.toolkit.attempt import Attempt, Tools
from tidegate.toolkit.finalizers import remove_finalizer
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.source.v1.helm_repository import HelmRepository, HelmRepositoryType

TIMEOUT = timedelta(seconds=60)
_NEWEST = "index.yaml"


class _Unchanged(Exception):
    """The server has nothing newer than what is served."""


@dataclass(frozen=True)
class HelmRepositoryReconciler:
    """Reconciles HelmRepositories from `cache`; everything it needs is plugged in by main.py."""

    pipeline: Pipeline
    cache: Cache[HelmRepository]
    tools: Tools
    files: HttpFiles
    etags: dict[ObjectKey, tuple[str, str]] = field(default_factory=dict)
    """By object: the ETag of the index that is served, and the revision that it came with."""

    async def reconcile(self, turn: Turn) -> Result:
        """One turn of one HelmRepository."""
        repository = self.cache.find(turn.key)
        if repository is None:
            self.etags.pop(turn.key, None)
            return Result()
        if repository.metadata.deletion_timestamp is not None:
            await self.pipeline.finalize(repository, self.tools)
            return Result()
        if repository.spec.suspend:
            return Result()
        if is_oci(repository):
            await self._make_static(turn, repository)
            return Result()
        return await self.pipeline.attempt(repository, turn, self.tools, kinds.HELM_REPOSITORY_SUMMARY, self._update)

    async def _make_static(self, turn: Turn, repository: HelmRepository) -> None:
        """Take away what an index left; nobody may wait for such an object to become ready."""
        await remove_finalizer(self.tools.status, repository)
        status = repository.status
        if status.artifact is not None:
            await threads.run(self.pipeline.storage.remove_all, HelmRepository.KIND, turn.key)
        if status.artifact is not None or status.conditions or status.url:
            wanted = HelmRepository().status
            wanted.observed_generation = repository.metadata.generation
            await self.tools.status.write(repository, "", status, wanted)

    async def _update(self, attempt: Attempt[HelmRepository]) -> None:
        repository = attempt.obj
        if repository.spec.url.startswith("oci://"):
            raise pipeline.never(attempt, kinds.URL_INVALID, "invalid Helm repository URL: oci:// needs spec.type oci")
        is_served = await self.pipeline.prepare(attempt)
        auth = await self._read_auth(attempt)
        try:
            await self._fetch(attempt, auth, is_served=is_served)
        except _Unchanged:
            artifact = attempt.obj.status.artifact
            pipeline.conclude_stored(attempt, _stored(artifact.revision if artifact else ""), is_news=False)

    async def _fetch(self, attempt: Attempt[HelmRepository], auth: HttpAuth, *, is_served: bool) -> None:
        repository = attempt.obj
        old = repository.status.artifact
        known = self.etags.get(repository.key, ("", ""))
        etag = known[0] if is_served and old is not None and known[1] == old.revision else ""

        async def write(file: Path) -> Written:
            found = await self._download(attempt, auth, file, etag)
            revision = f"sha256:{found.sha256}"
            if found.is_new:
                self.etags[repository.key] = (found.etag, revision)
            if not found.is_new or (is_served and old is not None and old.revision == revision):
                raise _Unchanged
            await self._require_index(attempt, file)
            return Written(f"index-{found.sha256}.yaml", revision, revision)

        artifact = await self.pipeline.publish(attempt, write)
        repository.status.artifact = artifact
        repository.status.url = self.pipeline.storage.url(f"{artifact.path.rpartition('/')[0]}/{_NEWEST}")
        is_news = old is None or old.digest != artifact.digest
        pipeline.conclude_stored(attempt, _stored(artifact.revision), is_news=is_news)
        if is_news:
            size = texts.human_size(artifact.size or 0)
            pipeline.announce(
                attempt,
                kinds.NEW_ARTIFACT,
                f"stored fetched index of size {size} from '{repository.spec.url.partition('?')[0]}'",
            )

    async def _download(self, attempt: Attempt[HelmRepository], auth: HttpAuth, target: Path, etag: str) -> Downloaded:
        repository = attempt.obj
        url = charts.located(auth.url, "index.yaml")
        within = repository.spec.timeout or TIMEOUT
        try:
            return await self.files.download(url, target, auth, limit=helm_index.MAX_INDEX, within=within, etag=etag)
        except InvalidAddress as error:
            raise pipeline.never(attempt, kinds.URL_INVALID, f"invalid Helm repository URL: {error}") from error
        except HttpError as error:
            text = f"failed to fetch Helm repository index: {error}"
            raise pipeline.fetch_failed(attempt, conditions.FAILED, text) from error

    async def _require_index(self, attempt: Attempt[HelmRepository], file: Path) -> None:
        try:
            await threads.run(lambda: helm_index.require_index(file.read_bytes()))
        except InvalidIndex as error:
            text = f"failed to load Helm repository from index YAML: {error}"
            raise pipeline.fetch_failed(attempt, kinds.INDEXATION_FAILED, text) from error

    async def _read_auth(self, attempt: Attempt[HelmRepository]) -> HttpAuth:
        repository = attempt.obj
        try:
            return await read_auth(self.pipeline, repository)
        except BadCredentials as error:
            raise pipeline.fetch_failed(attempt, kinds.AUTHENTICATION_FAILED, str(error)) from error


async def read_auth(steps: Pipeline, repository: HelmRepository) -> HttpAuth:
    """The address, with a slash at its end, and the credentials of an HTTP repository. Raises: BadCredentials."""
    spec, namespace = repository.spec, repository.metadata.namespace
    secrets = [
        await steps.read_secret(ObjectKey(namespace, reference.name)) if reference is not None else None
        for reference in (spec.secret_ref, spec.cert_secret_ref)
    ]
    return HttpAuth(_as_folder(spec.url), credentials.read(*secrets), spec.pass_credentials)


def _as_folder(url: str) -> str:
    """`url` with one slash at the end of its path; a query stays (a signature, where the storage of a cloud serves)."""
    path, mark, query = url.partition("?")
    return f"{path.rstrip('/')}/{mark}{query}"


def is_oci(repository: HelmRepository) -> bool:
    """Whether it is a static address of a registry."""
    return repository.spec.type == HelmRepositoryType.OCI


def _stored(revision: str) -> str:
    return f"stored artifact: revision '{revision}'"
