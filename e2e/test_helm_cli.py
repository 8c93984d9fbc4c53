"""The real helm and the real flux on our releases; and what we make of what helm has done to them."""

import json
from typing import Any

from e2e import manifests
from e2e.flux import Flux
from e2e.releases import Shop
from e2e.tenant import CHART, HELM_REPOSITORY, RELEASE, is_ready
from hack.testbed.charts import Chart
from hack.testbed.helm import Helm

V1, V2 = Chart("app", "1.0.0"), Chart("app", "2.0.0")


async def test_helm_shows_our_releases_as_its_own(shop: Shop, helm_on_cluster: Helm) -> None:
    await shop.open(V1, V2)
    await shop.install(values={"color": "red"})
    await shop.move("app", "2.0.0")
    await shop.until_released("app", "2.0.0")
    here = shop.tenant.namespace

    (listed,) = await helm_on_cluster.loaded("list", namespace=here)
    assert (listed["name"], listed["revision"], listed["status"], listed["chart"]) == (
        *("app", "2", "deployed", "app-2.0.0"),
    )
    history = await helm_on_cluster.loaded("history", "app", namespace=here)
    assert [(one["revision"], one["status"], one["chart"]) for one in history] == [
        (1, "superseded", "app-1.0.0"),
        (2, "deployed", "app-2.0.0"),
    ]
    assert await helm_on_cluster.loaded("get", "values", "app", namespace=here) == {"color": "red"}
    assert "kind: Deployment" in await helm_on_cluster("get", "manifest", "app", namespace=here)
    assert "name: app-migrate" in await helm_on_cluster("get", "hooks", "app", namespace=here)
    assert "app 2.0.0 is red." in await helm_on_cluster("get", "notes", "app", namespace=here)
    status = await helm_on_cluster.loaded("status", "app", namespace=here)
    assert (status["version"], status["info"]["status"]) == (2, "deployed")


async def test_a_rollback_by_hand_is_overtaken_by_what_is_declared(shop: Shop, helm_on_cluster: Helm) -> None:
    await shop.open(V1, V2)
    await shop.install()
    await shop.move("app", "2.0.0")
    await shop.until_released("app", "2.0.0")

    await helm_on_cluster("rollback", "app", "1", "--force-conflicts", namespace=shop.tenant.namespace)
    await shop.until_released("app", "2.0.0", revision=4)
    assert await _image(shop) == "registry.example.com/app:2.0.0"
    assert await shop.statuses() == ["superseded", "superseded", "superseded", "deployed"]


async def test_an_uninstall_by_hand_is_followed_by_an_install(shop: Shop, helm_on_cluster: Helm) -> None:
    await shop.open(V1)
    await shop.install()

    await helm_on_cluster("uninstall", "app", namespace=shop.tenant.namespace)
    await shop.tenant.until("Deployment", "app", lambda found: found.get("status", {}).get("readyReplicas") == 2, 40)
    await shop.until_released("app", "1.0.0", revision=1)


async def test_an_upgrade_by_hand_is_overtaken_at_once(shop: Shop, helm_on_cluster: Helm) -> None:
    await shop.open(V1)
    await shop.install()
    words = ["app", "app", f"--repo={shop.repository.url}", "--set=color=pink", "--force-conflicts"]

    await helm_on_cluster("upgrade", *words, namespace=shop.tenant.namespace)
    await shop.until_released("app", "1.0.0", revision=3)  # nobody asked: the release's record is watched
    assert await shop.tenant.data("app") == {"color": "blue"}
    assert await shop.statuses() == ["superseded", "superseded", "deployed"]


async def test_flux_lists_traces_and_draws_our_releases(shop: Shop, flux_cli: Flux) -> None:
    await shop.open(V1)
    await shop.install()
    here = shop.tenant.namespace

    said = await flux_cli("get", "all", namespace=here)
    for wanted in ("helmrepository/charts", f"helmchart/{here}-app", "helmrelease/app"):
        assert wanted in said
    (row,) = await flux_cli.rows("get", "helmreleases", namespace=here)
    assert (row["NAME"], row["REVISION"], row["SUSPENDED"], row["READY"]) == ("app", "1.0.0", "False", "True")
    assert row["MESSAGE"] == f"Helm install succeeded for release {here}/app.v1 with chart app@1.0.0"
    traced = await flux_cli("trace", "deployment", "app", namespace=here)
    assert "HelmRelease" in traced
    assert f"{here}-app" in traced


async def test_flux_reconciles_suspends_and_resumes_our_releases(shop: Shop, flux_cli: Flux) -> None:
    await shop.open(V1)
    await shop.install()
    here = shop.tenant.namespace

    assert "applied revision 1.0.0" in await flux_cli(
        "reconcile", "helmrelease", "app", "--with-source", namespace=here
    )
    await flux_cli("suspend", "helmrelease", "app", namespace=here)
    await shop.push(V2)
    await shop.move("app", "2.0.0")
    assert await _image(shop) == "registry.example.com/app:1.0.0"
    await flux_cli("resume", "helmrelease", "app", namespace=here)
    await shop.until_released("app", "2.0.0")
    await flux_cli("reconcile", "source", "helm", "charts", namespace=here)
    await flux_cli("reconcile", "source", "chart", f"{here}-app", namespace=here)
    for kind, name in ((HELM_REPOSITORY, "charts"), (CHART, f"{here}-app"), (RELEASE, "app")):
        assert is_ready(await shop.tenant.get(kind, name))


async def test_flux_draws_what_a_kustomization_brings_down_to_the_release(shop: Shop, flux_cli: Flux) -> None:
    shop.repository.push(V1)
    declared = manifests.as_yaml(
        manifests.a_helm_repository(shop.repository.url), manifests.a_helm_release("app", "1.0.0")
    )
    await shop.tenant.deploy({"release.yaml": declared}, wait=True)

    tree: Any = json.dumps(
        await flux_cli.loaded("tree", "kustomization", "all", "-o", "json", namespace=shop.tenant.namespace)
    )
    for wanted in ("HelmRelease", "Deployment", "ConfigMap"):
        assert wanted in tree


async def _image(shop: Shop) -> str:
    found = await shop.tenant.get("Deployment", "app")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])
