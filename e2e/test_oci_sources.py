"""Charts and manifests in a real OCI registry: pushed by helm and flux, followed by us."""

import asyncio
import subprocess
from pathlib import Path

from e2e.flux import Flux
from e2e.manifests import a_config_map, a_helm_release, a_helm_release_of, a_helm_repository, an_oci_repository, as_yaml
from e2e.tenant import CHART, HELM_REPOSITORY, KUSTOMIZATION, OCI_REPOSITORY, RELEASE, Tenant, condition, is_released
from hack.testbed import charts
from hack.testbed.charts import Chart
from hack.testbed.registry import Registry


async def push(helm: Path, registry: Registry, chart: Chart, directory: Path, path: str) -> None:
    """What the pipeline does with `helm push`."""
    packed = directory / chart.file_name
    packed.write_bytes(charts.package(chart))
    argv = [str(helm), "push", str(packed), f"oci://{registry.host}/{path}", "--plain-http"]
    await asyncio.to_thread(subprocess.run, argv, check=True, capture_output=True, timeout=30)


async def test_a_chart_in_a_registry_is_released_by_version_and_by_range(
    tenant: Tenant, registry: Registry, helm: Path, tmp_path: Path
) -> None:
    path = f"{tenant.namespace}/charts"
    await push(helm, registry, Chart("appa", "158.0.0"), tmp_path, path)
    await tenant.create(a_helm_repository(f"oci://{registry.host}/{path}"))
    await tenant.create(a_helm_release("appa", "158.0.0"))
    await tenant.until(RELEASE, "appa", lambda one: is_released(one, "158.0.0"), seconds=40)

    await push(helm, registry, Chart("appa", "160.0.0"), tmp_path, path)
    await tenant.change(RELEASE, "appa", {"spec": a_helm_release("appa", ">=159.0.0 <161.0.0")["spec"]})
    await tenant.until(RELEASE, "appa", lambda one: is_released(one, "160.0.0"), seconds=40)
    found = await tenant.get(HELM_REPOSITORY, "charts")
    assert "artifact" not in found.get("status", {})
    assert found.get("status", {}).get("conditions", []) == []


async def test_a_chart_that_is_not_there_is_named_and_found_once_it_is(
    tenant: Tenant, registry: Registry, helm: Path, tmp_path: Path
) -> None:
    path = f"{tenant.namespace}/charts"
    await tenant.create(a_helm_repository(f"oci://{registry.host}/{path}"))
    await tenant.create(a_helm_release("appa", "158.0.0"))
    found = await tenant.until_failed(CHART, f"{tenant.namespace}-appa", "ChartPullError", "not found")
    assert condition(found, "BuildFailed")["status"] == "True"
    release = await tenant.until_failed(RELEASE, "appa", "SourceNotReady", "not found")
    assert condition(release, "Ready")["status"] == "False"

    await push(helm, registry, Chart("appa", "158.0.0"), tmp_path, path)
    await tenant.request(CHART, f"{tenant.namespace}-appa")
    await tenant.until(RELEASE, "appa", lambda one: is_released(one, "158.0.0"), seconds=40)


async def test_a_release_refers_to_an_oci_repository_and_records_its_digest(
    tenant: Tenant, registry: Registry, helm: Path, tmp_path: Path
) -> None:
    path = f"{tenant.namespace}/charts"
    await push(helm, registry, Chart("appa", "1.0.0"), tmp_path, path)
    layer = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"}
    url = f"oci://{registry.host}/{path}/appa"
    await tenant.create(an_oci_repository("appa", url, ref={"semver": "1.x"}, layerSelector=layer))
    await tenant.create(a_helm_release_of("appa", "appa"))
    found = await tenant.until_ready(RELEASE, "appa", seconds=40)
    status = found["status"]
    digest = status["lastAttemptedRevisionDigest"]
    assert status["lastAttemptedRevision"] == f"1.0.0+{digest.removeprefix('sha256:')[:12]}"
    assert status["history"][0]["ociDigest"] == digest

    await push(helm, registry, Chart("appa", "1.1.0"), tmp_path, path)
    await tenant.request(OCI_REPOSITORY, "appa")
    await tenant.until(RELEASE, "appa", lambda one: one["status"]["lastAttemptedRevision"].startswith("1.1.0+"))


async def test_a_kustomization_applies_what_flux_pushed(
    tenant: Tenant, registry: Registry, flux_cli: Flux, tmp_path: Path
) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    url = f"oci://{registry.host}/{tenant.namespace}/manifests"
    (folder / "map.yaml").write_text(as_yaml(a_config_map("a", k="1")))
    words = ("--source=git", "--revision=main@sha1:1234", "--insecure-registry", f"--path={folder}")
    await flux_cli("push", "artifact", f"{url}:1.0.0", *words)
    await tenant.create(an_oci_repository("app", url, ref={"semver": "1.x"}))
    await tenant.kustomization(sourceRef={"kind": OCI_REPOSITORY, "name": "app"})
    found = await tenant.until_ready(KUSTOMIZATION, "all")
    assert found["status"]["lastAppliedRevision"].startswith("1.0.0@sha256:")
    assert found["status"]["lastAppliedOriginRevision"] == "main@sha1:1234"

    (folder / "map.yaml").write_text(as_yaml(a_config_map("a", k="2")))
    await flux_cli("push", "artifact", f"{url}:1.1.0", *words)
    await tenant.request(OCI_REPOSITORY, "app")
    await tenant.until_data("a", k="2")


async def test_what_an_oci_repository_cannot_find_is_named(tenant: Tenant, registry: Registry) -> None:
    url = f"oci://{registry.host}/{tenant.namespace}/nothing"
    await tenant.create(an_oci_repository("absent", url))
    await tenant.create(an_oci_repository("tagged", f"{url}:1.0"))
    await tenant.create(an_oci_repository("unreachable", "oci://127.0.0.1:1/x"))

    await tenant.until_failed(OCI_REPOSITORY, "absent", "OCIArtifactPullFailed", "not found")
    await tenant.until_failed(OCI_REPOSITORY, "tagged", "URLInvalid", "must not contain a tag")
    await tenant.until_failed(OCI_REPOSITORY, "unreachable", "OCIArtifactPullFailed", "refused")
