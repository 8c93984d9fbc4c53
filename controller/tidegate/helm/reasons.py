"""The condition types and reasons of HelmReleases, in Flux's words (flux-v2-behaviour.md 6.3)."""

RELEASED = "Released"
REMEDIATED = "Remediated"
TEST_SUCCESS = "TestSuccess"

INSTALL_SUCCEEDED, INSTALL_FAILED = "InstallSucceeded", "InstallFailed"
UPGRADE_SUCCEEDED, UPGRADE_FAILED = "UpgradeSucceeded", "UpgradeFailed"
UNINSTALL_SUCCEEDED, UNINSTALL_FAILED = "UninstallSucceeded", "UninstallFailed"
PENDING_RELEASE = "PendingRelease"
RETRIES_EXCEEDED = "RetriesExceeded"

ARTIFACT_FAILED = "ArtifactFailed"
SOURCE_NOT_READY = "SourceNotReady"
DEPENDENCY_NOT_READY = "DependencyNotReady"
VALUES_ERROR = "ValuesError"
CHART_MUTATE_ERROR = "ChartMutateError"
STATE_ERROR = "StateError"
UNSUPPORTED = "FeatureGateDisabled"

CHART_CREATED, CHART_CONFIGURED, CHART_DELETED = "HelmChartCreated", "HelmChartConfigured", "HelmChartDeleted"
CHART_FAILED = "HelmChartSyncErr"
