"""Files from servers that are not what one would wish; each on loopback."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from tidegate.adapters.http_auth import Login
from tidegate.adapters.http_files import HttpAuth, HttpError, HttpFiles, InvalidAddress, Unauthorized

SECRET = "s3cr3t-w0rd"
LOGIN = Login(username="robot", password=SECRET)
NOBODY = HttpAuth("http://127.0.0.1/")
SOON = timedelta(seconds=5)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest_asyncio.fixture
async def files() -> AsyncIterator[HttpFiles]:
    async with HttpFiles() as opened:
        yield opened


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """The address of a server that answers everything with `handler`."""
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def not_there(path: Path) -> bool:
    return not path.exists()


async def hello(_request: web.Request) -> web.Response:
    return web.Response(body=b"hello", headers={"ETag": '"1"'})


async def test_a_file_is_stored_with_its_hash(files: HttpFiles, tmp_path: Path) -> None:
    async with serving(hello) as url:
        found = await files.download(f"{url}a", tmp_path / "a", HttpAuth(url), limit=5, within=SOON)

    assert (tmp_path / "a").read_bytes() == b"hello"
    assert (found.is_new, found.etag, found.size, found.sha256[:8]) == (True, '"1"', 5, "2cf24dba")


async def test_what_is_known_already_is_not_sent(files: HttpFiles, tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=304 if request.headers.get("If-None-Match") == '"1"' else 500)

    async with serving(answer) as url:
        found = await files.download(url, tmp_path / "a", HttpAuth(url), limit=5, within=SOON, etag='"1"')

    assert (found.is_new, not_there(tmp_path / "a")) == (False, True)


async def test_h1_an_endless_file_is_cut_off(files: HttpFiles, tmp_path: Path) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1 << 16))

    async with serving(endless) as url:
        with pytest.raises(HttpError, match="larger than 1000000 bytes"):
            await files.download(url, tmp_path / "a", HttpAuth(url), limit=1_000_000, within=SOON)

    assert not_there(tmp_path / "a")


async def test_h1_a_bomb_counts_as_what_it_becomes(files: HttpFiles, tmp_path: Path) -> None:
    async def bomb(_request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(bytes(50 << 20)), headers={"Content-Encoding": "gzip"})

    async with serving(bomb) as url:
        with pytest.raises(HttpError, match="larger than"):
            await files.download(url, tmp_path / "a", HttpAuth(url), limit=1 << 20, within=SOON)

    assert not_there(tmp_path / "a")


async def test_h1_a_server_that_drips_costs_its_timeout(files: HttpFiles, tmp_path: Path) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"a")
        await asyncio.Event().wait()
        return response

    async with serving(silent) as url:
        with pytest.raises(HttpError, match=r"took longer than 0\.1s|broke"):
            await files.download(url, tmp_path / "a", HttpAuth(url), limit=10, within=timedelta(seconds=0.1))

    assert not_there(tmp_path / "a")


@pytest.mark.parametrize("is_for_all", [False, True])
async def test_h3_another_host_gets_no_credentials_unless_told(
    files: HttpFiles, tmp_path: Path, *, is_for_all: bool
) -> None:
    seen: list[str | None] = []

    async def other(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(body=b"chart")

    async with serving(hello) as own, serving(other) as url:
        auth = HttpAuth(own, LOGIN, is_for_all)
        await files.download(f"{url}chart.tgz", tmp_path / "a", auth, limit=10, within=SOON)

    assert [bool(header) for header in seen] == [is_for_all]


@pytest.mark.parametrize("is_for_all", [False, True])
async def test_h3_a_redirect_to_another_host_takes_no_credentials_along(
    files: HttpFiles, tmp_path: Path, *, is_for_all: bool
) -> None:
    seen: list[str | None] = []

    async def other(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(body=b"chart")

    async with serving(other) as url:

        async def redirect(request: web.Request) -> web.Response:
            seen.append(request.headers.get("Authorization"))
            return web.Response(status=302, headers={"Location": url})

        async with serving(redirect) as own:
            await files.download(f"{own}x", tmp_path / "a", HttpAuth(own, LOGIN, is_for_all), limit=10, within=SOON)

    assert [bool(header) for header in seen] == [True, False]


async def test_a_query_may_be_a_signature_and_is_in_no_message(files: HttpFiles, tmp_path: Path) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=403)

    async with serving(refuse) as url:
        with pytest.raises(Unauthorized) as caught:
            await files.download(f"{url}a?sig={SECRET}", tmp_path / "a", HttpAuth(url), limit=10, within=SOON)

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://127.0.0.1/x", "http://user:pw@127.0.0.1/x", "http://", "http://a\nb/", "//x/y"],
)
async def test_h3_other_addresses_are_refused(files: HttpFiles, tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidAddress):
        await files.download(url, tmp_path / "a", HttpAuth("http://127.0.0.1/", LOGIN), limit=10, within=SOON)


async def test_redirects_do_not_go_on_for_ever(files: HttpFiles, tmp_path: Path) -> None:
    async def again(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": str(request.url)})

    async with serving(again) as url:
        with pytest.raises(HttpError, match="redirects more than 10 times"):
            await files.download(url, tmp_path / "a", HttpAuth(url), limit=10, within=SOON)


@pytest.mark.parametrize(
    ("status", "error"), [(401, Unauthorized), (403, Unauthorized), (404, HttpError), (500, HttpError)]
)
async def test_refusals_are_told_without_secrets(
    files: HttpFiles, tmp_path: Path, status: int, error: type[HttpError]
) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=status, reason=SECRET)

    async with serving(refuse) as url:
        with pytest.raises(error, match=str(status)) as caught:
            await files.download(url, tmp_path / "a", HttpAuth(url, LOGIN), limit=10, within=SOON)

    assert SECRET not in str(caught.value)
    assert not_there(tmp_path / "a")


async def test_nobody_there_is_said_plainly(files: HttpFiles, tmp_path: Path) -> None:
    with pytest.raises(HttpError, match="cannot be reached: connection refused"):
        await files.download(
            "http://127.0.0.1:1/x", tmp_path / "a", HttpAuth("http://127.0.0.1/"), limit=10, within=SOON
        )
