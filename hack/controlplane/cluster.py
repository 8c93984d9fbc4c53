"""A whole Kubernetes control plane on loopback, in a temporary directory, that leaves nothing behind."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from hack.controlplane import builds, catalogue, components, kubeconfig, ports, stages
from hack.controlplane.api import Api, JsonObject, Refused
from hack.controlplane.certificates import Authority
from hack.controlplane.components import Identity, Layout, Ports
from hack.controlplane.processes import Process, ProcessDied
from hack.controlplane.scratch import ScratchDirectory

MASTERS = ("system:masters",)
OWN_USERS: Mapping[str, tuple[str, ...]] = {
    "admin": MASTERS,
    # Each part of the control plane has a name, so that the audit log can tell its requests from everyone else's.
    "system:kube-controller-manager": MASTERS,
    "system:kube-scheduler": MASTERS,
    "system:kwok": MASTERS,
}
NODE: JsonObject = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": "node-0",
        "labels": {"kubernetes.io/hostname": "node-0", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
    },
}
START_SECONDS = 60.0
START_ATTEMPTS = 3
POLL_SECONDS = 0.05


class ControlPlane:
    """etcd, API server, controller manager, scheduler and kwok: `async with ControlPlane() as plane`.

    Users are told at the start, name -> groups; `admin` may do everything and is always there. The programs die with
    this process, whatever becomes of it. Start it from a thread that stays (the main one): on Linux they die with
    the thread that started them.
    """

    def __init__(self, users: Mapping[str, Iterable[str]] | None = None) -> None:
        everyone = {**(users or {}), **OWN_USERS}
        self._identities = {
            name: Identity(name, tuple(groups), secrets.token_hex(16)) for name, groups in everyone.items()
        }
        self._exit = contextlib.ExitStack()
        self._layout: Layout | None = None
        self._processes: dict[str, Process] = {}

    async def __aenter__(self) -> Self:
        programs = builds.ensure(catalogue.CONTROL_PLANE)
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                await self._start(programs)
            except ProcessDied as death:
                self._stop()
                if "address already in use" not in str(death) or attempt == START_ATTEMPTS:
                    raise
            except BaseException:
                self._stop()
                raise
            else:
                break
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops everything.

        Raises:
            ProcessDied: a program had ended on its own, and no other error is under way.
        """
        try:
            if error is None:
                self.check()
        finally:
            self._stop()

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return self._files.server

    @property
    def authority(self) -> Authority:
        """The CA behind the API server's certificate; it signs certificates for other servers of a test, too."""
        return self._files.authority

    @property
    def admin(self) -> Path:
        """The kubeconfig of `admin`."""
        return self._files.kubeconfig("admin")

    @property
    def audit_log(self) -> Path:
        """Every request, one JSON object a line; see hack.testbed.audit."""
        return self._files.audit_log

    @property
    def directory(self) -> Path:
        """The temporary directory; what a test puts there goes with it."""
        return self._files.directory

    def token(self, user: str) -> str:
        """A user's bearer token."""
        return self._identities[user].token

    def kubeconfig(self, user: str = "admin", server: str | None = None) -> Path:
        """A user's kubeconfig; with `server`, one that goes to another URL, as a fault proxy's."""
        if server is None:
            return self._files.kubeconfig(user)
        file = self.directory / f"{user}-{secrets.token_hex(4)}.kubeconfig"
        authority = self.authority.certificate if server.startswith("https:") else None
        return kubeconfig.write(file, server=server, token=self.token(user), authority=authority)

    def api(self, user: str = "admin") -> Api:
        """A small client, to be entered in the event loop that uses it."""
        return Api(self.server, self.token(user), self.authority.certificate)

    def process(self, name: str) -> Process:
        """One of the programs, to be killed, paused or read."""
        return self._processes[name]

    def check(self) -> None:
        """Raises ProcessDied when a program has ended on its own."""
        for process in self._processes.values():
            if process.has_died():
                process.require_running()

    def kill_apiserver(self) -> None:
        """The API server is gone at once, as by a power cut; etcd keeps its objects."""
        self.process("kube-apiserver").kill()

    async def start_apiserver(self) -> None:
        """Starts the API server again, on the same port and the same objects, and waits until it is ready."""
        self.process("kube-apiserver").start()
        async with self.api() as api:
            await self._until("the API server", lambda: _is_served(api, "/readyz"))

    async def restart_apiserver(self) -> None:
        """Kills and starts the API server."""
        self.kill_apiserver()
        await self.start_apiserver()

    @property
    def _files(self) -> Layout:
        assert self._layout is not None, "the control plane is not running"
        return self._layout

    async def _start(self, programs: Mapping[str, Path]) -> None:
        scratch = self._exit.enter_context(ScratchDirectory("tidegate-"))
        self._layout = layout = Layout(scratch.path, Ports(*ports.free(5)))
        layout.write(self._identities.values(), stages.all_stages(builds.kwok_stages()))
        for name, argv in components.command_lines(layout, programs).items():
            self._processes[name] = Process(name, argv, layout.log(name))
            self._processes[name].start()
        async with self.api() as api:
            await self._until("the API server", lambda: _is_served(api, "/readyz"))
            await api.create("/api/v1/nodes", NODE)
            await api.create("/apis/storage.k8s.io/v1/storageclasses", stages.storage_class(builds.kwok_stages()))
            await self._until("the node", lambda: _is_node_usable(api))
            await self._until(
                "service accounts", lambda: _is_served(api, "/api/v1/namespaces/default/serviceaccounts/default")
            )

    def _stop(self) -> None:
        for process in reversed(self._processes.values()):
            process.kill()
        self._processes = {}
        self._exit.close()
        self._layout = None

    async def _until(self, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not await holds():
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} not ready after {START_SECONDS:g} s\n{self._all_said()}")
            await asyncio.sleep(POLL_SECONDS)

    def _all_said(self) -> str:
        return "\n".join(f"--- {name}\n{process.said(8)}" for name, process in self._processes.items())


async def _is_served(api: Api, path: str) -> bool:
    try:
        await api.get(path)
    except (Refused, aiohttp.ClientError, OSError):
        return False
    return True


async def _is_node_usable(api: Api) -> bool:
    """Ready, by kwok, and without the taint of a new node, which the controller manager removes."""
    node = await api.get(f"/api/v1/nodes/{NODE['metadata']['name']}")
    conditions = node.get("status", {}).get("conditions", [])
    is_ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
    return is_ready and not node["spec"].get("taints")
