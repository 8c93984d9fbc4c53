"""The grammar of substitutions, as the flux command answers; e2e/test_differential_build.py asks it about many more."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.kustomize import envsubst
from tidegate.kustomize.errors import SubstitutionError

VALUES = {
    "a": "abc",
    "path": "x/y/file.tar.gz",
    "e": "",
    "u": "äöü",
    "n": "12",
    "s": "ß",
    "g": "a*b",
    "d": "$x",
    "_1": "!",
}

TEMPLATES: list[tuple[str, str | None]] = [
    *[("${a}", "abc"), ("x${a}y${a}", "xabcyabc"), ("${missing}", ""), ("${_1}", "!"), ("$a ${a", None)],
    *[("$a", "$a"), ("${e:-d}", "d"), ("${e:=d}", "d"), ("${e=d}", "d"), ("${a:-d}", "abc")],
    *[("${a-d}", None), ("${missing:-}", ""), ("${missing:?d}", "d"), ("${missing:+d}", "d")],
    *[("${a:?d}", "abc"), ("${a:+d}", "abc"), ("${e:-a b\n c}", "a b\n c"), ("${#a}", "3"), ("${#u}", "6")],
    *[("${#missing}", "0"), ("${#}", None), ("${##a}", None), ("${a^}", "Abc"), ("${a^^}", "ABC")],
    *[("${u^^}", "ÄÖÜ"), ("${s^^}", "ß"), ("${a,}", "abc"), ("${a^,}", "abc"), ("${a:1}", "bc")],
    *[("${a:0:2}", "ab"), ("${a:-1}", "abc"), ("${a: -1}", "abc"), ("${a:9}", ""), ("${a:1:9}", "bc")],
    *[("${a:0:-1}", "ab"), ("${a:2:-2}", ""), ("${a:x}", "abc"), ("${a:1:x}", "abc"), ("${a:}", None)],
    *[("${a:1:}", None), ("${a:ä}", None), ("${u:0:2}", "ä"), ("${u:1}", "\udca4öü"), ("${a:1::1}", "b")],
    *[("${a:99999999999999999999}", "abc"), ("${path#*/}", "y/file.tar.gz")],
    *[("${path##*/}", "file.tar.gz"), ("${path%.*}", "x/y/file.tar"), ("${path%%.*}", "x/y/file")],
    *[("${a#b}", "abc"), ("${a#a}", "bc"), ("${a##[a-b]*}", ""), ("${a#?}", "bc"), ("${a#[}", "abc")],
    *[("${g#a\\*}", "b"), ("${g##*\\*}", "b"), ("${a%c}", "ab"), ("${a%[c]}", "abc"), ("${a#}", None)],
    *[("${a/b/X}", "aXc"), ("${a/b/}", "ac"), ("${a//[a-z]/X}", "abc")],
    *[("${path//\\//.}", "x.y.file.tar.gz"), ("${a/#a/X}", "Xbc"), ("${a/#b/X}", "abc")],
    *[("${a/%c/X}", "abX"), ("${a/%c/}", "abc"), ("${a/b}", None), ("${a/b//X}", "aXc")],
    *[("${d/$x/y}", "y"), ("${a/b/$$}", "a$c"), ("${a/b/\\\\}", "a\\c"), ("${a/}/}", "abc")],
    *[("${missing:-${a}}", "abc"), ("${missing:-x${a}y${n}z}", "xabcy12z")],
    *[("${e:=${missing:=${a^^}}}", "ABC"), ("${a/${missing:-b}/${n}}", "a12c")],
    *[("${a:${e:-1}:${e:-1}}", "b"), ("${a#${e:-a}}", "bc"), ("${a#x${a}}", None), ("$${a}", "${a}")],
    *[("$$$${a}", "$${a}"), ("$$${a}", "$abc"), ("$$", "$"), ("a$$b$", "a$b$"), ("${e:-$$}", "$$")],
    *[("${}", None), ("${ a}", None), ("${a }", None), ("${a!}", None), ("${a", None), ("${a:-b", None)],
    *[("${", None), ("${1}", ""), ("${ä}", ""), ("${a²}", None), ("a\0b", "a"), ("", ""), ("{a}", "{a}")],
    *[("${a}}", "abc}")],
]  # fmt: skip
"""What a template becomes; None where it is malformed."""


def expand(template: str, *, strict: bool = False) -> str:
    return envsubst.evaluate(template, VALUES, strict=strict)


@pytest.mark.parametrize(
    ("template", "text"),
    TEMPLATES,
)
def test_p13_templates_mean_what_flux_says(template: str, text: str | None) -> None:
    if text is not None:
        assert expand(template) == text
        return
    with pytest.raises(SubstitutionError):
        expand(template)


@pytest.mark.parametrize("template", ["${x}", "${#x}", "${x^}", "${x:1}", "${x#a}", "${x/a/b}", "${a:-${x}}", "${x,^}"])
def test_k10_in_strict_mode_a_missing_variable_is_named(template: str) -> None:
    with pytest.raises(SubstitutionError, match=r'^variable not set \(strict mode\): "x"$'):
        expand(template, strict=True)


@pytest.mark.parametrize("template", ["${x:-}", "${x:=d}", "${x=d}", "${x:?d}", "${x:+d}", "${e}", "$${x}", "$x"])
def test_k10_in_strict_mode_defaults_and_empty_values_are_fine(template: str) -> None:
    expand(template, strict=True)


def test_a_malformed_template_is_reported_before_a_missing_variable() -> None:
    with pytest.raises(SubstitutionError, match="missing closing brace"):
        expand("${missing} ${a", strict=True)


def test_a_value_is_not_looked_at_again() -> None:
    assert envsubst.evaluate("${a}", {"a": "${a}$$${b}"}, strict=True) == "${a}$$${b}"


def test_halves_of_a_character_come_together_again() -> None:
    halves = envsubst.evaluate("${u:0:1}${u:1:1}", {"u": "ä"}, strict=True)

    assert halves.encode("utf-8", "surrogateescape") == "ä".encode()


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("${a:-" * 5000 + "}" * 5000, id="deep"),
        pytest.param("$$" * 200_000, id="escapes"),
        pytest.param("${a}" * 50_000, id="many"),
        pytest.param("${long//a/${long}}", id="product"),
        pytest.param("${long##" + "*a" * 1000 + "b}", id="stars"),
        pytest.param("${long%%*a*a*a*a*a*a*b}", id="backtracking"),
        pytest.param("${a/" + "\\\\" * 50_000 + "/x}", id="escaped-arguments"),
        pytest.param("${long}" * 200, id="long-result"),
    ],
)  # fmt: skip
def test_k10_time_and_size_are_bounded(template: str) -> None:
    started = time.monotonic()

    try:
        text = envsubst.evaluate(template, {"a": "x", "long": "a" * 100_000}, strict=True)
    except SubstitutionError:
        text = ""
    assert len(text) <= envsubst.MAX_OUTPUT
    assert time.monotonic() - started < 5


@given(st.text(alphabet="ab${}:=-+?#%/^,\\*[]!0 \nä", max_size=40))
def test_p3_any_template_is_a_text_or_our_error(template: str) -> None:
    try:
        text = expand(template)
    except SubstitutionError:
        text = ""

    assert isinstance(text, str)
