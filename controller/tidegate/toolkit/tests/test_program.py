"""What a controller program makes of its flags."""

import pytest

from tidegate.runtime.client import Client
from tidegate.runtime.resources import LEASES
from tidegate.runtime.testing.api_server import FakeAPIServer
from tidegate.toolkit import flags as flag_sets
from tidegate.toolkit import program as programs
from tidegate.toolkit.flags import FlagSet
from tidegate.toolkit.program import Program
from tidegate_api.meta.objects import ObjectKey


def a_program(client: Client, *argv: str) -> Program:
    flags = FlagSet("test", "")
    flag_sets.define_common(flags)
    connections = client.transport.connections
    return Program("thing-controller", "0.1.0", flags.parse(argv), connections, client.discovery, "flux-system")


async def test_client_says_which_program_asks(server: FakeAPIServer, client: Client):
    await a_program(client).client().find(LEASES, ObjectKey("default", "one"))

    assert server.asked[0].headers["User-Agent"] == "thing-controller/v0.1.0"


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        ([], None),
        (["--enable-leader-election"], "thing-controller-leader-election"),
        (
            ["--enable-leader-election", "--watch-label-selector=sharding.fluxcd.io/key=shard1"],
            # printf %s sharding.fluxcd.io/key=shard1 | sha256sum | cut -c1-8
            "thing-controller-leader-election-73fdc1be",
        ),
    ],
)
async def test_lease_is_the_one_that_flux_has(server: FakeAPIServer, client: Client, argv: list[str], name: str | None):
    lease = a_program(client, *argv).lease(client)

    if name is None:
        assert lease is None
        return
    assert lease is not None
    await lease.acquire()
    assert [item["metadata"]["name"] for item in server.store.items(LEASES, "flux-system")] == [name]


@pytest.mark.parametrize(("value", "holder"), [("true", ""), ("false", "somebody")])
async def test_lease_is_given_up_as_the_flag_says(server: FakeAPIServer, client: Client, value: str, holder: str):
    argv = ("--enable-leader-election", f"--leader-election-release-on-cancel={value}")
    lease = a_program(client, *argv).lease(client)
    assert lease is not None
    await lease.acquire()

    await lease.release()

    found = server.store.items(LEASES)[0]["spec"]["holderIdentity"]
    assert (found and "somebody") == holder


async def test_backoff_follows_the_flags(client: Client):
    delay = a_program(client, "--min-retry-delay=2s", "--max-retry-delay=3s").backoff().delay("key")

    assert 2 <= delay.total_seconds() <= 3


@pytest.mark.parametrize(("argv", "namespace"), [([], ""), (["--watch-all-namespaces=false"], "flux-system")])
async def test_namespaces_are_all_or_ones_own(client: Client, argv: list[str], namespace: str):
    assert a_program(client, *argv).watched_namespace() == namespace


@pytest.mark.parametrize(("value", "namespace"), [("gitops", "gitops"), ("", "flux-system")])
def test_namespace_of_a_program_is_in_its_environment(value: str, namespace: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUNTIME_NAMESPACE", value)

    assert programs.runtime_namespace() == namespace
