import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tidegate.adapters import redaction


@given(st.text(min_size=6, max_size=40), st.text(max_size=30), st.text(max_size=30))
@example(secret='p"a/s s+w', before="x", after="y")
def test_p5_no_form_of_a_secret_survives(secret, before, after):
    raw = secret.encode("utf-8", "surrogatepass") if not secret.isascii() else secret.encode()
    assume(all(not 0xD800 <= ord(char) < 0xE000 for char in secret))
    forms = [
        secret,
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
    ]

    for form in forms:
        text = redaction.redact(f"{before}\n{form}\n{after}", [secret])
        assert form not in text.replace(before, "").replace(after, "")


def test_text_without_secrets_stays_as_it_is():
    assert redaction.redact("nothing here", ["", "ab", "other"]) == "nothing here"


@pytest.mark.parametrize(
    ("foreign", "expected"),
    [
        pytest.param(b"plain", "plain", id="plain"),
        pytest.param(b"\x1b[31mred\x00\r\nnext", "[31mred next", id="control-characters"),
        pytest.param(b"\xff\xfe", "\ufffd\ufffd", id="not-utf8"),
        pytest.param("a" * 400, "a" * 297 + "...", id="long"),
        pytest.param("rtl\u202egnp", "rtl gnp", id="direction-marks"),
    ],
)
def test_foreign_words_become_one_readable_line(foreign, expected):
    assert redaction.readable(foreign) == expected
