"""Service accounts and what they may."""

from e2e import manifests
from e2e.tenant import Tenant

RBAC = "rbac.authorization.k8s.io"
VERBS = ["get", "create", "patch", "delete"]


async def allow(tenant: Tenant, account: str, *resources: str) -> None:
    """The service account may do with these resources of its namespace what an applier needs."""
    rule = {"apiGroups": ["", "apps", "batch"], "resources": list(resources), "verbs": VERBS}
    await tenant.create(manifests.an_object(f"{RBAC}/v1", "Role", account, rules=[rule]))
    role = {"apiGroup": RBAC, "kind": "Role", "name": account}
    subject = {"kind": "ServiceAccount", "name": account, "namespace": tenant.namespace}
    await tenant.create(manifests.an_object(f"{RBAC}/v1", "RoleBinding", account, roleRef=role, subjects=[subject]))
