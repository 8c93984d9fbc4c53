"""Helm releases as tests ask for them, and as they lie in the cluster."""

import base64
import gzip
import json
from dataclasses import dataclass
from typing import Any

from e2e import manifests
from e2e.tenant import HELM_REPOSITORY, RELEASE, Tenant, is_ready
from hack.controlplane.api import JsonObject
from hack.testbed.chart_repository import ChartRepository
from hack.testbed.charts import Chart

SECONDS = 40.0


@dataclass(frozen=True)
class Shop:
    """A tenant with a chart repository of its own, followed as the HelmRepository `charts`."""

    tenant: Tenant
    repository: ChartRepository

    async def open(self, *charts: Chart, **spec: Any) -> None:
        """Has these charts, and is followed."""
        for chart in charts:
            self.repository.push(chart)
        await self.tenant.create(manifests.a_helm_repository(self.repository.url, **spec))

    async def push(self, chart: Chart) -> None:
        """One chart more, of which the source is told."""
        self.repository.push(chart)
        await self.tenant.request(HELM_REPOSITORY, "charts")

    async def install(self, name: str = "app", version: str = "1.0.0", **spec: Any) -> JsonObject:
        """A HelmRelease, once it is Ready."""
        await self.tenant.create(manifests.a_helm_release(name, version, "app", **spec))
        return await self.until_released(name, version)

    async def move(self, name: str, version: str, **spec: Any) -> None:
        """The HelmRelease asks for another version, or for something else as well."""
        template = manifests.a_helm_release(name, version, "app")["spec"]["chart"]
        await self.tenant.set_spec(RELEASE, name, chart=template, **spec)

    async def until_released(self, name: str, version: str, revision: int = 0) -> JsonObject:
        """The HelmRelease once it is Ready with that version of its chart, in that revision where one is named."""

        def holds(found: JsonObject) -> bool:
            newest = (found.get("status", {}).get("history") or [{}])[0]
            is_it = newest.get("chartVersion") == version and revision in {0, newest.get("version")}
            return is_ready(found) and is_it and newest["status"] == "deployed"

        return await self.tenant.until(RELEASE, name, holds, SECONDS)

    async def records(self, name: str = "app") -> list[JsonObject]:
        """The release's records in their order, as Helm stores them."""
        listed = await self.tenant.api.get(f"{self.tenant.path('Secret')}?labelSelector=owner=helm,name={name}")
        return sorted(map(decoded, listed["items"]), key=lambda record: int(record["version"]))

    async def statuses(self, name: str = "app") -> list[str]:
        """What Helm would list as the history."""
        return [str(record["info"]["status"]) for record in await self.records(name)]


def decoded(secret: JsonObject) -> JsonObject:
    """The record that a release Secret holds."""
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    found = json.loads(gzip.decompress(packed))
    assert isinstance(found, dict)
    return found
