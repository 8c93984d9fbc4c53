"""Brings a release to where it is wanted: observe, decide, act; nothing twice in one attempt."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn

from tidegate.engine import inventory as inventories
from tidegate.helm import facts, history, names, options, plan, reasons, state
from tidegate.helm.parts import Parts
from tidegate.helm.plan import Action
from tidegate.helm.release.engine import Session
from tidegate.helm.release.model import ActionFailed, Desired, Options, Stored
from tidegate.helm.release.record import Record, Status
from tidegate.helm.reports import Reports
from tidegate.helm.state import State
from tidegate.runtime import clock, logs
from tidegate.toolkit import conditions, jitter
from tidegate.toolkit.attempt import Attempt
from tidegate.toolkit.outcomes import Again, Ending, Failed, Stalled
from tidegate_api.codec import Duration, format_duration
from tidegate_api.helm.v2.helm_release import HelmRelease, ReleaseAction, Snapshot
from tidegate_api.meta.inventory import ResourceInventory, ResourceRef

log = logs.get_logger(__name__)

_VERBS = {
    Status.PENDING_INSTALL: ReleaseAction.INSTALL,
    Status.PENDING_UPGRADE: ReleaseAction.UPGRADE,
}


@dataclass
class Reconciliation:
    """One attempt at one release; `run` returns when it is as wanted, or raises how it ended."""

    parts: Parts
    attempt: Attempt[HelmRelease]
    desired: Desired
    is_forced: bool
    done: set[str] = field(default_factory=set)
    stored: Stored | None = None

    def __post_init__(self) -> None:
        self.release = self.attempt.obj
        self.reports = Reports(self.attempt, self.desired)
        key, chosen = names.release_key(self.release), options.for_uninstall(self.release)
        self.session = self.parts.session(self.release, key, self.attempt.turn, chosen)

    async def run(self) -> str:
        """The resource version of the record that is in order; "" when there is more to do.

        Raises: Failed, Again, Stalled; Superseded; ApiError and Unreachable of the API server.
        """
        while True:
            observed = await self._observe()
            action = plan.next_action(self.release, observed.state, is_forced=self.is_forced)
            if action is None:
                self._settle()
                return self._newest.resource_version
            if action.kind in self.done:
                self._stop()
                return ""
            log.info("release is to change", state=observed.state, reason=observed.reason, action=action)
            self.done.add(action.kind)
            await self._act(action)
            self.is_forced = False

    async def _observe(self) -> state.Observed:
        self.stored = await self.session.under(options.for_uninstall(self.release)).newest()
        observed = state.classify(facts.gather(self.release, self.stored, self.desired))
        if observed.state == State.UNKNOWN:
            raise Failed(reasons.STATE_ERROR, f"Could not determine release state: {observed.reason}")
        return observed

    async def _act(self, action: Action) -> None:
        match action:
            case Action.INSTALL:
                self.release.status.history = []
                await self._release(action, ReleaseAction.INSTALL)
            case Action.UPGRADE:
                if not self._is_as_left():
                    self.release.status.history = []
                await self._release(action, ReleaseAction.UPGRADE)
            case Action.RESUME:
                await self._resume()
            case Action.NOTE:
                await self._note()
            case Action.UNLOCK:
                await self._unlock()
            case Action.ROLLBACK:
                await self._roll_back()
            case Action.UNINSTALL:
                await self._remediate(action, self.release.status.history[0])
            case Action.LEAVE:
                await self.session.under(options.for_uninstall(self.release)).uninstall(self._record)

    async def _release(self, action: Action, verb: ReleaseAction) -> None:
        """Install or upgrade, or finish what was begun of either. Raises: as it ended, unless a revision is stored."""
        status, chosen = self.release.status, self._options(verb)
        status.last_attempted_release_action = verb
        self.attempt.conditions.remove(reasons.TEST_SUCCESS, reasons.REMEDIATED)
        self.reports.began(verb, chosen.timeout, is_release=True)
        # What is tried is on record before anything is done about it: a crash must not make it look like news.
        await self.attempt.write()
        started = clock.monotonic()
        try:
            await self._deploy(action, self.session.under(chosen))
        except ActionFailed as error:
            text = self.reports.failed(verb, error)
            if error.record is None:
                raise self._nothing_stored(plan.retries_of(self.release, verb), text) from error
        else:
            self.reports.released(verb)
        finally:
            lasted = Duration(seconds=round(clock.monotonic() - started, 3))
            status.last_attempted_release_action_duration = lasted

    async def _deploy(self, action: Action, session: Session) -> Record:
        if action == Action.INSTALL:
            return await session.install(self.desired, self._record)
        if action == Action.UPGRADE:
            return await session.upgrade(self.desired, self._newest.record, self._record)
        return await session.resume(self._newest, self._record)

    async def _resume(self) -> None:
        """Finish what was begun: of a rollback no more is told than that it was a remediation."""
        verb = _VERBS.get(self._newest.record.status)
        if verb is not None:
            await self._release(Action.RESUME, verb)
        else:
            await self._remediate(Action.RESUME, self._rolled_back_to(self._newest.record))

    async def _note(self) -> None:
        """Put on record what an action came to of which the process did not live to tell."""
        record = self._newest.record
        if record.info.rollback_revision:
            await self._note_rollback(record)
        verb = ReleaseAction.INSTALL if record.version == 1 else ReleaseAction.UPGRADE
        verb = ReleaseAction(self.release.status.last_attempted_release_action or verb)
        await self._record(record)
        if record.status == Status.FAILED:
            self.reports.failed(verb, ActionFailed(record.info.description, record))
        else:
            self.reports.released(verb)

    async def _note_rollback(self, record: Record) -> NoReturn:
        """A remediation, whatever came of it, is no release: it ends the attempt as it would have then. Raises: how."""
        target = self._rolled_back_to(record)
        await self._record_undone(record)
        failed = ActionFailed(record.info.description, record) if record.status == Status.FAILED else None
        self.reports.remediated(Action.ROLLBACK, target, failed)
        self._stop_remediated(Action.ROLLBACK)

    def _rolled_back_to(self, record: Record) -> Snapshot:
        back = record.info.rollback_revision
        known = next((one for one in self.release.status.history if one.version == back), None)
        return known or history.snapshot(record, Action.ROLLBACK)

    async def _unlock(self) -> None:
        before, journal = self._newest.record.info.status, self._newest.journal
        record = await self.session.under(self._options(ReleaseAction.UPGRADE)).unlock(self._newest)
        is_known = any(one.version == record.version for one in self.release.status.history)
        # An action of our own for what is wanted no more: a failure of ours, after which the one before still counts.
        if is_known or (journal is not None and journal.uid == self.release.metadata.uid):
            await self._record(record)
        self.reports.unlocked(history.snapshot(record, ""), before)

    async def _roll_back(self) -> None:
        """Raises: Stalled when there is nothing to roll back to."""
        target = history.previous(self.release.status.history)
        if target is None:
            text = "Failed to perform remediation: missing target release for rollback: cannot remediate failed release"
            ending = Stalled(reasons.MISSING_ROLLBACK_TARGET, text, sums_up=True)
            ending.is_told = True
            raise ending
        stored = await self.session.find(target.version)
        if stored is not None and history.is_as_left(target, stored.record):
            await self._remediate(Action.ROLLBACK, target)
        else:
            # It is gone, or not what it was: there is nothing to go back to but what is wanted (H16).
            await self._release(Action.UPGRADE, ReleaseAction.UPGRADE)

    async def _remediate(self, action: Action, target: Snapshot) -> None:
        """Undo a failure: that ends the attempt, whatever came of it. Raises: how."""
        told = Action.UNINSTALL if action == Action.UNINSTALL else Action.ROLLBACK
        self.release.status.history = history.truncated(self.release.status.history)
        chosen = options.for_uninstall(self.release) if told == Action.UNINSTALL else options.for_rollback(self.release)
        self.reports.began(told, chosen.timeout, is_release=False)
        # The failure counts, whatever becomes of this process while it undoes it.
        await self.attempt.write()
        session = self.session.under(chosen)
        try:
            if action == Action.UNINSTALL:
                await session.uninstall(self._record_undone)
                self.release.status.inventory = None
            elif action == Action.ROLLBACK:
                inputs = self.desired.inputs
                await session.rollback(target.version, self._newest.record, inputs, self._record_undone)
            else:
                await session.resume(self._newest, self._record_undone)
        except ActionFailed as error:
            text = self.reports.remediated(told, target, error)
            if error.record is None:
                raise self._nothing_stored(plan.active_retries(self.release), text) from error
        else:
            self.reports.remediated(told, target)
        self._stop_remediated(told)

    def _stop(self) -> None:
        """One thing would be done twice: leave it to the next attempt. Raises: Again while there may be one."""
        retries = plan.active_retries(self.release)
        if retries is not None and retries.interval is not None:
            raise self._after(retries.interval)
        if retries is None or not retries.are_spent:
            raise self._again()

    def _stop_remediated(self, action: Action) -> NoReturn:
        """What comes next is a new try. Raises: Again, Stalled when none is left."""
        retries = plan.active_retries(self.release)
        if retries is not None and retries.interval is not None:
            raise self._after(retries.interval)
        is_gone = action == Action.UNINSTALL and retries is not None and retries.action == ReleaseAction.UPGRADE
        if retries is None or not retries.are_spent or is_gone:
            raise self._again()
        raise plan.exhausted(retries)

    def _nothing_stored(self, retries: plan.Retries | None, text: str) -> Ending:
        """The ending of an action that has left no trace but its failure."""
        if retries is not None and retries.interval is not None:
            return self._after(retries.interval)
        released = self.attempt.conditions.find(reasons.RELEASED)
        ending = Failed(released.reason if released is not None else conditions.FAILED, text)
        ending.is_told = True
        return ending

    def _after(self, interval: timedelta) -> Again:
        self.release.status.history = history.bounded(self.release.status.history)
        self.release.status.observed_generation = self.release.metadata.generation
        text = f"retrying after {format_duration(interval)}"
        self.attempt.conditions.mark_reconciling(conditions.PROGRESSING_WITH_RETRY, text)
        return Again(text, jitter.spread(interval, self.parts.settings.jitter_percent))

    def _again(self) -> Again:
        """At once, but for the delay that grows while nothing else happens."""
        marks = self.attempt.conditions
        said = marks.find(reasons.REMEDIATED) or marks.find(reasons.RELEASED)
        text = said.message if said is not None else "reconciliation in progress"
        marks.mark_reconciling(conditions.PROGRESSING_WITH_RETRY, text)
        return Again(text)

    def _settle(self) -> None:
        status, retries = self.release.status, plan.active_retries(self.release)
        is_retried = retries is not None and retries.interval is not None
        status.history = status.history[: history.KEPT] if is_retried else history.truncated(status.history)
        self.reports.in_sync()

    async def _record(self, record: Record) -> None:
        """A revision was written: it is part of the status, which is written with whatever comes next."""
        await self._remember(record, self.release.status.last_attempted_release_action)

    async def _record_undone(self, record: Record) -> None:
        is_back = record.info.rollback_revision > 0
        await self._remember(record, Action.ROLLBACK if is_back else "uninstall-remediation")

    async def _remember(self, record: Record, action: str) -> None:
        """What is under way is in the release's own Secret: to repeat it in the status would cost a write."""
        if record.status.is_pending or record.status == Status.UNINSTALLING:
            return
        status = self.release.status
        status.history = history.recorded(status.history, record, action, self.desired.oci_digest)
        if record.status == Status.DEPLOYED:
            await self._note_superseded(record.version)
        if record.version == status.history[0].version and record.status != Status.UNINSTALLED:
            session = self.session.under(self._options(ReleaseAction.UPGRADE))
            found = inventories.entries(await session.inventory(record))
            entries = [ResourceRef(id=oid, v=version) for oid, version in found]
            status.inventory = ResourceInventory(entries=entries)

    async def _note_superseded(self, deployed: int) -> None:
        """One revision is deployed: what became of one before may have been written by a process that ended then."""
        status = self.release.status
        for known in history.still_deployed(status.history, before=deployed):
            if (stored := await self.session.find(known.version)) is not None:
                status.history = history.recorded(status.history, stored.record, known.action, known.oci_digest)

    def _is_as_left(self) -> bool:
        known = self.release.status.history
        return bool(known) and self.stored is not None and history.is_as_left(known[0], self.stored.record)

    def _options(self, verb: ReleaseAction) -> Options:
        is_install = verb == ReleaseAction.INSTALL
        return options.for_install(self.release) if is_install else options.for_upgrade(self.release)

    @property
    def _newest(self) -> Stored:
        if self.stored is None:
            raise AssertionError("decided by a state that has one")
        return self.stored
