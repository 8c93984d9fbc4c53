"""Which hooks run, and when one is done."""

import pytest

from tidegate.engine import ownership
from tidegate.engine.health import HealthStatus
from tidegate.engine.ownership import Owner
from tidegate.helm.release import hook_plan
from tidegate.helm.release.hook_plan import DeletePolicy
from tidegate.helm.release.record import Hook, HookExecution, Phase
from tidegate_api.codec import JsonObject

OWNER = Owner(ownership.HELM_GROUP, "flux-system", "web")


def a_hook(name: str, weight: int = 0, *events: str, **facts: object) -> Hook:
    return Hook(name=name, weight=weight, events=list(events or ("pre-install",)), **facts)  # type: ignore[arg-type]


def a_job(*conditions: JsonObject, **status: object) -> JsonObject:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "one"},
        "status": {"conditions": list(conditions), **status},
    }


def a_pod(phase: str, **status: object) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "status": {"phase": phase, **status}}


def test_hooks_of_an_event_go_by_weight_then_name():
    hooks = [a_hook("b"), a_hook("a", 5), a_hook("c", -1), a_hook("a"), a_hook("no", -9, "test", "odd-event")]

    assert [hook.name for hook in hook_plan.select(hooks, "pre-install")] == ["c", "a", "b", "a"]


@pytest.mark.parametrize(
    ("api_version", "kind", "metadata", "inert"),
    [
        pytest.param("rbac.authorization.k8s.io/v1", "Role", {"name": "one"}, True, id="rights"),
        pytest.param("v1", "ConfigMap", {"name": "one"}, True, id="settings"),
        pytest.param("v1", "ConfigMap", {"generateName": "one-"}, False, id="each time another"),
        pytest.param("batch/v1", "Job", {"name": "one"}, False, id="job"),
        pytest.param("v1", "PersistentVolumeClaim", {"name": "one"}, False, id="data"),
        pytest.param("example.com/v1", "Role", {"name": "one"}, False, id="who knows"),
    ],
)
def test_a_hook_is_inert_when_a_second_time_changes_nothing(
    api_version: str, kind: str, metadata: JsonObject, *, inert: bool
):
    objects = [{"apiVersion": api_version, "kind": kind, "metadata": metadata}]

    assert hook_plan.is_inert(objects) is inert
    assert not hook_plan.is_inert([*objects, a_job()])


@pytest.mark.parametrize(
    ("hook", "policy", "goes"),
    [
        (a_hook("a", delete_policies=["hook-failed"]), DeletePolicy.FAILED, True),
        (a_hook("a", delete_policies=["hook-failed"]), DeletePolicy.BEFORE_CREATION, False),
        (a_hook("a", delete_policies=["hook-failed"], kind="CustomResourceDefinition"), DeletePolicy.FAILED, False),
    ],
)
def test_a_hooks_objects_go_when_it_says_so(hook: Hook, policy: DeletePolicy, goes: bool):  # noqa: FBT001
    assert hook_plan.is_deleted(hook, policy) is goes


def test_a_hook_that_says_nothing_of_its_end_is_deleted_before_the_next_run():
    hook = a_hook("a")
    hook_plan.begin(hook, "2026-01-01T00:00:00Z")

    assert hook.delete_policies == ["before-hook-creation"]
    assert hook.last_run == HookExecution(started_at="2026-01-01T00:00:00Z", phase="Running")


@pytest.mark.parametrize(
    ("obj", "status", "words"),
    [
        (a_job(), HealthStatus.IN_PROGRESS, "Job not started"),
        (a_job({"type": "Complete", "status": "True"}), HealthStatus.CURRENT, "Job Completed"),
        (
            a_job({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}),
            HealthStatus.FAILED,
            "BackoffLimitExceeded: too often",
        ),
        (a_pod("Running"), HealthStatus.IN_PROGRESS, "Pod is Running"),
        (a_pod("Succeeded"), HealthStatus.CURRENT, "Pod has completed successfully"),
        (
            a_pod("Failed", containerStatuses=[{"name": "c", "state": {"terminated": {"exitCode": 3}}}]),
            HealthStatus.FAILED,
            "container c: Error: exit code 3",
        ),
        (a_pod("Failed"), HealthStatus.FAILED, "not successfully"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, HealthStatus.CURRENT, ""),
    ],
)
def test_a_job_and_a_pod_have_to_end_well(obj: JsonObject, status: HealthStatus, words: str):
    verdict = hook_plan.judge(obj)

    assert verdict.status is status
    assert words in verdict.message


@pytest.mark.parametrize(
    ("phase", "started", "created", "labels", "is_it"),
    [
        pytest.param(Phase.RUNNING, "05.9Z", "05Z", OWNER.labels, True, id="created-in-the-second-of-the-start"),
        pytest.param(Phase.RUNNING, "05.9Z", "04Z", OWNER.labels, False, id="of-an-earlier-run"),
        pytest.param(Phase.RUNNING, "05.9Z", "05Z", {}, False, id="not-ours"),
        pytest.param(Phase.FAILED, "05.9Z", "05Z", OWNER.labels, False, id="ended"),
        pytest.param(Phase.RUNNING, "no time", "05Z", OWNER.labels, False, id="no-start"),
    ],
)
def test_a_run_that_was_interrupted_is_known_by_its_objects(
    phase: Phase,
    started: str,
    created: str,
    labels: dict[str, str],
    is_it: bool,  # noqa: FBT001
):
    hook = a_hook("a", last_run=HookExecution(started_at=f"2026-01-01T00:00:{started}", phase=phase))
    live = {"metadata": {"labels": labels, "creationTimestamp": f"2026-01-01T00:00:{created}"}}

    assert hook_plan.is_under_way(hook, [live], OWNER) is is_it
    assert not hook_plan.is_under_way(hook, [], OWNER)


@pytest.mark.parametrize(
    ("metadata", "goes"),
    [
        ({"labels": OWNER.labels}, True),
        ({"annotations": {"helm.sh/hook": "pre-install"}}, True),
        ({"annotations": {"other": "note"}}, False),
    ],
)
def test_only_hooks_are_deleted_for_hooks(metadata: JsonObject, goes: bool):  # noqa: FBT001
    assert hook_plan.may_delete({"metadata": metadata}, OWNER) is goes
