"""Who may do what: RBAC manifests from the tables below: `python -m hack.rbac [--check]`.

Names, and who is bound, are Flux's: a cluster may run some controllers of Flux beside ours, and whichever bundle was
applied last must serve both. Leader election is narrower than Flux's: a Role in the controllers' own namespace.
"""

import sys
from collections.abc import Iterable

from hack import generated
from hack.generated import ROOT, JsonObject

FOLDER = ROOT / "config/rbac"
NAMESPACE = "flux-system"
OURS = ("helm-controller", "kustomize-controller", "source-controller")
ALL_CONTROLLERS = (
    "helm-controller",
    "image-automation-controller",
    "image-reflector-controller",
    "kustomize-controller",
    "notification-controller",
    "source-controller",
    "source-watcher",
)
APPLIERS = ("helm-controller", "kustomize-controller")

TOOLKIT_GROUPS = (
    "helm.toolkit.fluxcd.io",
    "image.toolkit.fluxcd.io",
    "kustomize.toolkit.fluxcd.io",
    "notification.toolkit.fluxcd.io",
    "source.extensions.fluxcd.io",
    "source.toolkit.fluxcd.io",
)
READ = ("get", "list", "watch")
WRITE = ("create", "delete", "deletecollection", "patch", "update")

# (API groups, resources, verbs)
Grant = tuple[Iterable[str], Iterable[str], Iterable[str]]
CONTROLLERS_MAY: tuple[Grant, ...] = (
    (TOOLKIT_GROUPS, ("*",), ("*",)),
    (("",), ("configmaps", "namespaces", "secrets", "serviceaccounts"), READ),
    (("",), ("events",), ("create", "patch")),
    # Workload identity: a token of the service account that an object names.
    (("",), ("serviceaccounts/token",), ("create",)),
)
LEADERS_MAY: tuple[Grant, ...] = (
    (("coordination.k8s.io",), ("leases",), ("create", "get", "patch", "update")),
    (("",), ("events",), ("create", "patch")),
)
VIEWERS_MAY: tuple[Grant, ...] = ((TOOLKIT_GROUPS, ("*",), READ),)
EDITORS_MAY: tuple[Grant, ...] = ((TOOLKIT_GROUPS, ("*",), WRITE),)

# The controllers ask whether the server has priority and fairness, by this probe.
PROBE: JsonObject = {"nonResourceURLs": ["/livez/ping"], "verbs": ["head"]}


def files() -> dict[str, str]:
    """File name -> content of everything generated in config/rbac."""
    documents = {
        "service_accounts.yaml": [_service_account(name) for name in OURS],
        "crd_controller.yaml": [
            _role("ClusterRole", _suffixed("crd-controller"), [*_rules(CONTROLLERS_MAY), PROBE]),
            _binding("ClusterRole", _suffixed("crd-controller"), _suffixed("crd-controller"), ALL_CONTROLLERS),
        ],
        "cluster_reconciler.yaml": [
            _binding("ClusterRole", _suffixed("cluster-reconciler"), "cluster-admin", APPLIERS)
        ],
        "leader_election.yaml": [
            _role("Role", "leader-election", _rules(LEADERS_MAY)),
            _binding("Role", "leader-election", "leader-election", ALL_CONTROLLERS),
        ],
        "flux_view.yaml": [_aggregated(_suffixed("flux-view"), VIEWERS_MAY, ("admin", "edit", "view"))],
        "flux_edit.yaml": [_aggregated(_suffixed("flux-edit"), EDITORS_MAY, ("admin", "edit"))],
    }
    return {name: generated.dump("hack/rbac.py", parts) for name, parts in documents.items()}


def _service_account(name: str) -> JsonObject:
    labels = {"app.kubernetes.io/component": name}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
    }


def _role(kind: str, name: str, rules: list[JsonObject]) -> JsonObject:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": _metadata(kind, name),
        "rules": rules,
    }


def _aggregated(name: str, grants: Iterable[Grant], into: Iterable[str]) -> JsonObject:
    """A ClusterRole that Kubernetes adds to its own roles `into`."""
    role = _role("ClusterRole", name, _rules(grants))
    role["metadata"]["labels"] = {f"rbac.authorization.k8s.io/aggregate-to-{other}": "true" for other in into}
    return role


def _binding(role_kind: str, name: str, role: str, accounts: Iterable[str]) -> JsonObject:
    kind = f"{role_kind}Binding"
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": _metadata(kind, name),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE} for account in accounts],
    }


def _rules(grants: Iterable[Grant]) -> list[JsonObject]:
    return [
        {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}
        for groups, resources, verbs in grants
    ]


def _metadata(kind: str, name: str) -> JsonObject:
    return {"name": name} if kind.startswith("Cluster") else {"name": name, "namespace": NAMESPACE}


def _suffixed(name: str) -> str:
    """Cluster-scoped names carry the namespace, as those of Flux's bundle do."""
    return f"{name}-{NAMESPACE}"


if __name__ == "__main__":
    sys.exit(generated.main(FOLDER, files()))
