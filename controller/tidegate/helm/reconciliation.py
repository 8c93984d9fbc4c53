"""Brings a release to where it is wanted: observe, decide, act; nothing twice in one attempt (style: §13)."""

from dataclasses import dataclass, field
from datetime import timedelta

from tidegate.engine import inventory as inventories
from tidegate.helm import digests, history, names, options, plan, reasons, state
from tidegate.helm.parts import Parts, owner_of
from tidegate.helm.plan import Action
from tidegate.helm.release import manifests
from tidegate.helm.release.engine import Session
from tidegate.helm.release.model import ActionFailed, Desired, Options, Stored
from tidegate.helm.release.record import InvalidRecord, Record, Status
from tidegate.runtime import clock, logs
from tidegate.toolkit.attempt import Attempt
from tidegate.toolkit.events import Severity
from tidegate.toolkit.outcomes import Again, Failed
from tidegate_api.codec import Duration, format_duration
from tidegate_api.helm.v2.helm_release import HelmRelease, ReleaseAction
from tidegate_api.meta.inventory import ResourceInventory, ResourceRef

log = logs.get_logger(__name__)

_LOG_LINES = 10
AT_ONCE = timedelta(milliseconds=1)
"""The next attempt is due; the queue takes what is due later as a wish to come back."""
_VERBS = {Action.INSTALL: ReleaseAction.INSTALL, Action.UPGRADE: ReleaseAction.UPGRADE}


