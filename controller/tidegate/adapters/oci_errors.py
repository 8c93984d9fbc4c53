"""Everything that can go wrong with an OCI registry. Messages are for users: they hold no secret and are bounded.

OciError
├── InvalidOciUrl      the address of a repository cannot be used as it is written
├── OciUnauthorized    401, 403, or a place that credentials must not be sent to
├── OciNotFound        no such repository, tag or digest
├── OciUnreachable     no connection, it broke, or it was too slow
├── OciRefused         any other refusal
└── OciUntrusted       bytes that are not what their digest, size or type says, or beyond a bound
"""

from tidegate.runtime.errors import TidegateError


class OciError(TidegateError):
    """Anything about an OCI registry."""


class InvalidOciUrl(OciError):
    """The address of a repository cannot be used; the message says why."""


class OciUnauthorized(OciError):
    """The registry wants other credentials, or any; or wants them where they must not go."""


class OciNotFound(OciError):
    """The registry has no such repository, tag or digest, or does not admit it."""


class OciUnreachable(OciError):
    """There was no answer, or it broke off, or it took too long."""


class OciRefused(OciError):
    """The registry refused for another reason."""


class OciUntrusted(OciError):
    """What came is not what it was said to be, or more than is taken."""
