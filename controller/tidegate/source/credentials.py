"""The credentials that Secrets hold for servers of sources (flux-v2-behaviour.md 1.12); decides, and asks nobody."""

import dataclasses
from collections.abc import Mapping

from tidegate.adapters.http_auth import Certificates, InvalidCertificate, Login
from tidegate.runtime.errors import TidegateError

Data = Mapping[str, bytes]


class BadCredentials(TidegateError):
    """A Secret is not there or does not hold usable credentials; the message is for the user."""


def read(secret: Data | None, certificates: Data | None) -> Login:
    """For a Helm repository: from the Secrets of spec.secretRef and spec.certSecretRef. Raises: BadCredentials."""
    basic, tls = secret or {}, {**(secret or {}), **(certificates or {})}
    username, password = read_text(basic, "username"), read_text(basic, "password")
    if bool(username) != bool(password):
        raise BadCredentials("required fields 'username' and 'password' must be given together")
    # A registry's token server, or where a chart lies, may be anybody's: the system's CAs count, too.
    found = dataclasses.replace(read_certificates(tls), extends_system=True)
    try:
        found.context()
    except InvalidCertificate as error:
        raise BadCredentials(f"{error}: ca.crt, tls.crt and tls.key must be PEM") from error
    return Login(username, password, found)


def read_certificates(secret: Data) -> Certificates:
    """The CA and the client certificate, by their names or by those of old. Raises: BadCredentials."""
    certificate, key = _file(secret, "tls.crt", "certFile"), _file(secret, "tls.key", "keyFile")
    if bool(certificate) != bool(key):
        raise BadCredentials("tls.crt and tls.key must be given together")
    return Certificates(_file(secret, "ca.crt", "caFile"), certificate, key)


def read_text(secret: Data, name: str) -> str:
    """A value without the line break that editors add; "" where there is none. Raises: BadCredentials."""
    try:
        return secret.get(name, b"").decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise BadCredentials(f"{name} is not text") from error


def _file(secret: Data, name: str, old_name: str) -> bytes:
    return secret.get(name) or secret.get(old_name) or b""
