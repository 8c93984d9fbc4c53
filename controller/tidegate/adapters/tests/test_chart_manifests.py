import pytest

from tidegate.adapters import chart_manifests
from tidegate.adapters.chart_jobs import Hook
from tidegate.adapters.chart_manifests import InvalidTemplate


def an_object(kind: str, name: str = "a", annotations: str = "") -> str:
    notes = f"\n  annotations:\n    {annotations}" if annotations else ""
    return f"kind: {kind}\nmetadata:\n  name: {name}{notes}\n"


def test_objects_are_sorted_by_helms_order_then_by_path() -> None:
    files = {
        "c/templates/b.yaml": an_object("Deployment"),
        "c/templates/a.yaml": f"{an_object('Zebra')}---\n{an_object('Apple')}--- \n{an_object('Service')}",
        "c/templates/c.yaml": an_object("Namespace"),
    }
    manifest, hooks = chart_manifests.sort(files)

    assert (manifest.replace("metadata:\n  name: a\n", ""), hooks) == (
        "---\n# Source: c/templates/c.yaml\nkind: Namespace\n\n"
        "---\n# Source: c/templates/a.yaml\nkind: Service\n\n"
        "---\n# Source: c/templates/b.yaml\nkind: Deployment\n\n"
        "---\n# Source: c/templates/a.yaml\nkind: Apple\n\n"
        "---\n# Source: c/templates/a.yaml\nkind: Zebra\n\n",
        [],
    )


def test_hooks_are_taken_out_with_all_that_they_say() -> None:
    notes = (
        '"helm.sh/hook": pre-install, Post-Upgrade\n    "helm.sh/hook-weight": "-5"\n'
        '    "helm.sh/hook-delete-policy": hook-succeeded,before-hook-creation'
    )
    text = an_object("Job", "setup", notes)
    manifest, hooks = chart_manifests.sort({"c/templates/job.yaml": text})

    policies = ["hook-succeeded", "before-hook-creation"]
    events = ["pre-install", "post-upgrade"]
    expected = Hook(
        name="setup",
        kind="Job",
        path="c/templates/job.yaml",
        manifest=text,
        events=events,
        weight=-5,
        delete_policies=policies,
        output_log_policies=[],
    )
    assert (manifest, hooks) == ("", [expected])


@pytest.mark.parametrize("weight", ["heavy", "", "1.5", "9" * 30])
def test_a_weight_that_is_no_number_is_zero(weight: str) -> None:
    notes = f'"helm.sh/hook": test-success\n    "helm.sh/hook-weight": "{weight}"'
    _, (hook,) = chart_manifests.sort({"c/templates/t.yaml": an_object("Pod", annotations=notes)})

    assert (hook.weight, hook.events) == (0, ["test"])


def test_h14_an_unknown_event_leaves_the_object_out_as_helm_does() -> None:
    files = {"c/templates/t.yaml": an_object("Pod", annotations='"helm.sh/hook": pre-install,moon-phase')}

    assert chart_manifests.sort(files) == ("", [])


def test_partials_and_blanks_are_left_out_and_comments_stay() -> None:
    files = {"c/templates/_x.yaml": "kind: A", "c/templates/b.yaml": " \n", "c/templates/c.yaml": "# only a comment\n"}

    assert chart_manifests.sort(files) == ("---\n# Source: c/templates/c.yaml\n# only a comment\n\n", [])


def test_h17_dashes_inside_of_values_do_not_split() -> None:
    text = "kind: ConfigMap\ndata:\n  a: |\n    ---\n    b\n"
    manifest, _ = chart_manifests.sort({"c/templates/a.yaml": text})

    assert manifest == f"---\n# Source: c/templates/a.yaml\n{text}\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("a: [", "YAML parse error on c/templates/a.yaml: line 2", id="broken"),
        pytest.param("just text", "a string where an object should be", id="text"),
        pytest.param(an_object("A", annotations="x: 1"), "annotation x is a number", id="annotation"),
        pytest.param("metadata: []\n---\nmetadata: x", "metadata is a string", id="metadata"),
    ],
)
def test_h7_what_is_no_object_is_refused_by_its_template(text: str, reason: str) -> None:
    with pytest.raises(InvalidTemplate, match=reason):
        chart_manifests.sort({"c/templates/a.yaml": text})
