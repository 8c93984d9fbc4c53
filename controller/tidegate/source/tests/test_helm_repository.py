"""A HelmRepository from its first turn to its last, with a server that counts what it is asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tidegate.adapters.http_files import HttpFiles
from tidegate.adapters.tests.test_http_files import serving
from tidegate.runtime.resources import SECRETS
from tidegate.source.helm_repository import HelmRepositoryReconciler
from tidegate.source.pipeline import Pipeline
from tidegate.source.tests.bed import KEY, Desk, One, a_desk
from tidegate.toolkit.attempt import Tools
from tidegate_api.source.v1.helm_repository import HelmRepository

INDEX = b"apiVersion: v1\nentries:\n  app: []   # as it was written\n"


class Server:
    """Serves one index, with its ETag."""

    def __init__(self) -> None:
        self.body, self.status = INDEX, 200
        self.asked: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        etag = f'"{hash(self.body)}"'
        self.asked.append((request.path_qs, request.headers.get("Authorization", "")))
        if self.status != 200:
            return web.Response(status=self.status)
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        return web.Response(body=self.body, headers={"ETag": etag})


@asynccontextmanager
async def a_repository(root: Path, server: Server, **spec: Any) -> AsyncIterator[Desk]:
    async with serving(server.answer) as url, HttpFiles() as files:

        def build(steps: Pipeline, cache: One, tools: Tools) -> HelmRepositoryReconciler:
            return HelmRepositoryReconciler(steps, cache, tools, files)

        async with a_desk(HelmRepository, root, build, **{"url": f"{url}charts", **spec}) as desk:
            yield desk


async def test_an_index_is_stored_as_it_was_received(tmp_path: Path) -> None:
    server = Server()
    async with a_repository(tmp_path, server) as desk:
        artifact = (await desk.turn())["artifact"]

        assert desk.storage.locate(artifact["path"]).read_bytes() == INDEX
        assert artifact["revision"] == artifact["digest"]
        assert desk.files() == [f"index-{artifact['digest'].removeprefix('sha256:')}.yaml"]
        assert desk.status["url"] == "http://artifacts.example.com/helmrepository/flux-system/app/index.yaml"
        assert desk.said() == f"True Succeeded: stored artifact: revision '{artifact['revision']}'"
        ((reason, text),) = desk.events.told
        assert (reason, text.partition(" from ")[0]) == ("NewArtifact", f"stored fetched index of size {len(INDEX)}B")
        assert server.asked == [("/charts/index.yaml", "")]


async def test_an_index_that_did_not_change_is_neither_sent_nor_written(tmp_path: Path) -> None:
    server = Server()
    async with a_repository(tmp_path, server) as desk:
        before = await desk.turn()
        writes = len(desk.server.asked)

        assert await desk.turn() == before
        assert len(desk.server.asked) == writes
        assert len(server.asked) == 2


async def test_a_new_index_replaces_the_old_one(tmp_path: Path) -> None:
    server = Server()
    async with a_repository(tmp_path, server) as desk:
        first = (await desk.turn())["artifact"]["revision"]
        server.body = INDEX + b"# more\n"

        assert (await desk.turn())["artifact"]["revision"] != first
        assert len(desk.events.told) == 2


async def test_h2_what_is_no_index_leaves_the_old_one_served(tmp_path: Path) -> None:
    server = Server()
    async with a_repository(tmp_path, server) as desk:
        before = (await desk.turn())["artifact"]
        server.body = b"<html>"

        assert (await desk.turn())["artifact"] == before
        assert desk.said().startswith("False IndexationFailed: failed to load Helm repository from index YAML:")
        assert desk.said("FetchFailed").startswith("True IndexationFailed")
        assert len(desk.files()) == 1


async def test_h1_a_server_that_fails_leaves_the_old_one_served(tmp_path: Path) -> None:
    server = Server()
    async with a_repository(tmp_path, server) as desk:
        before = (await desk.turn())["artifact"]
        server.status = 500

        assert (await desk.turn())["artifact"] == before
        assert desk.said().startswith("False Failed: failed to fetch Helm repository index: failed to fetch http://")


async def test_credentials_come_from_the_secret_and_are_missed_by_name(tmp_path: Path) -> None:
    server = Server()
    async with a_repository(tmp_path, server, secretRef={"name": "login"}) as desk:
        await desk.turn()
        assert desk.said() == (
            "False AuthenticationFailed: failed to get secret 'flux-system/login': secrets \"login\" not found"
        )
        metadata = {"name": "login", "namespace": KEY.namespace}
        desk.server.store.create(SECRETS, {"metadata": metadata, "data": {"username": "Ym90", "password": "cHc="}})
        await desk.turn()

        assert (desk.said()[:14], server.asked) == ("True Succeeded", [("/charts/index.yaml", "Basic Ym90OnB3")])


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_query_of_the_address_goes_along_and_is_said_to_nobody(tmp_path: Path, slash: str) -> None:
    server = Server()
    async with a_repository(tmp_path, server) as desk:
        url = desk.server.store.get(desk.resource, KEY)["spec"]["url"]
        desk.change(url=f"{url}{slash}?sig=s3cret")
        await desk.turn()

        assert server.asked[-1][0] == "/charts/index.yaml?sig=s3cret"
        server.status = 500
        await desk.turn()
        assert "s3cret" not in desk.said()


async def test_one_of_type_oci_is_static(tmp_path: Path) -> None:
    server = Server()
    async with a_repository(tmp_path, server) as desk:
        await desk.turn()
        desk.change(url="oci://registry.example.com/charts", type="oci")
        status = await desk.turn()

        assert (status.get("conditions", []), status.get("artifact"), desk.files()) == ([], None, [])
        assert desk.server.store.get(desk.resource, KEY)["metadata"].get("finalizers", []) == []
        writes = len(desk.server.asked)
        await desk.turn()
        assert len(desk.server.asked) == writes


async def test_an_oci_address_needs_the_type(tmp_path: Path) -> None:
    async with a_repository(tmp_path, Server(), url="oci://registry.example.com/charts") as desk:
        await desk.turn()

        assert desk.said().startswith("False URLInvalid")
        assert desk.said("Stalled").startswith("True URLInvalid")
