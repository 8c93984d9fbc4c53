"""All that comes before the first write of a revision's record, and that must not leave half of one behind."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.engine import identity
from tidegate.engine.apply import CREATE_ONLY
from tidegate.helm.release import crds, manifests, rendering, secrets
from tidegate.helm.release import record as records
from tidegate.helm.release.model import Desired
from tidegate.helm.release.record import Record, RecordTooLarge
from tidegate.helm.release.rendering import Renderer, Revision
from tidegate.helm.release.scope import CONCURRENT, Scope
from tidegate.helm.release.words import Words
from tidegate.runtime import bounded, errors, threads
from tidegate.runtime.discovery import NoMatch
from tidegate.runtime.errors import TidegateError
from tidegate.runtime.resources import NAMESPACES
from tidegate_api.codec import JsonObject


class NotOwned(TidegateError):
    """An object that the chart renders exists and is not the release's, and the release may not take it."""


@dataclass(frozen=True)
class Preparation:
    """Renders a revision and makes room for it; nothing of it is stored yet, and no object of it applied."""

    scope: Scope
    renderer: Renderer
    desired: Desired
    revision: Revision

    async def prepare(self, previous: Sequence[Record]) -> Record:
        """The record of the revision, pending. `previous` are the revisions whose objects are the release's already.

        Raises: RenderError, RecordTooLarge, CrdFailed, NotOwned, ApiError, Superseded.
        """
        record = await self._render()
        if not self.scope.options.take_ownership:
            await self._require_owned(record, previous)
        if self.revision.words.name == "install" and self.scope.options.create_namespace:
            await self._create_namespace()
        return record

    async def _render(self) -> Record:
        record, rendered = await rendering.render(self.scope, self.renderer, self.desired, self.revision)
        await _require_fits(record)
        if await crds.apply(self.scope, rendered.crds):
            # What the chart asks of the cluster may be answered otherwise now.
            record, _ = await rendering.render(self.scope, self.renderer, self.desired, self.revision)
            await _require_fits(record)
        return record

    async def _require_owned(self, record: Record, previous: Sequence[Record]) -> None:
        known = {identity.object_id(obj) for old in previous for obj in await self.scope.known(old.manifest)}
        new = [obj for obj in await self.scope.known(record.manifest) if identity.object_id(obj) not in known]
        await bounded.each(lambda obj: _require_free(self.scope, obj, self.revision.words), new, CONCURRENT)

    async def _create_namespace(self) -> None:
        name = self.scope.key.namespace
        namespace = {
            "apiVersion": NAMESPACES.api_version,
            "kind": NAMESPACES.kind,
            "metadata": {"name": name, "labels": {"name": name}, "resourceVersion": CREATE_ONLY},
        }
        try:
            await self.scope.client.apply(NAMESPACES, namespace, self.scope.members.migration.manager)
        except errors.Conflict:
            return


async def _require_fits(record: Record) -> None:
    """Before any object is touched (H15)."""
    try:
        await threads.run(records.require_fits, record)
    except RecordTooLarge as error:
        name = secrets.secret_name(record.name, record.version)
        raise RecordTooLarge(f'create: failed to create: Secret "{name}" is invalid: {error}') from error


async def _require_free(scope: Scope, obj: JsonObject, words: Words) -> None:
    try:
        resource = await scope.client.discovery.find(obj["apiVersion"], obj["kind"])
    except NoMatch:
        return
    oid = identity.object_id(obj)
    live = await scope.client.find(resource, oid.key, metadata_only=True)
    problem = manifests.ownership_problem(live, scope.key) if live is not None else None
    if problem is not None:
        raise NotOwned(
            f'{words.conflict}{oid.kind} "{oid.name}" in namespace "{oid.namespace}" exists and cannot be imported '
            f"into the current release: {problem}"
        )
