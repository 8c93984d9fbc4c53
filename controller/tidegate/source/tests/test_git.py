"""Which revision is wanted and with which credentials, as tables."""

import pytest

from tidegate.adapters.git_auth import GitAuth
from tidegate.adapters.git_refs import Refs
from tidegate.adapters.http_auth import Certificates
from tidegate.adapters.versions import NoMatchingVersion
from tidegate.source import git
from tidegate.source.credentials import BadCredentials
from tidegate.source.git import RefNotFound, Target
from tidegate_api.codec import Duration
from tidegate_api.meta.references import LocalObjectReference
from tidegate_api.source.v1.git_repository import (
    GitRepositoryInclude,
    GitRepositoryRef,
    GitRepositorySpec,
    GitRepositoryVerification,
)

BRANCH, TAG, COMMIT = "b" * 40, "7" * 40, "c" * 40
REFS = Refs(
    head="refs/heads/main",
    oids={
        "refs/heads/main": BRANCH,
        "refs/heads/master": BRANCH,
        "refs/tags/v1.2.3": TAG,
        "refs/tags/v1.1.0": BRANCH,
        "refs/tags/junk": BRANCH,
    },
    peeled={"refs/tags/v1.2.3": COMMIT},
)


@pytest.mark.parametrize(
    ("ref", "target"),
    [
        pytest.param(None, Target(BRANCH, "refs/heads/master", f"master@sha1:{BRANCH}"), id="default branch"),
        pytest.param(
            GitRepositoryRef(branch="main"), Target(BRANCH, "refs/heads/main", f"main@sha1:{BRANCH}"), id="branch"
        ),
        pytest.param(
            GitRepositoryRef(tag="v1.2.3"), Target(COMMIT, "refs/tags/v1.2.3", f"v1.2.3@sha1:{COMMIT}"), id="peeled tag"
        ),
        pytest.param(
            GitRepositoryRef(semver=">=1.0.0"), Target(COMMIT, "refs/tags/v1.2.3", f"v1.2.3@sha1:{COMMIT}"), id="semver"
        ),
        pytest.param(
            GitRepositoryRef(name="refs/heads/main", tag="v1.1.0", semver="*", branch="x"),
            Target(BRANCH, "refs/heads/main", f"refs/heads/main@sha1:{BRANCH}"),
            id="name before tag, semver and branch",
        ),
        pytest.param(
            GitRepositoryRef(tag="v1.1.0", semver=">1.1.0"),
            Target(BRANCH, "refs/tags/v1.1.0", f"v1.1.0@sha1:{BRANCH}"),
            id="tag before semver",
        ),
    ],
)
def test_the_reference_decides_commit_and_revision(ref: GitRepositoryRef | None, target: Target):
    assert git.find_fixed(ref) is None
    assert git.select_target(ref, REFS) == target


@pytest.mark.parametrize(
    ("ref", "target"),
    [
        pytest.param(GitRepositoryRef(commit=COMMIT), Target(COMMIT, "", f"sha1:{COMMIT}"), id="commit alone"),
        pytest.param(
            GitRepositoryRef(commit=COMMIT, branch="main", tag="x"),
            Target(COMMIT, "refs/heads/main", f"main@sha1:{COMMIT}"),
            id="commit before all, on its branch",
        ),
    ],
)
def test_a_commit_needs_nobodys_word(ref: GitRepositoryRef, target: Target):
    assert git.find_fixed(ref) == target


def test_g11_a_missing_reference_is_named():
    with pytest.raises(RefNotFound, match="couldn't find remote ref 'refs/heads/gone'"):
        git.select_target(GitRepositoryRef(branch="gone"), REFS)
    with pytest.raises(NoMatchingVersion, match="no match found for semver: >=9"):
        git.select_target(GitRepositoryRef(semver=">=9"), REFS)


def test_fields_that_cannot_be_honoured_are_named():
    spec = GitRepositorySpec(
        url="https://example.com/a",
        interval=Duration(minutes=1),
        verify=GitRepositoryVerification(secret_ref=LocalObjectReference(name="keys")),
        include=[GitRepositoryInclude(repository=LocalObjectReference(name="other"))],
        provider="azure",
    )

    assert git.unsupported(spec) == ["spec.verify", "spec.include", "spec.provider azure"]


@pytest.mark.parametrize(
    ("secret", "auth"),
    [
        pytest.param({"username": b"u", "password": b"p\n"}, GitAuth(username="u", password="p"), id="basic"),
        pytest.param({"bearerToken": b"t"}, GitAuth(bearer_token="t"), id="bearer"),
        pytest.param({"caFile": b"CA"}, GitAuth(certificates=Certificates(b"CA")), id="legacy CA"),
        pytest.param(
            {"tls.crt": b"C", "tls.key": b"K", "ca.crt": b"CA"},
            GitAuth(certificates=Certificates(b"CA", b"C", b"K")),
            id="client certificate",
        ),
    ],
)
def test_a_secret_is_read_by_its_keys(secret: dict[str, bytes], auth: GitAuth):
    assert git.read_auth(secret, "https://example.com") == auth


@pytest.mark.parametrize(
    ("secret", "cause"),
    [
        pytest.param({"bearerToken": b"t", "username": b"u"}, "cannot be combined", id="two kinds"),
        pytest.param({"tls.crt": b"C"}, "must be given together", id="half a certificate"),
        pytest.param({"other": b"x"}, "no credentials for https", id="nothing"),
        pytest.param({"password": b"\xff"}, "password is not text", id="bytes"),
    ],
)
def test_a_secret_that_cannot_be_used_says_why(secret: dict[str, bytes], cause: str):
    with pytest.raises(BadCredentials, match=cause):
        git.read_auth(secret, "https://example.com")
