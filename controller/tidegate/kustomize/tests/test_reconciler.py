"""What a Kustomization asks for and cannot have is refused by name."""

from typing import Any

import pytest

from tidegate.kustomize import reconciler
from tidegate.toolkit.outcomes import Stalled
from tidegate_api.codec import Duration
from tidegate_api.kustomize.v1.kustomization import (
    Decryption,
    Kustomization,
    KustomizationSpec,
    SourceReference,
)
from tidegate_api.meta.kustomize import IgnoreRule
from tidegate_api.meta.references import DependencyReference


def a_kustomization(**fields: Any) -> Kustomization:
    source = SourceReference(kind="GitRepository", name="app")
    return Kustomization(spec=KustomizationSpec(source_ref=source, interval=Duration(minutes=1), prune=True, **fields))


def test_a_plain_spec_is_accepted():
    reconciler.check_spec(a_kustomization(depends_on=[DependencyReference(name="base")]))


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        pytest.param({"decryption": Decryption(provider="sops")}, "spec.decryption", id="decryption"),
        pytest.param({"ignore": [IgnoreRule(paths=["/spec/replicas"])]}, "spec.ignore", id="ignore"),
        pytest.param(
            {"depends_on": [DependencyReference(name="base", ready_expr="true")]},
            r"spec.dependsOn\[\].readyExpr",
            id="expression",
        ),
    ],
)
def test_a_field_that_cannot_be_honoured_stalls_and_is_named(fields: dict[str, Any], name: str):
    with pytest.raises(Stalled, match=f"not supported yet: {name}"):
        reconciler.check_spec(a_kustomization(**fields))
