import dataclasses
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from hack.controlplane.certificates import Authority
from hack.testbed import registry as reference
from tidegate.adapters.http_auth import Certificates
from tidegate.adapters.oci import Descriptor, OciUrl, Registries, RegistryAuth
from tidegate.adapters.oci_errors import AuthenticationFailed, NotFound, RegistryRefused, RegistryUnreachable
from tidegate.adapters.oci_manifests import OCI_MANIFEST
from tidegate.adapters.tests.registry import CONTENT, SOON, USER, descriptor, digest, manifest, opened, running

BLOB = Descriptor("application/x", digest(CONTENT), len(CONTENT))
PATH = f"blobs/{BLOB.digest}"


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pair = authority.issue_server("oci")
    context.load_cert_chain(pair.certificate, pair.key)
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


@pytest.fixture
def trusting(authority: Authority) -> RegistryAuth:
    return dataclasses.replace(USER, insecure=False, certificates=Certificates(authority.certificate.read_bytes()))


async def test_o6_redirects_from_https_to_http_are_refused(
    tls: ssl.SSLContext, trusting: RegistryAuth, tmp_path: Path
) -> None:
    async with running(tls) as registry, running() as plain, opened(registry, trusting) as repository:
        registry.redirect(PATH, f"{plain.url}/v2/org/app/{PATH}")
        with pytest.raises(RegistryRefused, match="from https to http"):
            await repository.download(BLOB, tmp_path / "blob")
        assert plain.asked == []


async def test_o5_token_servers_without_tls_see_nothing(tls: ssl.SSLContext, trusting: RegistryAuth) -> None:
    async with running(tls) as registry, running() as plain, opened(registry, trusting) as repository:
        registry.serve("tags/list", b'{"tags": []}')
        registry.protect(f'Bearer realm="{plain.url}/token"')
        with pytest.raises(AuthenticationFailed, match="without TLS"):
            await repository.tags()
        assert plain.asked == []


async def test_o6_the_client_certificate_is_for_the_registry_only(
    tls: ssl.SSLContext, trusting: RegistryAuth, authority: Authority, tmp_path: Path
) -> None:
    client = authority.issue_client("client")
    auth = dataclasses.replace(
        trusting,
        certificates=Certificates(trusting.certificates.ca, client.certificate.read_bytes(), client.key.read_bytes()),
    )
    shown: list[bool] = []

    async with running(tls) as registry, running(tls) as elsewhere, opened(registry, auth) as repository:

        async def answer(request: web.Request) -> web.Response:
            shown.append(bool(request.get_extra_info("peercert")))
            if request.url.port == elsewhere.port:
                return web.Response(body=CONTENT)
            return web.Response(status=307, headers={"Location": f"{elsewhere.url}{request.path}"})

        registry.answers[f"/v2/org/app/{PATH}"] = elsewhere.answers[f"/v2/org/app/{PATH}"] = answer
        await repository.download(BLOB, tmp_path / "blob")
    assert shown == [True, False]


async def test_a_registry_nobody_vouches_for(tls: ssl.SSLContext) -> None:
    async with running(tls) as registry, opened(registry, RegistryAuth()) as repository:
        with pytest.raises(RegistryUnreachable, match=r"TLS failed: .*certificate"):
            await repository.tags()


async def push(address: str, trusted: ssl.SSLContext) -> None:
    """One artifact, the way the specification says."""
    connector = aiohttp.TCPConnector(ssl=trusted)
    async with aiohttp.ClientSession(connector=connector, raise_for_status=True) as session:
        for content in (CONTENT, b"{}"):
            async with session.post(f"{address}/v2/org/app/blobs/uploads/") as started:
                location = started.headers["Location"]
            await session.put(f"{location}&digest={digest(content)}", data=content)
        headers = {"Content-Type": OCI_MANIFEST}
        await session.put(f"{address}/v2/org/app/manifests/v1", data=manifest(), headers=headers)


@pytest.mark.builds("registry")
async def test_the_reference_registry(authority: Authority, trusting: RegistryAuth, tmp_path: Path) -> None:
    async with reference.Registry(tmp_path / "registry", authority) as registry, Registries() as registries:
        await push(registry.address, ssl.create_default_context(cafile=authority.certificate))
        repository = registries.repository(OciUrl.parse(f"oci://{registry.host}/org/app"), trusting, SOON)
        assert await repository.tags() == ["v1"]
        found = await repository.resolve("v1")
        assert (
            found
            == Descriptor(OCI_MANIFEST, digest(manifest()), len(manifest()))
            == await repository.resolve(found.digest)
        )
        layer = (await repository.manifest(found.digest)).layers[0]
        assert layer.size == descriptor()["size"]
        await repository.download(layer, tmp_path / "blob")
        with pytest.raises(NotFound):
            await repository.resolve("v2")
    assert (tmp_path / "blob").read_bytes() == CONTENT
