"""One poll per remote repository, however many objects follow it.

An interval's pass takes the answer that another object's poll brought within that interval; what a person or a webhook
asks for is always asked of the server anew. A poll that finds something new wakes everybody who follows the remote.
"""

from collections.abc import Callable
from datetime import timedelta

from tidegate.adapters.git_auth import GitAuth
from tidegate.adapters.git_refs import Refs
from tidegate.adapters.git_remote import BRANCHES_AND_TAGS, GitRemote
from tidegate.runtime import clock
from tidegate.toolkit import requests
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.source.v1.git_repository import GitRepository

# The jitter of intervals must not make the follower's answer a moment too old.
TOLERANCE = 0.85

Address = tuple[str, GitAuth]


class Polls:
    """Who follows which remote; `wake` makes an object due now."""

    def __init__(self, wake: Callable[[ObjectKey], None]) -> None:
        self._wake = wake
        self._followed: dict[ObjectKey, tuple[GitRemote, Address]] = {}
        self._asked_for: dict[ObjectKey, tuple[str, int]] = {}

    def follow(self, key: ObjectKey, remote: GitRemote, address: Address) -> None:
        """`key` follows `remote`, which is at `address`, and no other."""
        self._followed[key] = (remote, address)

    def forget(self, key: ObjectKey) -> None:
        """`key` follows nobody."""
        self._followed.pop(key, None)
        self._asked_for.pop(key, None)

    async def refs(self, repository: GitRepository, remote: GitRemote) -> Refs:
        """What the server advertises: now, or within the object's interval when nobody asked for more."""
        is_new_wish = self._is_new_wish(repository)
        known = remote.known_refs()
        prefixes = _prefixes(repository)
        is_answered = known is not None and all(known[0].covers(prefix) for prefix in prefixes)
        if known is not None and is_answered and not is_new_wish and _suffices(repository, known[1]):
            return known[0]
        refs = await remote.list_refs(repository.spec.timeout, prefixes)
        if known is not None and known[0] != refs:
            self._wake_others(repository.key, remote)
        return refs

    def in_use(self) -> list[Address]:
        """The addresses that somebody follows."""
        return [address for _, address in self._followed.values()]

    def _is_new_wish(self, repository: GitRepository) -> bool:
        wish = (requests.token(repository.metadata), repository.metadata.generation)
        is_new = self._asked_for.get(repository.key) != wish
        self._asked_for[repository.key] = wish
        return is_new

    def _wake_others(self, key: ObjectKey, remote: GitRemote) -> None:
        for other, (followed, _) in self._followed.items():
            if followed is remote and other != key:
                self._wake(other)


def _prefixes(repository: GitRepository) -> tuple[str, ...]:
    """What to ask for: branches and tags, and any other reference that is named (`refs/pull/1/head`)."""
    name = repository.spec.ref.name if repository.spec.ref is not None else ""
    return BRANCHES_AND_TAGS if not name or name.startswith(BRANCHES_AND_TAGS) else (*BRANCHES_AND_TAGS, name)


def _suffices(repository: GitRepository, answered_at: float) -> bool:
    """Whether an answer of that time is new enough; who failed wants to hear it again."""
    status = repository.status
    is_failing = status.artifact is None or status.observed_generation != repository.metadata.generation
    age = timedelta(seconds=clock.monotonic() - answered_at)
    return not is_failing and age < repository.spec.interval * TOLERANCE
