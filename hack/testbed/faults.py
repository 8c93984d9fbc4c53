"""What can go wrong between a client and a server, and for which requests. Pure: the proxy does it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypedDict


@dataclass(frozen=True)
class Match:
    """Which requests are meant; what is not said does not matter."""

    method: str = ""
    path: str = ""
    """A regular expression, searched in the path."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameters that are there with these values, as `{"watch": "true"}`."""
    skip: int = 0
    """So many matching requests pass first."""
    times: int | None = None
    """And only so many are meant after those; None for all."""

    def describes(self, method: str, path: str, query: Mapping[str, str]) -> bool:
        """Whether a request is of this kind, whichever in the row it is."""
        return (
            self.method in {"", method}
            and re.search(self.path, path) is not None
            and all(query.get(name) == value for name, value in self.query.items())
        )

    def means(self, nth: int) -> bool:
        """Whether the nth request of this kind, counted from 1, is meant."""
        return nth > self.skip and (self.times is None or nth <= self.skip + self.times)


class MatchFields(TypedDict, total=False):
    """The fields of Match, as keyword arguments."""

    method: str
    path: str
    query: Mapping[str, str]
    skip: int
    times: int | None


@dataclass(frozen=True)
class Answer:
    """The proxy answers itself; the server never hears of it."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Delay:
    """The request goes on after a while; other faults still apply to it."""

    seconds: float


@dataclass(frozen=True)
class Silence:
    """Half-open: no byte any more in either direction, and no end; running answers fall silent, too, for good."""


@dataclass(frozen=True)
class Close:
    """The connection ends when the request is there; the server never hears of it."""


@dataclass(frozen=True)
class Lose:
    """The server gets the request and does as it is told; its answer is lost in a reset."""


class End(StrEnum):
    """How an answer is cut."""

    RESET = "reset"
    """TCP RST, as when a machine or a load balancer goes."""
    CLOSE = "close"
    """TCP FIN in the middle of the message: short for its length, or without its last chunk."""
    COMPLETE = "complete"
    """A proper end of a message that is too short: only its content can tell."""


@dataclass(frozen=True)
class Cut:
    """The head of the answer and so many bytes of its body arrive, then it ends."""

    after: int = 0
    end: End = End.RESET


Fault = Answer | Delay | Silence | Close | Lose | Cut


def kubernetes_failure(status: int, reason: str, message: str, *, retry_after: int | None = None) -> Answer:
    """A failure as the Kubernetes API words it."""
    details = {} if retry_after is None else {"details": {"retryAfterSeconds": retry_after}}
    body = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": status, **details,
    }  # fmt: skip
    headers = {"Content-Type": "application/json"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return Answer(status, json.dumps(body).encode(), headers)


def gone() -> Answer:
    """410: the resource version or the continue token has expired."""
    return kubernetes_failure(410, "Expired", "too old resource version: 1 (2)")


def too_many_requests(retry_after: int = 1) -> Answer:
    """429 with Retry-After."""
    message = "too many requests, please try again later"
    return kubernetes_failure(429, "TooManyRequests", message, retry_after=retry_after)


def unavailable() -> Answer:
    """503, as from a server that is starting or stopping."""
    return kubernetes_failure(503, "ServiceUnavailable", "apiserver is shutting down")
