import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from tidegate.adapters import oci_http, oci_tokens
from tidegate.adapters.http_auth import Certificates
from tidegate.adapters.oci import Descriptor, OciLimits, OciUrl
from tidegate.adapters.oci_auth import RegistryAuth
from tidegate.adapters.oci_errors import (
    AuthenticationFailed,
    BoundExceeded,
    InvalidCredentials,
    RegistryRefused,
    RegistryUnreachable,
)
from tidegate.adapters.tests.registry import CONTENT, NOBODY, USER, Registry, digest, opened, running

BLOB = Descriptor("application/x", digest(CONTENT), len(CONTENT))
PATH = f"blobs/{BLOB.digest}"
TAGS = b'{"tags": ["a"]}'


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with running() as registry:
        registry.serve("tags/list", TAGS)
        yield registry


def give_tokens(registry: Registry, reply: bytes = b'{"token": "abc", "expires_in": 300}', status: int = 200) -> None:
    """Make `registry` a token server too."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=reply, status=status, headers={"Location": "/elsewhere"})

    registry.answers["/token"] = answer


def challenge(registry: Registry) -> str:
    """What sends to the token server, with a scope that nobody should ask for."""
    return f'Bearer realm="{registry.url}/token",service="s",scope="repository:other:push"'


def paths(registry: Registry) -> list[str]:
    return [request.path for request in registry.asked]


async def test_basic(registry: Registry) -> None:
    registry.protect('Basic realm="x"', USER.basic)
    async with opened(registry, USER) as repository:
        assert await repository.tags() == ["a"]
    async with opened(registry, NOBODY) as repository:
        with pytest.raises(AuthenticationFailed, match="authentication required"):
            await repository.tags()


async def test_a_token_is_asked_for_once(registry: Registry) -> None:
    registry.protect(challenge(registry), "Bearer abc")
    give_tokens(registry)
    async with opened(registry, USER) as repository:
        assert await repository.tags() == await repository.tags() == ["a"]
    assert paths(registry) == ["/v2/org/app/tags/list", "/token", "/v2/org/app/tags/list", "/v2/org/app/tags/list"]
    asked = registry.asked[1]
    assert dict(asked.query) == {"scope": "repository:org/app:pull", "service": "s"}
    assert asked.headers["Authorization"] == USER.basic


async def test_anonymous_tokens(registry: Registry) -> None:
    registry.protect(challenge(registry), "Bearer abc")
    give_tokens(registry, b'{"access_token": "abc"}')
    async with opened(registry) as repository:
        assert await repository.tags() == ["a"]
    assert "Authorization" not in registry.asked[1].headers


async def test_identity_tokens_are_posted(registry: Registry) -> None:
    registry.protect(challenge(registry), "Bearer abc")
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(str((await request.post())["refresh_token"]))
        return web.json_response({"access_token": "abc"})

    registry.answers["/token"] = answer
    async with opened(registry, RegistryAuth(identity_token="idt", insecure=True)) as repository:
        assert await repository.tags() == ["a"]
    assert seen == ["idt"]


async def test_a_token_that_is_not_accepted_is_asked_for_once_more_only(registry: Registry) -> None:
    registry.protect(challenge(registry), "Bearer other")
    give_tokens(registry)
    async with opened(registry, USER) as repository:
        with pytest.raises(AuthenticationFailed, match="not accepted"):
            await repository.tags()
    assert paths(registry).count("/token") == 1


@pytest.mark.parametrize(
    "reply", [b"", b"[]", b"{}", b'{"token": 1}', b'{"token": "a\\r\\nX: y"}', b'{"token": "a", "expires_in": "x"}']
)
async def test_o3_what_is_no_token_is_refused(registry: Registry, reply: bytes) -> None:
    registry.protect(challenge(registry), "Bearer a")
    give_tokens(registry, reply)
    async with opened(registry, USER) as repository:
        with pytest.raises(AuthenticationFailed, match="no token"):
            await repository.tags()


async def test_o3_giant_token_replies_are_refused(registry: Registry) -> None:
    registry.protect(challenge(registry), "Bearer a")
    give_tokens(registry, b" " * 2_000)
    async with opened(registry, USER, OciLimits(token=1_000)) as repository:
        with pytest.raises(BoundExceeded):
            await repository.tags()


@pytest.mark.parametrize("status", [302, 307, 401, 403, 404])
async def test_o5_token_servers_that_refuse_or_redirect(registry: Registry, status: int) -> None:
    registry.protect(challenge(registry), "Bearer a")
    give_tokens(registry, b"hunter2hunter2", status)
    async with opened(registry, USER) as repository:
        with pytest.raises(AuthenticationFailed) as caught:
            await repository.tags()
    assert "hunter2" not in str(caught.value)
    assert "/elsewhere" not in paths(registry)


@pytest.mark.parametrize(
    ("home", "realm"),
    [
        ("https://a.io", "http://a.io/token"),
        ("https://a.io", "https://169.254.169.254/token"),
        ("http://a.io", "http://[fe80::1]/token"),
        ("http://a.io", "http://[::ffff:169.254.169.254]/token"),
        ("https://a.io", "https://user:x@a.io/token"),
        ("https://a.io", "file:///token"),
        ("https://a.io", "/token"),
    ],
)
async def test_o5_no_credentials_for_such_a_realm(home: str, realm: str) -> None:
    async with oci_http.open_session(OciLimits()) as session:
        transport = oci_http.Transport(session, URL(home), dataclasses.replace(USER, insecure=False))
        with pytest.raises(AuthenticationFailed, match="token server"):
            await oci_tokens.authorize(oci_tokens.Challenge(realm), transport, OciUrl("a.io", "org/app"), OciLimits())


async def test_o5_names_of_link_local_addresses_are_refused(registry: Registry) -> None:
    realm = "http://0xa9.0xfe.0xa9.0xfe/token"
    registry.protect(f'Bearer realm="{realm}"', "Bearer a")
    async with opened(registry, USER) as repository:
        with pytest.raises(RegistryUnreachable, match="link-local"):
            await repository.tags()


async def test_o6_redirects_take_no_credentials_along(registry: Registry, tmp_path: Path) -> None:
    async with running() as elsewhere:
        elsewhere.serve("x", CONTENT)
        registry.redirect(PATH, f"{elsewhere.url}/v2/org/app/x?signature=a%2Fb")
        registry.protect('Basic realm="x"', USER.basic)
        async with opened(registry, USER) as repository:
            await repository.download(BLOB, tmp_path / "blob")
        (asked,) = elsewhere.asked
        assert not {"Authorization", "Cookie"} & set(asked.headers)
        assert asked.path_qs == "/v2/org/app/x?signature=a%2Fb"


async def test_o6_challenges_of_other_hosts_are_not_answered(registry: Registry, tmp_path: Path) -> None:
    async with running() as elsewhere:
        elsewhere.serve("x", CONTENT)
        elsewhere.protect('Basic realm="x"', USER.basic)
        registry.redirect(PATH, f"{elsewhere.url}/v2/org/app/x")
        async with opened(registry, USER) as repository:
            with pytest.raises(AuthenticationFailed):
                await repository.download(BLOB, tmp_path / "blob")
        assert len(elsewhere.asked) == 1
        assert "Authorization" not in elsewhere.asked[0].headers


async def test_o6_redirects_end(registry: Registry, tmp_path: Path) -> None:
    registry.redirect(PATH, f"/v2/org/app/{PATH}")
    async with opened(registry) as repository:
        with pytest.raises(RegistryRefused, match="more than 5"):
            await repository.download(BLOB, tmp_path / "blob")
    assert len(registry.asked) == 6


@pytest.mark.parametrize(
    "location", ["", "file:///etc/passwd", "http://169.254.169.254/x", "http://u:p@127.0.0.1/", "/a b"]
)
async def test_o6_redirects_to_nowhere_are_refused(registry: Registry, tmp_path: Path, location: str) -> None:
    registry.redirect(PATH, location)
    async with opened(registry) as repository:
        with pytest.raises(RegistryRefused):
            await repository.download(BLOB, tmp_path / "blob")


async def test_secrets_that_a_registry_echoes_are_masked(registry: Registry) -> None:
    async def answer(request: web.Request) -> web.Response:
        words = f"{request.headers.get('Authorization')} hunter2hunter2"
        errors = {"errors": [{"code": "X", "message": words}]}
        is_known = "Authorization" in request.headers
        return web.json_response(errors, status=500 if is_known else 401, headers={"WWW-Authenticate": "Basic"})

    registry.answers["/v2/org/app/tags/list"] = answer
    async with opened(registry, USER) as repository:
        with pytest.raises(RegistryRefused) as caught:
            await repository.tags()
    assert "*****" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert USER.basic.partition(" ")[2] not in str(caught.value)


@pytest.mark.parametrize(
    "auth",
    [
        RegistryAuth(proxy="socks5://a"),
        RegistryAuth(certificates=Certificates(b"x")),
        RegistryAuth(certificates=Certificates(certificate=b"x")),
    ],
)
async def test_credentials_that_cannot_be_used(registry: Registry, auth: RegistryAuth) -> None:
    with pytest.raises(InvalidCredentials):
        async with opened(registry, auth):
            pass


async def test_tokens_are_kept_for_one_identity_until_they_expire() -> None:
    known, url = oci_tokens.Authorizations(), OciUrl("a.io", "org/app")
    now = asyncio.get_running_loop().time()
    known.put(url, USER, oci_tokens.Authorization("Bearer abc", now + 300))
    assert known.get(url, USER) == "Bearer abc"
    assert known.get(url, NOBODY) == known.get(OciUrl("a.io", "org/other"), USER) == ""
    known.put(url, USER, oci_tokens.Authorization("Bearer abc", now - 1))
    assert known.get(url, USER) == ""
    for number in range(3_000):
        known.put(OciUrl("a.io", str(number)), USER, oci_tokens.Authorization("Bearer abc", now + 300))
    assert len(known) <= 1_024
