"""Charts of a registry carry the digest of their revision in their version (flux-v2-behaviour.md 6.4, step 9)."""

import pytest

from tidegate.helm import revisions
from tidegate.helm.revisions import RevisionMismatch

DIGEST = "sha256:" + "ab12" * 16
SHORT = "ab12ab12ab12"


@pytest.mark.parametrize(
    ("kind", "revision", "version", "expected"),
    [
        pytest.param("HelmChart", "1.0.0", "1.0.0", ("1.0.0", ""), id="chart of a repository"),
        pytest.param("OCIRepository", f"1.0.0@{DIGEST}", "1.0.0", (f"1.0.0+{SHORT}", DIGEST), id="version as tag"),
        pytest.param("OCIRepository", f"1.0.0_x@{DIGEST}", "1.0.0+x", (f"1.0.0+{SHORT}", DIGEST), id="plus in a tag"),
        pytest.param("OCIRepository", DIGEST, "1.0.0", (f"1.0.0+{SHORT}", DIGEST), id="digest alone"),
        pytest.param(
            "OCIRepository", f"latest@{DIGEST}", "1.0.0", (f"1.0.0+{SHORT}", f"latest@{DIGEST}"), id="any tag"
        ),
        pytest.param("ExternalArtifact", "1.0.0", "1.0.0", ("1.0.0", ""), id="no digest"),
    ],
)
def test_a_digest_becomes_part_of_the_version(kind: str, revision: str, version: str, expected: tuple[str, str]):
    assert revisions.tracked(kind, revision, version) == expected


@pytest.mark.parametrize(
    ("revision", "version", "cause"),
    [
        (f"1.0.1@{DIGEST}", "1.0.0", "artifact revision 1.0.1 does not match chart version 1.0.0"),
        ("1.0.0@sha256:1", "1.0.0", "invalid artifact revision sha256:1"),
        (DIGEST, "one", "invalid chart version one"),
    ],
)
def test_a_revision_that_does_not_fit_is_refused(revision: str, version: str, cause: str):
    with pytest.raises(RevisionMismatch, match=cause):
        revisions.tracked("OCIRepository", revision, version)
