import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate_api import codec

GO = [json.loads(line) for line in (Path(__file__).parent / "testdata/go_durations.jsonl").read_text().splitlines()]
VALID = [(text, nanoseconds, printed) for text, nanoseconds, printed in GO if printed is not None]
INVALID = [text for text, _, printed in GO if printed is None]


def test_p14_durations_parse_as_go_parses_them() -> None:
    parsed = [codec.parse_duration(text) for text, _, _ in VALID]

    assert parsed == [timedelta(microseconds=_truncated(nanoseconds)) for _, nanoseconds, _ in VALID]


def test_p14_durations_print_as_go_prints_them() -> None:
    printed = [codec.format_duration(codec.parse_duration(text)) for text, _, _ in VALID]

    assert printed == [expected for _, _, expected in VALID]


def test_p14_what_go_refuses_is_refused() -> None:
    refused = [text for text in INVALID if _is_refused(text)]

    assert refused == INVALID


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("9" * 200 + "s", id="huge-number"),
        pytest.param("9" * 100_000 + "s", id="endless-number"),
        pytest.param("1s" * 129, id="endless-sum"),
    ],
)
def test_an_endless_text_is_refused(text: str) -> None:
    assert _is_refused(text)


@settings(deadline=None)
@given(st.timedeltas(min_value=timedelta(days=-106_000), max_value=timedelta(days=106_000)))
def test_every_duration_survives_printing_and_parsing(delta: timedelta) -> None:
    assert codec.parse_duration(codec.format_duration(delta)) == delta


@settings(deadline=None)
@given(st.text(alphabet="0123456789.hmsuµn+- \n٣", max_size=40))
def test_p3_any_text_is_a_duration_or_a_refusal(text: str) -> None:
    assert _is_refused(text) or isinstance(codec.parse_duration(text), timedelta)


def _truncated(nanoseconds: int) -> int:
    return -(-nanoseconds // 1000) if nanoseconds < 0 else nanoseconds // 1000


def _is_refused(text: str) -> bool:
    try:
        codec.parse_duration(text)
    except codec.InvalidDuration:
        return True
    return False
