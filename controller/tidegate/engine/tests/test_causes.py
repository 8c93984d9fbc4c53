"""What a pod says about its trouble."""

import pytest

from tidegate.engine import causes
from tidegate_api.codec import JsonObject


def a_pod(container: JsonObject | None = None, **status: object) -> JsonObject:
    return {"status": {"containerStatuses": [{"name": "web", **container}] if container else [], **status}}


@pytest.mark.parametrize(
    ("pod", "problem"),
    [
        pytest.param(a_pod(), None, id="nothing said"),
        pytest.param(a_pod({"ready": True, "state": {"running": {}}}), None, id="running"),
        pytest.param(a_pod({"state": {"waiting": {"reason": "ContainerCreating"}}}), None, id="starting"),
        pytest.param(
            a_pod({"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}),
            "container web: ImagePullBackOff: no such image",
            id="image",
        ),
        pytest.param(
            a_pod({"state": {"running": {}}, "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}),
            "container web: Error: exit code 3",
            id="crashed before",
        ),
        pytest.param(
            a_pod(
                conditions=[
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}
                ]
            ),
            "Unschedulable: no node",
            id="no place",
        ),
    ],
)
def test_the_cause_is_the_pods_own_word(pod: JsonObject, problem: str | None):
    assert causes.pod_problem(pod) == problem
