"""source-controller: the only place where its real parts are plugged together."""

import argparse
import os
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tidegate.adapters import chart_archive, helm_index
from tidegate.adapters.git_remotes import GitRemotes
from tidegate.adapters.http_files import HttpFiles
from tidegate.adapters.oci import Registries
from tidegate.runtime import probes, threads
from tidegate.runtime.cache import Cache
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Controller, Reconciler
from tidegate.runtime.manager import Unit
from tidegate.runtime.resources import resource_of
from tidegate.runtime.watch import Selection
from tidegate.source import conditions, server, watches
from tidegate.source.git_repository import GitRepositoryReconciler
from tidegate.source.helm_chart import Charts, HelmChartReconciler
from tidegate.source.helm_repository import HelmRepositoryReconciler
from tidegate.source.oci_repository import OCIRepositoryReconciler
from tidegate.source.pipeline import Pipeline
from tidegate.source.polls import Polls
from tidegate.source.storage import Retention, Storage
from tidegate.toolkit.attempt import Tools
from tidegate.toolkit.events import Recorder
from tidegate.toolkit.flags import FlagSet
from tidegate.toolkit.program import Program
from tidegate.toolkit.status import StatusWriter
from tidegate_api import codec
from tidegate_api.source.v1.git_repository import GitRepository
from tidegate_api.source.v1.helm_chart import HelmChart
from tidegate_api.source.v1.helm_repository import HelmRepository
from tidegate_api.source.v1.oci_repository import OCIRepository
from tidegate_api.source.v1.source import Source

NAME = "source-controller"
CONCURRENT = 2

S = TypeVar("S", bound=Source)


def define_flags(flags: FlagSet) -> None:
    """Flags of source-controller alone (flux-v2-behaviour.md 3.7)."""
    flags.text("storage-path", "/data", "directory of artifacts and repositories", env="STORAGE_PATH")
    flags.text("storage-addr", ":9090", "address of the artifact server", env="STORAGE_ADDRESS")
    flags.text("storage-adv-addr", "", "host under which consumers reach it", env="STORAGE_ADV_ADDR")
    flags.duration("artifact-retention-ttl", timedelta(minutes=1), "how long superseded artifacts stay")
    flags.number("artifact-retention-records", 2, "how many artifacts of an object stay")
    flags.text("artifact-digest-algo", "sha256", "sha256, sha384 or sha512")
    flags.accepted(
        "indexes are not held in memory", "helm-cache-max-size", "helm-cache-ttl", "helm-cache-purge-interval"
    )
    flags.accepted(f"the bound is {helm_index.MAX_INDEX >> 20} MiB", "helm-index-max-size")
    chart_bound = f"the bound is {chart_archive.MAX_ARCHIVE >> 20} MiB for an archive"
    flags.accepted(chart_bound, "helm-chart-max-size", "helm-chart-file-max-size")


async def build(program: Program, stack: AsyncExitStack) -> Unit:
    """The unit of source-controller; what it opens is closed with `stack`."""
    flags = program.flags
    client = program.client()
    root = Path(flags.storage_path)
    retention = Retention(flags.artifact_retention_ttl, flags.artifact_retention_records)
    storage = Storage(root, _advertised(flags), flags.artifact_digest_algo, retention)
    await threads.run(storage.prepare)
    recorder = program.recorder(client)
    plugs = _Plugs(program, client, recorder, Pipeline(client, storage, flags.interval_jitter_percentage))
    remotes = await stack.enter_async_context(GitRemotes(root / ".repositories"))
    files = await stack.enter_async_context(HttpFiles())
    registries = await stack.enter_async_context(Registries())
    polls = Polls(lambda key: plugs.controllers[GitRepository].queue.add(key))  # noqa: PLW0108 - it comes later
    plugs.add(GitRepository, lambda cache, tools: GitRepositoryReconciler(plugs.pipeline, cache, tools, remotes, polls))
    plugs.add(HelmRepository, lambda cache, tools: HelmRepositoryReconciler(plugs.pipeline, cache, tools, files))
    charts = Charts(plugs.caches[HelmRepository], files, registries)
    plugs.add(HelmChart, lambda cache, tools: HelmChartReconciler(plugs.pipeline, cache, tools, charts))
    plugs.add(OCIRepository, lambda cache, tools: OCIRepositoryReconciler(plugs.pipeline, cache, tools, registries))
    watches.connect_charts(charts.repositories, plugs.caches[HelmChart], plugs.controllers[HelmChart])
    return Unit(
        name=NAME,
        caches=list(plugs.caches.values()),
        always=[recorder.run],
        leading=[
            partial(_serve, storage, flags.storage_addr),
            *(controller.run for controller in plugs.controllers.values()),
        ],
        lease=program.lease(client),
    )


class _Plugs:
    """The kinds of this controller, each with its cache and its queue."""

    def __init__(self, program: Program, client: Client, recorder: Recorder, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.caches: dict[type[Source], Cache[Any]] = {}
        self.controllers: dict[type[Source], Controller] = {}
        self._program = program
        self._client = client
        self._recorder = recorder

    def add(self, kind: type[S], build_reconciler: Callable[[Cache[S], Tools], Reconciler]) -> None:
        """Watch and reconcile `kind`."""
        resource = resource_of(kind)
        selection = Selection(resource, self._program.watched_namespace(), self._program.flags.watch_label_selector)
        cache = Cache(self._client.transport, selection, partial(codec.decode, kind))
        status = StatusWriter(self._client, resource, NAME, conditions.OWNED, cache.observe)
        controller = Controller(
            kind.KIND,
            kind.GROUP,
            build_reconciler(cache, Tools(status, self._recorder)),
            concurrent=self._program.flags.concurrent,
            backoff=self._program.backoff(),
        )
        watches.connect(cache, controller)
        self.caches[kind] = cache
        self.controllers[kind] = controller


async def _serve(storage: Storage, address: str) -> None:
    """The artifact server, for as long as this replica leads."""
    await probes.serve(server.build(storage), address)


def _advertised(flags: argparse.Namespace) -> str:
    """`--storage-adv-addr`, else what the listen address amounts to."""
    if flags.storage_adv_addr:
        return str(flags.storage_adv_addr)
    host, _, port = flags.storage_addr.rpartition(":")
    name = {"": "localhost", "0.0.0.0": os.environ.get("HOSTNAME") or socket.gethostname()}.get(host, host)  # noqa: S104
    return f"{name}:{port}"
