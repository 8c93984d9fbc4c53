import asyncio
import base64
import socket
import ssl
from datetime import timedelta

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hack.controlplane.certificates import Authority
from hack.testbed.git_server import GitServer, Service
from tidegate.adapters import git_packets
from tidegate.adapters.git_auth import GitAuth
from tidegate.adapters.git_errors import (
    AuthenticationFailed,
    InvalidCredentials,
    RemoteBusy,
    RemoteError,
    RemoteRefused,
    RemoteUnreachable,
    RemoteUntrusted,
    RepositoryNotFound,
    UnsupportedRepository,
)
from tidegate.adapters.git_packets import Mark
from tidegate.adapters.http_auth import Certificates

SOON = timedelta(seconds=20)
MAIN = "refs/heads/main"
OID = "a" * 40
BASIC = GitAuth("user", "hunter2hunter2")
CREDENTIALS = "Basic " + base64.b64encode(b"user:hunter2hunter2").decode()


def git_answer(request: web.Request) -> web.Response:
    """What a repository with one branch answers."""
    if request.method == "GET":
        body = git_packets.encode("version 2", "ls-refs", "fetch=shallow", Mark.FLUSH)
        return web.Response(body=body, content_type="application/x-git-upload-pack-advertisement")
    body = git_packets.encode(f"{OID} {MAIN}", Mark.FLUSH)
    return web.Response(body=body, content_type="application/x-git-upload-pack-result")


