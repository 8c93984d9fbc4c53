"""An index is scanned for one chart: what is found must be what a parser of the whole finds."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters import helm_index
from tidegate.adapters.helm_index import ChartEntry, ChartNotFound, InvalidIndex

FLOW = "{version: 1.0.0, urls: [u]}"
NAMES = ["app", "app-b", "a", "other.chart"]


def an_index(*entries: Any, name: str = "app") -> bytes:
    return yaml.safe_dump({"apiVersion": "v1", "entries": {"aa": [an_entry("1.0.0")], name: list(entries)}}).encode()


def an_entry(version: Any, **fields: Any) -> dict[str, Any]:
    return {"version": version, "urls": [f"app-{version}.tgz"], "created": "2026-01-02T03:04:05.678Z", **fields}


def versions(index: bytes, name: str = "app") -> list[str]:
    return [entry.version for entry in helm_index.find_versions(index, name)]


def test_an_entry_has_what_a_chart_is_fetched_by() -> None:
    (entry,) = helm_index.find_versions(an_index(an_entry("1.2.3", digest="sha256:ab", description="a: |\n b")), "app")

    assert (entry.name, entry.version, entry.url, entry.digest) == ("app", "1.2.3", "app-1.2.3.tgz", "ab")
    assert entry.created.isoformat() == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("apiVersion: v1\nentries:\n  app:\n  - {version: 1.0.0, urls: [u]}\n", id="helm"),
        pytest.param(
            "apiVersion: v1\nentries:\n    app:\n      - {version: 1.0.0, urls: [u]}\n    b: []\n", id="indented"
        ),
        pytest.param(
            'entries:\n  "app":\n  - version: 1.0.0\n    urls:\n    - u\ngenerated: x\napiVersion: v1\n', id="last"
        ),
        pytest.param("apiVersion: v1\nentries: {app: [{version: 1.0.0, urls: [u]}]}\n", id="flow"),
        pytest.param('{"apiVersion": "v1", "entries": {"app": [{"version": "1.0.0", "urls": ["u"]}]}}', id="json"),
        pytest.param("apiVersion: v1\r\nentries:\r\n  app:\r\n  - {version: 1.0.0, urls: [u]}\r\n", id="windows"),
        pytest.param("apiVersion: v1\nx: &e {version: 1.0.0, urls: [u]}\nentries:\n  app:\n  - *e\n", id="anchor"),
        pytest.param(
            "apiVersion: v1\nentries:\n# a\n  # b\n  app: # c\n  - {version: 1.0.0, urls: [u]}\n  # d\n", id="notes"
        ),
    ],
)
def test_every_style_of_writing_is_read(text: str) -> None:
    helm_index.require_index(text.encode())

    assert versions(text.encode()) == ["1.0.0"]


def test_text_that_looks_like_a_chart_is_none() -> None:
    entry = an_entry("1.0.0", description="line\n  app:\n  - version: 9.9.9\nentries:\n  app: x\n")

    assert versions(an_index(entry, name="b"), "b") == ["1.0.0"]
    with pytest.raises(ChartNotFound):
        versions(an_index(entry, name="b"), "app")


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(None, id="null"),
        pytest.param({}, id="empty"),
        pytest.param({"urls": ["u"]}, id="no-version"),
        pytest.param(an_entry("1.0"), id="two-parts"),
        pytest.param(an_entry("not-semver"), id="word"),
        pytest.param(an_entry("9.0.0", urls=[]), id="no-urls"),
        pytest.param(an_entry("9.0.0", urls=None), id="null-urls"),
        pytest.param(an_entry("9.0.0", name="other"), id="other-name"),
        pytest.param("text", id="text"),
        pytest.param([], id="list"),
    ],
)
def test_h2_entries_that_are_none_are_left_out(bad: Any) -> None:
    assert versions(an_index(bad, an_entry("1.0.0"))) == ["1.0.0"]
    with pytest.raises(ChartNotFound):
        versions(an_index(bad))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"  \n",
        b"<html></html>",
        b"entries:\n  app: []\n",
        b"- a\n",
        b"[1, 2",
        b'{"entries": {}}',
        b'{"entries": ',
        b"apiVersion: v1\nentries: 7\n",
        b"a: &a [x, x]\nb: &b [*a, *a]\n" + b"".join(b"c%d: &c%d [*b, *b, *b, *b]\n" % (n, n) for n in range(3000)),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_h2_what_is_no_index_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidIndex):
        helm_index.require_index(text)


def test_h2_of_a_name_that_is_there_twice_the_last_counts() -> None:
    text = (
        b"apiVersion: v1\nentries:\n  app:\n  - {version: 1.0.0, urls: [u]}\n  app:\n  - {version: 2.0.0, urls: [u]}\n"
    )

    assert versions(text) == ["2.0.0"]


def test_h1_an_index_beyond_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helm_index, "MAX_INDEX", 100)

    with pytest.raises(InvalidIndex, match="larger than 100 bytes"):
        helm_index.require_index(b"apiVersion: v1\n" + b"#" * 100)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param("1.1.0-rc.1", "1.1.0-rc.1", id="exact"),
        pytest.param("*", "1.0.2", id="no-pre-releases"),
        pytest.param("", "1.0.2", id="empty"),
        pytest.param("~1.0.0", "1.0.2", id="range"),
        pytest.param(">=1.1.0-0", "1.1.0-rc.1", id="pre-releases"),
    ],
)
def test_the_newest_fitting_version_is_taken(wanted: str, found: str) -> None:
    entries = helm_index.find_versions(an_index(*map(an_entry, ["1.0.0", "1.1.0-rc.1", "1.0.2"])), "app")

    assert helm_index.select(entries, wanted).version == found


def test_of_equal_versions_the_newer_one_is_taken() -> None:
    entries = an_index(
        an_entry("1.0.0+a", created="2026-01-01T00:00:00Z"), an_entry("1.0.0+b", created="2026-02-01T00:00:00Z")
    )

    assert helm_index.select(helm_index.find_versions(entries, "app"), "1.x").version == "1.0.0+b"


def test_no_fitting_version_is_an_error() -> None:
    with pytest.raises(ChartNotFound, match=r"'2\.x'"):
        helm_index.select(helm_index.find_versions(an_index(an_entry("1.0.0")), "app"), "2.x")


ENTRY = st.fixed_dictionaries(
    {"version": st.sampled_from(["1.0.0", "2.1.0", "x"]), "urls": st.just(["u"])},
    optional={"description": st.text(max_size=40), "keywords": st.lists(st.text(max_size=8), max_size=3)},
)


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(ENTRY, max_size=3), max_size=4), st.sampled_from([1, 2, 4]))
def test_p3_scanning_finds_what_parsing_finds(entries: dict[str, Any], indent: int) -> None:
    text = yaml.safe_dump({"apiVersion": "v1", "entries": entries, "generated": "x"}, indent=indent, allow_unicode=True)
    whole = json.dumps({"apiVersion": "v1", "entries": entries})
    for name in NAMES:
        assert _found(text.encode(), name) == _found(whole.encode(), name)


def _found(index: bytes, name: str) -> list[ChartEntry] | None:
    try:
        return helm_index.find_versions(index, name)
    except ChartNotFound:
        return None
