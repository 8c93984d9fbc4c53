"""HelmRelease: keeps a Helm release as its chart and values say.

The story of a turn: chart template -> dependencies -> chart -> values -> is there anything to do? ->
reconciliation.py does it. Steps raise how they ended; toolkit.outcomes knows what each ending means.
"""

from dataclasses import dataclass, field

from tidegate.helm import (
    chart_template,
    charts,
    checks,
    deletion,
    digests,
    inputs,
    names,
    options,
    reasons,
    reports,
    summary,
    tokens,
    values,
)
from tidegate.helm.deletion import DeletionError
from tidegate.helm.parts import Parts, owner_of
from tidegate.helm.reconciliation import Reconciliation
from tidegate.helm.release.model import Desired
from tidegate.helm.values import ValuesError
from tidegate.runtime import errors, metrics
from tidegate.runtime.controller import Result, Turn
from tidegate.toolkit import dependencies, jitter
from tidegate.toolkit.attempt import Attempt
from tidegate.toolkit.finalizers import add_finalizer
from tidegate.toolkit.outcomes import Again, Failed, Policy, Waiting
from tidegate_api.codec import JsonObject
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.objects import ObjectKey


@dataclass(frozen=True)
class Settled:
    """What this process has brought into the cluster: the digest of the inputs, and the stored revision's version."""

    inputs: str
    resource_version: str


@dataclass(frozen=True)
class HelmReleaseReconciler:
    """Reconciles HelmReleases."""

    parts: Parts
    settled: dict[ObjectKey, Settled] = field(default_factory=dict)

    async def reconcile(self, turn: Turn) -> Result:
        """One turn of one HelmRelease."""
        release = self.parts.cache.find(turn.key)
        if release is None:
            self._forget(turn.key)
            return Result()
        if release.metadata.deletion_timestamp is not None:
            await self._finalize(release, turn)
            return Result()
        if release.spec.suspend:
            return Result()
        release = await add_finalizer(self.parts.tools.status, release)
        interval = jitter.spread(release.spec.interval, self.parts.settings.jitter_percent)
        attempt = Attempt(release, turn, self.parts.tools, Policy(interval, None, summary.summarize))
        settled: Settled | None = None
        async with attempt:
            settled = await self._update(attempt)
        if settled is not None:
            # Strictly after the status is written: what nobody knows of is not in order.
            self.settled[turn.key] = settled
        return attempt.result

    async def _update(self, attempt: Attempt[HelmRelease]) -> Settled | None:
        release, parts = attempt.obj, self.parts
        checks.require_supported(release)
        attempt.progress("Fulfilling prerequisites", is_told=not dependencies.is_ready(release))
        made = names.chart_key(release)
        seen = parts.charts.find(made) if made is not None else None
        generation = await chart_template.sync(
            parts.client, attempt, seen, cross_namespace=parts.settings.cross_namespace
        )
        self._require_dependencies(release)
        artifact = charts.require_artifact(parts, release, generation)
        wanted = await self._load_values(release)
        digest = inputs.digest(release, artifact, wanted)
        settled = self.settled.pop(release.key, None)
        if settled is not None and settled.inputs == digest and await self._is_in_order(attempt, settled):
            tokens.handle(release)
            return settled
        version = await self._release(attempt, artifact, wanted, digest)
        return Settled(digest, version) if version else None

    async def _release(self, attempt: Attempt[HelmRelease], artifact: Artifact, wanted: JsonObject, digest: str) -> str:
        release = attempt.obj
        chart = await charts.load(self.parts, release, artifact, attempt.turn)
        await self._leave_old(attempt, chart.name)
        desired = Desired(chart.archive, chart.name, chart.version, wanted, digest, chart.oci_digest, chart.app_version)
        is_forced = tokens.is_forced(release)
        _note_attempt(release, desired)
        try:
            return await Reconciliation(self.parts, attempt, desired, is_forced).run()
        except errors.Conflict as error:
            # Somebody else wrote the release meanwhile: look again at what it is now.
            raise Again(f"the release changed meanwhile: {error}") from error

    async def _is_in_order(self, attempt: Attempt[HelmRelease], settled: Settled) -> bool:
        """It is Ready, and nobody has touched the release since."""
        release = attempt.obj
        if not dependencies.is_ready(release) or tokens.is_forced(release):
            return False
        session = self.parts.session(release, names.release_key(release), attempt.turn, options.for_upgrade(release))
        stored, known = await session.history(), release.status.history
        return bool(stored and known) and (stored[0].version, stored[0].status, stored[0].resource_version) == (
            *(known[0].version, known[0].status, settled.resource_version),
        )

    async def _leave_old(self, attempt: Attempt[HelmRelease], chart_name: str) -> None:
        """Uninstall the release that this one was before its name, its place or its chart changed.

        Raises: Again once it is gone, Failed while it is not.
        """
        release = attempt.obj
        status = release.status
        try:
            held = await deletion.find_held(self.parts, release)
            if held is None or not names.has_moved(release, held, chart_name):
                return
            text = await deletion.uninstall(self.parts, release, held, attempt.turn)
        except DeletionError as error:
            ending = Failed(reasons.UNINSTALL_FAILED, str(error))
            ending.is_told = True
            raise ending from error
        attempt.conditions.mark_false(reasons.RELEASED, reasons.UNINSTALL_SUCCEEDED, text)
        status.history, status.storage_namespace, status.inventory = [], "", None
        reports.clear_failures(status)
        raise Again(text)

    def _require_dependencies(self, release: HelmRelease) -> None:
        obstacle = dependencies.find_obstacle(release, self.parts.cache.find, lambda _dependency, _key: None)
        if obstacle is not None:
            after = self.parts.settings.requeue_dependency
            raise Waiting(reasons.DEPENDENCY_NOT_READY, obstacle, after, notify=obstacle)

    async def _load_values(self, release: HelmRelease) -> JsonObject:
        try:
            return await values.load(self.parts.client, release)
        except (ValuesError, errors.Forbidden) as error:
            raise Failed(reasons.VALUES_ERROR, str(error)) from error

    async def _finalize(self, release: HelmRelease, turn: Turn) -> None:
        try:
            await deletion.finalize(self.parts, release, turn)
        except (DeletionError, errors.Forbidden, errors.Invalid) as error:
            # Whoever waits for it to go sees why it does not, and not how well it once was installed.
            await deletion.note_failure(self.parts, release, str(error))
            raise
        self._forget(turn.key)

    def _forget(self, key: ObjectKey) -> None:
        self.settled.pop(key, None)
        self.parts.releases.members.forget(owner_of(key))
        metrics.forget_object(HelmRelease.KIND, key.name, key.namespace)


def _note_attempt(release: HelmRelease, desired: Desired) -> None:
    """What is tried now; another thing than before, or a wish of somebody, gives all its tries back."""
    status, generation = release.status, release.metadata.generation
    config = digests.of_values(desired.values)
    is_other = (
        status.last_attempted_generation != generation
        or status.last_attempted_revision != desired.chart_version
        or status.last_attempted_config_digest != config
    )
    if is_other or tokens.is_reset(release):
        reports.clear_failures(status)
    status.last_attempted_generation = generation
    status.last_attempted_revision = desired.chart_version
    status.last_attempted_revision_digest = desired.oci_digest
    status.storage_namespace = names.release_key(release).storage_namespace
    status.last_attempted_config_digest = config
    status.last_attempted_values_checksum = ""
    status.last_release_revision = 0
    tokens.handle(release)
