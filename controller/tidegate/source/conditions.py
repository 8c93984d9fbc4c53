"""The conditions of sources, their reasons, and how Ready follows from them (flux-v2-behaviour.md 3.0)."""

from tidegate.toolkit import conditions
from tidegate.toolkit.conditions import Summary
from tidegate.toolkit.outcomes import Failed, Stalled

ARTIFACT_IN_STORAGE = "ArtifactInStorage"
SOURCE_VERIFIED = "SourceVerified"
ARTIFACT_OUTDATED = "ArtifactOutdated"
FETCH_FAILED = "FetchFailed"
STORAGE_OPERATION_FAILED = "StorageOperationFailed"
INCLUDE_UNAVAILABLE = "IncludeUnavailable"

URL_INVALID = "URLInvalid"
AUTHENTICATION_FAILED = "AuthenticationFailed"
GIT_OPERATION_FAILED = "GitOperationFailed"
EMPTY_REPOSITORY = "EmptyGitRepository"
ARCHIVE_OPERATION_FAILED = "ArchiveOperationFailed"
SOURCE_IGNORE_ERROR = "SourceIgnoreError"
NEW_ARTIFACT = "NewArtifact"
VERIFICATION_FAILED = "ArtifactVerificationFailed"
UNSUPPORTED = "FeatureGateDisabled"

GIT_SUMMARY = Summary(
    order=(
        STORAGE_OPERATION_FAILED,
        FETCH_FAILED,
        INCLUDE_UNAVAILABLE,
        ARTIFACT_OUTDATED,
        ARTIFACT_IN_STORAGE,
        SOURCE_VERIFIED,
        conditions.STALLED,
        conditions.RECONCILING,
    ),
    negative=frozenset(
        {
            STORAGE_OPERATION_FAILED,
            FETCH_FAILED,
            INCLUDE_UNAVAILABLE,
            ARTIFACT_OUTDATED,
            conditions.STALLED,
            conditions.RECONCILING,
        }
    ),
)
OWNED = frozenset(GIT_SUMMARY.order) | {conditions.READY}


class FetchFailed(Failed):
    """The content could not be had: FetchFailed=True beside Ready=False."""


class FetchStalled(Stalled):
    """The content can never be had from this spec: FetchFailed=True, and Stalled."""


class StorageFailed(Failed):
    """The content could not be stored: StorageOperationFailed=True beside Ready=False."""
