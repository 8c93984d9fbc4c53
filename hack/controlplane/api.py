"""A few words of the Kubernetes API, for what starts the cluster and for tests that look at it from outside."""

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

JsonObject = dict[str, Any]

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30)
POLL_SECONDS = 0.05
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class Refused(Exception):
    """The API server answered with something else than success."""

    def __init__(self, code: int, said: str) -> None:
        self.code = code
        super().__init__(f"HTTP {code}: {said[:500]}")


class Api:
    """One user's view of one API server; `async with`, in the event loop that uses it."""

    def __init__(self, server: str, token: str, authority: Path | None) -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "testbed"}
        self._tls = ssl.create_default_context(cafile=authority) if authority else None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls or True, limit=20)
        self._session = aiohttp.ClientSession(
            self._server, headers=self._headers, connector=connector, timeout=REQUEST_TIMEOUT
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self, method: str, path: str, body: JsonObject | None = None, content_type: str = "application/json"
    ) -> JsonObject:
        """One request; the answer as an object, `{}` where it is plain text.

        Raises:
            Refused: the server said no.
            aiohttp.ClientError: it said nothing.
        """
        assert self._session is not None
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type}
        async with self._session.request(method, path, data=data, headers=headers) as response:
            text = await response.text()
            if response.status >= 300:
                raise Refused(response.status, text)
        answer = json.loads(text) if text.startswith("{") else {}
        assert isinstance(answer, dict)
        return answer

    async def get(self, path: str) -> JsonObject:
        return await self.request("GET", path)

    async def create(self, path: str, body: JsonObject) -> JsonObject:
        return await self.request("POST", path, body)

    async def merge(self, path: str, body: JsonObject) -> JsonObject:
        return await self.request("PATCH", path, body, MERGE_PATCH)

    async def apply(self, path: str, body: JsonObject) -> JsonObject:
        """Server-side apply as the field manager `testbed`."""
        return await self.request("PATCH", f"{path}?fieldManager=testbed&force=true", body, APPLY_PATCH)

    async def delete(self, path: str) -> JsonObject:
        return await self.request("DELETE", path)

    async def discard(self, path: str) -> None:
        """Deletes the object if it is there."""
        try:
            await self.delete(path)
        except Refused as refusal:
            if refusal.code != 404:
                raise

    async def find(self, path: str) -> JsonObject | None:
        """The object, or None when there is none."""
        try:
            return await self.get(path)
        except Refused as refusal:
            if refusal.code == 404:
                return None
            raise

    async def until(
        self, path: str, holds: Callable[[JsonObject | None], bool], seconds: float = 10.0
    ) -> JsonObject | None:
        """Reads an object again and again until it (or None for its absence) is as wanted; returns it as it then is.

        Raises:
            TimeoutError: it never was; the message has how it was last.
        """
        deadline = time.monotonic() + seconds
        while not holds(found := await self.find(path)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} is not as wanted after {seconds:g} s: {json.dumps(found)[:2000]}")
            await asyncio.sleep(POLL_SECONDS)
        return found
