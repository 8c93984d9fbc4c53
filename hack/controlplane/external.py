"""A cluster that somebody named on purpose, in TIDEGATE_KUBECONFIG. Only its API is used."""

import os
from pathlib import Path

import yaml

VARIABLE = "TIDEGATE_KUBECONFIG"


class ExternalCluster:
    """Its kubeconfig, and nothing more: it has no audit log that we could read and no programs that we may kill."""

    def __init__(self, admin: Path) -> None:
        self.admin = admin

    @property
    def server(self) -> str:
        """The URL of its API server, by the kubeconfig's current context."""
        config = yaml.safe_load(self.admin.read_text())
        context = _named(config["contexts"], config["current-context"])["context"]
        server = _named(config["clusters"], context["cluster"])["cluster"]["server"]
        assert isinstance(server, str)
        return server


def find() -> ExternalCluster | None:
    """The cluster that the environment names. KUBECONFIG and ~/.kube/config are never looked at."""
    named = os.environ.get(VARIABLE)
    return ExternalCluster(Path(named)) if named else None


def _named(entries: list[dict[str, dict[str, str]]], name: str) -> dict[str, dict[str, str]]:
    return next(entry for entry in entries if str(entry["name"]) == name)
