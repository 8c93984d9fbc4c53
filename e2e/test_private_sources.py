"""Charts and manifests on servers as companies run them: HTTPS under a CA of their own, and a login."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from e2e import manifests
from e2e.manifests import a_helm_release, a_helm_release_of, a_helm_repository, an_oci_repository
from e2e.releases import Shop
from e2e.tenant import CHART, HELM_REPOSITORY, OCI_REPOSITORY, RELEASE, Tenant, is_released
from hack.controlplane.api import JsonObject
from hack.controlplane.certificates import Authority
from hack.controlplane.cluster import ControlPlane
from hack.testbed import charts
from hack.testbed.chart_repository import ChartRepository
from hack.testbed.charts import Chart
from hack.testbed.fault_proxy import FaultProxy
from hack.testbed.helm import Helm
from hack.testbed.registry import LOGIN, Registry

PRIVATE: dict[str, Any] = {"insecure": False, "secretRef": {"name": "login"}, "certSecretRef": {"name": "authority"}}
CHART_LAYER = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"}


@pytest_asyncio.fixture(loop_scope="session")
async def private_registry(own_control_plane: ControlPlane, helm_cli: Helm, tmp_path: Path) -> AsyncIterator[Registry]:
    """Has the chart `app` 1.0.0, for LOGIN over HTTPS."""
    async with Registry(tmp_path / "registry", own_control_plane.authority, login=True) as server:
        archive = charts.write(Chart("app", "1.0.0"), tmp_path)
        login = [f"--username={LOGIN[0]}", f"--password={LOGIN[1]}"]
        trust = f"--ca-file={own_control_plane.authority.certificate}"
        await helm_cli("push", str(archive), server.charts, trust, *login)
        yield server


def a_docker_config(name: str, host: str) -> JsonObject:
    """What `kubectl create secret docker-registry` makes."""
    config = {"auths": {host: {"username": LOGIN[0], "password": LOGIN[1]}}}
    secret = manifests.a_secret(name, **{".dockerconfigjson": json.dumps(config)})
    return {**secret, "type": "kubernetes.io/dockerconfigjson"}


def trusting(authority: Authority) -> JsonObject:
    return manifests.a_secret("authority", **{"ca.crt": authority.certificate.read_text()})


async def test_a_private_registry_is_an_oci_repository_with_a_login_and_an_authority(
    own_control_plane: ControlPlane, tenant: Tenant, private_registry: Registry
) -> None:
    await tenant.create(a_docker_config("login", private_registry.host))
    url = f"{private_registry.charts}/app"
    await tenant.create(an_oci_repository("app", url, ref={"semver": "1.x"}, layerSelector=CHART_LAYER, **PRIVATE))
    await tenant.until_failed(OCI_REPOSITORY, "app", "AuthenticationFailed", "authority")
    await tenant.create(manifests.a_secret("authority", **{"ca.crt": "no certificate"}))
    await tenant.request(OCI_REPOSITORY, "app")
    await tenant.until_failed(OCI_REPOSITORY, "app", "AuthenticationFailed", "ca.crt")

    await tenant.change("Secret", "authority", trusting(own_control_plane.authority))
    await tenant.request(OCI_REPOSITORY, "app")
    await tenant.create(a_helm_release_of("app", "app"))
    found = await tenant.until_ready(RELEASE, "app", seconds=40)
    assert found["status"]["history"][0]["chartName"] == "app"


async def test_a_private_registry_is_a_helm_repository_with_a_login_and_an_authority(
    own_control_plane: ControlPlane, tenant: Tenant, private_registry: Registry
) -> None:
    await tenant.create(a_docker_config("login", private_registry.host))
    spec: dict[str, Any] = {"insecure": False, "secretRef": {"name": "login"}}
    await tenant.create(a_helm_repository(private_registry.charts, **spec))
    await tenant.create(a_helm_release("app", "1.0.0"))
    chart = f"{tenant.namespace}-app"
    await tenant.until_failed(CHART, chart, "ChartPullError", "certificate")

    await tenant.create(trusting(own_control_plane.authority))
    await tenant.set_spec(HELM_REPOSITORY, "charts", **PRIVATE)
    await tenant.request(CHART, chart)
    await tenant.until(RELEASE, "app", lambda one: is_released(one, "1.0.0"), seconds=40)


async def test_a_private_http_repository_has_a_login_and_an_authority(
    own_control_plane: ControlPlane, tenant: Tenant
) -> None:
    authority = own_control_plane.authority
    pair = authority.issue_server(f"charts-{tenant.namespace}")
    async with ChartRepository(*LOGIN) as server, FaultProxy(server.address, tls=pair) as front:
        server.push(Chart("app", "1.0.0"))
        await tenant.create(manifests.a_secret("login", username=LOGIN[0], password=LOGIN[1]))
        url = f"{front.address}{server.path}"
        await tenant.create(a_helm_repository(url, secretRef={"name": "login"}))
        await tenant.until_failed(HELM_REPOSITORY, "charts", "Failed", "certificate")

        await tenant.create(trusting(authority))
        await tenant.set_spec(HELM_REPOSITORY, "charts", certSecretRef={"name": "authority"})
        await Shop(tenant, server).install()
