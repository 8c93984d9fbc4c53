"""One pass that brings a Kustomization's objects into the cluster: build -> apply -> prune -> health."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from tidegate.engine import causes, messages, ownership, waits
from tidegate.engine import inventory as inventories
from tidegate.engine.apply import ApplyError, ApplySet, Change, Options
from tidegate.engine.identity import ChangeAction, change_line
from tidegate.engine.inventory import Inventory
from tidegate.engine.prune import prune
from tidegate.engine.waits import HealthError, Target
from tidegate.kustomize import build, checks, dependencies, history, reasons
from tidegate.kustomize.build import BuildError, PathError
from tidegate.kustomize.checks import HealthCheck
from tidegate.kustomize.parts import Parts, owner_of
from tidegate.kustomize.variables import Variables
from tidegate.runtime import clock, errors, logs
from tidegate.runtime.discovery import NoMatch
from tidegate.toolkit import conditions
from tidegate.toolkit.artifacts import ArtifactError, ArtifactNotFound
from tidegate.toolkit.attempt import Attempt
from tidegate.toolkit.events import Severity
from tidegate.toolkit.outcomes import Failed, Waiting
from tidegate_api.codec import JsonObject, format_duration
from tidegate_api.kustomize.v1.kustomization import Kustomization
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.inventory import ResourceInventory, ResourceRef

log = logs.get_logger(__name__)

STATUS_LIMIT = 1 << 20
ORIGIN_REVISION = "org.opencontainers.image.revision"


@dataclass(frozen=True)
class Wanted:
    """What an attempt is made from, and the digest of all that."""

    artifact: Artifact
    variables: Variables
    inputs: str


@dataclass
class Sync:
    """One pass over one Kustomization; `run` returns what it settled, or raises how it ended."""

    parts: Parts
    attempt: Attempt[Kustomization]
    wanted: Wanted
    digest: str = ""
    targets: list[Target] = field(default_factory=list)
    must_look_again: bool = False

    def __post_init__(self) -> None:
        self.kustomization = self.attempt.obj
        self.owner = owner_of(self.kustomization.key)
        self.client = self.parts.acting_client(self.kustomization)
        self.timeout = checks.timeout_of(self.kustomization)
        # An earlier pass, of this process or another, has brought these very inputs into the cluster.
        same_inputs = history.last_inputs(self.kustomization.status.history) == self.wanted.inputs
        self.was_applied = same_inputs and dependencies.is_ready(self.kustomization)
        self.is_news = not self.was_applied

    async def run(self) -> None:
        """The whole pass. Raises: Failed, Waiting, Superseded."""
        objects = await self._build()
        old = self._stored_inventory()
        new = inventories.of_objects(objects)
        changes = await self._apply(objects, old, new)
        self.must_look_again |= any(change.action == ChangeAction.SKIPPED and not change.note for change in changes)
        changes = await self._prune(old, new, changes)
        self._report(changes)
        await self._check_health(new, changes)
        self._succeed(changes)

    async def _build(self) -> list[JsonObject]:
        kustomization, artifact = self.kustomization, self.wanted.artifact
        self._progress("Fetching manifests for")
        kustomization.status.last_attempted_revision = artifact.revision
        try:
            built = await self.parts.builder.build(kustomization, artifact, self.attempt.turn.touched)
            self.must_look_again |= not built.is_repeatable
            self._progress("Building manifests for")
            objects = await self.parts.builder.substitute(kustomization, built.objects, self.wanted.variables.values)
        except ArtifactNotFound as error:
            after = self.parts.settings.requeue_dependency
            text = f"Source is not ready, artifact not found, retrying in {format_duration(after)}"
            # What was applied before stays as it is, and Ready, until its source has it again (F27).
            raise Waiting(reasons.ARTIFACT_FAILED, text, after, keeps_ready=self.was_applied) from error
        except (ArtifactError, PathError) as error:
            raise Failed(reasons.ARTIFACT_FAILED, str(error)) from error
        except BuildError as error:
            raise Failed(reasons.BUILD_FAILED, str(error)) from error
        self.digest = "sha256:" + hashlib.sha256(msgspec.json.encode(objects, order="deterministic")).hexdigest()
        owned = [ownership.set_owner(obj, self.owner) for obj in objects]
        return [build.apply_common_metadata(obj, kustomization.spec.common_metadata) for obj in owned]

    async def _apply(self, objects: Sequence[JsonObject], old: Inventory, new: Inventory) -> list[Change]:
        self._progress("Detecting drift for")
        recorded = inventories.union(old, new)
        if inventories.encoded_size(recorded) > STATUS_LIMIT:
            text = f"inventory of {len(recorded)} objects would not fit into the status"
            raise Failed(reasons.RECONCILIATION_FAILED, text)

        async def record() -> None:
            """What is about to exist must be on record before it exists (F18)."""
            if recorded != old:
                self._store_inventory(recorded)
                await self.attempt.write_progress()

        spec, settings = self.kustomization.spec, self.parts.settings
        changed = history.last_inputs(self.kustomization.status.history) != self.wanted.inputs
        options = Options(settings.concurrent_ssa, spec.force, settings.custom_stage_kinds, inputs_changed=changed)
        apply_set = ApplySet(self.client, self.parts.members, self.owner, options, self.attempt.turn, record)
        try:
            changes = await apply_set.apply(objects, old)
        except (ApplyError, HealthError, errors.ApiError) as error:
            raise self._failed(reasons.RECONCILIATION_FAILED, str(error)) from error
        self.is_news |= _written(changes)
        return changes

    async def _prune(self, old: Inventory, new: Inventory, applied: Sequence[Change]) -> list[Change]:
        """Delete what is no longer wanted; all changes of the pass. Until it is gone it stays on record."""
        stale = inventories.stale(old, new)
        if not stale or not self.kustomization.spec.prune:
            self._store_inventory(new)
            return list(applied)
        self._progress("Pruning objects for")
        self._store_inventory(inventories.union(old, new))
        pruned = await prune(self.client, self.parts.members, self.owner, stale)
        self._store_inventory(inventories.merge(new, pruned.survivors))
        changes = [*applied, *pruned.changes]
        if pruned.problems:
            self._report(changes)
            raise self._failed(reasons.PRUNE_FAILED, messages.prune_failed(pruned.problems))
        return changes

    async def _check_health(self, new: Inventory, changes: Sequence[Change]) -> None:
        marks = self.attempt.conditions
        check = HealthCheck(self.client, self.parts.members, self.owner)
        started = clock.monotonic()
        try:
            targets = await check.targets(self.kustomization, new, checks.skipped_ids(changes))
            if not targets:
                marks.remove(conditions.HEALTHY)
                return
            self.is_news = True  # whoever is not healthy, and waited for, is
            self._progress("Running health checks for")
            was_healthy = marks.is_true(conditions.HEALTHY)
            await check.until_healthy(targets, new, self.attempt.turn, self.timeout)
        except (HealthError, NoMatch) as error:
            lasted = waits.elapsed(clock.monotonic() - started)
            cause = await causes.explain(self.client, error.unhealthy) if isinstance(error, HealthError) else ""
            text = f"health check failed after {lasted}: {error}{cause}"
            marks.mark_false(conditions.HEALTHY, reasons.HEALTH_CHECK_FAILED, text)
            raise self._failed(reasons.HEALTH_CHECK_FAILED, text) from error
        self.targets = [target for target in targets if target[1] in new]
        if not was_healthy or _written(changes):
            text = f"Health check passed in {waits.elapsed(clock.monotonic() - started)}"
            marks.mark_true(conditions.HEALTHY, conditions.SUCCEEDED, text)
            self._event(Severity.INFO, text)

    def _succeed(self, changes: Sequence[Change]) -> None:
        kustomization = self.kustomization
        mark_applied(self.attempt, self.wanted.artifact)
        if self.was_applied and not _written(changes):
            # Looked at after a start, found in order: nothing to say, nothing to count.
            return
        self._record_history(reasons.RECONCILIATION_SUCCEEDED)
        lasted, following = waits.elapsed(self.attempt.seconds), format_duration(kustomization.spec.interval)
        text = f"Reconciliation finished in {lasted}, next run in {following}"
        self._event(Severity.INFO, text, commit_status="update")

    def _failed(self, reason: str, text: str) -> Failed:
        """The failure, counted once per kind of outcome: counters alone are not worth a write."""
        entries = self.kustomization.status.history
        if not entries or (entries[0].digest, entries[0].last_reconciled_status) != (self.digest, reason):
            self._record_history(reason)
        return Failed(reason, text)

    def _record_history(self, reason: str) -> None:
        status, artifact = self.kustomization.status, self.wanted.artifact
        metadata = {
            "revision": artifact.revision,
            "originRevision": artifact.metadata.get(ORIGIN_REVISION, ""),
            history.INPUTS: self.wanted.inputs if reason == reasons.RECONCILIATION_SUCCEEDED else "",
        }
        entry = history.snapshot(self.digest, reason, clock.utc_now(), clock.span(self.attempt.seconds), metadata)
        status.history = history.record(status.history, entry)

    def _report(self, changes: Sequence[Change]) -> None:
        lines = [_line(change) for change in changes if _written([change]) or change.note]
        if lines:
            log.info("server-side apply completed", output=lines[:100], revision=self.wanted.artifact.revision)
            self._event(Severity.INFO, "\n".join(lines))

    def _event(self, severity: Severity, text: str, **metadata: str) -> None:
        ready = self.attempt.conditions.find(conditions.READY)
        artifact = self.wanted.artifact
        facts = {"revision": artifact.revision, "originRevision": artifact.metadata.get(ORIGIN_REVISION, "")}
        self.attempt.event(severity, ready.reason if ready else severity, text, **facts, **metadata)

    def _progress(self, phase: str) -> None:
        revision, timeout = self.wanted.artifact.revision, format_duration(self.timeout)
        text = f"{phase} revision {revision} with a timeout of {timeout}"
        # After a start each one is looked at again, however busy the cluster: in order, it is not worth two writes.
        self.attempt.progress(text, is_told=self.is_news)

    def _stored_inventory(self) -> Inventory:
        stored = self.kustomization.status.inventory
        found, invalid = inventories.parse((entry.id, entry.v) for entry in stored.entries) if stored else ({}, [])
        if invalid:
            log.warning("inventory entries ignored, they name no object", entries=invalid[:10])
        return found

    def _store_inventory(self, inventory: Inventory) -> None:
        custom = self.parts.settings.custom_stage_kinds
        entries = [ResourceRef(id=oid, v=version) for oid, version in inventories.entries(inventory, custom)]
        self.kustomization.status.inventory = ResourceInventory(entries=entries)


def mark_applied(attempt: Attempt[Kustomization], artifact: Artifact) -> None:
    """Ready, for this revision."""
    status = attempt.obj.status
    status.last_applied_revision = status.last_attempted_revision = artifact.revision
    status.last_applied_origin_revision = artifact.metadata.get(ORIGIN_REVISION, "")
    text = f"Applied revision: {artifact.revision}"
    attempt.conditions.mark_true(conditions.READY, reasons.RECONCILIATION_SUCCEEDED, text)


def _written(changes: Sequence[Change]) -> bool:
    return any(change.action not in (ChangeAction.UNCHANGED, ChangeAction.SKIPPED) for change in changes)


def _line(change: Change) -> str:
    line = change_line(change.id, change.action)
    return f"{line} ({change.note})" if change.note else line
