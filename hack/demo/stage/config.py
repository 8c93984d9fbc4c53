"""Puts Tidegate's own manifests into a cluster: config/ as users apply it, but for what would run the controllers."""

import asyncio
import datetime
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from hack.controlplane import builds
from hack.controlplane.api import Api
from hack.demo.stage.objects import condition

DEFAULT = Path(__file__).parents[3] / "config" / "default"
# The controllers are processes here: no Deployment, and nothing that leads to its pods.
LEFT_OUT = frozenset({"Deployment", "Service", "NetworkPolicy"})
DEFINITION = "CustomResourceDefinition"
SECONDS = 30.0
GRACE = datetime.timedelta(seconds=2)


class KubectlFailed(Exception):
    """kubectl ended badly; the message has what it said."""


async def apply(kubeconfig: Path, cache: Path) -> Counter[str]:
    """Applies CRDs, RBAC and namespace, and waits until the CRDs are served. Returns how many there are of each kind.

    Raises:
        KubectlFailed: something was refused.
    """
    built = await _kubectl("kustomize", str(DEFAULT))
    objects = [found for found in yaml.safe_load_all(built) if found["kind"] not in LEFT_OUT]
    to_cluster = (f"--kubeconfig={kubeconfig}", f"--cache-dir={cache}")
    await _kubectl(*to_cluster, "apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))
    names = [f"crd/{found['metadata']['name']}" for found in objects if found["kind"] == DEFINITION]
    await _kubectl(*to_cluster, "wait", "--for=condition=Established", f"--timeout={SECONDS:.0f}s", *names)
    return Counter(_kind(found) for found in objects)


async def outlast_grace(api: Api) -> None:
    """Returns when objects of our kinds can be created without delay.

    For two seconds after a CRD was established, the API server holds every create of its kind for two seconds.
    """
    served = await api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    established = max(condition(found, "Established")["lastTransitionTime"] for found in served["items"])
    since = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(established)
    await asyncio.sleep(max(0.0, (GRACE - since).total_seconds()))


def _kind(found: dict[str, Any]) -> str:
    return "RBAC" if "rbac.authorization.k8s.io" in found["apiVersion"] else str(found["kind"])


async def _kubectl(*words: str, stdin: str = "") -> str:
    def run() -> subprocess.CompletedProcess[str]:
        argv = [str(builds.kubectl()), *words]
        # A session of its own: Ctrl-C is for us, and what has begun is over in a moment.
        return subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False, start_new_session=True
        )

    done = await asyncio.to_thread(run)
    if done.returncode != 0:
        raise KubectlFailed(f"kubectl {words[-1]}: {done.stderr.strip()}")
    return done.stdout
