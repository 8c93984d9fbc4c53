"""Variables in objects: types, opt-outs, newlines, and what is refused."""

from typing import Any

import pytest

from tidegate.kustomize import substitute
from tidegate.kustomize.errors import BuildError
from tidegate_api.codec import JsonObject


def an_object(metadata: JsonObject | None = None, **fields: Any) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app", **(metadata or {})}, **fields}


def substituted(obj: JsonObject, strategy: str = "WithVariables", **variables: str) -> JsonObject:
    return substitute.substitute_all([obj], variables, strategy)[0]


@pytest.mark.parametrize(
    ("text", "value", "result"),
    [
        pytest.param("${v}", "1", 1, id="number"),
        pytest.param("${v}", "true", True, id="boolean"),
        pytest.param("${v}", "yes", True, id="boolean-of-yaml-1.1"),
        pytest.param("${v}", "null", None, id="null"),
        pytest.param("${v}", "", None, id="nothing"),
        pytest.param("${v}", '"1"', "1", id="quoted-number"),
        pytest.param("${v}", "0o17", 15, id="octal"),
        pytest.param("x${v}", "1", "x1", id="part-of-a-text"),
        pytest.param("${v}", "{a: [b]}", {"a": ["b"]}, id="mapping"),
        pytest.param("yes: ${v}", "1", "yes: 1", id="text-that-was-quoted"),
        pytest.param("a\nb ${v}", "1", "a\nb 1", id="literal"),
        pytest.param("${v}", "a\nb\n", "ab", id="newlines-are-lost"),
        pytest.param("$${v} $v", "1", "${v} $v", id="escaped"),
        pytest.param("${v} " + "word " * 30 + "end", "1", "1 " + "word " * 30 + "end", id="folded-line"),
    ],
)
def test_k10_the_text_rule_decides_types(text: str, value: str, result: Any) -> None:
    assert substituted(an_object(spec=text), v=value)["spec"] == result


def test_k10_keys_and_names_are_substituted_too() -> None:
    obj = an_object({"name": "${n}-x", "labels": {"${k}": "v"}})

    assert substituted(obj, n="app", k="key")["metadata"] == {"name": "app-x", "labels": {"key": "v"}}


def test_k10_a_value_with_its_own_variable_is_not_expanded_again() -> None:
    assert substituted(an_object(spec="x ${v}"), v="${v}")["spec"] == "x ${v}"


def test_k10_a_value_makes_no_new_document_because_it_is_one_line() -> None:
    obj = an_object(spec="${v}", z="last")

    assert substituted(obj, v="x\n---\ny\n") == an_object(spec="x---y", z="last")


@pytest.mark.parametrize("kind", ["labels", "annotations"])
def test_an_object_opts_out_by_label_or_annotation(kind: str) -> None:
    obj = an_object({kind: {substitute.OPT_OUT: "disabled"}}, spec="${v}")

    assert substituted(obj, v="1") == obj


def test_without_any_variable_nothing_is_touched_unless_the_strategy_says_so() -> None:
    obj = an_object(spec="${v:=1}")

    assert substituted(obj) == obj
    assert substituted(obj, "Always")["spec"] == 1


def test_k10_strict_mode_names_the_object_and_the_variable() -> None:
    with pytest.raises(BuildError) as caught:
        substituted(an_object(spec="${missing}"), v="1")

    assert str(caught.value) == (
        "post build failed for 'ConfigMap.v1.[noGrp]/app': envsubst error: variable substitution failed: "
        'variable not set (strict mode): "missing"'
    )


def test_k10_without_strict_mode_a_missing_variable_is_empty() -> None:
    objects = substitute.substitute_all([an_object(spec="x${missing}")], {"v": "1"}, "WithVariables", strict=False)

    assert objects[0]["spec"] == "x"


@pytest.mark.parametrize("name", ["a-b", "1a", "a b", "ä", "", "a\n"])
def test_names_that_no_template_could_use_are_refused(name: str) -> None:
    with pytest.raises(BuildError, match="var name is invalid, must match"):
        substitute.substitute_all([an_object()], {name: "x"}, "WithVariables")


@pytest.mark.parametrize(
    ("spec", "value", "problem"),
    [
        pytest.param("${v}", "[hunter2", "YAMLToJSON: line", id="no-yaml"),
        pytest.param("${v}", "!!int hunter2", "cannot decode a scalar as a !!int$", id="wrong-tag"),
        pytest.param("${v}", "*hunter2", "unknown anchor referenced$", id="alias"),
        pytest.param("${v:0:1}", "ä", "YAMLToJSON", id="half-a-character"),
    ],
)
def test_p5_a_result_that_is_no_yaml_is_refused_without_its_text(spec: str, value: str, problem: str) -> None:
    with pytest.raises(BuildError, match=problem) as caught:
        substituted(an_object(spec=spec), v=value)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_k9_a_name_that_became_a_number_is_refused() -> None:
    with pytest.raises(BuildError, match=r"metadata.name must be a string"):
        substituted(an_object({"name": "${v}"}), v="1")


def test_objects_without_a_dollar_are_left_as_they_are() -> None:
    obj = an_object(big=12345678901234567)

    assert substituted(obj, v="1") is obj
