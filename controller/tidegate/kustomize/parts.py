"""What the steps of every Kustomization work with: plugged in by main.py, the same for all turns."""

from dataclasses import dataclass
from datetime import timedelta

from tidegate.engine import ownership
from tidegate.engine.members import Members
from tidegate.engine.ownership import Owner
from tidegate.kustomize.builder import Builder
from tidegate.runtime.client import Client
from tidegate.toolkit import access
from tidegate.toolkit.attempt import Tools
from tidegate_api.kustomize.v1.kustomization import Kustomization
from tidegate_api.meta.objects import ObjectKey


@dataclass(frozen=True)
class Settings:
    """What flags say about every Kustomization."""

    jitter_percent: int
    requeue_dependency: timedelta
    cross_namespace: bool
    default_service_account: str
    concurrent_ssa: int
    custom_stage_kinds: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Parts:
    """Clients and stores. `client` acts as the controller itself."""

    client: Client
    tools: Tools
    members: Members
    builder: Builder
    settings: Settings

    def account_of(self, kustomization: Kustomization) -> str:
        """The service account that its objects are written as; "" for the controller itself."""
        return kustomization.spec.service_account_name or self.settings.default_service_account

    def acting_client(self, kustomization: Kustomization) -> Client:
        """The client under the identity that its writes are made with."""
        user = access.service_account_user(kustomization.metadata.namespace, self.account_of(kustomization))
        return self.client.acting_as(user)


def owner_of(key: ObjectKey) -> Owner:
    """Whom the labels of a Kustomization's objects name."""
    return Owner(ownership.KUSTOMIZE_GROUP, key.namespace, key.name)
