"""Builds of artifacts, kept by what they were made from: a new Secret or a lost object needs no new build."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from tidegate.kustomize import build, substitute
from tidegate.kustomize.build import Built
from tidegate.runtime import threads
from tidegate.toolkit.artifacts import Artifacts
from tidegate_api.codec import JsonObject
from tidegate_api.kustomize.v1.kustomization import Kustomization
from tidegate_api.meta.artifact import Artifact

KEPT_BYTES = 32 << 20


class Builder:
    """Artifact and build fields in, objects out; `no_remote_bases` as the flag."""

    def __init__(self, artifacts: Artifacts, *, no_remote_bases: bool) -> None:
        self._artifacts = artifacts
        self._options = build.Options(no_remote_bases=no_remote_bases)
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    async def build(self, kustomization: Kustomization, artifact: Artifact, touched: asyncio.Event) -> Built:
        """The objects before substitution. Raises: ArtifactError, PathError, BuildError, Superseded."""
        place = _place(kustomization, artifact)
        known = self._kept.get(place)
        if known is not None:
            self._kept.move_to_end(place)
            return Built(msgspec.json.decode(known, type=list[JsonObject]))
        async with self._artifacts.unpacked(artifact, touched) as tree:
            built = await build.build(tree, kustomization.spec, self._options)
        if built.is_repeatable:
            self._keep(place, msgspec.json.encode(built.objects))
        return built

    async def substitute(
        self, kustomization: Kustomization, objects: list[JsonObject], variables: Mapping[str, str]
    ) -> list[JsonObject]:
        """The objects with variables replaced. Raises: BuildError."""
        post_build = kustomization.spec.post_build
        if post_build is None:
            return objects
        strategy = post_build.substitute_strategy
        return await threads.run(substitute.substitute_all, objects, variables, strategy)

    def _keep(self, place: str, packed: bytes) -> None:
        if len(packed) > KEPT_BYTES // 4:
            return
        # Others may have built the same at the same time.
        self._size += len(packed) - len(self._kept.pop(place, b""))
        self._kept[place] = packed
        while self._size > KEPT_BYTES:
            self._size -= len(self._kept.popitem(last=False)[1])


def _place(kustomization: Kustomization, artifact: Artifact) -> str:
    fields = build.build_digest_fields(kustomization.spec)
    packed = msgspec.json.encode([artifact.digest, fields], order="deterministic")
    return hashlib.sha256(packed).hexdigest()
