"""What a HelmRelease can be told: where to, as whom, after whom, with which values and definitions."""

import time
from typing import Any

import pytest

from e2e import manifests
from e2e.accounts import allow
from e2e.manifests import a_config_map, a_definition, a_deployment, a_secret, an_object, as_yaml
from e2e.releases import Shop
from e2e.tenant import RELEASE, condition
from hack.testbed import charts
from hack.testbed.charts import Chart
from hack.testbed.helm import Helm

V1, V2 = Chart("app", "1.0.0"), Chart("app", "2.0.0")
QUICK = {"hooks": None}
HANGING = {"stuck.yaml": as_yaml(a_deployment("stuck", "example/app:1", "serve", "--never-ready"))}
"""A template that never becomes healthy."""
"""Values without the chart's hooks."""


async def test_k13_a_release_may_do_what_its_service_account_may(shop: Shop) -> None:
    await shop.open(V1)
    await shop.tenant.create(an_object("v1", "ServiceAccount", "deployer"))
    release = manifests.a_helm_release("app", "1.0.0", serviceAccountName="deployer", values=QUICK)
    await shop.tenant.create(release)
    found = await shop.tenant.until(RELEASE, "app", lambda one: "forbidden" in condition(one, "Ready")["message"])
    assert f"system:serviceaccount:{shop.tenant.namespace}:deployer" in condition(found, "Ready")["message"]
    assert await shop.tenant.find("Deployment", "app") is None

    await allow(shop.tenant, "deployer", "configmaps", "deployments", "secrets", "services")
    await shop.until_released("app", "1.0.0")
    await shop.tenant.delete(RELEASE, "app")
    await shop.tenant.until_gone(RELEASE, "app")
    assert await shop.tenant.find("Deployment", "app") is None


async def test_a_release_goes_to_its_target_namespace_and_its_records_to_another(shop: Shop) -> None:
    api, target = shop.tenant.api, f"{shop.tenant.namespace}-target"
    await shop.open(V1)
    where: dict[str, Any] = {"targetNamespace": target, "install": {"createNamespace": True}}
    await shop.tenant.create(manifests.a_helm_release("app", "1.0.0", values=QUICK, **where))
    try:
        found = await shop.until_released("app", "1.0.0")
        assert found["status"]["history"][0]["namespace"] == target
        assert found["status"]["storageNamespace"] == shop.tenant.namespace
        (deployment,) = (await api.get(f"/apis/apps/v1/namespaces/{target}/deployments"))["items"]
        assert deployment["metadata"]["annotations"]["meta.helm.sh/release-namespace"] == target
        assert deployment["metadata"]["name"] == f"{target}-app"
        await shop.tenant.delete(RELEASE, "app")
        await shop.tenant.until_gone(RELEASE, "app")
    finally:
        await api.delete(f"/api/v1/namespaces/{target}")


async def test_a_chain_of_three_needs_no_poll(shop: Shop) -> None:
    await shop.open(V1)
    began = time.monotonic()
    for name, before in (("c", "b"), ("b", "a"), ("a", "")):
        spec: dict[str, Any] = {"dependsOn": [{"name": before}]} if before else {}
        await shop.tenant.create(manifests.a_helm_release(name, "1.0.0", "app", values=QUICK, **spec))
    await shop.until_released("c", "1.0.0")

    deployed = [await _deployed(shop, name) for name in ("a", "b", "c")]
    assert deployed == sorted(deployed)
    # Flux looks every 30 s: two of them for this chain.
    assert time.monotonic() - began < 30


async def test_values_come_from_secrets_and_config_maps_and_their_change_is_followed(shop: Shop) -> None:
    await shop.open(V1)
    values = a_config_map("values", **{"values.yaml": "color: red\nreplicas: 1\n"})
    values["metadata"]["labels"] = {"reconcile.fluxcd.io/watch": "Enabled"}
    await shop.tenant.create(values)
    await shop.tenant.create(a_secret("color", tint="from-secret"))
    single = {"kind": "Secret", "name": "color", "valuesKey": "tint", "targetPath": "color"}
    references = [{"kind": "ConfigMap", "name": "values"}, single, {"kind": "Secret", "name": "no", "optional": True}]
    await shop.install(valuesFrom=references, values=QUICK)
    await shop.tenant.until_data("app", color="from-secret")

    await shop.tenant.change("ConfigMap", "values", {"data": {"values.yaml": "replicas: 3\n"}})
    await shop.tenant.until("Deployment", "app", lambda found: found["spec"]["replicas"] == 3)


