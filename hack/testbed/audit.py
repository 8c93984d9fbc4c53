"""Counts what the API server was asked, by whom, from its audit log: the API server's word, not our own counters.

log = AuditLog(plane.audit_log)
start = log.mark()
…
assert log.writes(start, user_agent="kustomize-controller") == {}
print(audit.as_table(log.counts(start)))
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

Prefix = str | tuple[str, ...]

WRITE_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection"})
# Questions that are asked with POST and leave no object.
REVIEW_GROUPS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
SERVICE_ACCOUNT = "system:serviceaccount:"
CLUSTER_ACCOUNTS = "system:serviceaccount:kube-system:"


class Kind(NamedTuple):
    """What the requests of one count have in common."""

    user_agent: str
    """The part before the first slash: a program's name."""
    verb: str
    group: str
    resource: str
    """With its subresource: `pods/status`; the path, where no resource was asked for."""
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, as the API server saw it."""

    user: str
    acting_as: str | None
    user_agent: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    uri: str
    code: int
    received: str
    """When it came, as RFC 3339 in UTC with microseconds: such strings compare as the times do."""

    @property
    def dry_run(self) -> bool:
        return "dryRun" in parse_qs(urlsplit(self.uri).query)

    @property
    def is_watch(self) -> bool:
        return self.verb == "watch"

    @property
    def is_lease(self) -> bool:
        return self.resource == "leases"

    @property
    def is_write(self) -> bool:
        """Whether it changes an object: no dry-run, no review, no token request."""
        asks = self.group in REVIEW_GROUPS or self.subresource == "token"
        return self.verb in WRITE_VERBS and not self.dry_run and not asks

    @property
    def is_cluster_component(self) -> bool:
        """Whether a part of the control plane asked: those have names of their own, see ControlPlane."""
        if self.user.startswith(CLUSTER_ACCOUNTS):
            return True
        return self.user.startswith("system:") and not self.user.startswith(SERVICE_ACCOUNT)

    @property
    def kind(self) -> Kind:
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        agent = self.user_agent.split("/", 1)[0]
        return Kind(agent, self.verb, self.group, resource or urlsplit(self.uri).path, self.dry_run)


class Mark(int):
    """A place in the log: the end of it at one moment."""


@dataclass(frozen=True)
class Window:
    """The requests between two moments, each once: a watch when it began, everything else when it was answered."""

    entries: Sequence[Entry]

    def requests(self, user_agent: Prefix = "", *, leases: bool = False, watches: bool = True) -> Counter[Kind]:
        """By kind, without the control plane's own; `user_agent` is how a program's name begins (or several)."""
        return self._count(
            lambda entry: (
                not entry.is_cluster_component
                and entry.user_agent.startswith(user_agent)
                and (leases or not entry.is_lease)
                and (watches or not entry.is_watch)
            )
        )

    def writes(self, user_agent: Prefix = "", *, leases: bool = False) -> Counter[Kind]:
        """The requests that changed an object, as `requests`; a dry-run is none of them, refused ones are."""
        return self._count(
            lambda entry: (
                entry.is_write
                and not entry.is_cluster_component
                and entry.user_agent.startswith(user_agent)
                and (leases or not entry.is_lease)
            )
        )

    def counts(self) -> Counter[Kind]:
        """Everything by kind, whoever asked."""
        return self._count(lambda _: True)

    def _count(self, counted: Callable[[Entry], bool]) -> Counter[Kind]:
        return Counter(entry.kind for entry in self.entries if counted(entry))


class AuditLog:
    """Reads an audit log as it grows; every line is parsed once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._entries: list[Entry] = []
        self._read_to = 0

    def mark(self) -> Mark:
        """This moment: everything that is in the log. A line comes after its answer: let things come to rest first."""
        self._read()
        return Mark(len(self._entries))

    def since(self, begin: Mark, end: Mark | None = None) -> Window:
        """What was asked after one moment, until another one or until now."""
        self._read()
        return Window(self._entries[begin:end])

    def all(self) -> Window:
        """What was asked since the API server first started."""
        return self.since(Mark(0))

    def _read(self) -> None:
        if not self._file.exists():
            return
        with self._file.open("rb") as log:
            log.seek(self._read_to)
            for line in log:
                if not line.endswith(b"\n"):  # still being written
                    break
                self._read_to += len(line)
                self._entries.extend(_parse(line))


def as_table(counts: Counter[Kind]) -> str:
    """The counts for people, most frequent first."""
    rows = [("count", *Kind._fields)]
    rows += [
        (str(count), kind.user_agent, kind.verb, kind.group, kind.resource, "dry-run" if kind.dry_run else "")
        for kind, count in counts.most_common()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _parse(line: bytes) -> Iterator[Entry]:
    event: dict[str, Any] = json.loads(line)
    counted_at = {"ResponseStarted"} if event["verb"] == "watch" else {"ResponseComplete", "Panic"}
    if event["stage"] not in counted_at:
        return
    target = event.get("objectRef") or {}
    yield Entry(
        user=event["user"].get("username", ""),
        acting_as=(event.get("impersonatedUser") or {}).get("username"),
        user_agent=event.get("userAgent", ""),
        verb=event["verb"],
        group=target.get("apiGroup", ""),
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        uri=event.get("requestURI", ""),
        code=(event.get("responseStatus") or {}).get("code", 0),
        received=event["requestReceivedTimestamp"],
    )
