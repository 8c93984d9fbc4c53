"""Lines as kube-apiserver writes them, and what is made of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from hack.testbed import audit
from hack.testbed.audit import AuditLog, Kind


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


def an_event(verb: str = "get", resource: str = "pods", **changes: Any) -> dict[str, Any]:
    group = changes.pop("group", "")
    subresource = changes.pop("subresource", "")
    event = {
        "kind": "Event",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/a/{resource}/b?fieldManager=x",
        "verb": verb,
        "user": {"username": "admin", "groups": ["system:masters"]},
        "userAgent": "kustomize-controller/v0.1 (linux/amd64)",
        "objectRef": {"resource": resource, "namespace": "a", "name": "b", "apiVersion": "v1"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-01-02T03:04:05.000006Z",
    }
    if group:
        event["objectRef"]["apiGroup"] = group  # type: ignore[index]
    if subresource:
        event["objectRef"]["subresource"] = subresource  # type: ignore[index]
    return {**event, **changes}


def append(file: Path, *events: dict[str, Any]) -> None:
    with file.open("a") as log:
        log.writelines(json.dumps(event) + "\n" for event in events)


def test_a_request_is_counted_by_program_verb_group_and_resource(file: Path) -> None:
    append(file, an_event("patch", "kustomizations", group="kustomize.toolkit.fluxcd.io", subresource="status"))

    expected = Kind(
        "kustomize-controller", "patch", "kustomize.toolkit.fluxcd.io", "kustomizations/status", dry_run=False
    )
    assert AuditLog(file).all().requests() == {expected: 1}


def test_a_request_for_no_resource_is_counted_by_its_path(file: Path) -> None:
    append(file, an_event(objectRef=None, requestURI="/openapi/v3?timeout=32s"))

    assert [kind.resource for kind in AuditLog(file).all().counts()] == ["/openapi/v3"]


def test_a_watch_is_counted_once_and_when_it_begins(file: Path) -> None:
    log = AuditLog(file)
    append(file, an_event("watch", stage="ResponseStarted"))
    started = log.all().counts().total()
    append(file, an_event("watch", stage="ResponseComplete"))

    assert (started, log.all().counts().total()) == (1, 1)


def test_the_arrival_of_a_request_is_not_counted_beside_its_answer(file: Path) -> None:
    append(file, an_event(stage="RequestReceived"), an_event(), an_event("connect", stage="ResponseStarted"))

    assert AuditLog(file).all().counts().total() == 1


def test_a_dry_run_is_a_request_and_not_a_write(file: Path) -> None:
    append(file, an_event("patch"), an_event("patch", requestURI="/api/v1/namespaces/a/pods/b?dryRun=All&force=true"))
    window = AuditLog(file).all()

    assert sorted(kind.dry_run for kind in window.requests()) == [False, True]
    assert [kind.dry_run for kind in window.writes()] == [False]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(an_event("create", "subjectaccessreviews", group="authorization.k8s.io"), id="review"),
        pytest.param(an_event("create", "serviceaccounts", subresource="token"), id="token"),
        pytest.param(an_event("list"), id="list"),
    ],
)
def test_a_question_is_no_write(event: dict[str, Any], file: Path) -> None:
    append(file, event)
    window = AuditLog(file).all()

    assert (window.requests().total(), window.writes().total()) == (1, 0)


@pytest.mark.parametrize(
    ("user", "counted"),
    [
        pytest.param("system:kube-controller-manager", 0, id="controller-manager"),
        pytest.param("system:apiserver", 0, id="apiserver"),
        pytest.param("system:kwok", 0, id="kwok"),
        pytest.param("system:serviceaccount:kube-system:namespace-controller", 0, id="its-service-account"),
        pytest.param("system:serviceaccount:flux-system:helm-controller", 1, id="our-service-account"),
        pytest.param("admin", 1, id="admin"),
    ],
)
def test_the_control_planes_own_requests_are_left_out(user: str, counted: int, file: Path) -> None:
    append(file, an_event("patch", user={"username": user}))
    window = AuditLog(file).all()

    assert (window.requests().total(), window.writes().total()) == (counted, counted)
    assert window.counts().total() == 1


def test_leases_and_watches_are_left_out_on_request(file: Path) -> None:
    append(
        file,
        an_event("update", "leases", group="coordination.k8s.io"),
        an_event("watch", stage="ResponseStarted"),
        an_event("patch"),
    )
    window = AuditLog(file).all()

    assert [kind.verb for kind in window.requests(watches=False)] == ["patch"]
    assert {kind.verb for kind in window.requests(leases=True)} == {"update", "watch", "patch"}
    assert [kind.verb for kind in window.writes()] == ["patch"]


def test_programs_are_told_apart_by_the_begin_of_their_name(file: Path) -> None:
    append(file, an_event(), an_event(userAgent="helm-controller/v1"), an_event(userAgent="kubectl/v1.37"))
    window = AuditLog(file).all()

    assert window.requests("helm-").total() == 1
    assert window.requests(("helm-", "kustomize-")).total() == 2


def test_a_window_lies_between_two_marks(file: Path) -> None:
    log = AuditLog(file)
    append(file, an_event("get"))
    begin = log.mark()
    append(file, an_event("list"))
    end = log.mark()
    append(file, an_event("patch"))

    assert [entry.verb for entry in log.since(begin, end).entries] == ["list"]
    assert [entry.verb for entry in log.since(begin).entries] == ["list", "patch"]


def test_a_line_still_being_written_is_read_when_it_is_whole(file: Path) -> None:
    log = AuditLog(file)
    line = json.dumps(an_event())
    file.write_text(line[:50])
    before = log.all().counts().total()
    file.write_text(line + "\n")

    assert (before, log.all().counts().total()) == (0, 1)


def test_impersonation_and_times_are_kept(file: Path) -> None:
    append(file, an_event(impersonatedUser={"username": "system:serviceaccount:a:deployer"}))
    entry = AuditLog(file).all().entries[0]

    assert entry.acting_as == "system:serviceaccount:a:deployer"
    assert entry.received == "2026-01-02T03:04:05.000006Z"


def test_a_log_that_is_not_there_yet_is_empty(file: Path) -> None:
    assert AuditLog(file).all().entries == []


def test_a_table_has_the_most_frequent_first(file: Path) -> None:
    append(file, an_event("get"), an_event("patch"), an_event("patch"))

    table = audit.as_table(AuditLog(file).all().counts()).splitlines()
    assert [line.split()[:3] for line in table] == [
        ["count", "user_agent", "verb"],
        ["2", "kustomize-controller", "patch"],
        ["1", "kustomize-controller", "get"],
    ]
