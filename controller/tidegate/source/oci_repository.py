"""OCIRepository: an artifact of an OCI registry, one layer of which is served, unpacked and packed anew or as it is."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from tidegate.adapters import archive, oci
from tidegate.adapters.bounds import ArchiveTooLarge
from tidegate.adapters.gzip_stream import InvalidArchive
from tidegate.adapters.ignore import InvalidIgnoreFile
from tidegate.adapters.oci import Descriptor, Manifest, Registries, Repository
from tidegate.adapters.oci_errors import AuthenticationFailed, InvalidUrl, OciError
from tidegate.adapters.oci_url import OciUrl
from tidegate.adapters.patterns import Pattern
from tidegate.adapters.versions import InvalidRange, NoMatchingVersion, select_version
from tidegate.runtime import threads
from tidegate.runtime.cache import Cache
from tidegate.runtime.controller import Result, Turn
from tidegate.source import conditions as kinds
from tidegate.source import pipeline, registry_auth
from tidegate.source.charts import CHART_LAYER
from tidegate.source.credentials import BadCredentials
from tidegate.source.pipeline import Pipeline, Written
from tidegate.toolkit.attempt import Attempt, Tools
from tidegate_api.meta.artifact import Artifact
from tidegate_api.source.v1.oci_repository import LayerOperation, OCILayerSelector, OCIRepository, OCIRepositoryRef

DEFAULT_TAG = "latest"
_NEWEST = "latest.tar.gz"
_ORIGIN_SOURCE, _ORIGIN_REVISION = "org.opencontainers.image.source", "org.opencontainers.image.revision"


@dataclass(frozen=True)
class Target:
    """What is wanted: the manifest's digest, and the revision that it is known under."""

    digest: str
    revision: str


@dataclass(frozen=True)
class OCIRepositoryReconciler:
    """Reconciles OCIRepositories from `cache`; everything it needs is plugged in by main.py."""

    pipeline: Pipeline
    cache: Cache[OCIRepository]
    tools: Tools
    registries: Registries

    async def reconcile(self, turn: Turn) -> Result:
        """One turn of one OCIRepository."""
        repository = self.cache.find(turn.key)
        if repository is None:
            return Result()
        if repository.metadata.deletion_timestamp is not None:
            await self.pipeline.finalize(repository, self.tools)
            return Result()
        if repository.spec.suspend:
            return Result()
        return await self.pipeline.attempt(repository, turn, self.tools, kinds.OCI_SUMMARY, self._update)

    async def _update(self, attempt: Attempt[OCIRepository]) -> None:
        url = _check_spec(attempt)
        # Left by Flux for a field that is set no more, or the spec would not have come this far (F44).
        attempt.conditions.remove(kinds.SOURCE_VERIFIED)
        is_served = await self.pipeline.prepare(attempt)
        remote = await self._open(attempt, url)
        target = await self._find_target(attempt, remote)
        if is_served and _is_current(attempt.obj, target):
            pipeline.conclude_stored(attempt, _stored(target), is_news=False)
            return
        await self._publish(attempt, remote, target)

    async def _open(self, attempt: Attempt[OCIRepository], url: OciUrl) -> Repository:
        try:
            auth = await registry_auth.read(self.pipeline, attempt.obj, url)
        except BadCredentials as error:
            raise pipeline.fetch_failed(attempt, kinds.AUTHENTICATION_FAILED, str(error)) from error
        return self.registries.repository(url, auth, attempt.obj.spec.timeout)

    async def _find_target(self, attempt: Attempt[OCIRepository], remote: Repository) -> Target:
        spec = attempt.obj.spec
        reference = spec.ref or OCIRepositoryRef()
        try:
            if reference.digest:
                found = await remote.resolve(reference.digest)
                return Target(found.digest, found.digest)
            tag = await _find_tag(remote, reference, spec.layer_selector)
            found = await remote.resolve(tag)
        except (InvalidRange, NoMatchingVersion) as error:
            text = f"failed to determine the artifact tag for '{spec.url}': {error}"
            raise pipeline.fetch_failed(attempt, kinds.READ_OPERATION_FAILED, text) from error
        except AuthenticationFailed as error:
            text = f"failed to determine artifact digest: {error}"
            raise pipeline.fetch_failed(attempt, kinds.AUTHENTICATION_FAILED, text) from error
        except OciError as error:
            text = f"failed to determine artifact digest: {error}"
            raise pipeline.fetch_failed(attempt, kinds.OCI_PULL_FAILED, text) from error
        return Target(found.digest, f"{tag}@{found.digest}")

    async def _publish(self, attempt: Attempt[OCIRepository], remote: Repository, target: Target) -> None:
        repository = attempt.obj
        attempt.progress(f"building artifact: new revision '{target.revision}' for '{repository.spec.url}'")
        old = repository.status.artifact
        try:
            manifest = await oci.read_image(remote, target.digest)
            layer = _select_layer(manifest, repository.spec.layer_selector)
            artifact = await self._store(attempt, remote, target, layer)
        except OciError as error:
            text = f"failed to pull artifact from '{repository.spec.url}': {error}"
            raise pipeline.fetch_failed(attempt, kinds.OCI_PULL_FAILED, text) from error
        except (_NoLayer, InvalidArchive) as error:
            text = f"failed to extract layer contents from artifact: {error}"
            raise pipeline.fetch_failed(attempt, kinds.OCI_LAYER_FAILED, text) from error
        except InvalidIgnoreFile as error:
            raise pipeline.fetch_failed(attempt, kinds.SOURCE_IGNORE_ERROR, str(error)) from error
        self._record(repository, msgspec.structs.replace(artifact, metadata=dict(manifest.annotations)))
        is_news = old is None or old.digest != artifact.digest
        pipeline.conclude_stored(attempt, _stored(target), is_news=is_news)
        if is_news:
            pipeline.announce(attempt, kinds.NEW_ARTIFACT, _told(repository, target, manifest))

    async def _store(
        self, attempt: Attempt[OCIRepository], remote: Repository, target: Target, layer: Descriptor
    ) -> Artifact:
        spec = attempt.obj.spec
        is_copied = spec.layer_selector is not None and spec.layer_selector.operation == LayerOperation.COPY
        name = f"{target.digest}.tar.gz"
        writing = archive.Writing(spec_ignore=spec.ignore or "", algorithm=self.pipeline.storage.algorithm)

        async def write(file: Path) -> Written:
            if is_copied:
                await remote.download(layer, file)
                return Written(name, target.revision, layer.digest)
            with TemporaryDirectory(prefix="tidegate-layer-") as scratch:
                packed, tree = Path(scratch) / "layer", Path(scratch) / "tree"
                await remote.download(layer, packed)
                info = await threads.run(_repack, packed, tree, file, writing)
            return Written(name, target.revision, info.digest)

        return await self.pipeline.publish(attempt, write)

    def _record(self, repository: OCIRepository, artifact: Artifact) -> None:
        status = repository.status
        status.artifact = artifact
        status.url = self.pipeline.storage.url(f"{artifact.path.rpartition('/')[0]}/{_NEWEST}")
        status.observed_ignore = repository.spec.ignore
        status.observed_layer_selector = repository.spec.layer_selector


