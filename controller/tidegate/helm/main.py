"""helm-controller: the only place where its real parts are plugged together."""

import os
import socket
from contextlib import AsyncExitStack
from functools import partial

from tidegate.adapters.chart_renderer import Renderer
from tidegate.engine import ownership
from tidegate.engine.members import Members
from tidegate.engine.ownership import Migration
from tidegate.helm import summary, watches
from tidegate.helm.parts import Parts, Settings
from tidegate.helm.reconciler import HelmReleaseReconciler
from tidegate.helm.release.engine import Releases
from tidegate.helm.release.sightings import Sightings
from tidegate.runtime.cache import Cache
from tidegate.runtime.controller import Controller
from tidegate.runtime.manager import Unit
from tidegate.runtime.resources import resource_of
from tidegate.runtime.watch import Selection
from tidegate.toolkit import configs, sources
from tidegate.toolkit import flags as flag_sets
from tidegate.toolkit.artifacts import Artifacts
from tidegate.toolkit.attempt import Tools
from tidegate.toolkit.flags import FlagSet
from tidegate.toolkit.program import Program
from tidegate.toolkit.status import StatusWriter
from tidegate_api import codec
from tidegate_api.helm.v2.charts import ChartRefKind
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.source.v1.helm_chart import HelmChart

NAME = "helm-controller"
CONCURRENT = 4


def define_flags(flags: FlagSet) -> None:
    """Flags of helm-controller alone (flux-v2-behaviour.md 6.7)."""
    flags.number("http-retry", 9, "how often an artifact download is tried again")
    flags.texts("override-manager", "field managers whose fields become ours")
    flags.accepted("a download ends when its bytes stop coming", "http-timeout")
    flags.accepted("what is cut off is ended after the restart", "graceful-shutdown-timeout")
    flags.accepted("render workers have limits of their own", "oom-watch-memory-threshold", "oom-watch-interval")
    flags.accepted("nothing watches it", "oom-watch-max-memory-path", "oom-watch-current-memory-path")


async def build(program: Program, stack: AsyncExitStack) -> Unit:
    """The unit of helm-controller; what it opens is closed with `stack`."""
    flags = program.flags
    gates = flag_sets.parse_gates(flags.feature_gates, flag_sets.GATES)
    client = program.client()
    resource = resource_of(HelmRelease)
    namespace = program.watched_namespace()
    cache = Cache(
        client.transport,
        Selection(resource, namespace, flags.watch_label_selector),
        partial(codec.decode, HelmRelease),
    )
    charts = Cache(client.transport, Selection(resource_of(HelmChart), namespace), partial(codec.decode, HelmChart))
    watched = await sources.watch_served_kinds(client.discovery, client.transport, namespace, ChartRefKind)
    watched_configs = configs.watched(client.transport, namespace, flags.watch_configs_label_selector)
    members = Members(
        client.transport,
        ownership.HELM_GROUP,
        Migration(NAME, tuple(flags.override_manager)),
        lambda owner, notice: watches.notify(controller.queue, owner, notice),
    )
    sightings = Sightings(client.transport)
    holder = f"{os.environ.get('HOSTNAME') or socket.gethostname()}_{os.getpid()}"
    renderer = await stack.enter_async_context(Renderer())
    recorder = program.recorder(client)
    parts = Parts(
        client=client,
        tools=Tools(StatusWriter(client, resource, NAME, summary.OWNED, cache.observe), recorder),
        releases=Releases(members, sightings, renderer, holder),
        artifacts=await stack.enter_async_context(Artifacts(flags.http_retry)),
        cache=cache,
        charts=charts,
        sources=watched,
        settings=Settings(
            jitter_percent=flags.interval_jitter_percentage,
            requeue_dependency=flags.requeue_dependency,
            cross_namespace=not flags.no_cross_namespace_refs,
            default_service_account=flags.default_service_account,
            external_artifacts=gates["ExternalArtifact"],
        ),
    )
    controller = Controller(
        HelmRelease.KIND,
        HelmRelease.GROUP,
        HelmReleaseReconciler(parts),
        concurrent=flags.concurrent,
        backoff=program.backoff(),
    )
    watches.connect(cache, watched, watched_configs, controller.queue)
    watches.connect_records(cache, sightings, holder, controller.queue)
    return Unit(
        name=NAME,
        caches=[cache, charts, sightings.cache, *watched.values(), *watched_configs.values()],
        always=[recorder.run, members.run],
        leading=[controller.run],
        lease=program.lease(client),
    )