@dataclass
class Reconciliation:
    """One attempt at one release; `run` returns when it is as wanted, or raises how it ended."""

    parts: Parts
    attempt: Attempt[HelmRelease]
    desired: Desired
    is_forced: bool
    done: set[Action] = field(default_factory=set)
    stored: Stored | None = None

    @property
    def release(self) -> HelmRelease:
        """The HelmRelease, whose status is this attempt's to change."""
        return self.attempt.obj

    async def run(self) -> None:
        """Raises: Failed, Again, Stalled; Superseded; ApiError and Unreachable of the API server."""
        while True:
            observed = await self._observe()
            action = plan.next_action(self.release, observed.state, is_forced=self.is_forced)
            if action is None:
                self._settle()
                return
            if action in self.done:
                raise Again(f"'{action}' ran already in this attempt")
            self.done.add(action)
            log.info("release is to change", state=observed.state, reason=observed.reason, action=action)
            await self._act(action)
            self.is_forced = False

    async def _observe(self) -> state.Observed:
        try:
            self.stored = await self._session(options.for_uninstall(self.release)).newest()
        except InvalidRecord as error:
            raise Failed(reasons.STATE_ERROR, f"release cannot be read from storage: {error}") from error
        return state.classify(self.release, self.stored, self.desired)

    async def _act(self, action: Action) -> None:
        match action:
            case Action.INSTALL | Action.UPGRADE:
                await self._release(action, _VERBS[action])
            case Action.RESUME:
                is_install = self._newest().record.status == Status.PENDING_INSTALL
                await self._release(action, ReleaseAction.INSTALL if is_install else ReleaseAction.UPGRADE)
            case Action.UNLOCK:
                await self._unlock()
            case Action.UNINSTALL:
                await self._uninstall()

    async def _release(self, action: Action, verb: ReleaseAction) -> None:
        """Install or upgrade, or finish what was begun of either."""
        choose = options.for_install if verb == ReleaseAction.INSTALL else options.for_upgrade
        chosen = choose(self.release)
        await self._begin(action, verb, chosen)
        session = self._session(chosen)
        started = clock.monotonic()
        try:
            record = await self._deploy(session, action)
        except ActionFailed as error:
            self._took(started)
            raise self._failed(verb, error) from error
        self._took(started)
        self._succeeded(verb, record)

    async def _deploy(self, session: Session, action: Action) -> Record:
        if action == Action.INSTALL:
            return await session.install(self.desired, self._record)
        if action == Action.UPGRADE:
            return await session.upgrade(self.desired, self._newest().record, self._record)
        return await session.resume(self._newest(), self._record)

    async def _begin(self, action: Action, verb: ReleaseAction, chosen: Options) -> None:
        """What is tried is on record before anything is done about it."""
        status = self.release.status
        if action == Action.INSTALL or (action == Action.UPGRADE and not self._is_known()):
            status.history = []
        status.last_attempted_release_action = verb
        status.storage_namespace = names.release_key(self.release).storage_namespace
        self.attempt.conditions.remove(reasons.TEST_SUCCESS, reasons.REMEDIATED)
        self.attempt.progress(f"Running '{verb}' action with timeout of {format_duration(chosen.timeout)}")
        await self.attempt.write_progress()

    def _is_known(self) -> bool:
        """Whether the newest stored revision is the one that we know."""
        known = self.release.status.history
        return bool(known) and self.stored is not None and history.is_as_left(known[0], self.stored.record)

    async def _record(self, record: Record) -> None:
        """A revision was written: it is part of the status, which is written with whatever comes next."""
        verb = self.release.status.last_attempted_release_action
        new = history.snapshot(record, verb, self.desired.oci_digest)
        self.release.status.history = history.recorded(self.release.status.history, new)

    def _took(self, started: float) -> None:
        self.release.status.last_attempted_release_action_duration = Duration(
            seconds=round(clock.monotonic() - started, 3)
        )

    def _succeeded(self, verb: ReleaseAction, record: Record) -> None:
        is_install = verb == ReleaseAction.INSTALL
        release = f"{record.namespace}/{record.name}.v{record.version}"
        text = f"Helm {verb} succeeded for release {release} with chart {self._chart(record)}"
        reason = reasons.INSTALL_SUCCEEDED if is_install else reasons.UPGRADE_SUCCEEDED
        self.attempt.conditions.mark_true(reasons.RELEASED, reason, text)
        if plan.retries_of(self.release, verb).interval is not None:
            self._clear_failures()
        self._store_inventory(record)
        self._event(Severity.INFO, reason, text)

    def _failed(self, verb: ReleaseAction, error: ActionFailed) -> Exception:
        """How the attempt ends: counted only where something was stored, or there is nothing to be made good."""
        is_install = verb == ReleaseAction.INSTALL
        key = names.release_key(self.release)
        chart = f"{self.desired.chart_name}@{self.desired.chart_version}"
        text = f"Helm {verb} failed for release {key.namespace}/{key.name} with chart {chart}: {error}"
        reason = reasons.INSTALL_FAILED if is_install else reasons.UPGRADE_FAILED
        status = self.release.status
        status.failures += 1
        if error.record is not None:
            status.install_failures += int(is_install)
            status.upgrade_failures += int(not is_install)
            self._store_inventory(error.record)
        self.attempt.conditions.mark_false(reasons.RELEASED, reason, text)
        if error.record is None and plan.retries_of(self.release, verb).interval is None:
            return Failed(reason, text)
        said = "\n".join(error.logs[-_LOG_LINES:])
        self._event(Severity.ERROR, reason, f"{text}\n\nLast Helm logs:\n\n{said}" if said else text)
        return self._after_failure(verb, text)

    def _after_failure(self, verb: ReleaseAction, text: str) -> Exception:
        retries = plan.retries_of(self.release, verb)
        if retries.interval is not None:
            return Again(f"retrying after {format_duration(retries.interval)}", retries.interval)
        if retries.are_spent and not (retries.remediates_last and verb == ReleaseAction.INSTALL):
            return plan.exhausted(retries)
        return Again(text, AT_ONCE)

    async def _unlock(self) -> None:
        stored = self._newest()
        before = stored.record.info.status
        record = await self._session(options.for_upgrade(self.release)).unlock(stored)
        release = f"{record.namespace}/{record.name}.v{record.version}"
        text = f"Unlocked Helm release {release} with chart {self._chart(record)} in {before} state"
        if any(one.version == record.version for one in self.release.status.history):
            await self._record(record)
        self.attempt.conditions.mark_false(reasons.RELEASED, reasons.PENDING_RELEASE, text)
        self._event(Severity.INFO, reasons.PENDING_RELEASE, text)

    async def _uninstall(self) -> None:
        """Remediation of a failed install: what it left is taken away, and the next attempt begins anew."""
        record = self._newest().record
        what = f"release {record.namespace}/{record.name}.v{record.version} with chart {self._chart(record)}"
        self.attempt.progress("Running 'uninstall' action as a remediation")
        try:
            await self._session(options.for_uninstall(self.release)).uninstall(self._record)
        except ActionFailed as error:
            text = f"Helm uninstall remediation for {what} failed: {error}"
            self.attempt.conditions.mark_false(reasons.REMEDIATED, reasons.UNINSTALL_FAILED, text)
            raise Failed(reasons.UNINSTALL_FAILED, text) from error
        text = f"Helm uninstall remediation for {what} succeeded"
        self.attempt.conditions.mark_true(reasons.REMEDIATED, reasons.UNINSTALL_SUCCEEDED, text)
        self._event(Severity.INFO, reasons.UNINSTALL_SUCCEEDED, text)
        retries = plan.retries_of(self.release, ReleaseAction.INSTALL)
        if retries.are_spent:
            raise plan.exhausted(retries)
        raise Again(text, AT_ONCE)

    def _settle(self) -> None:
        """It is as wanted: repair what an earlier failure, mended by somebody else, left in the conditions."""
        marks, status = self.attempt.conditions, self.release.status
        status.history = history.truncated(status.history)
        record = self._newest().record
        if not marks.is_true(reasons.RELEASED) or marks.find(reasons.REMEDIATED) is not None:
            marks.remove(reasons.REMEDIATED)
            release = f"{record.namespace}/{record.name}.v{record.version}"
            is_install = record.version == 1
            verb = "install" if is_install else "upgrade"
            reason = reasons.INSTALL_SUCCEEDED if is_install else reasons.UPGRADE_SUCCEEDED
            text = f"Helm {verb} succeeded for release {release} with chart {self._chart(record)}"
            marks.mark_true(reasons.RELEASED, reason, text)
        status.observed_common_metadata_digest = state.common_metadata_digest(self.release)
        if status.inventory is None:
            self._store_inventory(record)

    def _clear_failures(self) -> None:
        status = self.release.status
        status.failures = status.install_failures = status.upgrade_failures = 0

    def _store_inventory(self, record: Record) -> None:
        found = inventories.of_objects(manifests.read_known(record.manifest))
        entries = [ResourceRef(id=oid, v=version) for oid, version in inventories.entries(found, frozenset())]
        self.release.status.inventory = ResourceInventory(entries=entries)

    def _newest(self) -> Stored:
        if self.stored is None:
            raise AssertionError("decided by a state that has one")
        return self.stored

    def _session(self, chosen: Options) -> Session:
        release = self.release
        acting = self.parts.acting_client(release)
        key, owner = names.release_key(release), owner_of(release.key)
        return self.parts.releases.session(key, owner, acting, self.attempt.turn, chosen)

    def _chart(self, record: Record) -> str:
        metadata = record.chart.get("metadata") or {}
        return f"{metadata.get('name', '')}@{metadata.get('version', '')}"

    def _event(self, severity: Severity, reason: str, text: str) -> None:
        self.attempt.event(
            severity,
            reason,
            text,
            **{
                "revision": self.desired.chart_version,
                "token": digests.of_values(self.desired.values),
                "oci-digest": self.desired.oci_digest,
            },
        )
