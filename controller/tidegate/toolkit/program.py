"""What every controller program is given when it starts: one set of connections, flags, and who it is."""

import argparse
import hashlib
import os
import socket
import uuid
from dataclasses import dataclass

from tidegate.runtime.backoff import Backoff
from tidegate.runtime.client import Client
from tidegate.runtime.discovery import Discovery
from tidegate.runtime.leases import Lease, LeaseTimes
from tidegate.runtime.transport import Connections, Transport
from tidegate.toolkit.events import Recorder
from tidegate_api.meta.objects import ObjectKey


@dataclass(frozen=True)
class Program:
    """One controller program, such as source-controller: its name, its flags and its access to the API server."""

    name: str
    version: str
    flags: argparse.Namespace
    connections: Connections
    discovery: Discovery
    runtime_namespace: str

    def client(self) -> Client:
        """A client that says who it is, also when several programs share this process."""
        return Client(Transport(self.connections, f"{self.name}/v{self.version}"), self.discovery)

    def recorder(self, client: Client) -> Recorder:
        """Events of this program."""
        return Recorder(client, self.name, self.flags.events_addr)

    def backoff(self) -> Backoff:
        """Delays after failures, by the flags."""
        return Backoff(self.flags.min_retry_delay, self.flags.max_retry_delay)

    def watched_namespace(self) -> str:
        """The namespace whose objects are worked on; "" for all."""
        return "" if self.flags.watch_all_namespaces else self.runtime_namespace

    def lease(self, client: Client) -> Lease | None:
        """Flux's own Lease, so that its controller and ours never act at the same time; None without election."""
        if not self.flags.enable_leader_election:
            return None
        times = LeaseTimes(
            self.flags.leader_election_lease_duration,
            self.flags.leader_election_renew_deadline,
            self.flags.leader_election_retry_period,
        )
        key = ObjectKey(self.runtime_namespace, self._lease_name())
        releases = self.flags.leader_election_release_on_cancel
        return Lease(client, key, f"{socket.gethostname()}_{uuid.uuid4()}", times, releases=releases)

    def _lease_name(self) -> str:
        """Shards of a controller act beside each other: their Leases differ by what they select."""
        selector = self.flags.watch_label_selector
        shard = f"-{hashlib.sha256(selector.encode()).hexdigest()[:8]}" if selector else ""
        return f"{self.name}-leader-election{shard}"


def runtime_namespace() -> str:
    """Where this controller lives (RUNTIME_NAMESPACE); Leases and controller-wide Secrets are there."""
    return os.environ.get("RUNTIME_NAMESPACE") or "flux-system"
