"""JSON that somebody nested as deep as they could."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.runtime import json_text

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def nested(levels: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * levels + closing * levels


@given(values)
def test_p3_plain_json_is_read_as_it_is(value: object):
    assert json_text.decode(json.dumps(value).encode()) == value


@given(values)
def test_p3_cutting_leaves_shallow_json_alone(value: object):
    text = json.dumps(value).encode()

    assert json_text._cut(text) == text


@pytest.mark.parametrize("levels", [2000, 10000, 100000])
def test_p7_a_value_nested_too_deep_costs_only_itself(levels: int):
    text = b'{"deep": %s, "after": "\\"]}", "list": [%s, 1]}' % (nested(levels), nested(levels, b'{"a":', b"}"))

    with pytest.raises((RecursionError, msgspec.DecodeError)):
        msgspec.json.decode(text)
    decoded = json_text.decode(text.replace(b":}", b":1}"))

    assert decoded["after"] == '"]}'
    assert decoded["list"][1] == 1


@given(st.binary(max_size=50))
def test_p3_other_bytes_are_a_decode_error(text: bytes):
    try:
        json_text.decode(text)
    except msgspec.DecodeError:
        return


@pytest.mark.parametrize("text", [b"[" * 5000, b"]" * 5000, b'{"a":' * 5000, b'["' + b"[" * 5000])
def test_p3_deep_nonsense_is_a_decode_error(text: bytes):
    with pytest.raises(msgspec.DecodeError):
        json_text.decode(text)
