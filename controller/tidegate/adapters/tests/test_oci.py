import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from tidegate.adapters.oci import Descriptor, OciLimits
from tidegate.adapters.oci_errors import (
    BoundExceeded,
    DigestMismatch,
    InvalidManifest,
    InvalidUrl,
    NotFound,
    RegistryRefused,
    RegistryUnreachable,
)
from tidegate.adapters.oci_manifests import OCI_INDEX, OCI_MANIFEST
from tidegate.adapters.tests.registry import CONTENT, Registry, descriptor, digest, manifest, opened, running

BLOB = Descriptor("application/x", digest(CONTENT), len(CONTENT))
PATH = f"blobs/{BLOB.digest}"


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with running() as registry:
        yield registry


def is_empty(folder: Path) -> bool:
    return list(folder.iterdir()) == []


async def test_tags_of_all_pages(registry: Registry) -> None:
    registry.serve("tags/list", b'{"tags": ["a", 1, "b c"]}', Link='</v2/org/app/more>; rel="next"')
    registry.serve("more", b'{"tags": ["b"]}')
    async with opened(registry) as repository:
        assert await repository.tags() == ["a", "b"]
    registry.serve("tags/list", b'{"tags": null}')
    async with opened(registry) as repository:
        assert await repository.tags() == []


@pytest.mark.parametrize("body", [b"", b"[]", b'{"tags": "abc"}', b"[" * 99_999])
async def test_o3_what_is_no_list_of_tags_is_refused(registry: Registry, body: bytes) -> None:
    registry.serve("tags/list", body)
    async with opened(registry) as repository:
        with pytest.raises(RegistryRefused, match="no list of tags"):
            await repository.tags()


@pytest.mark.parametrize("limits", [OciLimits(tags=5), OciLimits(pages=5), OciLimits(page=8)])
async def test_o3_endless_tags_are_bounded(registry: Registry, limits: OciLimits) -> None:
    registry.serve("tags/list", b'{"tags": ["a"]}', Link='</v2/org/app/tags/list>; rel="next"')
    async with opened(registry, limits=limits) as repository:
        with pytest.raises(BoundExceeded):
            await repository.tags()
    assert len(registry.asked) <= 6


@pytest.mark.parametrize(
    "link", ["http://localhost:{port}/x", "//evil.example/x", "file:///etc", "http://u:p@127.0.0.1/"]
)
async def test_o3_links_to_other_hosts_are_refused(registry: Registry, link: str) -> None:
    registry.serve("tags/list", b'{"tags": []}', Link=f'<{link.format(port=registry.port)}>; rel="next"')
    async with opened(registry) as repository:
        with pytest.raises(RegistryRefused, match="another host"):
            await repository.tags()


async def test_resolve_by_head(registry: Registry) -> None:
    content = manifest()
    registry.serve("manifests/v1", content, OCI_MANIFEST, Docker_Content_Digest=digest(content))
    async with opened(registry) as repository:
        assert await repository.resolve("v1") == Descriptor(OCI_MANIFEST, digest(content), len(content))
    assert [request.method for request in registry.asked] == ["HEAD"]


async def test_resolve_by_get_where_head_says_too_little(registry: Registry) -> None:
    content = manifest()
    registry.serve("manifests/v1", content, OCI_MANIFEST)
    async with opened(registry) as repository:
        assert (await repository.resolve("v1")).digest == digest(content)
    assert [request.method for request in registry.asked] == ["HEAD", "GET"]


async def test_o1_a_digest_resolves_to_itself_only(registry: Registry) -> None:
    wanted = digest(b"something else")
    registry.serve(f"manifests/{wanted}", manifest(), OCI_MANIFEST, Docker_Content_Digest=digest(manifest()))
    async with opened(registry) as repository:
        with pytest.raises(DigestMismatch):
            await repository.resolve(wanted)
        with pytest.raises(DigestMismatch):
            await repository.manifest(wanted)


@pytest.mark.parametrize("reference", ["", "..", "a/b", "sha256:abc", "a?b", "sha512:" + "a" * 128])
async def test_o10_references_are_tags_or_digests(registry: Registry, reference: str) -> None:
    async with opened(registry) as repository:
        with pytest.raises(InvalidUrl):
            await repository.resolve(reference)
        with pytest.raises(InvalidUrl):
            await repository.manifest(reference)
    assert registry.asked == []


