from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import field

from tidegate_api import codec
from tidegate_api.codec import ApiStruct, DecodeError, Duration, JsonObject, Time


class Part(ApiStruct, kw_only=True):
    name: str
    is_on: bool = False


class Whole(ApiStruct, kw_only=True):
    must_have: str
    interval: Duration = Duration(minutes=5)
    since: Time | None = None
    part: Part | None = None
    parts: list[Part] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


FULL = {
    "mustHave": "x",
    "interval": "1m30s",
    "since": "2026-11-23T05:33:00Z",
    "part": {"name": "a", "isOn": True},
    "parts": [{"name": "b"}, {"name": "c"}],
    "labels": {"k": "v"},
    "values": {"kept": None, "deep": {"list": [1, None], "also": None}},
}


def test_decode_and_encode_are_inverse() -> None:
    assert codec.encode(codec.decode(Whole, FULL)) == FULL


def test_fields_at_their_defaults_are_left_out() -> None:
    assert codec.encode(Whole(must_have="")) == {"mustHave": ""}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(st.sampled_from([key for key in FULL if key != "mustHave"])))
def test_null_is_absent(nulls: set[str]) -> None:
    present = {key: value for key, value in FULL.items() if key not in nulls}

    assert codec.decode(Whole, FULL | dict.fromkeys(nulls)) == codec.decode(Whole, present)


def test_null_is_absent_at_any_depth() -> None:
    obj = {"mustHave": "x", "part": {"name": "a", "isOn": None}, "parts": [None, {"name": "b", "isOn": None}]}

    decoded = codec.decode(Whole, obj | {"labels": {"gone": None, "here": "v"}})

    assert decoded == Whole(must_have="x", part=Part(name="a"), parts=[Part(name="b")], labels={"here": "v"})


def test_null_in_free_form_json_is_kept() -> None:
    values = codec.decode(Whole, FULL | {"part": {"name": "a", "isOn": None}}).values

    assert values == FULL["values"]


def test_unknown_fields_are_ignored() -> None:
    obj = {"mustHave": "x", "new": {"a": 1}, "part": {"name": "a", "newer": None, "isOn": None}}

    assert codec.decode(Whole, obj) == Whole(must_have="x", part=Part(name="a"))


@pytest.mark.parametrize("wrap", [OrderedDict, MappingProxyType])
def test_any_mapping_is_an_object(wrap: Callable[[JsonObject], Mapping[str, Any]]) -> None:
    assert codec.decode(Whole, wrap(FULL)) == codec.decode(Whole, FULL)


@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        pytest.param({"interval": 5}, "interval", "Expected a duration as `str`, got `int`", id="number-as-duration"),
        pytest.param({"interval": "5 m"}, "interval", "invalid duration '5 m'", id="not-a-duration"),
        pytest.param({"since": "2026-11-23"}, "since", "Invalid RFC3339 encoded datetime", id="not-a-time"),
        pytest.param({"parts": [{"name": "a"}, {"name": 1}]}, "parts[1].name", "Expected `str`, got `int`", id="deep"),
        pytest.param({"part": {}}, "part.name", "required field is missing", id="missing-deep"),
        pytest.param({"mustHave": None}, "mustHave", "required field is missing", id="null-required"),
        pytest.param({"labels": []}, "labels", "Expected `object`, got `array`", id="list-as-map"),
        pytest.param({"labels": {"k": 1}}, "labels[...]", "Expected `str`, got `int`", id="map-value"),
    ],
)
def test_a_misfit_names_its_field(change: JsonObject, path: str, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode(Whole, FULL | change)

    assert (caught.value.kind, caught.value.path, caught.value.reason) == ("Whole", path, reason)


@pytest.mark.parametrize("obj", [None, [], "text", 1, {}])
def test_something_else_than_an_object_is_a_decode_error(obj: Any) -> None:
    with pytest.raises(DecodeError):
        codec.decode(Whole, obj)


text = st.text("0123456789smh.:-TZ", max_size=5)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(list(FULL)), json_values))
def test_p3_any_json_is_an_object_or_a_decode_error(obj: JsonObject) -> None:
    try:
        codec.decode(Whole, obj)
    except DecodeError:
        return


def test_times_are_written_in_whole_utc_seconds() -> None:
    moment = datetime(2026, 11, 23, 7, 33, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))

    assert codec.encode(Whole(must_have="x", since=moment))["since"] == "2026-11-23T05:33:00Z"


def test_times_with_zone_and_fraction_are_read() -> None:
    assert codec.parse_time("2026-11-23T07:33:00.5+02:00") == datetime(2026, 11, 23, 5, 33, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "2026-11-23T05:33:00", "10000-01-01T00:00:00Z", "2026-13-01T00:00:00Z"])
def test_times_without_zone_or_sense_are_refused(text: str) -> None:
    with pytest.raises(codec.InvalidTime):
        codec.parse_time(text)
