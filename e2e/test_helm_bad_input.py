"""What people get wrong with charts: the condition names the cause in Flux's words, and what was good keeps running."""

from pathlib import Path
from typing import Any

import pytest

from e2e import manifests
from e2e.releases import Shop
from e2e.tenant import CHART, HELM_REPOSITORY, RELEASE, condition
from hack.testbed import charts
from hack.testbed.chart_repository import ChartRepository
from hack.testbed.charts import Chart
from hack.testbed.helm import Helm
from hack.testbed.registry import LOGIN, Registry

GOOD = Chart("app", "1.0.0")
BROKEN_TEMPLATE = {**charts.APP_TEMPLATES, "broken.yaml": "{{ .Values.color | nosuchfunction }}"}
NO_OBJECT = {**charts.APP_TEMPLATES, "broken.yaml": "kind: ConfigMap\n  data: {"}
REJECTED = {
    **charts.APP_TEMPLATES,
    "config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}\n",
}
UNKNOWN_KIND = {
    **charts.APP_TEMPLATES,
    "other.yaml": "apiVersion: example.com/v1\nkind: Unheard\nmetadata: {name: of}\n",
}
LOST = {"valuesFrom": [{"kind": "Secret", "name": "lost"}]}
FAILING = {"values": {"hooks": {"migrate": {"events": "pre-install,pre-upgrade", "code": 3}}}}


@pytest.mark.parametrize(
    ("chart", "spec", "reason", "causes"),
    [
        pytest.param(
            Chart("app", "2.0.0", "", BROKEN_TEMPLATE), {}, "UpgradeFailed", ["nosuchfunction"], id="template"
        ),
        pytest.param(Chart("app", "2.0.0", "", NO_OBJECT), {}, "UpgradeFailed", ["broken.yaml"], id="yaml"),
        pytest.param(Chart("app", "2.0.0", "", REJECTED), {}, "UpgradeFailed", ["Not_A_Name"], id="rejected"),
        pytest.param(Chart("app", "2.0.0", "", UNKNOWN_KIND), {}, "UpgradeFailed", ["Unheard"], id="unknown-kind"),
        pytest.param(GOOD, {"values": {"replicas": "many"}}, "UpgradeFailed", ["replicas"], id="schema"),
        pytest.param(GOOD, {"values": {"color": ""}}, "UpgradeFailed", ["color is required"], id="required"),
        pytest.param(GOOD, FAILING, "UpgradeFailed", ["app-migrate"], id="hook"),
        pytest.param(GOOD, LOST, "ValuesError", ["lost"], id="no-values"),
    ],
)
async def test_a_bad_upgrade_names_what_is_bad_and_the_last_good_release_runs_on(
    chart: Chart, spec: dict[str, Any], reason: str, causes: list[str], shop: Shop
) -> None:
    await shop.open(GOOD)
    await shop.install()
    running = await shop.tenant.get("Deployment", "app")

    await shop.push(chart)
    await shop.move("app", chart.version, **spec)
    found = await shop.tenant.until_failed(RELEASE, "app", reason)
    message = condition(found, "Ready")["message"]
    assert [cause for cause in causes if cause not in message] == []
    warning = await shop.tenant.until_event(RELEASE, "app", reason, causes[0])
    assert warning["type"] == "Warning"
    left = await shop.tenant.get("Deployment", "app")
    assert left["spec"] == running["spec"]
    assert left["status"]["readyReplicas"] == 2
    assert (await shop.statuses())[0] == "deployed"


@pytest.mark.parametrize(
    ("name", "version", "reason", "cause"),
    [
        pytest.param("lost", "1.0.0", "InvalidChartReference", "lost", id="no-chart"),
        pytest.param("app", ">=7.0.0", "InvalidChartReference", ">=7.0.0", id="no-version"),
        pytest.param("app", "not a range", "InvalidChartReference", "not a range", id="no-range"),
    ],
)
async def test_a_chart_that_cannot_be_had_says_why(
    name: str, version: str, reason: str, cause: str, shop: Shop
) -> None:
    await shop.open(GOOD)
    await shop.tenant.create(manifests.a_helm_release("app", version, name))

    chart = f"{shop.tenant.namespace}-app"
    await shop.tenant.until_failed(CHART, chart, reason, cause)
    assert (await shop.tenant.until_event(CHART, chart, reason, cause))["type"] == "Warning"
    await shop.tenant.until_failed(RELEASE, "app", "SourceNotReady", chart)

    await shop.move("app", "1.0.0")
    await shop.until_released("app", "1.0.0")


async def test_an_unauthorised_repository_says_so_and_heals_with_its_secret(shop: Shop) -> None:
    async with ChartRepository("me", "right-one") as server:
        locked = Shop(shop.tenant, server)
        await shop.tenant.create(manifests.a_secret("login", username="me", password="wr0ng-one"))
        await locked.open(GOOD, secretRef={"name": "login"})
        await shop.tenant.until_failed(HELM_REPOSITORY, "charts", "Failed", "401")
        said = f"{await shop.tenant.events(HELM_REPOSITORY, 'charts')}{shop.tenant.said(500)}"
        assert "wr0ng-one" not in said

        await shop.tenant.change("Secret", "login", {"stringData": {"password": "right-one"}})
        await shop.tenant.request(HELM_REPOSITORY, "charts")
        await locked.install()


@pytest.mark.builds("registry")
async def test_an_unauthorised_registry_says_so_and_heals_with_its_secret(
    shop: Shop, helm_cli: Helm, tmp_path: Path
) -> None:
    user, password = LOGIN
    login = [f"--username={user}", f"--password={password}"]
    async with Registry(tmp_path / "registry", login=True) as server:
        archive = charts.write(GOOD, tmp_path)
        await helm_cli("push", str(archive), server.charts, "--plain-http", *login)
        await shop.tenant.create(manifests.a_secret("login", username=user, password="wr0ng-one"))
        await shop.tenant.create(manifests.a_helm_repository(server.charts, secretRef={"name": "login"}))
        await shop.tenant.create(manifests.a_helm_release("app", "1.0.0"))
        chart = f"{shop.tenant.namespace}-app"
        await shop.tenant.until_failed(CHART, chart, "AuthenticationFailed", "not accepted")
        await shop.tenant.until_failed(RELEASE, "app", "SourceNotReady", chart)
        assert "wr0ng-one" not in f"{await shop.tenant.events(CHART, chart)}{shop.tenant.said(500)}"

        await shop.tenant.change("Secret", "login", {"stringData": {"password": password}})
        await shop.tenant.request(CHART, chart)
        await shop.until_released("app", "1.0.0")
