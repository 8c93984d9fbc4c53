"""The end of the demo: the table, what it cost, and how to go on where KEEP=1 asks for that."""

from hack.controlplane import builds
from hack.demo.stage.charts import NAMESPACE
from hack.demo.stage.setting import REPOSITORY, Setting
from hack.testbed.controller import Memory

MIB = 1024 * 1024
AGENTS = ("source-controller", "kustomize-controller", "helm-controller", "tidegate")


def show(stage: Setting) -> None:
    """The table of all steps, memory and requests."""
    say = stage.narrator
    say.table(stage.timetable.as_table())
    say.say(
        "Seconds from the commit (or the change by hand) until a watch showed the new value in the cluster, and until "
        "all pods were available and the Kustomization was Ready. The annotation reconcile.fluxcd.io/requestedAt, set "
        "right after each commit, stands for the Git server's webhook; the intervals are 10 minutes and play no part."
    )
    window = stage.audit.all()
    requests = sum(window.requests(AGENTS, watches=False).values())
    writes = sum(window.writes(AGENTS).values())
    say.say(f"The controllers sent the API server {requests} requests, {writes} of them writes (events included).")
    stage.weigh("now, in the process started after it")
    held = "; ".join(f"{_memory(memory)} {moment}" for moment, memory in stage.memory.items())
    say.say(f"Memory of the controllers (PSS): {held}.")
    each = {name: controller.memory() for name, controller in stage.controllers.programs.items()}
    now = "; ".join(f"{name} {_memory(memory)}" for name, memory in each.items())
    workers = max(memory.children for memory in stage.memory.values())
    say.say(f"By process: {now}. The processes that render charts held {workers / MIB:.0f} MiB of it at most.")


def show_how_to_use(stage: Setting) -> None:
    """What to type in another terminal."""
    say = stage.narrator.plain
    repository = stage.git.url(REPOSITORY)
    say("\nEverything stays up until Ctrl-C. In another terminal:\n", style="bold")
    say(f"  export KUBECONFIG={stage.plane.admin}")
    say(f"  alias kubectl={builds.kubectl()}")
    say("  kubectl get gitrepositories,kustomizations,helmreleases -A")
    say("  kubectl -n shop get deployments,pods\n")
    if builds.missing(["flux"]):
        say("  # the flux CLI is not built yet: python -m hack.controlplane build flux")
    else:
        say(f"  alias flux={builds.path('flux')}")
        say("  flux get all")
        say("  flux tree kustomization apps")
        say("  flux reconcile kustomization apps --with-source\n")
    say(f"  alias helm={stage.helm.binary}")
    say(f"  helm list -n {NAMESPACE}\n")
    say(f"  git clone {repository} && cd {REPOSITORY.rpartition('/')[2]}")
    say("  # change something, git push, then: flux reconcile source git manifests\n")
    say(f"  tail -f {stage.controllers.kustomize.log}")


def _memory(memory: Memory) -> str:
    return f"{memory.pss / MIB:.0f} MiB"
