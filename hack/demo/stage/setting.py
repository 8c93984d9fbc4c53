"""Everything that runs while the demo is played, each piece started as the next one needs it, all gone afterwards."""

import contextlib
import datetime
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from hack.controlplane import builds, catalogue
from hack.controlplane.api import Api
from hack.controlplane.cluster import ControlPlane
from hack.demo.stage import config
from hack.demo.stage.narrator import Narrator
from hack.demo.stage.timetable import Timetable
from hack.demo.stage.view import View
from hack.testbed.audit import AuditLog
from hack.testbed.chart_repository import ChartRepository
from hack.testbed.controller import KUSTOMIZE, NAMESPACE, SEPARATE, TOGETHER, Controllers, Memory
from hack.testbed.fault_proxy import FaultProxy
from hack.testbed.git_repo import GitRepo
from hack.testbed.git_server import GitServer, Manners
from hack.testbed.helm import Helm
from hack.testbed.pipeline import Pipeline
from hack.testbed.registry import Registry

REPOSITORY = "team/manifests"
NAMED_FILES = 3
GIT_REPOSITORY = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/gitrepositories/manifests"
# The controllers are who they would be as Deployments: what they may do is what config/rbac allows them.
ACCOUNTS = {
    f"system:serviceaccount:{NAMESPACE}:{name}": ("system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}")
    for name in SEPARATE
}


@dataclass(frozen=True)
class Commit:
    """A commit that the Git server has."""

    hash: str
    message: str
    at: float
    """When, by time.monotonic()."""

    @property
    def revision(self) -> str:
        return f"main@sha1:{self.hash}"

    @property
    def short(self) -> str:
        return self.hash[:7]


@dataclass
class Setting:
    """`async with Setting(narrator)`: the cluster, the Git server, the controllers and those who watch them."""

    narrator: Narrator
    separate: bool = False
    timetable: Timetable = field(default_factory=Timetable)
    memory: dict[str, Memory] = field(default_factory=dict)
    """What the controllers held at some moments."""
    _exit: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._exit.__aexit__(kind, error, traceback)

    def commit(self, message: str, files: Mapping[str, str], remove: Iterable[str] = ()) -> Commit:
        """The Git server has a new commit; nobody knows of it yet."""
        found = self.repository.commit(files, remove=remove, message=message)
        return Commit(found, message, time.monotonic())

    async def announce(self, commit: Commit) -> None:
        """Tells the cluster of it, as a webhook would, and the reader what it changes."""
        await self.request_reconcile()
        self.show(commit)

    def show(self, commit: Commit) -> None:
        """Tells the reader what a commit changes."""
        self.narrator.say(f"[bold]{commit.short}[/]  {commit.message}")
        self.narrator.change(_changes(self.repository, commit))

    async def request_reconcile(self, path: str = GIT_REPOSITORY) -> str:
        """What a Receiver does when a webhook arrives: asks for a reconcile by annotation. Returns its token."""
        now = datetime.datetime.now(datetime.UTC).isoformat()
        await self.api.merge(path, {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": now}}})
        return now

    def weigh(self, moment: str) -> None:
        """Keeps in mind what the controllers hold now."""
        self.memory[moment] = self.controllers.memory()

    def check(self) -> None:
        """Raises ProcessDied when anything that should run has ended."""
        self.plane.check()
        self.controllers.check()

    async def _start(self) -> None:
        say, enter = self.narrator, self._exit.enter_async_context
        with say.working("starting etcd, API server, controller manager, scheduler and kwok"):
            self.plane = await enter(ControlPlane(ACCOUNTS))
        version = catalogue.BY_NAME["kube-apiserver"].version
        say.done(f"Kubernetes {version} at {self.plane.server}")
        self.audit = AuditLog(self.plane.audit_log)
        self.api: Api = await enter(self.plane.api())
        self.git = await enter(GitServer(self.plane.directory / "git", Manners(push=True)))
        self.repository: GitRepo = self.git.create(REPOSITORY)
        say.done(f"Git over smart HTTP at {self.git.url(REPOSITORY)}")
        self.registry = await enter(Registry(self.plane.directory / "registry"))
        self.charts = await enter(ChartRepository())
        self.helm = Helm(builds.path("helm"), self.plane.directory / "helm", self.plane.admin)
        self.pipeline = Pipeline(self.helm, self.registry.charts, self.plane.directory / "pipeline")
        say.done(f"OCI registry at {self.registry.host}, Helm repository at {self.charts.url}")
        with say.working("applying config/"):
            counts = await config.apply(self.plane.admin, self.plane.directory / "kubectl-cache")
        definitions = f"{counts[config.DEFINITION]} CRDs, {counts['RBAC']} RBAC objects"
        say.done(f"config/ applied: {definitions}, namespace {NAMESPACE}")
        self.proxy = await enter(FaultProxy(self.plane.server, authority=self.plane.authority.certificate))
        await self._start_controllers()
        self.view = await enter(View(self.plane, self.check))
        with say.working("the API server lets new CRDs settle"):
            await config.outlast_grace(self.api)

    async def _start_controllers(self) -> None:
        layout = SEPARATE if self.separate else TOGETHER
        kubeconfigs = {program: self._kubeconfig(program) for program in layout}
        directory = self.plane.directory / "controllers"
        with self.narrator.working("starting the controllers"):
            began = time.monotonic()
            self.controllers = await self._exit.enter_async_context(Controllers(kubeconfigs, directory, layout))
        self.weigh("idle")
        commands = " and ".join(f"`tidegate {program}`" for program in layout)
        self.narrator.done(f"{commands} ready after {time.monotonic() - began:.1f} s")

    def _kubeconfig(self, program: str) -> Path:
        """As its own service account, through the proxy. One process has one identity: that of the one that applies."""
        account = f"system:serviceaccount:{NAMESPACE}:{program if program in SEPARATE else KUSTOMIZE}"
        written = self.plane.kubeconfig(account, server=self.proxy.address)
        return written.rename(written.with_name(f"{program}.kubeconfig"))  # a colon divides KUBECONFIG into files


def _changes(repository: GitRepo, commit: Commit) -> list[str]:
    """A few changed lines are shown as they are; of more, only the files."""
    files = repository.git("show", "--format=", "--name-status", "--no-renames", commit.hash).splitlines()
    modified = [line.split("\t", 1)[1] for line in files if line.startswith("M")]
    diff = repository.git("show", "--format=", "--unified=0", commit.hash, "--", *modified) if modified else ""
    lines = [line for line in diff.splitlines() if line[:1] in {"+", "-"} and line[:3] not in {"+++", "---"}]
    others = [
        line.replace("\t", "  ", 1).replace("A", "+", 1).replace("D", "-", 1) for line in files if line[0] in "AD"
    ]
    return [*_by_directory(others), *(f"{line[0]} {line[1:]}" for line in lines)]


def _by_directory(listed: list[str]) -> list[str]:
    """`+  directory/ (3 files)` for files of one fate in one directory."""
    groups: dict[str, list[str]] = {}
    for line in listed:
        directory, _, name = line.rpartition("/")
        groups.setdefault(directory, []).append(name)
    return [
        f"{directory}/{', '.join(names) if len(names) <= NAMED_FILES else f' ({len(names)} files)'}"
        for directory, names in groups.items()
    ]
