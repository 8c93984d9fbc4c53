"""What the steps of every HelmRelease work with: plugged in by main.py, the same for all turns."""

from dataclasses import dataclass
from datetime import timedelta

from tidegate.engine import ownership
from tidegate.engine.ownership import Owner
from tidegate.helm.release.engine import Releases, Session
from tidegate.helm.release.model import Options, ReleaseKey
from tidegate.runtime.cache import Cache
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn
from tidegate.toolkit import access
from tidegate.toolkit.artifacts import Artifacts
from tidegate.toolkit.attempt import Tools
from tidegate.toolkit.sources import Sources
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.source.v1.helm_chart import HelmChart


@dataclass(frozen=True)
class Settings:
    """What flags say about every HelmRelease."""

    jitter_percent: int
    requeue_dependency: timedelta
    cross_namespace: bool
    default_service_account: str
    external_artifacts: bool


@dataclass(frozen=True)
class Parts:
    """Clients and stores. `client` acts as the controller itself."""

    client: Client
    tools: Tools
    releases: Releases
    artifacts: Artifacts
    cache: Cache[HelmRelease]
    charts: Cache[HelmChart]
    sources: Sources
    settings: Settings

    def account_of(self, release: HelmRelease) -> str:
        """The service account that its objects are written as; "" for the controller itself."""
        return release.spec.service_account_name or self.settings.default_service_account

    def acting_client(self, release: HelmRelease) -> Client:
        """The client under the identity that its writes are made with."""
        user = access.service_account_user(release.metadata.namespace, self.account_of(release))
        return self.client.acting_as(user)

    def session(self, release: HelmRelease, key: ReleaseKey, turn: Turn, options: Options) -> Session:
        """Work on the Helm release `key`, under the identity of the HelmRelease."""
        return self.releases.session(key, owner_of(release.key), self.acting_client(release), turn, options)


def owner_of(key: ObjectKey) -> Owner:
    """Whom the labels of a HelmRelease's objects name."""
    return Owner(ownership.HELM_GROUP, key.namespace, key.name)
