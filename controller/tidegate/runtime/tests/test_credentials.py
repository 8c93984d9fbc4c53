"""Where the API server is, and the credentials of the next request."""

import base64
import json
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.runtime import credentials
from tidegate.runtime.credentials import NoCluster
from tidegate.runtime.testing import loop as loops

URL = "https://127.0.0.1:6443"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    directory = tmp_path_factory.mktemp("pki")
    certificate, key = directory / "tls.crt", directory / "tls.key"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=test")
    words = ["openssl", "req", "-x509", *curve, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True, timeout=30)
    return certificate, key


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)


def a_kubeconfig(directory: Path, user: dict[str, object], **cluster: object) -> Path:
    path = directory / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "one", "user": "me"}},
            {"name": "other", "context": {"cluster": "other", "user": "me"}},
        ],
        "clusters": [
            {"name": "one", "cluster": {"server": URL, **cluster}},
            {"name": "other", "cluster": {"server": "http://127.0.0.1:1"}},
        ],
        "users": [{"name": "me", "user": user}],
    }
    path.write_text(json.dumps(content))
    return path


async def test_nothing_to_go_by_is_no_cluster():
    with pytest.raises(NoCluster, match="KUBECONFIG"):
        await credentials.load()


async def test_pod_finds_its_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: tuple[Path, Path]):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_bytes(pair[0].read_bytes())

    cluster = credentials.in_cluster(tmp_path)

    assert cluster.server == "https://[fd00::1]:443"
    assert cluster.tls is not None
    assert cluster.tls.verify_mode == ssl.CERT_REQUIRED
    assert await cluster.authorization() == "Bearer first"


async def test_f15_rotated_token_of_a_pod_is_read_within_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: tuple[Path, Path]
):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    (tmp_path / "token").write_text("first")
    (tmp_path / "ca.crt").write_bytes(pair[0].read_bytes())
    cluster = credentials.in_cluster(tmp_path)
    await cluster.authorization()

    (tmp_path / "token").write_text("second")
    assert await cluster.authorization() == "Bearer first"
    loops.skip(61)

    assert await cluster.authorization() == "Bearer second"


async def test_kubeconfig_with_a_token(tmp_path: Path, pair: tuple[Path, Path]):
    authority = base64.b64encode(pair[0].read_bytes()).decode()
    path = a_kubeconfig(tmp_path, {"token": "t0ken"}, **{"certificate-authority-data": authority})

    cluster = await credentials.load(str(path))

    assert cluster.server == URL
    assert await cluster.authorization() == "Bearer t0ken"
    assert cluster.tls is not None
    assert cluster.tls.get_ca_certs()[0]["subject"] == ((("commonName", "test"),),)


async def test_kubeconfig_with_a_client_certificate(tmp_path: Path, pair: tuple[Path, Path]):
    data = {f"client-{name}-data": base64.b64encode(path.read_bytes()).decode() for name, path in
            zip(("certificate", "key"), pair, strict=True)}  # fmt: skip
    cluster = await credentials.load(str(a_kubeconfig(tmp_path, {**data})))

    assert await cluster.authorization() == ""
    assert cluster.tls is not None


async def test_kubeconfig_with_files_beside_it(tmp_path: Path, pair: tuple[Path, Path]):
    for path in pair:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    user = {"client-certificate": "tls.crt", "client-key": "tls.key"}

    cluster = await credentials.load(str(a_kubeconfig(tmp_path, {**user}, **{"certificate-authority": "tls.crt"})))

    assert cluster.tls is not None


