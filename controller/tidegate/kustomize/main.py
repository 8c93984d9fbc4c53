"""kustomize-controller: the only place where its real parts are plugged together."""

from contextlib import AsyncExitStack
from functools import partial

from tidegate.engine import ownership, stages
from tidegate.engine.members import Members
from tidegate.engine.ownership import Migration
from tidegate.kustomize import watches
from tidegate.kustomize.builder import Builder
from tidegate.kustomize.parts import Parts, Settings
from tidegate.kustomize.reconciler import KustomizationReconciler
from tidegate.runtime.cache import Cache
from tidegate.runtime.controller import Controller
from tidegate.runtime.manager import Unit
from tidegate.runtime.resources import resource_of
from tidegate.runtime.watch import Selection
from tidegate.toolkit import conditions, configs, sources
from tidegate.toolkit.artifacts import Artifacts
from tidegate.toolkit.attempt import Tools
from tidegate.toolkit.flags import FlagSet
from tidegate.toolkit.program import Program
from tidegate.toolkit.status import StatusWriter
from tidegate_api import codec
from tidegate_api.kustomize.v1.kustomization import Kustomization, SourceKind

NAME = "kustomize-controller"
STATUS_MANAGER = "gotk-kustomize-controller"
CONCURRENT = 4
OWNED = frozenset({conditions.READY, conditions.RECONCILING, conditions.STALLED, conditions.HEALTHY})


def define_flags(flags: FlagSet) -> None:
    """Flags of kustomize-controller alone (flux-v2-behaviour.md 5.10)."""
    flags.number("concurrent-ssa", 4, "how many objects of one Kustomization are applied at the same time")
    flags.boolean("no-remote-bases", "refuse kustomize bases that are URLs")
    flags.number("http-retry", 9, "how often an artifact download is tried again")
    flags.texts("override-manager", "field managers whose fields become ours")
    flags.text("custom-apply-stage-kinds", "", "group/Kind list that is applied before the rest")


async def build(program: Program, stack: AsyncExitStack) -> Unit:
    """The unit of kustomize-controller; what it opens is closed with `stack`."""
    flags = program.flags
    client = program.client()
    resource = resource_of(Kustomization)
    namespace = program.watched_namespace()
    selection = Selection(resource, namespace, flags.watch_label_selector)
    cache = Cache(client.transport, selection, partial(codec.decode, Kustomization))
    watched_sources = await sources.watch_served_kinds(client.discovery, client.transport, namespace, SourceKind)
    watched_configs = configs.watched(client.transport, namespace, flags.watch_configs_label_selector)
    members = Members(
        client.transport,
        ownership.KUSTOMIZE_GROUP,
        Migration(NAME, tuple(flags.override_manager)),
        lambda owner, notice: watches.notify(cache, controller.queue, owner, notice),
    )
    artifacts = await stack.enter_async_context(Artifacts(flags.http_retry))
    recorder = program.recorder(client)
    parts = Parts(
        client=client,
        tools=Tools(StatusWriter(client, resource, STATUS_MANAGER, OWNED, cache.observe), recorder, resets_ready=True),
        members=members,
        builder=Builder(artifacts, no_remote_bases=flags.no_remote_bases),
        settings=Settings(
            jitter_percent=flags.interval_jitter_percentage,
            requeue_dependency=flags.requeue_dependency,
            cross_namespace=not flags.no_cross_namespace_refs,
            default_service_account=flags.default_service_account,
            concurrent_ssa=flags.concurrent_ssa,
            custom_stage_kinds=stages.parse_kinds(flags.custom_apply_stage_kinds),
        ),
    )
    controller = Controller(
        Kustomization.KIND,
        Kustomization.GROUP,
        KustomizationReconciler(parts, cache, watched_sources),
        concurrent=flags.concurrent,
        backoff=program.backoff(),
    )
    watches.connect(cache, watched_sources, watched_configs, controller.queue)
    return Unit(
        name=NAME,
        caches=[cache, *watched_sources.values(), *watched_configs.values()],
        always=[recorder.run, members.run],
        leading=[controller.run],
        lease=program.lease(client),
    )
