"""The process's own kubeconfig. THE door to kubernetes_asyncio, of which only the configuration loading is used.

A tenant's kubeconfig never comes here: this one may run exec plugins and read files.
"""

import ssl

from kubernetes_asyncio import client, config
from kubernetes_asyncio.config.kube_config import KubeConfigLoader

from tidegate.runtime import clock, logs
from tidegate.runtime.credentials import TOKEN_LIFE_S, Cluster, NoCluster

log = logs.get_logger(__name__)


async def load(path: str, context: str | None = None) -> Cluster:
    """The cluster that `context` (the current one) of the kubeconfig at `path` names.

    Raises: NoCluster when the file is missing or says nothing usable.
    """
    settings = client.Configuration()
    try:
        loader = await config.load_kube_config(config_file=path, context=context, client_configuration=settings)
        return Cluster(settings.host or "", _tls(settings), _Authorization(loader, settings), settings.proxy)
    except Exception as error:
        # The library fails in every way that a file can be wrong: as its own error, as YAML's, SSL's, Python's.
        raise NoCluster(f"cannot use kubeconfig {path}: {error or type(error).__name__}") from error


def _tls(settings: client.Configuration) -> ssl.SSLContext | None:
    if not (settings.host or "").startswith("https:"):
        return None
    tls = ssl.create_default_context(cafile=settings.ssl_ca_cert)
    if settings.cert_file:
        tls.load_cert_chain(settings.cert_file, settings.key_file)
    if not settings.verify_ssl or settings.disable_strict_ssl_verification:
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not settings.verify_ssl:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    return tls


class _Authorization:
    """The header for the next request. A token file is read again each minute; a plugin runs when its token ends."""

    def __init__(self, loader: KubeConfigLoader, settings: client.Configuration) -> None:
        self._loader = loader
        self._settings = settings
        self._read_at = clock.monotonic()

    async def __call__(self) -> str:
        if clock.monotonic() - self._read_at > TOKEN_LIFE_S:
            self._read_at = clock.monotonic()
            await self._load_again()
        # The library spells it out, "Bearer" or "Basic" included.
        return str(self._settings.api_key.get("BearerToken") or "")

    async def _load_again(self) -> None:
        try:
            await self._loader.load_and_set(self._settings)
        except Exception:
            # What was good a minute ago may be good still: the API server is to say so.
            log.exception("credentials of the kubeconfig not renewed")
