"""Whether objects go with their Kustomization."""

import pytest

from tidegate.kustomize import deletion
from tidegate_api.codec import Duration
from tidegate_api.kustomize.v1.kustomization import Kustomization, KustomizationSpec, SourceReference


@pytest.mark.parametrize(
    ("policy", "prune", "suspend", "expected"),
    [
        pytest.param("MirrorPrune", True, False, True, id="mirrors prune"),
        pytest.param("MirrorPrune", False, False, False, id="mirrors no prune"),
        pytest.param("Delete", False, False, True, id="delete"),
        pytest.param("WaitForTermination", False, False, True, id="wait"),
        pytest.param("Orphan", True, False, False, id="orphan"),
        pytest.param("Delete", True, True, False, id="suspended"),
        pytest.param("FromTheFuture", True, False, True, id="unknown policies mirror prune"),
    ],
)
def test_the_policy_decides(policy: str, prune: bool, suspend: bool, expected: bool):  # noqa: FBT001
    spec = KustomizationSpec(
        source_ref=SourceReference(kind="GitRepository", name="app"),
        interval=Duration(minutes=1),
        prune=prune,
        suspend=suspend,
        deletion_policy=policy,
    )

    assert deletion.must_prune(Kustomization(spec=spec)) is expected
