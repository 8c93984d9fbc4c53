"""What Helm says of each action, and at which events hooks run."""

from dataclasses import dataclass

from tidegate.helm.release.record import Status

PRE_DELETE, POST_DELETE = "pre-delete", "post-delete"
UNINSTALLING = "Deletion in progress (or silently failed)"
UNINSTALLED = "Uninstallation complete"
IN_PROGRESS = "another operation (install/upgrade/rollback) is in progress"
NAME_IN_USE = "cannot reuse a name that is still in use"


@dataclass(frozen=True)
class Words:
    """An action that brings a revision into the cluster: its events, and how it is described.

    With `done` empty the description stays what it was when the action began.
    """

    name: str
    pending: Status
    begun: str
    done: str
    hook_failure: str
    failure: str
    conflict: str

    @property
    def before(self) -> str:
        """The event before objects are applied."""
        return f"pre-{self.name}"

    @property
    def after(self) -> str:
        """The event after they are ready."""
        return f"post-{self.name}"

    def hook_failed(self, event: str, cause: str) -> str:
        """A hook failed."""
        return self.hook_failure.format(event=event) + cause

    def failed(self, release: str, cause: str) -> str:
        """The description of a revision that failed."""
        return self.failure.format(release=release) + cause


INSTALL = Words(
    name="install",
    pending=Status.PENDING_INSTALL,
    begun="Initial install underway",
    done="Install complete",
    hook_failure="failed {event}: ",
    failure='Release "{release}" failed: ',
    conflict="unable to continue with install: ",
)
UPGRADE = Words(
    name="upgrade",
    pending=Status.PENDING_UPGRADE,
    begun="Preparing upgrade",
    done="Upgrade complete",
    hook_failure="{event} hooks failed: ",
    failure='Upgrade "{release}" failed: ',
    conflict="unable to continue with update: ",
)


ROLLBACK = Words(
    name="rollback",
    pending=Status.PENDING_ROLLBACK,
    begun="Rollback to {version}",
    done="",
    hook_failure="{event} hooks failed: ",
    failure='Rollback "{release}" failed: ',
    conflict="unable to continue with rollback: ",
)


def of_pending(status: Status) -> Words | None:
    """The action that left this status behind; None when we have none that does."""
    return next((words for words in (INSTALL, UPGRADE, ROLLBACK) if words.pending == status), None)


def unlocked(status: Status) -> str:
    """The description of a pending revision that nobody will finish."""
    return f"Release unlocked from stale '{status}' state"
