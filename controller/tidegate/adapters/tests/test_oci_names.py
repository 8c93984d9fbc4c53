import base64
import json

import pytest

from tidegate.adapters import oci_http, oci_tokens
from tidegate.adapters.http_auth import Certificates
from tidegate.adapters.oci_auth import RegistryAuth
from tidegate.adapters.oci_errors import InvalidCredentials, InvalidUrl
from tidegate.adapters.oci_url import OciUrl

D = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("oci://ghcr.io/org/app", "ghcr.io", "org/app"),
        ("oci://localhost:5000/a", "localhost:5000", "a"),
        ("oci://[::1]:5000/a__b/c-d.e", "[::1]:5000", "a__b/c-d.e"),
        ("oci://docker.io/nginx", "docker.io", "library/nginx"),
    ],
)
def test_addresses_are_read(text: str, host: str, path: str) -> None:
    assert OciUrl.parse(text) == OciUrl(host, path)


@pytest.mark.parametrize(
    "text",
    [
        "https://ghcr.io/a",
        "oci://ghcr.io/org/app:v1",
        f"oci://ghcr.io/org/app@{D}",
        "oci://user:hunter2hunter2@ghcr.io/a",
        "oci://ghcr.io/org/../app",
        "oci://ghcr.io/Org/app",
        "oci://GHCR.io/app",
        "oci://ghcr.io",
        "oci://ghcr.io/",
        "oci://ghcr.io//a",
        "oci://ghcr.io/a/",
        "oci://ghcr.io/a?b=c",
        "oci://ghcr.io/a#b",
        "oci://ghcr.io/a%2fb",
        "oci://ghcr.io/a\n",
        "oci://ghcr.io:99999/a",
        "oci://[:::::]/a",
        "oci:///a",
        "oci://ghcr.io/" + "a" * 300,
    ],
)
def test_o10_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(InvalidUrl) as caught:
        OciUrl.parse(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["ghcr.io", "https://ghcr.io", "http://ghcr.io/", "https://ghcr.io/v2/org", "GHCR.io"])
def test_docker_configs_name_hosts_in_many_ways(name: str) -> None:
    auth = base64.b64encode(b"user:pass:word").decode()
    config = json.dumps({"auths": {"other.io": {"auth": "eDp5"}, name: {"auth": auth}}}).encode()
    found = RegistryAuth.from_docker_config(config, "ghcr.io/org/app")
    assert (found.username, found.password) == ("user", "pass:word")


@pytest.mark.parametrize(
    ("location", "user"),
    [
        pytest.param("ghcr.io/two/app", "two", id="the path that leads there"),
        pytest.param("ghcr.io/twofold/app", "", id="no part of a segment"),
        pytest.param("ghcr.io/one/deep/app", "deep", id="the longest path"),
        pytest.param("eu.example.com/app", "any", id="a glob"),
        pytest.param("us.example.com/app", "us", id="a host before a glob"),
        pytest.param("a.eu.example.com/app", "", id="label by label"),
        pytest.param("eu.example.com:5000/app", "", id="another port"),
    ],
)
def test_a_docker_config_is_read_as_kubernetes_reads_it(location: str, user: str) -> None:
    names = {
        "ghcr.io/one": "one",
        "ghcr.io/two": "two",
        "https://ghcr.io/one/deep/": "deep",
        "*.example.com": "any",
        "us.example.com": "us",
    }
    auths = {name: {"username": username, "password": "p"} for name, username in names.items()}
    config = json.dumps({"auths": auths}).encode()

    assert RegistryAuth.from_docker_config(config, location).username == user


def test_docker_configs_have_other_kinds_of_credentials() -> None:
    plain = b'{"auths": {"https://index.docker.io/v1/": {"username": "u", "password": "p"}}}'
    token = b'{"auths": {"a.io": {"username": "<token>", "identitytoken": "t"}}}'
    assert RegistryAuth.from_docker_config(plain, "docker.io").basic == "Basic dTpw"
    assert RegistryAuth.from_docker_config(token, "a.io") == RegistryAuth(identity_token="t")
    assert RegistryAuth.from_docker_config(plain, "a.io") == RegistryAuth()


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'{"auths": [1]}', b'{"auths": {"a.io": 1}}', b'{"auths": {"a.io": {"auth": "%"}}}', b"[" * 99999],
)
def test_broken_docker_configs_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidCredentials):
        RegistryAuth.from_docker_config(data, "b.io" if data.endswith(b"[]}") else "a.io")


def test_secrets_are_in_no_repr() -> None:
    auth = RegistryAuth("user", "hunter2", Certificates(b"hunter2", b"hunter2", b"hunter2"), proxy="http://a:hunter2@b")
    assert "hunter2" not in repr(auth)


@pytest.mark.parametrize(
    ("headers", "realm", "service"),
    [
        (['Bearer realm="https://a/t",service="s, x",scope="a:b,c"'], "https://a/t", "s, x"),
        (['Basic realm="x", Bearer realm="https://a/t"'], "https://a/t", ""),
        (["Basic", "bearer realm=https://a/t , service=s"], "https://a/t", "s"),
        (['Basic realm="x"'], "", ""),
    ],
)
def test_challenges_are_read(headers: list[str], realm: str, service: str) -> None:
    assert oci_tokens.parse_challenge(headers) == oci_tokens.Challenge(realm, service)


@pytest.mark.parametrize("headers", [[], ["Negotiate"], ["Bearer"], ["a" * 8000], ['Bearer realm="' + "\\" * 7999]])
def test_o3_hopeless_challenges_are_none(headers: list[str]) -> None:
    assert oci_tokens.parse_challenge(headers) is None


@pytest.mark.parametrize("host", ["169.254.169.254", "fe80::1", "[fe80::1]", "::ffff:169.254.169.254", "fd00:ec2::254"])
def test_o5_link_local_addresses_are_known(host: str) -> None:
    assert oci_http.is_forbidden(host)
    assert not oci_http.is_forbidden("ghcr.io")
