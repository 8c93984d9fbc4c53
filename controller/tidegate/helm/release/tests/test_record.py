"""Records as Helm 3 and 4 store them, in bounds."""

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.helm.release import record as records
from tidegate.helm.release.record import Hook, HookExecution, Info, InvalidRecord, Record, RecordTooLarge, Status

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=10,
)
hooks = st.builds(
    Hook,
    name=texts,
    events=st.lists(texts, max_size=2),
    weight=st.integers(-9, 9),
    last_run=st.builds(HookExecution, started_at=texts, phase=texts),
)
any_record = st.builds(
    Record,
    name=texts,
    info=st.builds(Info, status=texts, notes=texts, first_deployed=texts),
    config=st.dictionaries(texts, values, max_size=3),
    manifest=texts,
    hooks=st.lists(hooks, max_size=2),
    version=st.integers(1, 99),
)


def packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


def written(record: Record) -> str:
    return gzip.decompress(base64.b64decode(records.encode(record))).decode()


@given(any_record)
def test_p16_a_record_is_read_as_it_was_written(record: Record):
    assert records.decode(records.encode(record)) == record


def test_p16_it_is_written_as_go_writes_it():
    record = Record(
        name="a<b>&c\u2028",
        info=Info(status="deployed", first_deployed="2026-01-02T03:04:05.123456789Z"),
        config={"b": 1, "a": {"d": None, "c": 2}},
        hooks=[Hook(name="h")],
        version=1,
    )

    assert written(record) == (
        '{"name":"a\\u003cb\\u003e\\u0026c\\u2028",'
        '"info":{"first_deployed":"2026-01-02T03:04:05.123456789Z","status":"deployed"},'
        '"config":{"a":{"c":2,"d":null},"b":1},"hooks":[{"name":"h","last_run":{"phase":""}}],"version":1}'
    )


def test_what_helm_3_wrote_is_read():
    hook = {"name": "h", "weight": None, "last_run": {"started_at": "", "completed_at": "", "phase": ""}}
    info = {"first_deployed": "2020-01-01T00:00:00.5+02:00", "deleted": "", "status": "superseded", "notes": None}
    old = {"name": "web", "info": info, "chart": {"lock": None}, "config": None, "hooks": [hook], "version": 3}

    record = records.decode(packed(json.dumps(old)))
    assert (record.info.first_deployed, record.info.deleted, record.status) == (
        "2020-01-01T00:00:00.5+02:00",
        "",
        Status.SUPERSEDED,
    )
    assert record.hooks[0].last_run.phase == ""
    assert record.chart == {"lock": None}
    assert record.apply_method == ""


def test_what_was_stored_before_there_was_compression_is_read():
    assert records.decode(base64.b64encode(b'{"name":"web"}').decode()).name == "web"


@pytest.mark.parametrize(
    ("encoded", "words"),
    [
        pytest.param("%", "not base64", id="not-base64"),
        pytest.param(base64.b64encode(b"\x1f\x8b\x08rest").decode(), "gzip", id="broken"),
        pytest.param(base64.b64encode(gzip.compress(b"{}" * 99)[:-9]).decode(), "truncated", id="truncated"),
        pytest.param(packed("[]"), "not as Helm writes it", id="no-object"),
        pytest.param(packed('{"version":"one"}'), "not as Helm writes it", id="type"),
        pytest.param(packed('{"chart":' + '{"a":' * 5000 + "1" + "}" * 5001), "", id="deep"),
    ],
)
def test_what_is_no_record_is_refused_or_cut(encoded: str, words: str):
    if not words:
        assert records.decode(encoded).chart
        return
    with pytest.raises(InvalidRecord, match=words):
        records.decode(encoded)


def test_a_record_that_would_not_end_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "MAX_JSON", 1 << 16)
    with pytest.raises(InvalidRecord, match="larger than"):
        records.decode(packed(" " * (1 << 20)))


def test_h15_what_the_api_server_would_not_store_is_too_large():
    noise = "".join(chr(0x4E00 + n * 7919 % 20000) for n in range(700_000))

    with pytest.raises(RecordTooLarge):
        records.require_fits(Record(manifest=noise))
    records.require_fits(Record(manifest="a" * (4 << 20)))


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 120_000, tzinfo=UTC), "2026-01-02T03:04:05.12Z"),
        (datetime(2026, 1, 2, 3, 0, 0, tzinfo=timezone(timedelta(hours=1))), "2026-01-02T02:00:00Z"),
    ],
)
def test_times_are_written_as_go_writes_them(moment: datetime, text: str):
    assert records.go_time(moment) == text


def test_a_status_that_nobody_knows_is_unknown():
    assert Record(info=Info(status="sleeping")).status == Status.UNKNOWN
