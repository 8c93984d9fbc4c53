"""The ground that the other e2e tests stand on: a cluster that runs, plays pods, deletes, counts and comes back."""

import asyncio
import secrets
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from hack.controlplane import builds
from hack.controlplane.api import Api, JsonObject, Refused
from hack.controlplane.cluster import ControlPlane
from hack.testbed import faults
from hack.testbed.audit import AuditLog, Kind
from hack.testbed.fault_proxy import FaultProxy


@pytest_asyncio.fixture(loop_scope="session")
async def api(own_control_plane: ControlPlane) -> AsyncIterator[Api]:
    async with own_control_plane.api() as entered:
        yield entered


@pytest_asyncio.fixture(loop_scope="session")
async def namespace(api: Api) -> AsyncIterator[str]:
    name = f"test-{secrets.token_hex(4)}"
    await api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    await api.delete(f"/api/v1/namespaces/{name}")


def a_pod_spec(command: list[str], restart: str) -> JsonObject:
    return {"restartPolicy": restart, "containers": [{"name": "main", "image": "example/app:1", "command": command}]}


def a_deployment(name: str, command: list[str], replicas: int = 2) -> JsonObject:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": a_pod_spec(command, "Always")}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def status(found: JsonObject | None) -> JsonObject:
    return dict((found or {}).get("status", {}))


def phase(pod: JsonObject | None) -> Any:
    return status(pod).get("phase")


def is_true(found: JsonObject | None, condition: str) -> bool:
    conditions = status(found).get("conditions", [])
    return any(entry["type"] == condition and entry["status"] == "True" for entry in conditions)


