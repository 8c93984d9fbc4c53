"""What the cluster can do, as charts ask for it: its version, and all versions and kinds that it serves."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from tidegate.runtime.client import Client
from tidegate.runtime.errors import Unreachable
from tidegate.runtime.resources import Resource
from tidegate.runtime.transport import Request


@dataclass(frozen=True)
class Capabilities:
    """`.Capabilities` of a chart."""

    kube_version: str
    api_versions: tuple[str, ...]


async def observe(client: Client) -> Capabilities:
    """What the cluster serves now. Raises: ApiError, Unreachable."""
    try:
        answer = msgspec.json.decode(await client.transport.request(Request("GET", "/version")), type=dict[str, str])
    except msgspec.DecodeError as error:
        raise Unreachable(f"the API server's version is not JSON: {error}") from error
    return Capabilities(answer.get("gitVersion", ""), api_versions(await client.discovery.served()))


def api_versions(resources: Iterable[Resource]) -> tuple[str, ...]:
    """Every `group/version` and `group/version/Kind`, sorted."""
    served = list(resources)
    versions = {resource.api_version for resource in served}
    kinds = {f"{resource.api_version}/{resource.kind}" for resource in served}
    return tuple(sorted(versions | kinds))
