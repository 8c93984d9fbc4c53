"""Everything that can go wrong with an OCI registry. Messages are for users: they name the URL and hold no secret.

OciError
├── InvalidUrl            the address, tag or digest cannot be used as it is written
├── InvalidCredentials    what the Secret holds cannot be used: config, certificate, key, proxy
├── RegistryUnreachable   no connection, TLS refused, too slow, or it broke
├── AuthenticationFailed  401, 403, a token server that is not trusted
├── NotFound              404
├── RegistryRefused       any other refusal, or an answer that makes no sense: status
├── DigestMismatch        bytes that are not those the digest or the size promised
├── BoundExceeded         more than we take: manifest, token, tags
└── InvalidManifest       a manifest that is malformed or says two things at once
"""

from tidegate.runtime.errors import TidegateError


class OciError(TidegateError):
    """Anything about an OCI repository."""


class InvalidUrl(OciError):
    """The address of a repository, or a reference in it, cannot be used."""


class InvalidCredentials(OciError):
    """A Docker config, certificate, key or proxy address cannot be used."""


class RegistryUnreachable(OciError):
    """No connection, or it broke, or took too long."""


class AuthenticationFailed(OciError):
    """The registry wants other credentials, or any, or wants them sent where they must not go."""


class NotFound(OciError):
    """The registry knows no such repository, manifest or blob, or does not admit it."""


class RegistryRefused(OciError):
    """The registry says no, or nothing sensible; `status` is the HTTP status."""

    def __init__(self, message: str, status: int = 200) -> None:
        self.status = status
        super().__init__(message)


class DigestMismatch(OciError):
    """What came is not what the digest, or the size, says."""


class BoundExceeded(OciError):
    """The registry sends more than is taken."""


class InvalidManifest(OciError):
    """A manifest, or a descriptor in it, cannot be believed."""
