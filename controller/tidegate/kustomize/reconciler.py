"""Kustomization: keeps the cluster equal to a directory of a source's artifact.

The story of a turn: source -> dependencies -> variables -> is there anything to do? -> sync.py does it.
Steps raise how they ended; toolkit.outcomes knows what each ending means.
"""

from dataclasses import dataclass, field

from tidegate.engine import waits
from tidegate.engine.waits import Target
from tidegate.kustomize import deletion, dependencies, inputs, reasons, sources, sync, variables
from tidegate.kustomize.parts import Parts, owner_of
from tidegate.kustomize.sync import Sync, Wanted
from tidegate.kustomize.variables import Variables, VariablesError
from tidegate.runtime import errors, metrics
from tidegate.runtime.cache import Cache
from tidegate.runtime.controller import Result, Turn
from tidegate.toolkit import access, jitter
from tidegate.toolkit.attempt import Attempt
from tidegate.toolkit.conditions import Conditions
from tidegate.toolkit.finalizers import add_finalizer
from tidegate.toolkit.outcomes import Failed, Policy, Stalled, Waiting
from tidegate.toolkit.sources import Sources
from tidegate_api.codec import format_duration
from tidegate_api.kustomize.v1.kustomization import Kustomization
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.objects import ObjectKey


@dataclass(frozen=True)
class Settled:
    """What this process has brought into the cluster and seen in order: from which inputs, and what must be healthy."""

    inputs: str
    targets: list[Target]


@dataclass(frozen=True)
class KustomizationReconciler:
    """Reconciles Kustomizations from `cache`."""

    parts: Parts
    cache: Cache[Kustomization]
    sources: Sources
    settled: dict[ObjectKey, Settled] = field(default_factory=dict)

    async def reconcile(self, turn: Turn) -> Result:
        """One turn of one Kustomization."""
        kustomization = self.cache.find(turn.key)
        if kustomization is None:
            self._forget(turn.key)
            return Result()
        if kustomization.metadata.deletion_timestamp is not None:
            await deletion.finalize(self.parts, kustomization, turn)
            self._forget(turn.key)
            return Result()
        if kustomization.spec.suspend:
            return Result()
        kustomization = await add_finalizer(self.parts.tools.status, kustomization)
        spec = kustomization.spec
        interval = jitter.spread(spec.interval, self.parts.settings.jitter_percent)
        policy = Policy(interval, spec.retry_interval or spec.interval, _leave_ready)
        attempt = Attempt(kustomization, turn, self.parts.tools, policy)
        settled: Settled | None = None
        async with attempt:
            settled = await self._sync(attempt)
        if settled is not None:
            # STRICTLY AFTER the status is written: what nobody knows of is not in order.
            self.settled[turn.key] = settled
            if self._has_fallen_ill(settled):
                turn.touched.set()
        return attempt.result

    async def _sync(self, attempt: Attempt[Kustomization]) -> Settled | None:
        kustomization = attempt.obj
        check_spec(kustomization)
        artifact = self._require_artifact(kustomization)
        self._require_dependencies(kustomization, artifact)
        values = await self._load_variables(kustomization)
        digest = inputs.digest(kustomization, artifact, values, "")
        settled = self.settled.pop(kustomization.key, None)
        if settled is not None and settled.inputs == digest and self._is_in_order(kustomization, settled):
            sync.mark_applied(attempt, artifact)
            return settled
        work = Sync(self.parts, attempt, Wanted(artifact, values, digest))
        await work.run()
        # An object that opted out may opt in again unseen, and a remote file may change: then each pass looks.
        return None if work.must_look_again else Settled(digest, work.targets)

    def _is_in_order(self, kustomization: Kustomization, settled: Settled) -> bool:
        """It is Ready, every member is watched and as we left it, and all that must be healthy is."""
        members = self.parts.members
        return (
            dependencies.is_ready(kustomization)
            and members.in_order(owner_of(kustomization.key))
            and not waits.unhealthy(members, settled.targets)
        )

    def _has_fallen_ill(self, settled: Settled) -> bool:
        """Whether a member did so while the turn was at work: that wakes nobody, and the last steps do not look."""
        members = self.parts.members
        return bool(waits.unhealthy(members, [one for one in settled.targets if members.is_watched(one[0])]))

    def _require_artifact(self, kustomization: Kustomization) -> Artifact:
        kind, key = sources.source_id(kustomization)
        namespace = kustomization.metadata.namespace
        access.require_same_namespace(self.parts.settings.cross_namespace, namespace, key.namespace, f"{kind}/{key}")
        cache = self.sources.get(kind)
        if cache is None:
            raise Failed(reasons.ARTIFACT_FAILED, f"source kind '{kind}' is not served by the API server")
        source = cache.find(key)
        if source is None:
            raise Failed(reasons.ARTIFACT_FAILED, f"Source '{kind}/{key}' not found")
        if source.status.artifact is None:
            after = self.parts.settings.requeue_dependency
            text = f"Source artifact not found, retrying in {format_duration(after)}"
            raise Waiting(reasons.ARTIFACT_FAILED, text, after)
        return source.status.artifact

    def _require_dependencies(self, kustomization: Kustomization, artifact: Artifact) -> None:
        obstacle = dependencies.find_obstacle(kustomization, artifact.revision, self.cache.find)
        if obstacle is not None:
            after = self.parts.settings.requeue_dependency
            text = f"Dependencies do not meet ready condition, retrying in {format_duration(after)}"
            raise Waiting(reasons.DEPENDENCY_NOT_READY, obstacle, after, notify=text)

    async def _load_variables(self, kustomization: Kustomization) -> Variables:
        try:
            return await variables.load(self.parts.client, kustomization)
        except (VariablesError, errors.Forbidden) as error:
            raise Failed(reasons.BUILD_FAILED, str(error)) from error

    def _forget(self, key: ObjectKey) -> None:
        self.settled.pop(key, None)
        self.parts.members.forget(owner_of(key))
        metrics.forget_object(Kustomization.KIND, key.name, key.namespace)


def check_spec(kustomization: Kustomization) -> None:
    """Refuse what this version would have to ignore: refusing beats pretending. Raises: Stalled."""
    spec = kustomization.spec
    found = {
        "spec.decryption": spec.decryption is not None,
        "spec.kubeConfig": spec.kube_config is not None,
        "spec.healthCheckExprs": bool(spec.health_check_exprs),
        "spec.ignore": bool(spec.ignore),
        "spec.dependsOn[].readyExpr": any(one.ready_expr for one in spec.depends_on),
    }
    missing = [name for name, is_set in found.items() if is_set]
    if missing:
        raise Stalled(reasons.UNSUPPORTED, f"not supported yet: {', '.join(missing)}")


def _leave_ready(_conditions: Conditions) -> None:
    """A Kustomization's steps mark Ready themselves: there is nothing to sum up."""
