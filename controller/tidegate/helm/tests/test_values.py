"""Values from references and from the spec: merged as Flux merges them, typed as `helm --set` types them."""

import base64
import contextlib
import copy
from typing import Any

import helm_python
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tidegate.helm import strvals, values
from tidegate.helm.strvals import InvalidPath
from tidegate.helm.values import ResolvedValues, ValuesError
from tidegate.runtime.resources import CONFIG_MAPS, SECRETS, Resource
from tidegate_api.codec import Duration, JsonObject
from tidegate_api.helm.v2.charts import ValuesReference
from tidegate_api.helm.v2.helm_release import HelmRelease, HelmReleaseSpec
from tidegate_api.meta.objects import ObjectKey, ObjectMeta


def whole(text: str) -> ResolvedValues:
    return ResolvedValues(ValuesReference(kind="ConfigMap", name="a"), text)


def at(path: str, text: str, **fields: Any) -> ResolvedValues:
    return ResolvedValues(ValuesReference(kind="Secret", name="s", values_key="k", target_path=path, **fields), text)


@pytest.mark.parametrize(
    ("references", "inline", "merged"),
    [
        pytest.param([], None, {}, id="nothing"),
        pytest.param([whole("a: {b: 1, c: [1, 2]}"), whole("a: {c: [3]}")], None, {"a": {"b": 1, "c": [3]}}, id="maps"),
        pytest.param([whole("a: 1")], {"a": 2}, {"a": 2}, id="inline-wins"),
        pytest.param([whole("a: {b: 1}")], {"a": None}, {"a": None}, id="null-takes-away"),
        pytest.param([at("a.b", "2")], {"a": {"b": 1}}, {"a": {"b": 2}}, id="path-in-inline-map-wins"),
        pytest.param([at("a", "2")], {"a": 1}, {"a": 1}, id="top-level-path-loses"),
        pytest.param([whole("a: {x: 0}"), at("a.b", "2")], {"a": {"b": 1}}, {"a": {"x": 0, "b": 1}}, id="copied-map"),
        pytest.param([whole("")], {"a": 1}, {"a": 1}, id="empty"),
        pytest.param([whole("a: 1\na: 2")], None, {"a": 2}, id="last-of-equal-keys"),
        pytest.param([ResolvedValues(ValuesReference(kind="Secret", name="s"), None)], {"a": 1}, {"a": 1}, id="absent"),
    ],
)
def test_references_and_inline_values_are_merged(references: list[ResolvedValues], inline: Any, merged: Any) -> None:
    before = copy.deepcopy(inline)

    assert values.compose(references, inline) == merged
    assert inline == before


@pytest.mark.parametrize(
    ("text", "fields", "value"),
    [
        ("1", {}, 1),
        ("'1'", {}, "1"),
        ('"true"', {}, "true"),
        ("true", {}, True),
        ("null", {}, None),
        ("1.5", {}, "1.5"),
        ("007", {}, "007"),
        ("{1,b}", {}, [1, "b"]),
        ("{1,b}", {"literal": True}, "{1,b}"),
        ("a\\,b", {}, "a,b"),
        ("a,b", {"literal": True}, "a,b"),
        ("", {}, ""),
    ],
)
def test_a_single_value_has_the_type_that_its_text_has(text: str, fields: dict[str, Any], value: Any) -> None:
    assert values.compose([at("x", text, **fields)], None) == {"x": value}


@pytest.mark.parametrize(
    ("references", "inline", "reason"),
    [
        pytest.param([at("a[2000000000]", "1")], None, "is no number|greater than", id="huge-index"),
        pytest.param([at("a[65537]", "1")], None, "maximum supported index of 65536", id="large-index"),
        pytest.param([at("a[1]", "1")], {"a": {"b": 1}}, "that is no list", id="no-list"),
        pytest.param([at("a.b", "1")], {"a": 1}, "that is no object", id="no-object"),
        pytest.param([at("[0]", "1")], None, "names no key", id="no-key"),
        pytest.param([at("a", "1,2")], None, "needs a backslash", id="comma"),
        pytest.param([whole("a: [")], None, "line 2", id="no-yaml"),
        pytest.param([whole("- a")], None, "is no object", id="list"),
        pytest.param(
            [
                whole(
                    "a: &a [x, x]\n"
                    + "".join(f"b{n}: &b{n} [*{'a' if not n else f'b{n - 1}'}, *a]\n" for n in range(3000))
                )
            ],
            None,
            "unable to read",
            id="bomb",
        ),
        pytest.param([], [1], "spec.values is no object", id="inline-list"),
    ],
)
def test_h13_values_that_cannot_be_used_say_where(references: list[ResolvedValues], inline: Any, reason: str) -> None:
    with pytest.raises(ValuesError, match=reason):
        values.compose(references, inline)


