import pytest

from tidegate.adapters import proxies


@pytest.mark.parametrize(
    ("host", "exceptions", "direct"),
    [
        pytest.param("git.example.com", "", False, id="no-exception"),
        pytest.param("git.example.com", "example.com", True, id="domain-and-below"),
        pytest.param("example.com", ".example.com", False, id="only-below"),
        pytest.param("git.example.com", "ample.com", False, id="no-part-of-a-name"),
        pytest.param("git.example.com", " other, *.example.com ", True, id="list-and-wildcard"),
        pytest.param("10.1.2.3", "10.0.0.0/8", True, id="network"),
        pytest.param("11.1.2.3", "10.0.0.0/8,not/anet", False, id="other-network"),
        pytest.param("10.1.2.3", "10.1.2.3", True, id="address"),
        pytest.param("git.example.com", "git.example.com:443", True, id="port"),
        pytest.param("git.example.com", "git.example.com:80", False, id="other-port"),
        pytest.param("fd00::1", "[fd00::1]:443", True, id="ipv6-with-port"),
        pytest.param("git.example.com", "*", True, id="everything"),
        pytest.param("127.0.0.1", "", True, id="this-machine"),
        pytest.param("localhost", "", True, id="localhost"),
    ],
)
def test_no_proxy_is_read_as_go_reads_it(host, exceptions, direct):
    assert proxies.is_direct(host, 443, exceptions) is direct


def test_proxy_is_taken_by_scheme(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    monkeypatch.delenv("http_proxy", raising=False)

    assert proxies.find_proxy("https", "git.example.com", 443) == "http://proxy:3128"
    assert proxies.find_proxy("http", "git.example.com", 80) is None
