"""What test repositories hold and what users create: plain objects, built with sensible defaults."""

from typing import Any

import yaml

from hack.controlplane.api import JsonObject

SOURCE_API = "source.toolkit.fluxcd.io/v1"
KUSTOMIZE_API = "kustomize.toolkit.fluxcd.io/v1"
HELM_API = "helm.toolkit.fluxcd.io/v2"


def as_yaml(*objects: JsonObject) -> str:
    """A file of a repository."""
    return yaml.safe_dump_all(objects, sort_keys=False)


def an_object(api_version: str, kind: str, name: str, **fields: Any) -> JsonObject:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def a_config_map(name: str, **data: str) -> JsonObject:
    return an_object("v1", "ConfigMap", name, data=data)


def a_secret(name: str, **data: str) -> JsonObject:
    return an_object("v1", "Secret", name, stringData=data)


def a_deployment(name: str, image: str = "example/app:1", *words: str, replicas: int = 1) -> JsonObject:
    """`words` are the command: kwok plays its pods as they say, see hack.controlplane.stages."""
    labels = {"app": name}
    container = {"name": "main", "image": image, "command": list(words) or ["serve"]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return an_object("apps/v1", "Deployment", name, spec=spec)


def a_service(name: str) -> JsonObject:
    spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
    return an_object("v1", "Service", name, spec=spec)


def a_definition(kind: str, group: str) -> JsonObject:
    """A CustomResourceDefinition of a namespaced kind that takes any field."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
    }
    return an_object("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.{group}", spec=spec)


def a_kustomization_file(*resources: str, **fields: Any) -> str:
    """A kustomization.yaml."""
    header = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    return as_yaml({**header, "resources": list(resources), **fields})


def a_git_repository(name: str, url: str, **spec: Any) -> JsonObject:
    """A GitRepository that follows main and is asked on demand; None takes a field away."""
    defaults = {"url": url, "interval": "1h", "ref": {"branch": "main"}}
    return an_object(SOURCE_API, "GitRepository", name, spec=_present({**defaults, **spec}))


def a_kustomization(name: str, **spec: Any) -> JsonObject:
    """A Kustomization of the source `app` that is woken by events alone; None takes a field away."""
    defaults = {"interval": "1h", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "app"}}
    return an_object(KUSTOMIZE_API, "Kustomization", name, spec=_present({**defaults, **spec}))


def a_helm_repository(url: str, name: str = "charts", **spec: Any) -> JsonObject:
    """A HelmRepository that is asked on demand; of type `oci` where its URL is a registry's."""
    kind = {"type": "oci", "insecure": True} if url.startswith("oci://") else {}
    return an_object(SOURCE_API, "HelmRepository", name, spec={"url": url, "interval": "1h", **kind, **spec})


def a_helm_release(name: str, version: str, chart: str = "", source: str = "charts", **spec: Any) -> JsonObject:
    """A HelmRelease of a chart (of its own name, unless told otherwise) of a HelmRepository."""
    reference = {"kind": "HelmRepository", "name": source}
    template = {"spec": {"chart": chart or name, "version": version, "sourceRef": reference}}
    defaults = {"interval": "1h", "timeout": "20s", "chart": template}
    return an_object(HELM_API, "HelmRelease", name, spec=_present({**defaults, **spec}))


def a_helm_release_of(source: str, name: str) -> JsonObject:
    """A HelmRelease of the chart that an OCIRepository holds."""
    release = a_helm_release(name, "", chartRef={"kind": "OCIRepository", "name": source})
    del release["spec"]["chart"]
    return release


def _present(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}


def an_oci_repository(name: str, url: str, **spec: Any) -> JsonObject:
    wanted = {"url": url, "interval": "10m", "insecure": True, **spec}
    return an_object(SOURCE_API, "OCIRepository", name, spec=wanted)
