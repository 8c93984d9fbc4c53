"""Everything that can go wrong with a Git repository. Messages are for users: they hold no secret and are bounded.

GitError
├── InvalidUrl                the address cannot be used as it is written
├── InvalidCredentials        what the Secret holds cannot be used: certificate, key, token
├── RemoteError               the other side
│   ├── AuthenticationFailed  401, 403, a sign-in page
│   ├── RepositoryNotFound    404
│   ├── EmptyRepository       no commit yet
│   ├── ReferenceNotFound     no such branch, tag or commit
│   ├── UnsupportedRepository SHA-256 objects, no smart protocol
│   ├── RemoteUnreachable     no connection, or it broke
│   │   ├── RemoteUntrusted   TLS refused
│   │   └── RemoteTimedOut    too slow
│   ├── RemoteBusy            429, 503: retry_after
│   ├── RemoteRefused         any other refusal, in the server's words
│   └── ProtocolViolated      bytes that no Git server sends
├── BoundExceeded             more than we take: pack, object, refs
├── UnsafeTree                a tree with entries that no artifact may have
└── CorruptRepository         our copy is damaged; it has been, or will be, fetched anew
"""

from tidegate.runtime.errors import TidegateError


class GitError(TidegateError):
    """Anything about a Git repository."""


class InvalidUrl(GitError):
    """The address of a repository cannot be used; the message says why, without its password."""


class InvalidCredentials(GitError):
    """A certificate, key, token or proxy address cannot be used."""


class RemoteError(GitError):
    """The other side refused, failed or made no sense."""


class AuthenticationFailed(RemoteError):
    """The server wants other credentials, or any."""


class RepositoryNotFound(RemoteError):
    """The server knows no such repository, or does not admit it."""


class EmptyRepository(RemoteError):
    """The repository has no commit."""


class ReferenceNotFound(RemoteError):
    """The repository has no such branch, tag or commit; `name` is what was asked for."""

    def __init__(self, name: str, message: str = "") -> None:
        self.name = name
        super().__init__(message or f"couldn't find remote ref '{name[:256]}'")


class UnsupportedRepository(RemoteError):
    """A repository, or a server, of a kind that cannot be read."""


class RemoteUnreachable(RemoteError):
    """No connection, or it broke."""


class RemoteUntrusted(RemoteUnreachable):
    """The server's certificate is not accepted, or ours is not."""


class RemoteTimedOut(RemoteUnreachable):
    """The server took too long."""


class RemoteBusy(RemoteError):
    """The server asks to come back later: after `retry_after` seconds, where it says when."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class RemoteRefused(RemoteError):
    """The server says no, in its own words; `status` is the HTTP status, 200 where Git itself refused."""

    def __init__(self, message: str, status: int = 200) -> None:
        self.status = status
        super().__init__(message)


class ProtocolViolated(RemoteError):
    """What the server sent is not Git's protocol."""


class BoundExceeded(GitError):
    """The repository has, or sends, more than is taken; `bound` names the limit."""

    def __init__(self, bound: str) -> None:
        self.bound = bound
        super().__init__(f"the repository exceeds the bound of {bound}")


class UnsafeTree(GitError):
    """A tree in the repository cannot become files; `path` is where, as readable text."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f"unsafe tree entry '{path}': {reason}")


class CorruptRepository(GitError):
    """The local copy is damaged or incomplete."""
