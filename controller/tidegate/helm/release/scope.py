"""One release that is acted on: what every step of an action works with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tidegate.engine import inventory as inventories
from tidegate.engine import messages, normalize, prune
from tidegate.engine.inventory import Inventory
from tidegate.engine.members import Members
from tidegate.engine.ownership import Owner
from tidegate.engine.prune import Pruned, Terms
from tidegate.engine.watches import Watcher
from tidegate.helm.release import manifests, order
from tidegate.helm.release.manifests import InvalidManifest
from tidegate.helm.release.model import Options, ReleaseKey
from tidegate.helm.release.storage import Storage
from tidegate.runtime import threads
from tidegate.runtime.client import Client
from tidegate.runtime.controller import Turn
from tidegate.runtime.discovery import NoMatch
from tidegate.runtime.errors import TidegateError
from tidegate_api.codec import JsonObject

MAX_LOGS = 10
CONCURRENT = 4
"""Requests about one release at once."""


class DeleteFailed(TidegateError):
    """Objects that had to go could not be deleted; the message lists each with its cause."""


@dataclass(frozen=True)
class Scope:
    """A release, whose it is, and how it is acted on; `logs` are the last lines of what was done."""

    key: ReleaseKey
    owner: Owner
    client: Client
    members: Members
    storage: Storage
    turn: Turn
    options: Options
    logs: list[str] = field(default_factory=list)
    parsed: dict[str, list[JsonObject]] = field(default_factory=dict)
    """The manifests that were read: most steps need the same one or two, and nobody changes them."""

    @property
    def watcher(self) -> Watcher:
        """What waits for its objects."""
        return Watcher(self.client, self.members, self.owner, self.turn)

    def log(self, line: str) -> None:
        """Say what is done now, for whoever reads of a failure."""
        self.logs.append(line)
        del self.logs[:-MAX_LOGS]

    async def wanted(self, manifest: str) -> list[JsonObject]:
        """The objects of a manifest as they are applied. Raises: InvalidManifest."""
        objects = await self._read(manifest)
        manifests.require_sendable(objects)
        objects = await self.placed(objects)
        manifests.require_sendable(objects)
        options = self.options
        return [manifests.mark(obj, self.key, self.owner, options.labels, options.annotations) for obj in objects]

    async def known(self, manifest: str) -> list[JsonObject]:
        """The objects of a manifest that was stored before, as far as they could ever have been applied."""
        try:
            return await self.placed(manifests.sendable(await self._read(manifest)))
        except InvalidManifest:
            return []

    async def placed(self, objects: Iterable[JsonObject]) -> list[JsonObject]:
        """`objects` with the release's namespace where they have none and need one, and without it where not."""
        objects = list(objects)
        defined = dict(found for obj in objects if (found := _defined_scope(obj)) is not None)
        return [await self._place(obj, defined) for obj in objects]

    async def delete(self, stale: Inventory, propagation: str = "Background") -> Pruned:
        """Delete what is proven to be the release's, by our labels or Helm's annotations. Raises: DeleteFailed."""
        terms = Terms(order.uninstall_order, self._is_ours, propagation)
        pruned = await prune.prune(self.client, self.members, self.owner, stale, terms)
        if pruned.problems:
            raise DeleteFailed(messages.prune_failed(pruned.problems))
        return pruned

    def _is_ours(self, live: JsonObject) -> bool:
        return manifests.ownership_problem(live, self.key) is None

    async def _read(self, manifest: str) -> list[JsonObject]:
        if manifest not in self.parsed:
            self.parsed[manifest] = await threads.run(manifests.read, manifest)
        return self.parsed[manifest]

    async def _place(self, obj: JsonObject, defined: Mapping[tuple[str, str], bool]) -> JsonObject:
        metadata = obj.get("metadata")
        if not isinstance(metadata, dict):
            return obj
        namespaced = await self._is_namespaced(obj, defined)
        if namespaced and not metadata.get("namespace"):
            return {**obj, "metadata": {**metadata, "namespace": self.key.namespace}}
        if namespaced is False and "namespace" in metadata:
            # Charts write it everywhere, and the API server overlooks it.
            return {**obj, "metadata": {name: value for name, value in metadata.items() if name != "namespace"}}
        return obj

    async def _is_namespaced(self, obj: JsonObject, defined: Mapping[tuple[str, str], bool]) -> bool | None:
        """Whether objects of its kind have a namespace; None when nobody knows."""
        try:
            return (await self.client.discovery.find(str(obj.get("apiVersion")), str(obj.get("kind")))).namespaced
        except NoMatch:
            group, _, _ = str(obj.get("apiVersion")).rpartition("/")
            return defined.get((group, str(obj.get("kind"))))


def removed(old: Iterable[JsonObject], new: Iterable[JsonObject]) -> Inventory:
    """What of `old` is not in `new` and has not been told to stay."""
    old = list(old)
    stays = manifests.kept(old)
    stale = inventories.stale(inventories.of_objects(old), inventories.of_objects(new))
    return {oid: version for oid, version in stale.items() if oid not in stays}


def _defined_scope(obj: JsonObject) -> tuple[tuple[str, str], bool] | None:
    """Group and kind that a definition brings, and whether its objects have a namespace."""
    spec = obj.get("spec")
    if not normalize.is_crd(obj) or not isinstance(spec, dict):
        return None
    names = spec.get("names")
    kind = names.get("kind") if isinstance(names, dict) else None
    return (str(spec.get("group")), str(kind)), spec.get("scope") == "Namespaced"