class _NoLayer(Exception):
    """The artifact has no layer of the kind that is asked for."""


def _check_spec(attempt: Attempt[OCIRepository]) -> OciUrl:
    """The address; refuses what can never work, or what this version cannot do. Raises: FetchStalled."""
    spec = attempt.obj.spec
    try:
        url = OciUrl.parse(spec.url)
    except InvalidUrl as error:
        raise pipeline.never(attempt, kinds.URL_INVALID, str(error)) from error
    missing = {
        "spec.verify": spec.verify is not None,
        "spec.proxySecretRef": spec.proxy_secret_ref is not None,
        f"spec.provider {spec.provider}": spec.provider not in ("", "generic"),
    }
    if any(missing.values()):
        names = ", ".join(name for name, is_set in missing.items() if is_set)
        raise pipeline.never(attempt, kinds.UNSUPPORTED, f"not supported yet: {names}")
    return url


async def _find_tag(remote: Repository, reference: OCIRepositoryRef, selector: OCILayerSelector | None) -> str:
    """The tag that is wanted. Raises: InvalidRange, NoMatchingVersion, OciError."""
    if not reference.semver:
        return reference.tag or DEFAULT_TAG
    tags = await remote.tags()
    if reference.semver_filter:
        pattern = Pattern(f".*(?:{reference.semver_filter}).*")
        tags = [tag for tag in tags if pattern.groups(tag) is not None]
    # Helm writes the plus sign of a version as an underscore.
    is_chart = selector is not None and selector.media_type == CHART_LAYER
    by_version = {tag.replace("_", "+") if is_chart else tag: tag for tag in tags}
    return by_version[select_version(reference.semver, by_version)]


def _select_layer(manifest: Manifest, selector: OCILayerSelector | None) -> Descriptor:
    wanted = selector.media_type if selector is not None else ""
    for layer in manifest.layers:
        if not wanted or layer.media_type == wanted:
            return layer
    raise _NoLayer(f"failed to find layer with media type '{wanted}' in artifact" if wanted else "no layers found")


def _repack(packed: Path, tree: Path, target: Path, writing: archive.Writing) -> archive.ArchiveInfo:
    """The layer's files, in an archive of ours. Raises: InvalidArchive, ArchiveTooLarge, InvalidIgnoreFile, OSError."""
    tree.mkdir()
    try:
        archive.unpack(packed, tree)
    except ArchiveTooLarge as error:
        # It is the layer that is too much, not our disk that has too little (O7).
        raise InvalidArchive(str(error)) from error
    return archive.pack(tree, target, writing)


def _is_current(repository: OCIRepository, target: Target) -> bool:
    """Whether the artifact is of this very manifest, made with these ignore rules of this layer."""
    status, spec = repository.status, repository.spec
    same_revision = status.artifact is not None and status.artifact.revision == target.revision
    same_rules = status.observed_ignore == spec.ignore and status.observed_layer_selector == spec.layer_selector
    return same_revision and same_rules


def _stored(target: Target) -> str:
    return f"stored artifact for digest '{target.revision}'"


def _told(repository: OCIRepository, target: Target, manifest: Manifest) -> str:
    text = f"stored artifact with revision '{target.revision}' from '{repository.spec.url}'"
    for name, key in (("source", _ORIGIN_SOURCE), ("revision", _ORIGIN_REVISION)):
        if manifest.annotations.get(key):
            text += f", origin {name} '{manifest.annotations[key]}'"
    return text
