"""Who plays: the objects that the story is about."""

from hack.controlplane.api import JsonObject
from hack.demo.stage import charts, manifests
from hack.demo.stage.view import Key
from hack.testbed.controller import NAMESPACE

SHOP = manifests.NAMESPACE
SOURCE = Key("GitRepository", NAMESPACE, "manifests")
INFRASTRUCTURE = Key("Kustomization", NAMESPACE, "infrastructure")
APPS = Key("Kustomization", NAMESPACE, "apps")
GIT_REPOSITORIES = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/gitrepositories"
KUSTOMIZATIONS = f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/kustomizations"
WEB = Key("Deployment", SHOP, "web")
WEB_SERVICE = Key("Service", SHOP, "web")
CATALOGUE = Key("Deployment", SHOP, "catalogue")
CATALOGUE_SERVICE = Key("Service", SHOP, "catalogue")
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{SHOP}/deployments"
RELEASES = Key("Kustomization", NAMESPACE, "releases")
APPA = Key("Deployment", charts.NAMESPACE, "appa")
APPA_SERVICE = Key("Service", charts.NAMESPACE, "appa")
APPA_CONFIG = Key("ConfigMap", charts.NAMESPACE, "appa")
APPA_RELEASE = Key("HelmRelease", charts.NAMESPACE, "appa")
APPB = Key("Deployment", charts.NAMESPACE, "appb")
HELM_REPOSITORIES = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{charts.NAMESPACE}/helmrepositories"
SERVICES = f"/api/v1/namespaces/{SHOP}/services"


def git_repository(url: str) -> JsonObject:
    """The source. Its interval is only the safety net: a webhook tells of each commit."""
    spec = {"interval": "10m", "url": url, "ref": {"branch": "main"}}
    return _object("source.toolkit.fluxcd.io/v1", SOURCE, spec)


def infrastructure() -> JsonObject:
    """Plain YAML."""
    return _object("kustomize.toolkit.fluxcd.io/v1", INFRASTRUCTURE, _spec("./infrastructure"))


def apps() -> JsonObject:
    """An overlay; it waits for the infrastructure."""
    spec = {**_spec("./apps/production"), "dependsOn": [{"name": INFRASTRUCTURE.name}]}
    return _object("kustomize.toolkit.fluxcd.io/v1", APPS, spec)


def releases() -> JsonObject:
    """HelmReleases and where their charts come from; it does not wait for them."""
    return _object("kustomize.toolkit.fluxcd.io/v1", RELEASES, {**_spec("./releases"), "wait": False})


def released(name: str) -> tuple[Key, Key]:
    """The Deployment and the HelmRelease of that name."""
    return Key("Deployment", charts.NAMESPACE, name), Key("HelmRelease", charts.NAMESPACE, name)


def _spec(path: str) -> JsonObject:
    source = {"kind": SOURCE.kind, "name": SOURCE.name}
    return {"interval": "10m", "path": path, "prune": True, "wait": True, "timeout": "1m", "sourceRef": source}


def _object(version: str, key: Key, spec: JsonObject) -> JsonObject:
    metadata = {"namespace": key.namespace, "name": key.name}
    return {"apiVersion": version, "kind": key.kind, "metadata": metadata, "spec": spec}
