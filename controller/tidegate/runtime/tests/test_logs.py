"""Log lines as `flux logs` reads them."""

import io
import json
from typing import Any

import pytest

from tidegate.runtime import logs

log = logs.get_logger("tidegate.runtime.tests.test_logs")


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_begins_with_level_time_and_message(logged: io.StringIO):
    log.info("stored artifact", revision="main@sha1:1")

    (line,) = lines(logged)
    assert list(line)[:3] == ["level", "ts", "msg"]
    assert (line["level"], line["msg"], line["revision"]) == ("info", "stored artifact", "main@sha1:1")
    assert line["logger"] == "runtime.tests.test_logs"
    assert line["ts"].endswith("Z")


def test_context_is_on_every_line_inside(logged: io.StringIO):
    with logs.context(controller="kustomization", controllerKind="Kustomization", name="one", namespace="ns"):
        log.info("inside")
    log.info("outside")

    inside, outside = lines(logged)
    assert (inside["controllerKind"], inside["name"], inside["namespace"]) == ("Kustomization", "one", "ns")
    assert "name" not in outside


def fail() -> None:
    try:
        dict[str, str]()["missing"]
    except KeyError as cause:
        raise ValueError("what went wrong") from cause


def test_error_has_its_last_line_and_its_traceback(logged: io.StringIO):
    try:
        fail()
    except ValueError:
        log.exception("reconciler error")

    (line,) = lines(logged)
    assert (line["level"], line["error"]) == ("error", "ValueError: what went wrong")
    assert [part["exc_type"] for part in line["exception"]] == ["ValueError", "KeyError"]


@pytest.mark.parametrize("encoding", ["json", "console"])
def test_p11_local_variables_are_in_no_log(encoding: str):
    stream = io.StringIO()
    logs.configure(encoding, "info", stream)

    def use(token: str) -> None:
        raise ValueError(f"cannot use a token of {len(token)} characters")

    try:
        use("s3cr3t" * 2)
    except ValueError:
        log.exception("failed")

    assert "12 characters" in stream.getvalue()
    assert "s3cr3ts3cr3t" not in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "expected"),
    [("trace", ["debug", "info", "error"]), ("debug", ["debug", "info", "error"]), ("info", ["info", "error"]),
     ("error", ["error"])],
)  # fmt: skip
def test_level_hides_what_is_below(level: str, expected: list[str]):
    stream = io.StringIO()
    logs.configure("json", level, stream)

    log.debug("one")
    log.info("two")
    log.error("three")

    assert [line["level"] for line in lines(stream)] == expected


def test_console_is_text_for_people():
    stream = io.StringIO()
    logs.configure("console", "info", stream)

    log.info("stored artifact", revision="1")

    assert "stored artifact" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_n5_line_breaks_and_odd_values_stay_in_their_line(logged: io.StringIO):
    log.info("one", text="a\nb\x1b[31m", odd=object(), raw=b"\xff")

    (line,) = lines(logged)
    assert line["text"] == "a\nb\x1b[31m"
    assert "\x1b" not in logged.getvalue()
