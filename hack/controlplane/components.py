"""The command lines of the five programs of the control plane, and the files that they read."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from hack.controlplane import certificates, kubeconfig
from hack.controlplane.certificates import KeyPair
from hack.controlplane.stages import Stage

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}
CLIENT_SPEED = ("--kube-api-qps=500", "--kube-api-burst=1000")
PODS_CIDR = "10.64.0.0/14"
SERVICES_CIDR = "10.96.0.0/16"


@dataclass(frozen=True)
class Ports:
    """Where the programs listen on loopback."""

    etcd: int
    etcd_peer: int
    apiserver: int
    controller_manager: int
    scheduler: int


@dataclass(frozen=True)
class Identity:
    """A user as the token file has it."""

    name: str
    groups: tuple[str, ...]
    token: str


class Layout:
    """The files of one cluster in its directory, written once before anything starts."""

    def __init__(self, directory: Path, ports: Ports) -> None:
        self.directory = directory
        self.ports = ports
        self.audit_log = directory / "audit.log"
        self.authority = certificates.Authority(directory / "pki")
        hosts = ("localhost", "127.0.0.1", "kubernetes.default.svc")
        self.serving: KeyPair = self.authority.issue_server("serving", hosts)
        self.service_account_key = certificates.signing_key(directory / "pki" / "service-accounts.key")

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports.apiserver}"

    def log(self, program: str) -> Path:
        return self.directory / f"{program}.log"

    def kubeconfig(self, user: str) -> Path:
        return self.directory / f"{user}.kubeconfig"

    def write(self, identities: Iterable[Identity], stages: Iterable[Stage]) -> None:
        """Writes tokens, kubeconfigs, the audit policy and kwok's stages."""
        with (self.directory / "tokens.csv").open("w", newline="") as file:
            for identity in identities:
                csv.writer(file).writerow([identity.token, identity.name, identity.name, ",".join(identity.groups)])
                kubeconfig.write(
                    self.kubeconfig(identity.name),
                    server=self.server,
                    token=identity.token,
                    authority=self.authority.certificate,
                )
        (self.directory / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))
        (self.directory / "stages.yaml").write_text(yaml.safe_dump_all(stages))


def command_lines(layout: Layout, programs: Mapping[str, Path]) -> dict[str, list[str]]:
    """Program -> argv, in the order to start them."""
    flags = {
        "etcd": _etcd(layout),
        "kube-apiserver": _apiserver(layout),
        "kube-controller-manager": _controller_manager(layout),
        "kube-scheduler": _scheduler(layout),
        "kwok": _kwok(layout),
    }
    return {name: [str(programs[name]), *flags[name]] for name in flags}


def _etcd(layout: Layout) -> list[str]:
    client = f"http://127.0.0.1:{layout.ports.etcd}"
    peer = f"http://127.0.0.1:{layout.ports.etcd_peer}"
    return [
        "--name=default",
        f"--data-dir={layout.directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _apiserver(layout: Layout) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{layout.ports.etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={layout.ports.apiserver}",
        *_serving(layout),
        f"--token-auth-file={layout.directory / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={layout.service_account_key}",
        f"--service-account-signing-key-file={layout.service_account_key}",
        # Pods are played: no token needs to be projected into them, and none waits for its service account.
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
        f"--service-cluster-ip-range={SERVICES_CIDR}",
        "--allow-privileged=true",
        f"--audit-policy-file={layout.directory / 'audit-policy.json'}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-maxsize=100000",  # in MiB: the log is never rotated under its reader
    ]


def _controller_manager(layout: Layout) -> list[str]:
    return [
        *_client(layout, "system:kube-controller-manager"),
        "--bind-address=127.0.0.1",
        f"--secure-port={layout.ports.controller_manager}",
        *_serving(layout),
        f"--service-account-private-key-file={layout.service_account_key}",
        f"--root-ca-file={layout.authority.certificate}",
    ]


def _scheduler(layout: Layout) -> list[str]:
    return [
        *_client(layout, "system:kube-scheduler"),
        "--bind-address=127.0.0.1",
        f"--secure-port={layout.ports.scheduler}",
        *_serving(layout),
    ]


def _kwok(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig('system:kwok')}",
        f"--config={layout.directory / 'stages.yaml'}",
        "--manage-all-nodes",
        f"--cidr={PODS_CIDR}",
    ]


def _client(layout: Layout, user: str) -> list[str]:
    file = layout.kubeconfig(user)
    return [f"--kubeconfig={file}", "--leader-elect=false", *CLIENT_SPEED]


def _serving(layout: Layout) -> list[str]:
    return [f"--tls-cert-file={layout.serving.certificate}", f"--tls-private-key-file={layout.serving.key}"]
