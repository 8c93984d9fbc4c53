"""An OCIRepository with layers that are good, and layers that are not."""

import gzip
import io
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tidegate.adapters.oci import Registries
from tidegate.adapters.oci_manifests import OCI_MANIFEST
from tidegate.adapters.tests import registry as registries
from tidegate.adapters.tests.charts import packed
from tidegate.adapters.tests.registry import Registry, descriptor, digest, manifest
from tidegate.source.oci_repository import OCIRepositoryReconciler
from tidegate.source.pipeline import Pipeline
from tidegate.source.tests.bed import Desk, One, a_desk
from tidegate.toolkit.attempt import Tools
from tidegate_api.source.v1.oci_repository import OCIRepository

LAYER = packed({"./a.yaml": "kind: A\n", "./skip/b.txt": "x"})


def push(registry: Registry, layer: bytes, tag: str = "latest", **fields: Any) -> str:
    """Serve an artifact of one layer under a tag; its digest."""
    content = manifest(layers=[descriptor(layer)], **fields)
    registry.serve(f"manifests/{tag}", content, OCI_MANIFEST, Docker_Content_Digest=digest(content))
    registry.serve(f"manifests/{digest(content)}", content, OCI_MANIFEST)
    registry.serve(f"blobs/{digest(layer)}", layer)
    return digest(content)


@asynccontextmanager
async def a_repository(root: Path, **spec: Any) -> AsyncIterator[tuple[Registry, Desk]]:
    async with registries.running() as registry, Registries() as opened:

        def build(steps: Pipeline, cache: One, tools: Tools) -> OCIRepositoryReconciler:
            return OCIRepositoryReconciler(steps, cache, tools, opened)

        fields = {"url": f"oci://127.0.0.1:{registry.port}/org/app", "insecure": True, **spec}
        async with a_desk(OCIRepository, root, build, **fields) as desk:
            yield registry, desk


async def test_a_layer_is_packed_anew_under_the_manifests_digest(tmp_path: Path) -> None:
    async with a_repository(tmp_path, ignore="skip/") as (registry, desk):
        wanted = push(registry, LAYER, annotations={"org.opencontainers.image.revision": "main@sha1:1"})
        artifact = (await desk.turn())["artifact"]

        assert (artifact["revision"], artifact["metadata"]) == (
            f"latest@{wanted}",
            {"org.opencontainers.image.revision": "main@sha1:1"},
        )
        assert desk.files() == [f"{wanted}.tar.gz"]
        with tarfile.open(desk.storage.locate(artifact["path"])) as tar:
            assert [entry.name for entry in tar if entry.isfile()] == ["a.yaml"]
        assert desk.said() == f"True Succeeded: stored artifact for digest 'latest@{wanted}'"
        assert desk.events.told[0][1].endswith("/org/app', origin revision 'main@sha1:1'")


async def test_nothing_is_pulled_or_written_twice(tmp_path: Path) -> None:
    async with a_repository(tmp_path) as (registry, desk):
        push(registry, LAYER)
        before = await desk.turn()
        asked, writes = len(registry.asked), len(desk.server.asked)

        assert await desk.turn() == before
        assert [request.method for request in registry.asked[asked:]] == ["HEAD"]
        assert len(desk.server.asked) == writes


async def test_a_copied_layer_is_what_the_registry_has(tmp_path: Path) -> None:
    selector = {"mediaType": "application/x", "operation": "copy"}
    async with a_repository(tmp_path, layerSelector=selector) as (registry, desk):
        push(registry, LAYER)
        status = await desk.turn()

        assert status["artifact"]["digest"] == digest(LAYER)
        assert status["observedLayerSelector"] == selector


async def test_a_digest_wins_over_a_range_and_a_range_over_a_tag(tmp_path: Path) -> None:
    async with a_repository(tmp_path, ref={"semver": "1.x", "semverFilter": "^1\\.0", "tag": "x"}) as (registry, desk):
        registry.serve("tags/list", b'{"tags": ["1.0.0", "1.0.1", "1.1.0", "junk"]}')
        wanted = push(registry, LAYER, "1.0.1")
        assert (await desk.turn())["artifact"]["revision"] == f"1.0.1@{wanted}"

        desk.change(ref={"digest": wanted, "semver": "1.x"})
        assert (await desk.turn())["artifact"]["revision"] == wanted


def bomb() -> bytes:
    return gzip.compress(bytes(300 << 20), 1)


def a_tar(kind: bytes, name: str = "x") -> bytes:
    target = io.BytesIO()
    with tarfile.open(None, "w:gz", target) as tar:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, "/etc/passwd"
        tar.addfile(entry)
    return target.getvalue()


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(b"\x28\xb5\x2f\xfd zstd", id="o7-zstd"),
        pytest.param(bomb(), id="o7-bomb"),
        pytest.param(gzip.compress(LAYER), id="o7-gzip-in-gzip"),
        pytest.param(packed({"../x": "1"}), id="o8-upward"),
        pytest.param(packed({"/x": "1"}), id="o8-absolute"),
        pytest.param(a_tar(tarfile.LNKTYPE), id="o8-hard-link"),
        pytest.param(a_tar(tarfile.CHRTYPE), id="o8-device"),
    ],
)
async def test_o7_o8_a_layer_that_is_none_leaves_what_was_served(tmp_path: Path, layer: bytes) -> None:
    async with a_repository(tmp_path) as (registry, desk):
        push(registry, LAYER)
        before = (await desk.turn())["artifact"]
        push(registry, layer)
        status = await desk.turn()

        assert status["artifact"] == before
        assert desk.said("FetchFailed").startswith("True OCIArtifactLayerOperationFailed")
        assert len(desk.files()) == 1


async def test_a_layer_of_another_type_is_missed_by_name(tmp_path: Path) -> None:
    async with a_repository(tmp_path, layerSelector={"mediaType": "text/none"}) as (registry, desk):
        push(registry, LAYER)
        await desk.turn()

        assert "failed to find layer with media type 'text/none' in artifact" in desk.said()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"url": "oci://r.example.com/a:1"}, "False URLInvalid"),
        ({"provider": "azure"}, "False FeatureGateDisabled: not supported yet: spec.provider azure"),
        ({"verify": {"provider": "cosign"}}, "False FeatureGateDisabled: not supported yet: spec.verify"),
    ],
)
async def test_what_can_never_work_stalls(tmp_path: Path, spec: dict[str, Any], said: str) -> None:
    async with a_repository(tmp_path, **spec) as (_, desk):
        await desk.turn()

        assert desk.said().startswith(said)
        assert desk.said("Stalled").startswith("True")
