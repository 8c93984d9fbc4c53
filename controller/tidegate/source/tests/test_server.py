"""The artifact server knows names, not directories (N11)."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tidegate.runtime import probes
from tidegate.source import server
from tidegate.source.storage import Storage
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.objects import ObjectKey


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "data", "host")


@pytest.fixture
def artifact(storage: Storage) -> Artifact:
    with storage.staging("GitRepository", ObjectKey("flux-system", "app"), "one.tar.gz") as staged:
        staged.file.write_bytes(b"content")
        return storage.publish(staged, "main@sha1:1", "sha256:0")


@pytest_asyncio.fixture
async def client(storage: Storage) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        probes.listening(server.build(storage), "127.0.0.1:0") as address,
        aiohttp.ClientSession(f"http://{address}") as session,
    ):
        yield session


async def test_an_artifact_is_served_whole_and_in_ranges(client: aiohttp.ClientSession, artifact: Artifact):
    async with client.get(f"/{artifact.path}") as whole:
        assert (whole.status, await whole.read(), whole.content_type) == (200, b"content", "application/gzip")
    async with client.get(f"/{artifact.path}", headers={"Range": "bytes=3-"}) as part:
        assert (part.status, await part.read()) == (206, b"tent")


async def test_the_root_answers_the_probe_and_lists_nothing(client: aiohttp.ClientSession, artifact: Artifact):
    async with client.get("/") as root:
        assert (root.status, await root.read()) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/gitrepository",
        "/gitrepository/flux-system/app/",
        "/gitrepository/flux-system/app/missing.tar.gz",
        "/gitrepository/flux-system/app/%2e%2e",
        "/gitrepository/flux-system/app/.partial-x",
        "/%2e%2e/%2e%2e/%2e%2e/secret",
    ],
)
async def test_n11_nothing_but_artifacts_is_served(
    client: aiohttp.ClientSession, storage: Storage, artifact: Artifact, path: str
):
    (storage.root / artifact.path).with_name(".partial-x").write_bytes(b"half")
    (storage.root.parent / "secret").write_bytes(b"secret")

    async with client.get(path) as answer:
        assert answer.status == 404


async def test_n11_links_are_not_followed(client: aiohttp.ClientSession, storage: Storage, artifact: Artifact):
    (storage.root.parent / "secret").write_bytes(b"secret")
    link = (storage.root / artifact.path).with_name("link.tar.gz")
    link.symlink_to(storage.root.parent / "secret")

    async with client.get("/gitrepository/flux-system/app/link.tar.gz") as answer:
        assert answer.status == 404


async def test_only_reading_is_possible(client: aiohttp.ClientSession, artifact: Artifact):
    async with client.put(f"/{artifact.path}", data=b"other") as answer:
        assert answer.status == 405