@pytest.mark.parametrize("policy", ["Create", "Skip"])
async def test_definitions_of_a_chart_come_before_its_objects(shop: Shop, policy: str) -> None:
    group = f"{shop.tenant.namespace}.example.com"
    definition = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}"
    templates = charts.APP_TEMPLATES | {"widget.yaml": as_yaml(an_object(f"{group}/v1", "Widget", "w"))}
    files = {"values.yaml": charts.APP_VALUES, "crds/widget.yaml": as_yaml(a_definition("Widget", group))}
    await shop.open(Chart("app", "1.0.0", "", templates, files))
    await shop.tenant.create(
        manifests.a_helm_release("app", "1.0.0", values=QUICK, install={"crds": policy, "remediation": {"retries": 0}})
    )
    try:
        if policy == "Skip":
            found = await shop.tenant.until_failed(RELEASE, "app", "InstallFailed", "Widget")
            assert condition(found, "Released")["status"] == "False"
            return
        await shop.until_released("app", "1.0.0")
        await shop.tenant.delete(RELEASE, "app")
        await shop.tenant.until_gone(RELEASE, "app")
        # Helm keeps what may hold other people's objects.
        assert await shop.tenant.api.find(definition) is not None
    finally:
        await shop.tenant.api.discard(definition)


async def test_an_install_is_tried_as_often_as_it_says(shop: Shop) -> None:
    await shop.open(V1)
    failing = {"hooks": {"migrate": {"events": "pre-install", "code": 3}}}
    retries = {"remediation": {"retries": 1}}
    await shop.tenant.create(manifests.a_helm_release("app", "1.0.0", values=failing, install=retries))
    found = await shop.tenant.until(
        RELEASE, "app", lambda one: condition(one, "Stalled")["reason"] == "RetriesExceeded", 40
    )
    assert found["status"]["installFailures"] == 2
    assert condition(found, "Ready")["reason"] == "InstallFailed"

    await shop.tenant.set_spec(RELEASE, "app", values=QUICK)
    await shop.until_released("app", "1.0.0")


async def test_a_suspended_release_is_left_alone_until_it_is_resumed(shop: Shop) -> None:
    await shop.open(V1, V2)
    await shop.install(values=QUICK)
    await shop.tenant.set_spec(RELEASE, "app", suspend=True)
    await shop.move("app", "2.0.0")
    await shop.tenant.request(RELEASE, "app")
    await shop.install("other", values=QUICK)  # time enough
    assert (await shop.tenant.get(RELEASE, "app"))["status"]["history"][0]["chartVersion"] == "1.0.0"

    await shop.tenant.set_spec(RELEASE, "app", suspend=False)
    await shop.until_released("app", "2.0.0")


async def test_f16_a_release_that_is_deleted_while_it_is_installed_leaves_nothing(shop: Shop) -> None:
    await shop.open(Chart("app", "1.0.0", templates={**charts.APP_TEMPLATES, **HANGING}))
    await shop.tenant.create(manifests.a_helm_release("app", "1.0.0", values=QUICK, timeout="5m"))
    await shop.tenant.until("Deployment", "stuck", lambda _: True)

    await shop.tenant.delete(RELEASE, "app")
    await shop.tenant.until_gone(RELEASE, "app")
    assert await shop.tenant.names("Deployment") == set()
    assert await shop.records() == []


async def test_a_release_that_moves_on_while_it_is_upgraded_keeps_its_last_good_revision(shop: Shop) -> None:
    await shop.open(V1, Chart("app", "2.0.0", templates={**charts.APP_TEMPLATES, **HANGING}), Chart("app", "3.0.0"))
    await shop.install(values=QUICK, timeout="5m")
    await shop.move("app", "2.0.0")
    await shop.tenant.until("Deployment", "stuck", lambda _: True)

    await shop.move("app", "3.0.0")
    found = await shop.until_released("app", "3.0.0")
    assert [(one["version"], one["status"]) for one in found["status"]["history"]] == [
        (3, "deployed"),
        (2, "failed"),
        (1, "superseded"),
    ]
    assert await shop.tenant.find("Deployment", "stuck") is None
    assert await shop.statuses() == ["superseded", "failed", "deployed"]


async def test_h16_a_release_that_helm_uninstalled_and_kept_comes_back(shop: Shop, helm_on_cluster: Helm) -> None:
    await shop.open(V1)
    await shop.install(values=QUICK)

    await helm_on_cluster("uninstall", "app", "--keep-history", namespace=shop.tenant.namespace)
    await shop.until_released("app", "1.0.0", 2)
    assert await shop.tenant.find("Deployment", "app") is not None


async def _deployed(shop: Shop, name: str) -> str:
    found = await shop.tenant.get(RELEASE, name)
    return str(found["status"]["history"][0]["lastDeployed"])
