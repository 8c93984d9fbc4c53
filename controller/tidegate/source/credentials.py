"""The credentials in Secrets for servers of Helm repositories (flux-v2-behaviour.md 1.12); decides, and asks nobody."""

from collections.abc import Mapping

from tidegate.adapters import git_auth
from tidegate.adapters.git_auth import GitAuth
from tidegate.adapters.git_errors import InvalidCredentials
from tidegate.source.pipeline import BadCredentials

Data = Mapping[str, bytes]


def read(secret: Data | None, certificates: Data | None) -> GitAuth:
    """From the Secret of spec.secretRef and that of spec.certSecretRef. Raises: BadCredentials."""
    basic, tls = secret or {}, {**(secret or {}), **(certificates or {})}
    username, password = _text(basic, "username"), _text(basic, "password")
    if bool(username) != bool(password):
        raise BadCredentials("required fields 'username' and 'password' must be given together")
    certificate, key = _file(tls, "tls.crt", "certFile"), _file(tls, "tls.key", "keyFile")
    if bool(certificate) != bool(key):
        raise BadCredentials("tls.crt and tls.key must be given together")
    ca = _file(tls, "ca.crt", "caFile")
    auth = GitAuth(username=username, password=password, ca=ca, client_cert=certificate, client_key=key)
    try:
        git_auth.tls_context(auth)
    except InvalidCredentials as error:
        raise BadCredentials(f"{error}: ca.crt, tls.crt and tls.key must be PEM") from error
    return auth


def _text(secret: Data, name: str) -> str:
    try:
        return secret.get(name, b"").decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise BadCredentials(f"{name} is not text") from error


def _file(secret: Data, name: str, old_name: str) -> bytes:
    return secret.get(name) or secret.get(old_name) or b""
