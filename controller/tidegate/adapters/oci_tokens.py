"""A registry's challenge answered: Basic, or Bearer with a token from a server that may be trusted with credentials."""

import asyncio
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from yarl import URL

from tidegate.adapters.oci_auth import RegistryAuth
from tidegate.adapters.oci_errors import AuthenticationFailed, OciError
from tidegate.adapters.oci_http import OciLimits, Request, Transport, is_forbidden, read_bounded, refusal, shown
from tidegate.adapters.oci_url import OciUrl

_PARAMETER = re.compile(
    r'\b(?:(?P<scheme>[A-Za-z]++)\s++)?(?P<name>[A-Za-z_]++)\s*+=\s*+(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<bare>[^\s,"]++))'
)
_LIFETIME = 60.0  # of a token that does not say, by the specification
_LONGEST_LIFETIME = 3_600.0
_MARGIN = 5.0
_LARGEST_CACHE = 1_024


@dataclass(frozen=True)
class Challenge:
    """What WWW-Authenticate asks for; `realm` is "" for Basic."""

    realm: str = ""
    service: str = ""


@dataclass(frozen=True)
class Authorization:
    """The value of a header, and until when (on the loop's clock) it is worth sending."""

    header: str = field(repr=False)
    until: float


class Authorizations:
    """All of a process: one per repository and identity, forgotten when they expire."""

    def __init__(self) -> None:
        self._known: dict[tuple[OciUrl, RegistryAuth], Authorization] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, url: OciUrl, auth: RegistryAuth) -> str:
        """The header to send, "" for none."""
        known = self._known.get((url, auth))
        return known.header if known and known.until > asyncio.get_running_loop().time() else ""

    def put(self, url: OciUrl, auth: RegistryAuth, authorization: Authorization) -> None:
        """Remember, and make room."""
        now = asyncio.get_running_loop().time()
        if len(self._known) >= _LARGEST_CACHE:
            self._known = {key: known for key, known in self._known.items() if known.until > now}
        if len(self._known) >= _LARGEST_CACHE:
            self._known.clear()
        self._known[url, auth] = authorization


def parse_challenge(headers: Iterable[str]) -> Challenge | None:
    """The challenge to answer, Bearer before Basic; None if there is none that can be."""
    found: dict[str, dict[str, str]] = {}
    for header in headers:
        current = found.setdefault(header.strip().partition(" ")[0].lower(), {})
        for match in _PARAMETER.finditer(header):
            if match["scheme"]:
                current = found.setdefault(match["scheme"].lower(), {})
            quoted = match["quoted"]
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match["bare"]
            if value.isascii() and value.isprintable():
                current.setdefault(match["name"].lower(), value)
    bearer = found.get("bearer", {})
    if bearer.get("realm"):
        return Challenge(bearer["realm"], bearer.get("service", ""))
    return Challenge() if "basic" in found else None


async def authorize(challenge: Challenge, transport: Transport, url: OciUrl, limits: OciLimits) -> Authorization:
    """
    Raises:
        OciError: there is nothing to answer with, or nobody to be trusted with it (O5).
    """
    auth, now = transport.auth, asyncio.get_running_loop().time()
    if not challenge.realm:
        if not auth.basic:
            raise AuthenticationFailed(f"'{url}': authentication required")
        return Authorization(auth.basic, now + _LONGEST_LIFETIME)
    request = _request(challenge, _trusted(challenge.realm, transport.home, url), auth, url)
    async with transport.send(request) as response:
        if response.status != 200:
            raise _without_token(response.status, request.url, await refusal(response, auth))
        content = await read_bounded(response, limits.token, "token reply")
    token, lifetime = _read_token(content, request.url)
    return Authorization(f"Bearer {token}", now + lifetime - min(_MARGIN, lifetime / 2))


def _without_token(status: int, realm: URL, error: OciError) -> OciError:
    """A token server that redirects, or knows nothing, is no missing repository."""
    if 300 <= status < 500:
        return (
            error
            if isinstance(error, AuthenticationFailed)
            else AuthenticationFailed(f"{shown(realm)} gave no token: HTTP {status}")
        )
    return error


def _trusted(realm: str, home: URL, url: OciUrl) -> URL:
    try:
        address = URL(realm)
        is_usable = address.scheme in ("http", "https") and bool(address.host) and address.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or address.user is not None or address.password is not None:
        raise AuthenticationFailed(f"'{url}': the registry names a token server that cannot be used")
    if home.scheme == "https" and address.scheme != "https":
        raise AuthenticationFailed(f"'{url}': the registry names a token server without TLS, which is refused")
    if is_forbidden(address.host or ""):
        raise AuthenticationFailed(f"'{url}': the registry names a token server at a link-local address")
    return address.with_fragment(None)


def _request(challenge: Challenge, realm: URL, auth: RegistryAuth, url: OciUrl) -> Request:
    """The scope is ours, whatever the registry suggests: reading this repository."""
    parameters = {"scope": f"repository:{url.path}:pull"}
    if challenge.service:
        parameters["service"] = challenge.service
    if auth.identity_token:
        form = parameters | {
            "grant_type": "refresh_token",
            "client_id": "tidegate",
            "refresh_token": auth.identity_token,
        }
        return Request("POST", realm, form=form)
    return Request("GET", realm.update_query(parameters), {"Authorization": auth.basic} if auth.basic else {})


def _read_token(content: bytes, realm: URL) -> tuple[str, float]:
    try:
        reply = json.loads(content)
        token = reply.get("token") or reply.get("access_token")
        lifetime = float(reply.get("expires_in") or _LIFETIME)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        token, lifetime = None, 0.0
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
        raise AuthenticationFailed(f"{shown(realm)} gave no token that can be used")
    return token, min(max(lifetime, 1.0), _LONGEST_LIFETIME) if math.isfinite(lifetime) else _LIFETIME
