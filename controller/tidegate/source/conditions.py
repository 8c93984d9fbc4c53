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
BUILD_FAILED = "BuildFailed"

URL_INVALID = "URLInvalid"
AUTHENTICATION_FAILED = "AuthenticationFailed"
GIT_OPERATION_FAILED = "GitOperationFailed"
EMPTY_REPOSITORY = "EmptyGitRepository"
ARCHIVE_OPERATION_FAILED = "ArchiveOperationFailed"
SOURCE_IGNORE_ERROR = "SourceIgnoreError"
NEW_ARTIFACT = "NewArtifact"
VERIFICATION_FAILED = "ArtifactVerificationFailed"
UNSUPPORTED = "FeatureGateDisabled"

SOURCE_UNAVAILABLE = "SourceUnavailable"
NO_SOURCE_ARTIFACT = "NoSourceArtifact"
INVALID_CHART_REFERENCE = "InvalidChartReference"
CHART_PULL_ERROR = "ChartPullError"
CHART_PULL_SUCCEEDED = "ChartPullSucceeded"
READ_OPERATION_FAILED = "ReadOperationFailed"
OCI_PULL_FAILED = "OCIArtifactPullFailed"
OCI_LAYER_FAILED = "OCIArtifactLayerOperationFailed"
INDEXATION_FAILED = "IndexationFailed"
NEW_REVISION = "NewRevision"

_NEGATIVE = frozenset(
    {
        STORAGE_OPERATION_FAILED,
        FETCH_FAILED,
        INCLUDE_UNAVAILABLE,
        BUILD_FAILED,
        ARTIFACT_OUTDATED,
        conditions.STALLED,
        conditions.RECONCILING,
    }
)


def _summary(*own: str, is_verified: bool = True) -> Summary:
    """Ready of a kind with its `own` conditions between the common ones, in the order that Flux declares."""
    order = (
        *(STORAGE_OPERATION_FAILED, FETCH_FAILED, *own, ARTIFACT_OUTDATED, ARTIFACT_IN_STORAGE),
        *((SOURCE_VERIFIED,) if is_verified else ()),
        *(conditions.STALLED, conditions.RECONCILING),
    )
    return Summary(order, _NEGATIVE)


GIT_SUMMARY = _summary(INCLUDE_UNAVAILABLE)
OCI_SUMMARY = _summary()
HELM_REPOSITORY_SUMMARY = _summary(is_verified=False)
HELM_CHART_SUMMARY = _summary(BUILD_FAILED)
OWNED = frozenset({*_NEGATIVE, ARTIFACT_IN_STORAGE, SOURCE_VERIFIED, conditions.READY})


class FetchFailed(Failed):
    """The content could not be had: FetchFailed=True beside Ready=False."""


class FetchStalled(Stalled):
    """The content can never be had from this spec: FetchFailed=True, and Stalled."""


class BuildFailed(Failed):
    """The chart could not be had: BuildFailed=True beside Ready=False."""


class BuildStalled(Stalled):
    """The chart can never be had from this spec and source: BuildFailed=True, and Stalled."""


class StorageFailed(Failed):
    """The content could not be stored: StorageOperationFailed=True beside Ready=False."""
