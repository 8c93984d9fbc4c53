"""Requests over loopback HTTP, and what becomes of answers other than 2xx."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from tidegate.runtime import errors, metrics, transport
from tidegate.runtime.client import Client
from tidegate.runtime.credentials import Cluster
from tidegate.runtime.resources import CONFIG_MAPS
from tidegate.runtime.testing import faults
from tidegate.runtime.testing import loop as loops
from tidegate.runtime.testing.api_server import FakeAPIServer, Fault
from tidegate.runtime.tests.conformance import a_config_map
from tidegate.runtime.transport import Connections, Request, Transport
from tidegate_api.meta.objects import ObjectKey

ONE = ObjectKey("default", "one")
LIST = Request("GET", CONFIG_MAPS.collection())


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "Conflict", errors.Conflict),
        (409, "AlreadyExists", errors.AlreadyExists),
        (410, "Expired", errors.Expired),
        (422, "Invalid", errors.Invalid),
        (429, "TooManyRequests", errors.TooManyRequests),
        (500, "InternalError", errors.ServerError),
        (504, "Timeout", errors.ServerError),
        (302, "", errors.ApiError),
        (418, "", errors.ApiError),
    ],
)
def test_answer_is_an_error_of_its_class(code: int, reason: str, expected: type[errors.ApiError]):
    body = msgspec.json.encode({"kind": "Status", "reason": reason, "message": "so it is", "code": code})

    error = transport.failure(code, body, None)

    assert (type(error), error.code, error.reason, error.message) == (expected, code, reason, "so it is")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "HTTP 502"),
        (b"<html>bad gateway", "HTTP 502: <html>bad gateway"),
        (b"[1]", "HTTP 502: [1]"),
        (b'{"message": null}', "HTTP 502"),
        (b"\xff" * 3, "HTTP 502: \ufffd\ufffd\ufffd"),
        (b"x" * 1000, "HTTP 502: " + "x" * 256),
    ],
)
def test_answer_of_any_shape_has_a_message(body: bytes, message: str):
    assert transport.failure(502, body, None).message == message


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), (None, None), ("", None), ("Mon, 23 Nov 2026", None)])
def test_retry_after_is_read_in_seconds(header: str | None, seconds: float | None):
    assert transport.failure(429, b"", header).retry_after == seconds


async def test_request_says_who_makes_it(server: FakeAPIServer):
    async def authorization() -> str:
        return "Bearer t0ken"

    async with Connections(Cluster(server.url, None, authorization)) as connections:
        spoken = Transport(connections, "source-controller/v1")
        await spoken.request(LIST)
        await spoken.acting_as("system:serviceaccount:a:b").request(LIST)
        await spoken.acting_as("x").acting_as("").request(LIST)

    first, second, third = (asked.headers for asked in server.asked)
    assert (first["User-Agent"], first["Authorization"]) == ("source-controller/v1", "Bearer t0ken")
    assert "Impersonate-User" not in first
    assert second["Impersonate-User"] == "system:serviceaccount:a:b"
    assert "Impersonate-User" not in third


async def test_f5_429_is_tried_again_after_the_time_it_names(server: FakeAPIServer, client: Client):
    server.faults.append(faults.refuse(429, retry_after="7"))
    async with asyncio.TaskGroup() as group:
        listing = group.create_task(client.transport.request(LIST))
        await loops.until(lambda: server.asked)
        loops.skip(6)
        await loops.settle()
        assert len(server.asked) == 1
        loops.skip(1.5)

        assert b'"items"' in await listing
    assert len(server.asked) == 2


async def test_f5_429_without_end_is_an_error(server: FakeAPIServer, client: Client):
    server.faults.extend([faults.refuse(429, retry_after="1")] * 5)
    async with asyncio.TaskGroup() as group:
        listing = group.create_task(refused(client))
        await loops.hurry(listing.done, step=0.1)

        assert isinstance(await listing, errors.TooManyRequests)
    assert len(server.asked) == 5


async def refused(client: Client, limit: timedelta = timedelta(seconds=30)) -> errors.TidegateError:
    with pytest.raises(errors.TidegateError) as caught:
        await client.transport.request(LIST, limit)
    return caught.value


@pytest.mark.parametrize("fault", [faults.reset, faults.reset_after_serving])
async def test_f6_reset_connection_is_made_anew(fault: Fault, server: FakeAPIServer, client: Client):
    await client.create(CONFIG_MAPS, a_config_map("default"))
    server.faults.append(fault)

    patched = await client.merge_patch(CONFIG_MAPS, ONE, {"data": {"a": "1"}}, "m")

    assert patched["data"] == {"a": "1"}
    assert server.count("PATCH") == 2


async def test_f6_create_with_an_unknown_outcome_is_not_repeated(server: FakeAPIServer, client: Client):
    server.faults.append(faults.reset)

    with pytest.raises(errors.Unreachable):
        await client.create(CONFIG_MAPS, a_config_map("default"))

    assert server.count("POST") == 1


async def test_f6_server_that_always_resets_is_unreachable(server: FakeAPIServer, client: Client):
    server.faults.extend([faults.reset] * 10)

    assert isinstance(await refused(client), errors.Unreachable)


async def test_g10_server_that_never_answers_is_unreachable(server: FakeAPIServer, client: Client):
    server.faults.append(faults.hang)
    async with asyncio.TaskGroup() as group:
        listing = group.create_task(refused(client))
        await loops.until(lambda: server.asked)
        loops.skip(31)

        assert isinstance(await listing, errors.Unreachable)


async def test_limit_of_one_request_may_be_shorter(server: FakeAPIServer, client: Client):
    server.faults.append(faults.hang)
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(refused(client, timedelta(seconds=2)))
        await loops.until(lambda: server.asked)
        loops.skip(3)

        assert "0:00:02" in str(await asking)


@pytest.fixture
async def nobody_listens() -> AsyncIterator[Transport]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        cluster = Cluster(f"http://127.0.0.1:{taken.getsockname()[1]}", None, no_token)
        async with Connections(cluster) as connections:
            yield Transport(connections, "test")


async def no_token() -> str:
    return ""


async def test_f1_server_that_is_not_there_is_unreachable(nobody_listens: Transport):
    with pytest.raises(errors.Unreachable, match="cannot reach"):
        await nobody_listens.request(LIST)
    with pytest.raises(errors.Unreachable, match="cannot reach"):
        async with nobody_listens.stream(LIST):
            pass


async def test_token_file_that_cannot_be_read_is_unreachable(server: FakeAPIServer):
    async def authorization() -> str:
        raise FileNotFoundError("token")

    async with Connections(Cluster(server.url, None, authorization)) as connections:
        with pytest.raises(errors.Unreachable):
            await Transport(connections, "test").request(LIST)


async def test_redirect_is_not_followed(server: FakeAPIServer, client: Client):
    server.faults.append(faults.refuse(302))

    assert isinstance(await refused(client), errors.ApiError)


async def test_requests_are_counted_by_code_and_method(server: FakeAPIServer, client: Client):
    before = metrics.REST_REQUESTS.labels(code="200", method="GET")._value.get()

    await client.transport.request(LIST)

    assert metrics.REST_REQUESTS.labels(code="200", method="GET")._value.get() == before + 1


async def test_stream_has_lines_of_any_length(server: FakeAPIServer, client: Client):
    long = b"x" * 300_000
    server.faults.append(faults.send(b"a\nb", b"c\n", long, b"\n\nend"))

    async with client.transport.stream(LIST) as lines:
        found = [line async for line in lines]

    assert found == [b"a", b"bc", long, b""]


async def test_stream_that_is_refused_is_an_api_error(server: FakeAPIServer, client: Client):
    server.faults.append(faults.refuse(410, "Expired"))

    with pytest.raises(errors.Expired):
        async with client.transport.stream(LIST):
            pass


async def test_stream_that_breaks_is_unreachable(server: FakeAPIServer, client: Client):
    server.faults.append(faults.reset_after_serving)

    async with client.transport.stream(LIST) as lines:
        with pytest.raises(errors.Unreachable):
            await anext(lines)


async def test_stream_that_does_not_begin_is_unreachable(server: FakeAPIServer, client: Client):
    server.faults.append(faults.hang)

    async def open_stream() -> None:
        with pytest.raises(errors.Unreachable):
            async with client.transport.stream(LIST):
                pass

    async with asyncio.TaskGroup() as group:
        group.create_task(open_stream())
        await loops.until(lambda: server.asked)
        loops.skip(31)
