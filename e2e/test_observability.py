"""What operators see beside the objects: posted events, metrics, probes and logs, as dashboards know them from Flux."""

import json

import aiohttp

from e2e.manifests import a_config_map, as_yaml
from e2e.receiver import EventReceiver
from e2e.tenant import KUSTOMIZATION, Tenant, revision
from hack.testbed.controller import Controllers


async def test_events_are_posted_as_notification_controller_reads_them(tenant: Tenant, receiver: EventReceiver) -> None:
    repo = tenant.repository({"a.yaml": as_yaml(a_config_map("a"))})
    await tenant.follow()
    await tenant.kustomization()
    note = {"event.toolkit.fluxcd.io/cluster": "blue"}
    await tenant.change(KUSTOMIZATION, "all", {"metadata": {"annotations": note}})
    await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    await tenant.push(repo, {"b.yaml": as_yaml(a_config_map("b"))})
    found = await tenant.until_ready(KUSTOMIZATION, "all", revision(repo))
    await tenant.until_event(KUSTOMIZATION, "all", text=f"ConfigMap/{tenant.namespace}/b created")

    created = [
        event
        for event in receiver.about(tenant.namespace, KUSTOMIZATION)
        if event["message"] == f"ConfigMap/{tenant.namespace}/b created"
    ]
    (event,) = created
    assert set(event) == {
        "involvedObject",
        "severity",
        "timestamp",
        "message",
        "reason",
        "metadata",
        "reportingController",
        "reportingInstance",
    }
    assert event["severity"] == "info"
    assert event["reportingController"] == "kustomize-controller"
    assert event["metadata"] == {"kustomize.toolkit.fluxcd.io/revision": revision(repo), **note}
    about = event["involvedObject"]
    assert about["uid"] == found["metadata"]["uid"]
    assert (about["kind"], about["apiVersion"]) == ("Kustomization", "kustomize.toolkit.fluxcd.io/v1")


async def test_probes_answer_and_metrics_have_flux_names(tenant: Tenant, controllers: Controllers) -> None:
    await tenant.deploy({"a.yaml": as_yaml(a_config_map("a"))})

    async with aiohttp.ClientSession() as session:
        for url in (f"{controllers.source.health}/healthz", f"{controllers.source.health}/readyz"):
            async with session.get(url) as response:
                assert response.status == 200
        async with session.get(controllers.source.metrics) as response:
            page = await response.text()
    labels = f'kind="Kustomization",name="all",namespace="{tenant.namespace}"'
    assert f"gotk_reconcile_duration_seconds_count{{{labels}}}" in page
    assert 'controller_runtime_reconcile_total{controller="gitrepository",result="success"}' in page
    assert 'workqueue_depth{controller="kustomization"' in page


async def test_logs_are_json_with_the_object_they_are_about(tenant: Tenant, controllers: Controllers) -> None:
    await tenant.deploy({"a.yaml": as_yaml(a_config_map("a"))})

    lines = [json.loads(line) for line in controllers.said(2000).splitlines() if line.startswith("{")]
    about = [line for line in lines if line.get("namespace") == tenant.namespace and line.get("name") == "all"]
    assert about
    assert {"level", "ts", "msg", "controller", "reconcileID"} <= set(about[-1])
    assert about[-1]["controllerKind"] == "Kustomization"
