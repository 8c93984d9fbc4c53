"""Texts that nobody's terminal or API server stumbles over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.toolkit import texts

anything = st.text(st.characters(codec=None), max_size=60)


@given(text=anything, limit=st.integers(3, 50))
def test_n5_clean_text_is_valid_bounded_and_stays_clean(text: str, limit: int):
    cleaned = texts.clean(text, limit)

    cleaned.encode("utf-8")
    assert len(cleaned) <= limit
    assert not any(ord(char) < 0x20 and char not in "\n\t" for char in cleaned)
    assert texts.clean(cleaned, limit) == cleaned


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("plain\n\ttext", 100, "plain\n\ttext"),
        ("\x1b[31mred\x1b[0m\r\x00\x7f\x9b", 100, "[31mred[0m"),
        ("\ud800", 100, "?"),
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abc..."),
        ("ü" * 7, 6, "üüü..."),
    ],
)
def test_text_is_cleaned(text: str, limit: int, expected: str):
    assert texts.clean(text, limit) == expected