async def test_a_deployment_becomes_ready(api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    await api.create(path, a_deployment("app", ["serve"]))

    await api.until(f"{path}/app", lambda found: status(found).get("readyReplicas") == 2)


async def test_a_stateful_set_gets_its_volumes_and_becomes_ready(api: Api, namespace: str) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
    stateful = a_deployment("db", ["serve"], replicas=1)
    stateful["spec"] |= {"serviceName": "db", "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}]}
    await api.create(path, stateful)

    await api.until(f"{path}/db", lambda found: status(found).get("readyReplicas") == 1)


@pytest.mark.parametrize(
    ("script", "outcome", "code"),
    [
        pytest.param("echo tests passed", "Succeeded", 0, id="ends"),
        pytest.param("exit 0", "Succeeded", 0, id="exit-0"),
        pytest.param("echo no; exit 3", "Failed", 3, id="exit-3"),
        pytest.param("curl -sf http://app || exit 1", "Succeeded", 0, id="only-if"),
    ],
)
async def test_a_pod_that_runs_once_ends_as_its_command_says(
    script: str, outcome: str, code: int, api: Api, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    await api.create(path, {"metadata": {"name": "once"}, "spec": a_pod_spec(["sh", "-c", script], "Never")})

    pod = await api.until(f"{path}/once", lambda found: phase(found) not in {"Pending", "Running"})
    assert pod is not None
    assert phase(pod) == outcome
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == code


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        pytest.param(["sh", "-c", "exit 1"], "CrashLoopBackOff", id="crashes"),
        pytest.param(["serve", "--never-pulled"], "ImagePullBackOff", id="no-image"),
    ],
)
async def test_a_pod_that_cannot_run_says_why(command: list[str], reason: str, api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    await api.create(path, {"metadata": {"name": "broken"}, "spec": a_pod_spec(command, "Always")})

    pod = await api.until(f"{path}/broken", lambda found: "containerStatuses" in status(found))
    assert pod is not None
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == reason


@pytest.mark.parametrize(("policy", "restart"), [("never", "Never"), ("on-failure", "OnFailure")])
@pytest.mark.parametrize(("script", "ending"), [("true", "Complete"), ("exit 2", "Failed")])
async def test_a_job_ends_as_its_command_says(
    script: str, ending: str, policy: str, restart: str, api: Api, namespace: str
) -> None:
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    spec = {"backoffLimit": 0, "template": {"spec": a_pod_spec(["sh", "-c", script], restart)}}
    await api.create(path, {"metadata": {"name": policy}, "spec": spec})

    await api.until(f"{path}/{policy}", lambda found: is_true(found, ending))


async def test_a_pod_that_is_never_ready_stays_unready_while_others_get_ready(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    for name, argument in (("never", "--never-ready"), ("later", "--ready-after=300ms")):
        await api.create(path, {"metadata": {"name": name}, "spec": a_pod_spec(["serve", argument], "Always")})

    await api.until(f"{path}/later", lambda found: is_true(found, "Ready"))
    never = await api.get(f"{path}/never")
    assert phase(never) == "Running"
    assert not is_true(never, "Ready")


async def test_what_a_deleted_owner_owned_is_collected(api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}"
    await api.create(f"{path}/deployments", a_deployment("app", ["serve"], replicas=1))

    def has_items(number: int) -> Any:
        return lambda found: len((found or {"items": []})["items"]) == number

    await api.until(f"/api/v1/namespaces/{namespace}/pods", has_items(1))
    await api.delete(f"{path}/deployments/app")
    await api.until(f"{path}/replicasets", has_items(0))
    await api.until(f"/api/v1/namespaces/{namespace}/pods", has_items(0))


async def test_a_deleted_namespace_goes_with_all_that_is_in_it(api: Api) -> None:
    await api.create("/api/v1/namespaces", {"metadata": {"name": "short-lived"}})
    await api.create("/api/v1/namespaces/short-lived/configmaps", {"metadata": {"name": "kept"}, "data": {"a": "1"}})

    await api.delete("/api/v1/namespaces/short-lived")
    await api.until("/api/v1/namespaces/short-lived", lambda found: found is None, seconds=30)


async def test_the_audit_log_counts_every_request_once(
    own_control_plane: ControlPlane, api: Api, namespace: str, audit_log: AuditLog
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    begin = audit_log.mark()

    await api.create(path, {"metadata": {"name": "counted"}})
    await api.apply(f"{path}/counted", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "counted"}})
    await api.merge(f"{path}/counted?dryRun=All", {"data": {"a": "1"}})
    await api.get(path)

    def kind(verb: str, *, dry_run: bool = False) -> Kind:
        return Kind("testbed", verb, "", "configmaps", dry_run)

    window = audit_log.since(begin)
    assert window.writes("testbed") == {kind("create"): 1, kind("patch"): 1}
    assert window.requests("testbed") - window.writes("testbed") == {kind("patch", dry_run=True): 1, kind("list"): 1}


async def test_a_user_without_rights_is_refused(own_control_plane: ControlPlane, namespace: str) -> None:
    async with own_control_plane.api("tenant") as tenant:
        with pytest.raises(Refused) as refusal:
            await tenant.get(f"/api/v1/namespaces/{namespace}/secrets")

    assert refusal.value.code == 403
    assert "cannot list resource" in str(refusal.value)


async def test_the_api_server_comes_back_with_its_objects_after_kill(
    own_control_plane: ControlPlane, api: Api, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    await api.create(path, {"metadata": {"name": "survivor"}})

    own_control_plane.kill_apiserver()
    with pytest.raises((aiohttp.ClientError, OSError)):
        await api.get(path)
    await own_control_plane.start_apiserver()

    assert await api.find(f"{path}/survivor") is not None
    pods = f"/api/v1/namespaces/{namespace}/pods"
    await api.create(pods, {"metadata": {"name": "after"}, "spec": a_pod_spec(["serve"], "Always")})
    await api.until(f"{pods}/after", lambda found: phase(found) == "Running", seconds=20)


async def test_kubectl_goes_through_the_fault_proxy(own_control_plane: ControlPlane, namespace: str) -> None:
    plane = own_control_plane
    async with FaultProxy(
        plane.server, authority=plane.authority.certificate, tls=plane.authority.issue_server("proxy")
    ) as proxy:
        config = plane.kubeconfig(server=proxy.address)
        with proxy.having(faults.kubernetes_failure(403, "Forbidden", "not through here"), path="/namespaces/"):
            refused = await kubectl(config, "get", "namespace", namespace)
        allowed = await kubectl(config, "get", "namespace", namespace)

    assert "not through here" in refused
    assert namespace in allowed


async def kubectl(config: Path, *words: str) -> str:
    """What kubectl says, in a thread: the proxy runs in this loop."""
    argv = [str(builds.kubectl()), "--kubeconfig", str(config), *words]
    done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, check=False, timeout=30)
    return (done.stdout + done.stderr).decode()