async def test_manifests_and_indexes_are_read(registry: Registry) -> None:
    content = manifest(annotations={"a": "b"})
    platform = {"os": "linux", "architecture": "amd64"}
    index = json.dumps({"schemaVersion": 2, "manifests": [descriptor(content, platform=platform)]}).encode()
    registry.serve(f"manifests/{digest(content)}", content, OCI_MANIFEST)
    registry.serve(f"manifests/{digest(index)}", index, OCI_INDEX)
    async with opened(registry) as repository:
        image = await repository.manifest(digest(content))
        assert (image.annotations, image.layers, image.manifests) == ({"a": "b"}, [BLOB], [])
        assert (await repository.manifest(digest(index))).manifests[0].platform == "linux/amd64"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (manifest(manifests=[]), OCI_MANIFEST),
        (manifest(), OCI_INDEX),
        (manifest(mediaType=OCI_INDEX, manifests=[]), OCI_INDEX),
        (manifest(mediaType=OCI_INDEX), OCI_MANIFEST),
        (manifest(mediaType="text/plain"), "text/plain"),
        (manifest(schemaVersion=1), OCI_MANIFEST),
        (manifest(layers=None), OCI_MANIFEST),
        (manifest(layers=[descriptor(size=-1)]), OCI_MANIFEST),
        (manifest(layers=[descriptor(size=True)]), OCI_MANIFEST),
        (manifest(layers=[descriptor(digest="sha256:../../x")]), OCI_MANIFEST),
        (manifest(annotations={"a": 1}), OCI_MANIFEST),
        (b"[" * 99_999, OCI_MANIFEST),
        (b"[]", OCI_MANIFEST),
        (b"\xff", OCI_MANIFEST),
    ],
)
async def test_o2_ambiguous_and_broken_manifests_are_refused(registry: Registry, content: bytes, kind: str) -> None:
    registry.serve(f"manifests/{digest(content)}", content, kind)
    async with opened(registry) as repository:
        with pytest.raises(InvalidManifest):
            await repository.manifest(digest(content))


async def test_o3_giant_manifests_are_refused(registry: Registry) -> None:
    content = manifest()
    registry.serve("manifests/v1", content, OCI_MANIFEST, Docker_Content_Digest=digest(content))
    registry.serve(f"manifests/{digest(content)}", content, OCI_MANIFEST)
    async with opened(registry, limits=OciLimits(manifest=100)) as repository:
        with pytest.raises(BoundExceeded):
            await repository.resolve("v1")
        with pytest.raises(BoundExceeded):
            await repository.manifest(digest(content))


async def test_download(registry: Registry, tmp_path: Path) -> None:
    registry.serve(PATH, CONTENT, Content_Encoding="gzip")
    async with opened(registry) as repository:
        await repository.download(BLOB, tmp_path / "blob")
    assert (tmp_path / "blob").read_bytes() == CONTENT
    assert registry.asked[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("body", [CONTENT[:-1], CONTENT + b"!", CONTENT[:-1] + b"!", b""])
@pytest.mark.parametrize("is_chunked", [False, True])
async def test_o1_other_bytes_are_refused(registry: Registry, tmp_path: Path, body: bytes, *, is_chunked: bool) -> None:
    async def answer(_: web.Request) -> web.Response:
        response = web.Response(body=body)
        if is_chunked:
            response.enable_chunked_encoding()
        return response

    registry.answers[f"/v2/org/app/{PATH}"] = answer
    async with opened(registry) as repository:
        with pytest.raises(DigestMismatch):
            await repository.download(BLOB, tmp_path / "blob")
    assert is_empty(tmp_path)


async def test_o1_an_endless_blob_ends(registry: Registry, tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1 << 16))

    registry.answers[f"/v2/org/app/{PATH}"] = answer
    async with opened(registry) as repository:
        with pytest.raises(DigestMismatch, match="more than"):
            await repository.download(BLOB, tmp_path / "blob")
    assert is_empty(tmp_path)


async def test_o1_a_broken_answer_leaves_nothing(registry: Registry, tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(CONTENT))})
        await response.prepare(request)
        await response.write(CONTENT[:5])
        assert request.transport
        request.transport.close()
        return response

    registry.answers[f"/v2/org/app/{PATH}"] = answer
    async with opened(registry) as repository:
        with pytest.raises(RegistryUnreachable):
            await repository.download(BLOB, tmp_path / "blob")
    assert is_empty(tmp_path)


async def test_o4_urls_of_descriptors_are_not_followed(registry: Registry, tmp_path: Path) -> None:
    async with running() as elsewhere:
        content = manifest(layers=[descriptor(urls=[f"{elsewhere.url}/v2/org/app/{PATH}"])])
        elsewhere.serve(PATH, CONTENT)
        registry.serve(f"manifests/{digest(content)}", content, OCI_MANIFEST)
        async with opened(registry) as repository:
            layer = (await repository.manifest(digest(content))).layers[0]
            with pytest.raises(NotFound):
                await repository.download(layer, tmp_path / "blob")
        assert elsewhere.asked == []


async def test_a_slow_registry_is_given_up(registry: Registry) -> None:
    async with opened(registry, patience=timedelta(0)) as repository:
        with pytest.raises(RegistryUnreachable, match="in time"):
            await repository.tags()


async def test_errors_name_the_url_and_the_registrys_words(registry: Registry) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"errors": [{"code": "TOOMANYREQUESTS", "message": "slow\ndown"}]}, status=429)

    registry.answers["/v2/org/app/tags/list"] = answer
    async with opened(registry) as repository:
        with pytest.raises(RegistryRefused, match=r"/v2/org/app/tags/list.*TOOMANYREQUESTS: slow down") as caught:
            await repository.tags()
        assert caught.value.status == 429
        with pytest.raises(NotFound):
            await repository.resolve("v1")


async def test_nobody_listens() -> None:
    async with running() as gone:
        pass
    async with opened(gone) as repository:
        with pytest.raises(RegistryUnreachable, match="connection refused"):
            await repository.tags()
