"""Who we are to any server over HTTP(S): the header of Basic, and the TLS settings. Knows no protocol above."""

import base64
import dataclasses
import functools
import os
import ssl
from dataclasses import dataclass, field

from tidegate.runtime.errors import TidegateError


class InvalidCertificate(TidegateError):
    """A CA, a certificate or a key cannot be used; the message says which, and quotes nothing."""


@dataclass(frozen=True)
class Certificates:
    """PEM: a CA, and a client certificate with its key; what is empty is not given.

    The CA stands in place of the system's, as Flux has it for Git, or with `extends_system` beside them.
    """

    ca: bytes = field(default=b"", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    extends_system: bool = False

    def context(self, *, with_certificate: bool = True) -> ssl.SSLContext:
        """The TLS settings; `with_certificate` says whether the peer may see the client certificate.

        Raises: InvalidCertificate.
        """
        if bool(self.certificate) != bool(self.key):
            raise InvalidCertificate("a client certificate needs its key, and a key its certificate")
        return _context(self if with_certificate else dataclasses.replace(self, certificate=b"", key=b""))


@dataclass(frozen=True)
class Login:
    """A user name and password, or nothing, and what TLS needs."""

    username: str = ""
    password: str = field(default="", repr=False)
    certificates: Certificates = field(default_factory=Certificates)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may be in no text."""
        return (self.password, f"{self.username}:{self.password}" if self.password else "")


def basic(username: str, password: str) -> str:
    """The value of an Authorization header for a user name and password, "" where neither is given."""
    if not username and not password:
        return ""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode("utf-8", "surrogateescape")).decode()


@functools.lru_cache(maxsize=256)
def _context(certificates: Certificates) -> ssl.SSLContext:
    ca, certificate = certificates.ca, certificates.certificate
    try:
        # With a CA given, this does not load the system's.
        context = ssl.create_default_context(cadata=ca.decode("ascii") if ca else None)
        if ca and certificates.extends_system:
            context.load_default_certs()
        if certificate:
            _load_certificate(context, certificate, certificates.key)
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        part = "the CA certificate" if not certificate else "the CA or client certificate or its key"
        raise InvalidCertificate(f"{part} cannot be read") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _load_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """OpenSSL takes files only: this one has no name and lives in memory."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(certificate.rstrip() + b"\n" + key)
        file.flush()
        # Without a password of our own, OpenSSL would ask at the terminal for that of an encrypted key.
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")
