"""Builds that are kept are counted as they are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tidegate.kustomize import build, builder
from tidegate.kustomize.build import Built
from tidegate.kustomize.builder import Builder
from tidegate.runtime import clock
from tidegate_api.codec import Duration
from tidegate_api.kustomize.v1.kustomization import Kustomization, KustomizationSpec, SourceReference
from tidegate_api.meta.artifact import Artifact

SOURCE = SourceReference(kind="GitRepository", name="app")
KUSTOMIZATION = Kustomization(spec=KustomizationSpec(source_ref=SOURCE, interval=Duration(minutes=1), prune=True))
ARTIFACT = Artifact(path="", url="", revision="", digest="sha256:1", last_update_time=clock.utc_now())


class Trees:
    """Stands for the artifacts: every tree takes until all who want one have asked."""

    def __init__(self, readers: int) -> None:
        self._barrier = asyncio.Barrier(readers)

    @asynccontextmanager
    async def unpacked(self, *_args: object) -> AsyncIterator[Path]:
        await self._barrier.wait()
        yield Path()


async def _one_object(*_args: object) -> Built:
    return Built([{"kind": "ConfigMap", "data": {"a": "x" * 100}}])


async def _fetched_object(*_args: object) -> Built:
    return Built([{"kind": "ConfigMap"}], is_repeatable=False)


async def test_equal_builds_at_the_same_time_count_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build, "build", _one_object)
    monkeypatch.setattr(builder, "KEPT_BYTES", 1000)
    trees: Any = Trees(readers=10)
    kept = Builder(trees, no_remote_bases=False)

    # Ten times as many bytes as one build has would be more than are kept.
    async with asyncio.TaskGroup() as group:
        builds = [group.create_task(kept.build(KUSTOMIZATION, ARTIFACT, asyncio.Event())) for _ in range(10)]

    monkeypatch.setattr(build, "build", None)
    assert await kept.build(KUSTOMIZATION, ARTIFACT, asyncio.Event()) == builds[0].result()


async def test_a_build_that_fetched_remote_files_is_not_kept(monkeypatch: pytest.MonkeyPatch):
    trees: Any = Trees(readers=1)
    kept = Builder(trees, no_remote_bases=False)
    monkeypatch.setattr(build, "build", _fetched_object)
    await kept.build(KUSTOMIZATION, ARTIFACT, asyncio.Event())

    monkeypatch.setattr(build, "build", _one_object)
    assert await kept.build(KUSTOMIZATION, ARTIFACT, asyncio.Event()) == await _one_object()
