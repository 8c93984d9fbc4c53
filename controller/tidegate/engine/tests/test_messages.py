"""Words of failures, and what must not be in them."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.engine import messages
from tidegate.engine.health import Health, HealthStatus
from tidegate.engine.identity import ObjectId
from tidegate.runtime import errors
from tidegate_api.codec import JsonObject

WEB = ObjectId("apps", "web", "apps", "Deployment")
SECRET = ObjectId("apps", "web", "", "Secret")


def an_error(code: int, message: str, reason: str = "", *causes: str) -> errors.ApiError:
    status = {"message": message, "reason": reason, "details": {"causes": [{"reason": cause} for cause in causes]}}
    return errors.from_status(code, status)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("oid", "error", "message"),
    [
        pytest.param(
            WEB,
            an_error(422, "spec.x: Required value", "Invalid"),
            "Deployment/apps/web dry-run failed (Invalid): spec.x: Required value",
            id="reason",
        ),
        pytest.param(WEB, an_error(500, "boom"), "Deployment/apps/web dry-run failed: boom", id="no-reason"),
        pytest.param(
            WEB,
            an_error(409, "conflict with x", "Conflict", "FieldManagerConflict"),
            "Deployment/apps/web dry-run failed (FieldManagerConflict): conflict with x",
            id="field-manager",
        ),
        pytest.param(
            WEB,
            an_error(404, 'namespaces "apps" not found', "NotFound"),
            'Deployment/apps/web not found: namespaces "apps" not found',
            id="not-found",
        ),
        pytest.param(
            ObjectId("", "web", "apps", "Deployment"),
            an_error(404, "the server could not find the requested resource", "NotFound"),
            "Deployment/web namespace not specified: the server could not find the requested resource",
            id="no-namespace",
        ),
        pytest.param(WEB, errors.Unreachable("late"), "Deployment/apps/web dry-run failed: late", id="no-answer"),
        pytest.param(WEB, errors.Unreachable(), "Deployment/apps/web dry-run failed: Unreachable", id="no-words"),
    ],
)
def test_dry_run_failures_read_as_fluxs(oid: ObjectId, error: errors.TidegateError, message: str):
    assert messages.dry_run_failed(oid, error) == message


def test_other_failures_read_as_fluxs():
    error = an_error(403, "denied", "Forbidden")

    assert messages.apply_failed(WEB, error) == "Deployment/apps/web apply failed: denied"
    assert messages.delete_failed(WEB, error) == "Deployment/apps/web delete failed: denied"
    assert messages.prune_failed(["a delete failed: x", "b delete failed: y"]) == (
        "delete failed, errors: a delete failed: x;b delete failed: y;"
    )


def test_failed_wait_names_each_object_and_its_cause():
    states = [
        (WEB, Health(HealthStatus.IN_PROGRESS, "Available: 0/1", "LessAvailable")),
        (SECRET, Health(HealthStatus.NOT_FOUND, "")),
    ]

    listed = "[Deployment/apps/web status: 'InProgress': Available: 0/1, Secret/apps/web status: 'NotFound']"
    assert messages.wait_failed(states, timed_out=True) == f"timeout waiting for: {listed}"
    assert messages.wait_failed(states, timed_out=False) == f"failed early due to stalled resources: {listed}"


def a_secret(**fields: Any) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, **fields}


@pytest.mark.parametrize(
    ("fields", "words", "masked"),
    [
        pytest.param(
            {"stringData": {"n": 12345}},
            ".stringData.n: expected string, got &value.valueUnstructured{Value:12345}",
            ".stringData.n: expected string, got &value.valueUnstructured{Value:***}",
            id="number",
        ),
        pytest.param({"data": {"p": b64("hunter22")}}, "webhook: hunter22!", "webhook: ***!", id="plain"),
        pytest.param({"data": {"p": b64("hunter22")}}, f"got {b64('hunter22')}", "got ***", id="as-written"),
        pytest.param({"stringData": {"p": "hunter22"}}, f"got {b64('hunter22')}", "got ***", id="base64"),
        pytest.param({"data": {"p": "not base64!"}}, "got not base64!", "got ***", id="broken-base64"),
        pytest.param({"stringData": {"p": "pa/ss wörd"}}, f"GET /?p={quote('pa/ss wörd')}", "GET /?p=***", id="url"),
        pytest.param({"stringData": {"p": 'a"b\nc'}}, "value " + json.dumps('a"b\nc'), 'value "***"', id="json"),
        pytest.param({"stringData": {"p": "first line\nsecond line"}}, "at second line", "at ***", id="one-line"),
        pytest.param({"stringData": {"p": "abc", "q": "abcdef"}}, "abcdef", "***", id="longest-first"),
        pytest.param({"stringData": {"p": "no"}}, "no node known: no", "*** node known: ***", id="short"),
        pytest.param({"stringData": {"p": "", "q": " ", "r": "***"}}, "as it was ***", "as it was ***", id="nothing"),
        pytest.param({"stringData": {"p": None}, "data": ["x"]}, "as it was", "as it was", id="odd-shapes"),
    ],
)
def test_k12_values_of_secrets_are_masked(fields, words: str, masked: str):
    assert messages.mask_secret(words, a_secret(**fields)) == masked


def test_k12_object_is_named_even_if_its_name_is_a_value():
    values = messages.secret_values(a_secret(stringData={"user": "apps"}))

    message = messages.apply_failed(SECRET, an_error(400, "apps is bad"), values)

    assert message == "Secret/apps/web apply failed: *** is bad"


def test_other_kinds_have_no_secret_values():
    assert messages.secret_values({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}) == []
    assert messages.secret_values({"apiVersion": "example.com/v1", "kind": "Secret", "data": {"a": "b"}}) == []


values = st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=4, max_size=20).filter(
    lambda value: len(value.strip()) >= 4
)


@settings(deadline=None)
@given(st.lists(values, min_size=1, max_size=4), st.text(max_size=10))
def test_p5_no_value_is_left_in_any_spelling(secrets: list[str], between: str):
    spellings = [f(value) for value in secrets for f in (str, b64, quote, lambda text: json.dumps(text)[1:-1])]

    masked = messages.mask(between.join(spellings), secrets)

    assert not any(value in masked for value in secrets)
    assert not any(b64(value) in masked for value in secrets)