def test_h13_what_is_said_has_nothing_of_a_secret() -> None:
    with pytest.raises(ValuesError) as caught:
        values.compose([at("a", "hunter2,hunter3")], None)

    assert str(caught.value).startswith("unable to read values from key 'k' in Secret 's'")
    assert "hunter" not in str(caught.value)


class Objects:
    """Stands for a client: what it was asked for is kept."""

    def __init__(self, **objects: JsonObject) -> None:
        self.objects = objects
        self.asked: list[tuple[Resource, ObjectKey]] = []

    async def find(self, resource: Resource, key: ObjectKey) -> JsonObject | None:
        self.asked.append((resource, key))
        return self.objects.get(key.name)


def in_secret(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def load(client: Objects, *references: ValuesReference) -> JsonObject:
    spec = HelmReleaseSpec(interval=Duration(minutes=1), values_from=list(references))
    release = HelmRelease(metadata=ObjectMeta(name="web", namespace="apps"), spec=spec)
    anything: Any = client
    return await values.load(anything, release)


async def test_an_object_is_read_once_however_many_entries_are_taken() -> None:
    client = Objects(
        s={"data": {"values.yaml": base64.b64encode(b"a: 1").decode(), "k": base64.b64encode(b"2").decode()}}
    )
    secret = ValuesReference(kind="Secret", name="s")
    single = ValuesReference(kind="Secret", name="s", values_key="k", target_path="b")

    assert await load(client, secret, single) == {"a": 1, "b": 2}
    assert client.asked == [(SECRETS, ObjectKey("apps", "s"))]


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        pytest.param({}, "could not resolve ConfigMap 'apps/m': configmaps \"m\" not found", id="object"),
        pytest.param({"m": {"data": {}}}, "could not resolve ConfigMap 'apps/m': missing key 'values.yaml'", id="key"),
        pytest.param({"m": {"binaryData": {"values.yaml": "YTogMQ=="}}}, "missing key", id="binary-data"),
    ],
)
async def test_h13_what_is_missing_is_named_unless_it_is_optional(objects: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValuesError, match=reason):
        await load(Objects(**objects), ValuesReference(kind="ConfigMap", name="m"))
    client = Objects(**objects)
    assert await load(client, ValuesReference(kind="ConfigMap", name="m", optional=True)) == {}
    assert client.asked[0][0] == CONFIG_MAPS


async def test_h13_a_secret_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValuesError, match="is not text"):
        await load(Objects(s={"data": {"values.yaml": "//79"}}), ValuesReference(kind="Secret", name="s"))


NAME = st.text(st.sampled_from("ab-_"), min_size=1, max_size=3)
PATH = st.lists(NAME | st.integers(0, 3).map(lambda index: f"[{index}]"), min_size=1, max_size=4)
TEXT = st.text(st.sampled_from("ab01-.{} \\"), max_size=6) | st.sampled_from(
    ["true", "False", "null", "{a,1}", "-5", "+7"]
)


@given(NAME, PATH, TEXT)
def test_p12_a_value_is_set_as_helm_sets_it(first: str, rest: list[str], text: str) -> None:
    path = first + "".join(part if part.startswith("[") else f".{part}" for part in rest)
    # Helm forgets an empty value inside of a list, with the list's item.
    assume(text or "[" not in path)
    theirs: Any = None
    with contextlib.suppress(helm_python.HelmValuesError):
        theirs = helm_python.parse_set_string(f"{path}={text}")
    ours: JsonObject = {}
    try:
        strvals.set_value(ours, path, text)
    except InvalidPath:
        assert theirs is None
    else:
        assert theirs is None or ours == theirs


LONG = strvals.MAX_INDEX // 2 + 1


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param([f"a[{LONG}][{LONG}]"], id="in one path"),
        pytest.param([f"a[{LONG}]", f"b[{LONG}]"], id="in two"),
        pytest.param(["a" + "[65536]" * 29], id="in thirty levels"),
    ],
)
def test_h13_empty_entries_of_lists_are_bounded_for_all_paths_together(paths: list[str]):
    with pytest.raises(ValuesError, match=r"unable to set value at path 'a?b?\["):
        values.compose([at(path, "x") for path in paths], None)


def test_lists_may_be_long_where_they_are_not_empty():
    found = values.compose([at(f"a[{index}]", "x") for index in (LONG, LONG + 1, LONG - 1, 0)], None)

    assert len(found["a"]) == LONG + 2