class Recorder:
    """A handler that answers as Git does, and remembers what it was sent."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.credentials: list[str | None] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.paths.append(request.path_qs)
        self.credentials.append(request.headers.get("Authorization"))
        return git_answer(request)


def redirect_to(target: str, status: int = 302):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": target})

    return handler


INFO_REFS = "/info/refs?service=git-upload-pack"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_and_what_comes_next_goes_there(serve, remotes, status):
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(f"{request.method} {request.path} {request.headers.get('Authorization', '')}")
        if request.path.startswith("/old"):
            return web.Response(status=status, headers={"Location": f"/new{INFO_REFS}"})
        return git_answer(request)

    refs = await remotes.remote(await serve(handler) + "/old", BASIC).list_refs(SOON)

    assert refs.oids == {MAIN: OID}
    assert seen == [
        f"GET /old/info/refs {CREDENTIALS}",
        f"GET /new/info/refs {CREDENTIALS}",
        f"POST /new/git-upload-pack {CREDENTIALS}",
    ]


async def test_g8_credentials_do_not_follow_to_another_origin(serve, remotes):
    other = Recorder()
    address = await serve(redirect_to(f"{await serve(other.answer)}/repo{INFO_REFS}"))

    refs = await remotes.remote(f"{address}/repo", BASIC).list_refs(SOON)

    assert refs.oids == {MAIN: OID}
    assert other.credentials == [None, None]


async def test_g8_a_downgrade_to_http_is_refused_before_it_is_followed(serve, remotes, authority):
    plain = Recorder()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pair = authority.issue_server("downgrade")
    context.load_cert_chain(pair.certificate, pair.key)
    address = await serve(redirect_to(f"{await serve(plain.answer)}/repo{INFO_REFS}"), context)
    auth = GitAuth("user", "hunter2hunter2", certificates=Certificates(authority.certificate.read_bytes()))

    with pytest.raises(RemoteRefused, match="from https to http"):
        await remotes.remote(f"{address}/repo", auth).list_refs(SOON)

    assert plain.paths == []


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ("/repo" + INFO_REFS, RemoteRefused, "redirects more than 10 times"),
        ("https://user:hunter2@127.0.0.1:1/repo" + INFO_REFS, RemoteRefused, "cannot be used"),
        ("file:///etc/passwd" + INFO_REFS, RemoteRefused, "cannot be used"),
        ("ssh://host/repo" + INFO_REFS, RemoteRefused, "not http or https"),
        ("/elsewhere", RemoteRefused, "no Git repository"),
        ("", RemoteRefused, "redirects more than 10 times"),
        ("https://spsprodeus21.vssps.visualstudio.com/_signin?x=1", AuthenticationFailed, "sign-in page"),
        ("/users/login?next=x", AuthenticationFailed, "sign-in page"),
    ],
)
async def test_g8_other_redirects_are_refused(serve, remotes, target, error, words):
    with pytest.raises(error, match=words) as refused:
        await remotes.remote(await serve(redirect_to(target)) + "/repo").list_refs(SOON)

    assert "hunter2" not in str(refused.value)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["own", "other", "third"]), max_size=4))
async def test_p6_credentials_go_to_the_first_origin_only(serve, remotes, chain):
    addresses: dict[str, str] = {}
    credentials: dict[str, set[str | None]] = {}

    def handler_of(name: str):
        async def handler(request: web.Request) -> web.Response:
            credentials.setdefault(name, set()).add(request.headers.get("Authorization"))
            step = int(request.path.split("/")[1])
            if request.method == "GET" and step < len(chain):
                return web.Response(status=302, headers={"Location": f"{addresses[chain[step]]}/{step + 1}{INFO_REFS}"})
            return git_answer(request)

        return handler

    for name in ("own", "other", "third"):
        addresses[name] = await serve(handler_of(name))

    await remotes.remote(addresses["own"] + "/0", BASIC).list_refs(SOON)

    assert credentials.pop("own") == {CREDENTIALS}
    assert all(sent == {None} for sent in credentials.values())


def answer(status: int, text: str = "", kind: str = "text/plain", **headers: str):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, text=text, content_type=kind, headers=headers)

    return handler


@pytest.mark.parametrize(
    ("handler", "error", "words"),
    [
        (answer(401), AuthenticationFailed, "the credentials were not accepted"),
        (answer(203, "<html>", "text/html"), AuthenticationFailed, "the credentials were not accepted"),
        (answer(403, "TF400813: not authorized"), AuthenticationFailed, "access denied: TF400813: not authorized"),
        (answer(403, **{"Retry-After": "7"}), RemoteBusy, "limits requests"),
        (answer(404, "TF401019: no such repository"), RepositoryNotFound, "not found: TF401019"),
        (answer(429, **{"Retry-After": "7"}), RemoteBusy, "HTTP 429"),
        (answer(503, "down\x1b[31m"), RemoteBusy, r"HTTP 503\): down \[31m"),
        (answer(500, "<html>", "text/html"), RemoteRefused, "HTTP 500$"),
        (answer(418), RemoteRefused, "HTTP 418"),
        (answer(200, "<html>", "text/html"), UnsupportedRepository, "is the URL that of a repository"),
        (answer(200, "001e# service=git-upload-pack\n"), UnsupportedRepository, "is the URL that of a repository"),
    ],
)
async def test_refusals_have_their_own_classes_and_the_servers_words(serve, remotes, handler, error, words):
    with pytest.raises(error, match=words) as refused:
        await remotes.remote(await serve(handler) + "/repo", BASIC).list_refs(SOON)

    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 700


async def test_how_long_to_stay_away_is_told(serve, remotes):
    with pytest.raises(RemoteBusy) as refused:
        await remotes.remote(await serve(answer(429, **{"Retry-After": "120"})) + "/repo").list_refs(SOON)

    assert refused.value.retry_after == 120


async def test_wanting_credentials_is_not_the_same_as_refusing_them(serve, remotes):
    with pytest.raises(AuthenticationFailed, match=r"authentication required$"):
        await remotes.remote(await serve(answer(401)) + "/repo").list_refs(SOON)


async def test_a_huge_answer_to_a_refusal_is_not_read(serve, remotes):
    with pytest.raises(RemoteError) as refused:
        await remotes.remote(await serve(answer(404, "x" * (4 << 20))) + "/repo").list_refs(SOON)

    assert len(str(refused.value)) < 500


async def test_nobody_there_is_said_plainly(remotes):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(RemoteUnreachable, match=rf"'http://127.0.0.1:{port}/repo': .*refused"):
        await remotes.remote(f"http://127.0.0.1:{port}/repo").list_refs(SOON)


async def test_a_name_that_does_not_exist_is_said_plainly(remotes):
    with pytest.raises(RemoteUnreachable, match="no such host"):
        await remotes.remote("http://no-such-host.invalid/repo").list_refs(SOON)


async def test_f34_an_answer_that_breaks_off_is_unreachable(remotes):
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        kind = b"application/x-git-upload-pack-advertisement"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nContent-Length: 100\r\n\r\n000eversion 2\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(RemoteUnreachable, match="broke off"):
            await remotes.remote(f"http://127.0.0.1:{port}/repo").list_refs(SOON)


@pytest.mark.parametrize("raw", [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n", b""])
async def test_what_is_no_http_is_unreachable(remotes, raw):
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(RemoteUnreachable):
            await remotes.remote(f"http://127.0.0.1:{port}/repo").list_refs(SOON)


# ------------------------------------------------------------------------------------------------------------ TLS


def trusting(authority: Authority) -> GitAuth:
    return GitAuth(certificates=Certificates(authority.certificate.read_bytes()))


async def test_a_ca_of_ones_own_stands_in_place_of_the_systems(tmp_path, remotes, authority):
    async with GitServer(tmp_path / "served", tls=authority.issue_server("git")) as server:
        oid = server.create("app").commit({"a": "1"})
        with pytest.raises(RemoteUntrusted, match=r"TLS failed: .*certificate"):
            await remotes.remote(server.url("app")).list_refs(SOON)

        remote = remotes.remote(server.url("app"), trusting(authority))
        assert (await remote.list_refs(SOON)).oids[MAIN] == oid
        await remote.fetch(MAIN, oid, SOON)


async def test_a_certificate_for_another_host_is_not_trusted(tmp_path, remotes, authority):
    pair = authority.issue_server("other", ("other.example.com",))
    async with GitServer(tmp_path / "served", tls=pair) as server:
        server.create("app").commit({"a": "1"})
        with pytest.raises(RemoteUntrusted, match=r"TLS failed: .*mismatch"):
            await remotes.remote(server.url("app"), trusting(authority)).list_refs(SOON)


async def test_a_client_certificate_is_shown_to_who_asks(tmp_path, remotes, authority):
    client = authority.issue_client("tidegate")
    ca = authority.certificate.read_bytes()
    auth = GitAuth(certificates=Certificates(ca, client.certificate.read_bytes(), client.key.read_bytes()))
    pair = authority.issue_server("mutual")
    async with GitServer(tmp_path / "served", tls=pair, client_authority=authority.certificate) as server:
        oid = server.create("app").commit({"a": "1"})
        with pytest.raises(RemoteUnreachable):
            await remotes.remote(server.url("app"), GitAuth(certificates=Certificates(ca))).list_refs(SOON)

        assert (await remotes.remote(server.url("app"), auth).list_refs(SOON)).oids[MAIN] == oid


async def test_g8_a_client_certificate_does_not_follow_to_another_origin(serve, remotes, authority):
    client = authority.issue_client("elsewhere")
    shown: list[object] = []

    async def other(request: web.Request) -> web.Response:
        assert request.transport is not None
        shown.append(request.transport.get_extra_info("peercert"))
        return git_answer(request)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pair = authority.issue_server("curious")
    context.load_cert_chain(pair.certificate, pair.key)
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    address = await serve(redirect_to(f"{await serve(other, context)}/repo{INFO_REFS}"), context)
    own = f"{address}/repo"
    auth = GitAuth(
        certificates=Certificates(
            authority.certificate.read_bytes(), client.certificate.read_bytes(), client.key.read_bytes()
        ),
    )

    await remotes.remote(own, auth).list_refs(SOON)

    assert shown in ([None, None], [{}, {}])


@pytest.mark.parametrize(
    "auth",
    [
        pytest.param(GitAuth(certificates=Certificates(b"no certificate")), id="ca"),
        pytest.param(GitAuth(certificates=Certificates(b"\xff\xfe")), id="ca-not-text"),
        pytest.param(GitAuth(certificates=Certificates(b"", b"x", b"y")), id="certificate"),
        pytest.param(GitAuth(certificates=Certificates(certificate=b"x")), id="certificate-without-key"),
        pytest.param(GitAuth(certificates=Certificates(key=b"x")), id="key-without-certificate"),
        pytest.param(GitAuth(bearer_token="two\r\nlines"), id="token"),
        pytest.param(GitAuth(proxy="socks5://user:hunter2@proxy:1080"), id="proxy-kind"),
        pytest.param(GitAuth(proxy="http://"), id="proxy-without-host"),
        pytest.param(GitAuth(proxy="http://proxy:99999"), id="proxy-port"),
    ],
)
async def test_credentials_that_cannot_be_used_are_refused_at_once(remotes, auth):
    with pytest.raises(InvalidCredentials) as refused:
        remotes.remote("https://127.0.0.1:1/repo", auth)

    assert "hunter2" not in str(refused.value)


async def test_a_key_that_does_not_belong_to_its_certificate_is_refused(remotes, authority):
    first, second = authority.issue_client("first"), authority.issue_client("second")
    auth = GitAuth(certificates=Certificates(b"", first.certificate.read_bytes(), second.key.read_bytes()))

    with pytest.raises(InvalidCredentials):
        remotes.remote("https://127.0.0.1:1/repo", auth)


# ----------------------------------------------------------------------------------------------- headers, proxies


@pytest.mark.parametrize(
    ("auth", "user", "expected"),
    [
        (GitAuth(), "", None),
        (GitAuth("user", "p\u00e4ss"), "", "Basic " + base64.b64encode("user:p\u00e4ss".encode()).decode()),
        (GitAuth(password="pat"), "", "Basic " + base64.b64encode(b":pat").decode()),
        (GitAuth(password="pat"), "org@", "Basic " + base64.b64encode(b"org:pat").decode()),
        (GitAuth(), "org@", None),
        (GitAuth(bearer_token="t0ken"), "org@", "Bearer t0ken"),
    ],
)
async def test_credentials_are_sent_with_the_first_request(serve, remotes, auth, user, expected):
    recorder = Recorder()
    address = (await serve(recorder.answer)).replace("://", f"://{user}")

    await remotes.remote(f"{address}/repo", auth).list_refs(SOON)

    assert recorder.credentials == [expected, expected]


async def test_secrets_are_in_no_representation():
    auth = GitAuth(
        "user", "hunter2", "hunter2", Certificates(b"hunter2", b"hunter2", b"hunter2"), "http://x:hunter2@proxy"
    )

    assert "hunter2" not in repr(auth)


async def test_a_proxy_of_the_secret_is_used_with_its_own_credentials(serve, remotes):
    recorder = Recorder()
    proxied: list[str | None] = []

    async def proxy(request: web.Request) -> web.Response:
        proxied.append(request.headers.get("Proxy-Authorization"))
        return await recorder.answer(request)

    address = (await serve(proxy)).replace("://", "://user:hunter2@")

    refs = await remotes.remote("http://git.example.com/repo", GitAuth(proxy=address)).list_refs(SOON)

    assert refs.oids == {MAIN: OID}
    assert recorder.credentials == [None, None]
    assert set(proxied) == {"Basic " + base64.b64encode(b"user:hunter2").decode()}


async def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(serve, remotes, monkeypatch):
    recorder = Recorder()
    address = await serve(recorder.answer)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)

    assert (await remotes.remote(f"{address}/repo").list_refs(SOON)).oids == {MAIN: OID}
    with pytest.raises(RemoteUnreachable, match="proxy"):
        await remotes.remote("http://git.example.com/repo").list_refs(SOON)


async def test_connections_are_used_again(serve, remotes):
    ports: set[object] = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername"))
        return git_answer(request)

    remote = remotes.remote(await serve(handler) + "/repo")
    for _ in range(5):
        await remote.list_refs(SOON)

    assert len(ports) == 1


async def test_nothing_but_the_protocol_is_asked_of_a_server(server, remotes):
    oid = server.create("app").commit({"a": "1"})
    remote = remotes.remote(server.url("app"))
    await remote.list_refs(SOON)
    await remote.fetch(MAIN, oid, SOON)

    assert [request.service for request in server.requests] == [Service.ADVERTISEMENT, Service.LS_REFS, Service.FETCH]
    assert {request.user_agent for request in server.requests} == {"git/2.0 (tidegate)"}
