"""Where the API server is and how to authenticate there; the in-cluster kind needs two files and no library."""

import importlib
import os
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tidegate.runtime import clock
from tidegate.runtime.errors import TidegateError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_LIFE_S = 60.0


class NoCluster(TidegateError):
    """Neither a kubeconfig nor a pod's service account tells where the API server is."""


@dataclass(frozen=True)
class Cluster:
    """One API server: its URL, how TLS is checked, and the `Authorization` header of the next request (may be "")."""

    server: str
    tls: ssl.SSLContext | None
    authorization: Callable[[], Awaitable[str]]
    proxy: str | None = None


async def load(kubeconfig: str | None = None, context: str | None = None) -> Cluster:
    """The cluster of `kubeconfig`, else of $KUBECONFIG, else of the pod's service account, as controller-runtime looks.

    Raises: NoCluster when there is none of them; the user's ~/.kube/config is never looked at unasked.
    """
    path = kubeconfig or os.environ.get("KUBECONFIG")
    if path:
        # Its models cost 38 MB and 0.2 s: in a cluster nobody pays for them.
        module = importlib.import_module("tidegate.runtime.kubeconfig")
        cluster: Cluster = await module.load(path, context)
        return cluster
    return in_cluster(SERVICE_ACCOUNT)


def in_cluster(directory: Path) -> Cluster:
    """The cluster that this pod runs in."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port or not (directory / "token").exists():
        raise NoCluster("no kubeconfig is given (KUBECONFIG) and this process does not run in a cluster")
    address = f"[{host}]" if ":" in host else host
    tls = ssl.create_default_context(cafile=directory / "ca.crt")
    return Cluster(f"https://{address}:{port}", tls, _Token(directory / "token"))


class _Token:
    """The pod's token, read again each minute because the kubelet rotates it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header = ""
        self._read_at = float("-inf")

    async def __call__(self) -> str:
        if clock.monotonic() - self._read_at > TOKEN_LIFE_S:
            self._header = f"Bearer {self._path.read_text().strip()}"
            self._read_at = clock.monotonic()
        return self._header
