"""The reference OCI registry on loopback, empty, with its content in a directory of the test's."""

import asyncio
import contextlib
import ssl
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import yaml

from hack.controlplane import builds, ports
from hack.controlplane.certificates import Authority
from hack.controlplane.processes import Process

READY_SECONDS = 20.0
LOGIN = ("pipeline", "correct horse")
"""Who is let in where a login is asked for."""
# The registry takes bcrypt alone, and Python has none: the hash of LOGIN's password, made once, as cheap as it gets.
HTPASSWD = "pipeline:$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n"


class Registry:
    """`async with Registry(tmp_path) as registry`; HTTPS when an authority is given that its certificate comes from.

    With `login`, only whoever is LOGIN is let in (basic auth).
    """

    def __init__(self, directory: Path, authority: Authority | None = None, *, login: bool = False) -> None:
        self._directory = directory
        self._authority = authority
        self._login = login
        self._port = ports.free(1)[0]
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        config = self._directory / "config.yaml"
        config.write_text(yaml.safe_dump(self._config()))
        log = self._directory / "registry.log"
        self._process = Process("registry", [builds.path("registry"), "serve", str(config)], log)
        self._process.start()
        try:
            await self._until_ready(self._process)
        except BaseException:
            self._process.kill()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()

    @property
    def host(self) -> str:
        """What stands before the repository in a reference: `oci://{host}/charts/app`."""
        return f"127.0.0.1:{self._port}"

    @property
    def address(self) -> str:
        """The URL of the server."""
        return f"{'https' if self._authority else 'http'}://{self.host}"

    @property
    def charts(self) -> str:
        """Where charts are pushed to, and a HelmRepository's URL."""
        return f"oci://{self.host}/charts"

    def _config(self) -> dict[str, object]:
        http: dict[str, object] = {"addr": self.host, "secret": "test"}
        if self._authority is not None:
            pair = self._authority.issue_server("registry")
            http["tls"] = {"certificate": str(pair.certificate), "key": str(pair.key)}
        storage = {"filesystem": {"rootdirectory": str(self._directory / "content")}, "delete": {"enabled": True}}
        return {"version": "0.1", "log": {"level": "warn"}, "storage": storage, "http": http, **self._access()}

    def _access(self) -> dict[str, object]:
        if not self._login:
            return {}
        file = self._directory / "htpasswd"
        file.write_text(HTPASSWD)
        return {"auth": {"htpasswd": {"realm": "registry", "path": str(file)}}}

    async def _until_ready(self, process: Process) -> None:
        deadline = time.monotonic() + READY_SECONDS
        greeting = {"Authorization": aiohttp.encode_basic_auth(*LOGIN)}
        trusted = ssl.create_default_context(cafile=self._authority.certificate) if self._authority else True
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as session:
            while time.monotonic() < deadline:
                process.require_running()
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.address}/v2/", headers=greeting) as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.02)
        raise TimeoutError(f"the registry is not ready after {READY_SECONDS:g} s\n{process.said()}")
