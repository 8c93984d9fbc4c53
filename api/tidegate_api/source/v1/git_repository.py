"""GitRepository: a revision of a Git repository, fetched again and again."""

import enum
from typing import Annotated, ClassVar

from msgspec import field

from tidegate_api.codec import ApiStruct, Duration
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.durations import Interval, SourceTimeout
from tidegate_api.meta.references import LocalObjectReference
from tidegate_api.meta.status import UNOBSERVED
from tidegate_api.schema import AGE, READY, STATUS, Column, Rule, Schema
from tidegate_api.source import v1
from tidegate_api.source.v1.source import Source, SourceStatus


class GitProvider(enum.StrEnum):
    """Who issues the credentials for a repository."""

    GENERIC = "generic"
    AWS = "aws"
    AZURE = "azure"
    GITHUB = "github"


class GitVerificationMode(enum.StrEnum):
    """Which signatures have to be good."""

    HEAD_LOWER = "head"
    HEAD = "HEAD"
    TAG = "Tag"
    TAG_AND_HEAD = "TagAndHEAD"


class GitRepositoryRef(ApiStruct, kw_only=True):
    """What to check out; when several are given, commit wins over name, tag, semver and branch, in this order."""

    branch: str = ""
    """Branch whose tip is taken; with a commit, the branch that it is on."""

    tag: str = ""
    """Tag to take."""

    semver: str = ""
    """Version range; the highest tag within it is taken."""

    name: str = ""
    """Full name of a reference, such as refs/pull/420/head."""

    commit: str = ""
    """Hash of the commit to take."""


class GitRepositoryVerification(ApiStruct, kw_only=True):
    """Which signatures to check, and by whose keys."""

    mode: Annotated[str, Schema(default="HEAD", enum=tuple(GitVerificationMode))] = "HEAD"
    """Whether the commit, the tag, or both have to be signed."""

    secret_ref: LocalObjectReference
    """Secret with the trusted public keys: SSH keys under names that end in .sshpub, PGP keys under any other."""


class GitRepositoryInclude(ApiStruct, kw_only=True):
    """Content of another GitRepository to copy into this one's artifact."""

    repository: LocalObjectReference
    """GitRepository in the same namespace to copy from."""

    from_path: str = ""
    """Directory to copy; everything when empty."""

    to_path: str = ""
    """Directory to copy to; named after the repository when empty."""


class GitRepositorySpec(ApiStruct, kw_only=True):
    """Where the repository is, how to get in, and what to take of it."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.serviceAccountName)"
            " || (has(self.provider) && (self.provider == 'azure' || self.provider == 'aws'))",
            "serviceAccountName can only be set when provider is 'azure' or 'aws'",
        ),
    )

    url: Annotated[str, Schema(pattern=r"^(http|https|ssh)://.*$")]
    """Address of the repository, by HTTP, HTTPS or SSH."""

    interval: Interval
    """How often to look for a new revision."""

    timeout: Annotated[SourceTimeout, Schema(default="60s")] = Duration(seconds=60)
    """How long one exchange with the server may take."""

    secret_ref: LocalObjectReference | None = None
    """Secret with credentials: a user name and password, a bearer token, an SSH key, or a GitHub App's key."""

    provider: Annotated[str, Schema(enum=tuple(GitProvider))] = "generic"
    """Who issues the credentials; generic means the Secret alone."""

    service_account_name: str = ""
    """Service account whose cloud identity is used to get credentials."""

    proxy_secret_ref: LocalObjectReference | None = None
    """Secret with the address and the credentials of a proxy."""

    ref: GitRepositoryRef | None = None
    """What to check out; the tip of the branch master when absent."""

    verify: GitRepositoryVerification | None = None
    """Signatures that have to be good before a revision is taken."""

    ignore: str | None = None
    """Patterns, as in .gitignore, of files to leave out; they win over those in .sourceignore files."""

    suspend: bool = False
    """Whether to leave the object alone until this is taken back."""

    recurse_submodules: bool = False
    """Whether to bring in submodules, with the same credentials."""

    include: list[GitRepositoryInclude] = field(default_factory=list)
    """Other GitRepositories whose content is copied in, in this order."""

    sparse_checkout: list[str] = field(default_factory=list)
    """Directories to check out; all of them when empty."""


class GitRepositoryStatus(SourceStatus, kw_only=True):
    """What was fetched last, and from which settings it was made."""

    included_artifacts: list[Artifact] = field(default_factory=list)
    """Artifacts that went into it, in the order of spec.include."""

    observed_ignore: str | None = None
    """Value of spec.ignore that the artifact was made with."""

    observed_recurse_submodules: bool = False
    """Value of spec.recurseSubmodules that the artifact was made with."""

    observed_include: list[GitRepositoryInclude] = field(default_factory=list)
    """Value of spec.include that the artifact was made with."""

    observed_sparse_checkout: list[str] = field(default_factory=list)
    """Value of spec.sparseCheckout that the artifact was made with."""

    source_verification_mode: str | None = None
    """Mode of the last verification that succeeded."""


def _absent_spec() -> GitRepositorySpec:
    """The API server admits an object without a spec; as in Go it reads as an empty one, so that it can be deleted."""
    return GitRepositorySpec(url="", interval=Duration())


class GitRepository(Source, kw_only=True):
    """A Git repository whose content is kept at hand as an artifact."""

    GROUP = v1.GROUP
    VERSION = v1.VERSION
    KIND = "GitRepository"
    PLURAL = "gitrepositories"
    SHORT_NAMES = ("gitrepo",)
    CATEGORIES = v1.CATEGORIES
    COLUMNS = (Column("URL", ".spec.url"), AGE, READY, STATUS)

    spec: GitRepositorySpec = field(default_factory=_absent_spec)
    """What to fetch."""

    status: Annotated[GitRepositoryStatus, UNOBSERVED] = field(default_factory=GitRepositoryStatus)
    """What was fetched."""
