"""Who plays: the objects that the story is about."""

from hack.controlplane.api import JsonObject
from hack.demo.stage import manifests
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


def _spec(path: str) -> JsonObject:
    source = {"kind": SOURCE.kind, "name": SOURCE.name}
    return {"interval": "10m", "path": path, "prune": True, "wait": True, "timeout": "1m", "sourceRef": source}


def _object(version: str, key: Key, spec: JsonObject) -> JsonObject:
    metadata = {"namespace": key.namespace, "name": key.name}
    return {"apiVersion": version, "kind": key.kind, "metadata": metadata, "spec": spec}
