"""What must be ready before a Kustomization goes on, as a table of facts and obstacles."""

import pytest

from tidegate.kustomize import dependencies
from tidegate.runtime import clock
from tidegate_api.codec import Duration
from tidegate_api.kustomize.v1.kustomization import (
    Kustomization,
    KustomizationSpec,
    KustomizationStatus,
    SourceReference,
)
from tidegate_api.meta.conditions import Condition
from tidegate_api.meta.objects import ObjectKey, ObjectMeta
from tidegate_api.meta.references import DependencyReference


def a_kustomization(name: str, *depends_on: str, ready: str = "True", generation: int = 1, **status) -> Kustomization:
    source = status.pop("source", "app")
    return Kustomization(
        metadata=ObjectMeta(name=name, namespace="apps", generation=generation),
        spec=KustomizationSpec(
            source_ref=SourceReference(kind="GitRepository", name=source),
            interval=Duration(minutes=1),
            prune=True,
            depends_on=[DependencyReference(name=one) for one in depends_on],
        ),
        status=KustomizationStatus(
            observed_generation=1,
            last_applied_revision=status.pop("revision", "main@sha1:1"),
            conditions=[
                Condition(type="Ready", status=ready, reason="R", message="", last_transition_time=clock.utc_now())
            ],
        ),
    )


@pytest.mark.parametrize(
    ("dependency", "obstacle"),
    [
        pytest.param(None, "dependency 'apps/base' not found", id="missing"),
        pytest.param(a_kustomization("base"), None, id="ready at the revision"),
        pytest.param(a_kustomization("base", ready="False"), "dependency 'apps/base' is not ready", id="not ready"),
        pytest.param(a_kustomization("base", ready="Unknown"), "dependency 'apps/base' is not ready", id="in progress"),
        pytest.param(a_kustomization("base", generation=2), "dependency 'apps/base' is not ready", id="newer spec"),
        pytest.param(
            a_kustomization("base", revision="main@sha1:0"),
            "dependency 'apps/base' revision is not up to date",
            id="same source, older revision",
        ),
        pytest.param(a_kustomization("base", revision="main@sha1:0", source="other"), None, id="other source"),
    ],
)
def test_an_obstacle_names_the_dependency_and_the_cause(dependency: Kustomization | None, obstacle: str | None):
    known = {dependency.key: dependency} if dependency else {}

    assert dependencies.find_obstacle(a_kustomization("app", "base"), "main@sha1:1", known.get) == obstacle


def test_k16_a_cycle_is_named():
    known = {one.key: one for one in (a_kustomization("a", "b"), a_kustomization("b", "c"), a_kustomization("c", "a"))}

    obstacle = dependencies.find_obstacle(known[ObjectKey("apps", "a")], "main@sha1:1", known.get)

    assert obstacle == "dependency cycle: apps/a -> apps/b -> apps/c -> apps/a"


def test_k16_a_cycle_elsewhere_is_not_ours():
    known = {one.key: one for one in (a_kustomization("b", "c"), a_kustomization("c", "b"))}

    assert dependencies.find_obstacle(a_kustomization("a", "b"), "main@sha1:1", known.get) is None


def test_k16_depending_on_oneself_is_a_cycle():
    one = a_kustomization("a", "a")

    assert dependencies.find_obstacle(one, "main@sha1:1", {one.key: one}.get) == "dependency cycle: apps/a -> apps/a"
