"""What the Secrets of a Helm repository or a registry must hold, as tables."""

from collections.abc import Mapping

import pytest

from tidegate.source import credentials
from tidegate.source.credentials import BadCredentials


def test_a_login_stands_without_the_line_break_that_editors_add():
    found = credentials.read({"username": b"me\n", "password": b"secret\r\n"}, None)

    assert (found.username, found.password) == ("me", "secret")


@pytest.mark.parametrize(
    ("secret", "certificates", "words"),
    [
        pytest.param({"username": b"me"}, None, "must be given together", id="half a login"),
        pytest.param({"username": b"\xff", "password": b"p"}, None, "username is not text", id="bytes"),
        pytest.param(None, {"tls.crt": b"c"}, "tls.crt and tls.key must be given together", id="no key"),
        pytest.param(None, {"ca.crt": b"x"}, "the CA certificate cannot be read: ca.crt", id="authority"),
        pytest.param({"caFile": b"x"}, None, "the CA certificate cannot be read", id="the old name"),
        pytest.param(None, {"tls.crt": b"c", "tls.key": b"s3cret"}, "its key cannot be read", id="certificate"),
    ],
)
def test_what_cannot_be_used_is_named_and_not_quoted(
    secret: Mapping[str, bytes] | None, certificates: Mapping[str, bytes] | None, words: str
):
    with pytest.raises(BadCredentials, match=words) as caught:
        credentials.read(secret, certificates)

    assert "s3cret" not in str(caught.value)
