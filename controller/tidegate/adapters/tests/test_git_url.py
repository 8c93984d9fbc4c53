import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters import git_url
from tidegate.adapters.git_errors import InvalidUrl
from tidegate.adapters.git_url import Origin


@pytest.mark.parametrize(
    ("url", "shown", "username"),
    [
        pytest.param("https://github.com/org/app", "https://github.com/org/app", "", id="plain"),
        pytest.param("https://GitHub.com:443/org/app.git/", "https://github.com/org/app.git", "", id="same-port"),
        pytest.param("http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a", "", id="port"),
        pytest.param("https://[::1]:8443/a", "https://[::1]:8443/a", "", id="ipv6"),
        pytest.param(
            "https://org@dev.azure.com/org/My%20Project/_git/My App",
            "https://dev.azure.com/org/My%20Project/_git/My%20App",
            "org",
            id="azure-devops",
        ),
        pytest.param("ssh://git@github.com/org/app", "ssh://github.com/org/app", "git", id="ssh"),
        pytest.param("https://git.example.com/a/-/b~c", "https://git.example.com/a/-/b~c", "", id="odd-path"),
    ],
)
def test_usual_addresses_are_accepted(url, shown, username):
    parsed = git_url.parse(url)

    assert (str(parsed), parsed.username) == (shown, username)


@pytest.mark.parametrize(
    "url",
    [
        "ssh://-oProxyCommand=touch${IFS}x/a",
        "ssh://git@-oProxyCommand=x/a",
        "ssh://-oProxyCommand=x@host/a",
        "https://host/-upload-pack=x",
        "https://host//--upload-pack=x",
        "https://ho'st/a",
        'https://host/a"b',
        "https://host/a`b`",
        "https://host/a\nb",
        "https://host/a\x00b",
        "https://host/a\\b",
        "https://host/a<b>",
        "file:///etc/passwd",
        "/etc/passwd",
        "ext::sh -c x",
        "git://host/a",
        "git@host:org/app",
        "https://user:hunter2@host/a",
        "https://:hunter2@host/a",
        "https://user:hun/ter2@host/a",
        "https:///a",
        "https://host:0/a",
        "https://host:99999/a",
        "https://host:x/a",
        "https://host/a?x=y",
        "https://host/a#x",
        "https://h\u00f6st/a",
        "https://[::1/a",
        "",
        "https://host/" + "a" * 3_000,
    ],
)
def test_g5_addresses_that_somebody_could_misread_are_refused(url):
    with pytest.raises(InvalidUrl) as refused:
        git_url.parse(url)

    assert "hunter2" not in str(refused.value)
    assert "ter2@" not in str(refused.value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:hunter2@host/a", "https://*****@host/a"),
        ("https://user:se@cr/et@host/a", "https://*****@host/a"),
        ("https://host/a", "https://host/a"),
        ("https://host/\x1b[31m", "https://host/ [31m"),
    ],
)
def test_g5_passwords_are_masked(url, shown):
    assert git_url.mask(url) == shown


def test_origins_differ_by_scheme_host_and_port():
    urls = ["https://a/x", "http://a/x", "https://b/x", "https://a:444/x", "https://A:443/y"]

    assert len({git_url.parse(url).origin for url in urls}) == 4
    assert git_url.parse(urls[0]).origin == Origin("https", "a", 443)


@given(st.text(max_size=60), st.sampled_from(["", "https://", "ssh://git@", "http://a/"]))
def test_p3_any_text_is_an_address_or_refused(text, prefix):
    try:
        parsed = git_url.parse(prefix + text)
    except InvalidUrl:
        return

    assert git_url.parse(str(parsed)) == git_url.GitUrl(parsed.origin, parsed.path)
