"""The references of one repository, asked for once however many want to know (DESIGN §6)."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from tidegate.adapters import git_refs
from tidegate.adapters.git_errors import (
    EmptyRepository,
    GitError,
    ProtocolViolated,
    RemoteRefused,
    RemoteTimedOut,
    RepositoryNotFound,
    UnsupportedRepository,
)
from tidegate.adapters.git_http import HttpRepository
from tidegate.adapters.git_limits import GitLimits
from tidegate.adapters.git_refs import Refs, Server
from tidegate.runtime import clock

_MOST_PREFIXES = 256


@dataclass(frozen=True)
class _Answer:
    """What the last round of asking brought; rounds are numbered as they begin."""

    round: int
    outcome: Refs | GitError
    time: float


class RefPoll:
    """What a repository is known to have. `http` may be replaced by one with newer credentials at any time."""

    def __init__(self, http: HttpRepository, limits: GitLimits) -> None:
        self.http = http
        self._limits = limits
        self._server: Server | None = None
        self._prefixes: dict[str, None] = {}
        self._asking = asyncio.Lock()
        self._rounds = 0
        self._answer: _Answer | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nobody is asking at this moment."""
        return not self._asking.locked()

    async def ask(self, prefixes: Sequence[str]) -> Refs:
        """The references that begin with one of `prefixes`, and HEAD, from a question that leaves after this call.

        Who calls before a question has left shares its answer, be it an error; every question covers what everyone
        has ever wanted to know here.

        Raises:
            EmptyRepository, RemoteError, BoundExceeded.
        """
        self._want(prefixes)
        rounds_before = self._rounds
        async with self._asking:
            answer = self._answer
            if answer is None or answer.round <= rounds_before or not _covers(answer, prefixes):
                answer = await self._ask()
        if isinstance(answer.outcome, GitError):
            raise answer.outcome
        return answer.outcome

    def known(self) -> tuple[Refs, float] | None:
        """What the last question brought, and when on clock.monotonic; None where it failed."""
        if self._answer is None or isinstance(self._answer.outcome, GitError):
            return None
        return self._answer.outcome, self._answer.time

    async def server(self) -> Server:
        """What the server speaks, asked only where that is not known.

        Raises:
            RemoteError, BoundExceeded.
        """
        if self._server is None:
            self._server = await self.http.advertise()
        return self._server

    def _want(self, prefixes: Sequence[str]) -> None:
        if not prefixes or len(self._prefixes) + len(prefixes) > _MOST_PREFIXES:
            # So many different ones that everything is cheaper to ask for.
            prefixes = ("",)
        self._prefixes.update(dict.fromkeys(prefix.removesuffix("^{}") for prefix in prefixes))

    async def _ask(self) -> _Answer:
        await clock.pause(timedelta(0))  # who is about to call in this very turn of the loop gets to share
        self._rounds += 1
        number = self._rounds
        try:
            outcome: Refs | GitError = await self._question()
        except GitError as error:
            outcome = error
        self._answer = _Answer(number, outcome, clock.monotonic())
        return self._answer

    async def _question(self) -> Refs:
        prefixes = _shortest(self._prefixes)
        if self._server is not None and self._server.version == 2:
            try:
                return await self._list(self._server, prefixes)
            except (ProtocolViolated, RemoteRefused, RepositoryNotFound, UnsupportedRepository):
                # The server may have changed since it said what it speaks, or where it is: begin from the beginning.
                self._server = None
        self._server = server = await self.http.advertise()
        if server.refs is None:
            return await self._list(server, prefixes)
        if not server.refs.oids:
            raise EmptyRepository("the repository is empty")
        return server.refs

    async def _list(self, server: Server, prefixes: tuple[str, ...]) -> Refs:
        async with self.http.post(git_refs.request_refs(server, prefixes)) as packets:
            refs = await git_refs.read_refs(packets, prefixes, self._limits.refs)
        if refs.oids:
            return refs
        if not prefixes:
            raise EmptyRepository("the repository is empty")
        # Nothing has one of these names; whether there is anything at all, decides what to say.
        return await self._list(server, ())


def _covers(answer: _Answer, prefixes: Sequence[str]) -> bool:
    return isinstance(answer.outcome, GitError) or all(answer.outcome.covers(prefix) for prefix in prefixes)


def _shortest(prefixes: Collection[str]) -> tuple[str, ...]:
    """`prefixes` and HEAD without those that another includes; () where everything is wanted."""
    if "" in prefixes:
        return ()
    kept: list[str] = []
    for prefix in sorted({git_refs.HEAD, *prefixes}):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return tuple(kept)


@asynccontextmanager
async def within(budget: timedelta, what: str) -> AsyncIterator[None]:
    """Do what is inside within `budget`; `what` it is, is said where it takes longer.

    Raises:
        RemoteTimedOut: it did.
    """
    try:
        async with clock.limit(budget):
            yield
    except TimeoutError as error:
        raise RemoteTimedOut(f"{what} took longer than {budget.total_seconds():g}s") from error