async def test_f15_token_file_of_a_kubeconfig_is_read_again_within_a_minute(tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("first")
    cluster = await credentials.load(str(a_kubeconfig(tmp_path, {"tokenFile": str(token)})))
    assert await cluster.authorization() == "Bearer first"

    token.write_text("second")
    loops.skip(61)

    assert await cluster.authorization() == "Bearer second"


async def test_f15_token_that_cannot_be_renewed_is_used_on(tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("first")
    cluster = await credentials.load(str(a_kubeconfig(tmp_path, {"tokenFile": str(token)})))

    token.unlink()
    loops.skip(61)

    assert await cluster.authorization() == "Bearer first"


async def test_kubeconfig_with_a_password(tmp_path: Path):
    cluster = await credentials.load(str(a_kubeconfig(tmp_path, {"username": "me", "password": "pass"})))

    assert await cluster.authorization() == "Basic " + base64.b64encode(b"me:pass").decode()


async def test_kubeconfig_with_a_plugin_is_asked_again_when_its_token_ends(tmp_path: Path):
    script = tmp_path / "plugin"
    script.write_text(
        f"#!{sys.executable}\nimport json, pathlib\n"
        f"n = pathlib.Path({str(tmp_path / 'count')!r}); n.write_text(n.read_text() + 'x' if n.exists() else 'x')\n"
        "status = {'token': n.read_text(), 'expirationTimestamp': '2020-01-01T00:00:00Z'}\n"
        "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential',"
        " 'status': status}))\n"
    )
    script.chmod(0o700)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}
    cluster = await credentials.load(str(a_kubeconfig(tmp_path, {"exec": plugin})))
    assert await cluster.authorization() == "Bearer x"

    loops.skip(61)

    assert await cluster.authorization() == "Bearer xx"


async def test_kubeconfig_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBECONFIG", str(a_kubeconfig(tmp_path, {"token": "t"})))

    assert (await credentials.load()).server == URL


async def test_context_can_be_chosen(tmp_path: Path):
    cluster = await credentials.load(str(a_kubeconfig(tmp_path, {"token": "t"})), "other")

    assert (cluster.server, cluster.tls) == ("http://127.0.0.1:1", None)


async def test_insecure_kubeconfig_checks_no_certificate(tmp_path: Path):
    cluster = await credentials.load(str(a_kubeconfig(tmp_path, {"token": "t"}, **{"insecure-skip-tls-verify": True})))

    assert cluster.tls is not None
    assert (cluster.tls.verify_mode, cluster.tls.check_hostname) == (ssl.CERT_NONE, False)


async def test_proxy_of_a_kubeconfig_is_used(tmp_path: Path):
    path = a_kubeconfig(tmp_path, {"token": "t"}, **{"proxy-url": "http://proxy.example.com:3128"})

    assert (await credentials.load(str(path))).proxy == "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="no-yaml"),
        pytest.param("[]", id="a-list"),
        pytest.param("apiVersion: v1\nkind: Config\n", id="nothing-in-it"),
        pytest.param("current-context: x\ncontexts: []\nclusters: []\nusers: []\n", id="no-such-context"),
        pytest.param("current-context: x\ncontexts: [1]\nclusters: {}\nusers: no\n", id="other-types"),
        pytest.param(
            "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
            "clusters: [{name: c, cluster: {server: 'https://x', certificate-authority-data: '!'}}]\nusers: []\n",
            id="no-base64",
        ),
        pytest.param(
            "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
            "clusters: [{name: c, cluster: {server: 'https://x', certificate-authority-data: 'eHg='}}]\nusers: []\n",
            id="no-certificate",
        ),
    ],
)
async def test_kubeconfig_of_no_use_is_no_cluster(text: str, tmp_path: Path):
    path = tmp_path / "kubeconfig"
    path.write_text(text)

    with pytest.raises(NoCluster, match="cannot use kubeconfig"):
        await credentials.load(str(path))


async def test_kubeconfig_that_is_missing_is_no_cluster(tmp_path: Path):
    with pytest.raises(NoCluster):
        await credentials.load(str(tmp_path / "missing"))


def test_library_is_not_imported_without_a_kubeconfig():
    words = "import sys; import tidegate.runtime.credentials; print('kubernetes_asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], check=True, capture_output=True, text=True, timeout=30)

    assert done.stdout.strip() == "False"
