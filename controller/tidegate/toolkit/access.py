"""Who may refer to whom, and as whom an object's writes are made."""

from tidegate.toolkit.outcomes import Stalled


def require_same_namespace(allowed_across: bool, own: str, other: str, what: str) -> None:  # noqa: FBT001
    """Refuse a reference into another namespace where `--no-cross-namespace-refs` is set.

    Raises: Stalled with reason AccessDenied.
    """
    if not allowed_across and own != other:
        raise Stalled("AccessDenied", f"can't access '{what}', cross-namespace references have been blocked")


def service_account_user(namespace: str, name: str) -> str:
    """The user name under which a service account is known to RBAC; "" for no account."""
    return f"system:serviceaccount:{namespace}:{name}" if name else ""
