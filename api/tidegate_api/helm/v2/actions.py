"""How a HelmRelease is installed, upgraded, tested, rolled back and uninstalled."""

import enum
from typing import Annotated, ClassVar

from msgspec import field

from tidegate_api.codec import ApiStruct
from tidegate_api.meta.durations import Interval
from tidegate_api.schema import Rule, Schema

Count = Annotated[int, Schema(format="")]


class CRDsPolicy(enum.StrEnum):
    """What becomes of the definitions in a chart's crds directory."""

    SKIP = "Skip"
    CREATE = "Create"
    CREATE_REPLACE = "CreateReplace"


class StrategyName(enum.StrEnum):
    """What follows a failure."""

    REMEDIATE_ON_FAILURE = "RemediateOnFailure"
    RETRY_ON_FAILURE = "RetryOnFailure"


class RemediationStrategy(enum.StrEnum):
    """What undoes a failed upgrade."""

    ROLLBACK = "rollback"
    UNINSTALL = "uninstall"


class ServerSideApply(enum.StrEnum):
    """Whether the API server merges what is applied."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    AUTO = "auto"


class ChartNameChangeStrategy(enum.StrEnum):
    """What follows a chart of another name."""

    IN_PLACE_UPDATE = "InPlaceUpdate"
    REINSTALL = "Reinstall"


class DeletionPropagation(enum.StrEnum):
    """What becomes of what the deleted objects own."""

    BACKGROUND = "background"
    FOREGROUND = "foreground"
    ORPHAN = "orphan"


class Waiting(ApiStruct, kw_only=True):
    """What all actions that wait can be told."""

    timeout: Interval | None = None
    """How long each single step may take; the timeout of the HelmRelease when absent."""

    disable_wait: bool = False
    """Whether not to wait for objects to be ready."""

    disable_wait_for_jobs: bool = False
    """Whether not to wait for Jobs to complete."""

    disable_hooks: bool = False
    """Whether not to run the chart's hooks."""


class Remediation(ApiStruct, kw_only=True):
    """What is done about a failed install."""

    retries: Count = 0
    """How often to try again; -1 means for ever."""

    ignore_test_failures: bool | None = None
    """Whether failed tests are no failure; as test.ignoreFailures says when absent."""

    remediate_last_failure: bool | None = None
    """Whether the last failure is remediated too, when no try is left."""


class UpgradeRemediation(Remediation, kw_only=True):
    """What is done about a failed upgrade."""

    strategy: Annotated[str, Schema(enum=tuple(RemediationStrategy))] = ""
    """What undoes it; a rollback when empty."""


class InstallStrategy(ApiStruct, kw_only=True):
    """What follows a failed install."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.retryInterval) || self.name != 'RemediateOnFailure'",
            "retryInterval cannot be set when the strategy is 'RemediateOnFailure'",
        ),
    )

    name: Annotated[str, Schema(enum=tuple(StrategyName))]
    """Whether it is remediated, or tried again as it stands."""

    retry_interval: Interval | None = None
    """How soon to try again; five minutes when absent."""


class UpgradeStrategy(ApiStruct, kw_only=True):
    """What follows a failed upgrade."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.retryInterval) || self.name == 'RetryOnFailure'",
            "retryInterval can only be set when the strategy is 'RetryOnFailure'",
        ),
    )

    name: Annotated[str, Schema(enum=tuple(StrategyName))]
    """Whether it is remediated, or tried again as it stands."""

    retry_interval: Interval | None = None
    """How soon to try again; five minutes when absent."""


class Release(Waiting, kw_only=True):
    """What install and upgrade can both be told."""

    disable_take_ownership: bool = False
    """Whether objects that exist and are not this release's make it fail."""

    disable_open_api_validation: bool = field(default=False, name="disableOpenAPIValidation")
    """Whether not to validate the manifests against the API server's schema."""

    disable_schema_validation: bool = False
    """Whether not to validate the values against the chart's schema."""

    crds: Annotated[str, Schema(enum=tuple(CRDsPolicy))] = ""
    """What becomes of the definitions in the chart's crds directory; those that are missing are created when empty."""


class Install(Release, kw_only=True):
    """How the release is installed."""

    strategy: InstallStrategy | None = None
    """What follows a failure; remediation when absent."""

    remediation: Remediation | None = None
    """How a failure is remediated."""

    replace: bool = False
    """Whether the name of a release that was deleted, but kept its history, may be used again."""

    skip_crds: bool = field(default=False, name="skipCRDs")
    """Without effect; use crds."""

    create_namespace: bool = False
    """Whether to create the target namespace."""

    server_side_apply: bool | None = None
    """Whether the API server merges what is applied; true when absent."""


class Upgrade(Release, kw_only=True):
    """How the release is upgraded."""

    strategy: UpgradeStrategy | None = None
    """What follows a failure; remediation when absent."""

    remediation: UpgradeRemediation | None = None
    """How a failure is remediated."""

    force: bool = False
    """Whether objects are replaced instead of changed, without server-side apply."""

    preserve_values: bool = False
    """Whether the values of the last release stay, with the new ones merged over them."""

    cleanup_on_fail: bool = False
    """Whether objects that a failed upgrade created are deleted."""

    server_side_apply: Annotated[str, Schema(enum=tuple(ServerSideApply))] = ""
    """Whether the API server merges what is applied; as the last release did when empty."""

    chart_name_change_strategy: Annotated[str, Schema(enum=tuple(ChartNameChangeStrategy))] = ""
    """What follows a chart of another name; a new install when empty."""


class TestFilter(ApiStruct, kw_only=True):
    """A test to run, or to leave out."""

    name: Annotated[str, Schema(min_length=1, max_length=253)]
    """Name of the test's object."""

    exclude: bool = False
    """Whether it is left out."""


class Test(ApiStruct, kw_only=True):
    """How the chart's tests are run."""

    enable: bool = False
    """Whether they are run after each install and upgrade."""

    timeout: Interval | None = None
    """How long one test may take; the timeout of the HelmRelease when absent."""

    ignore_failures: bool = False
    """Whether a failed test is no failure of the release."""

    filters: list[TestFilter] = field(default_factory=list)
    """Tests to run or to leave out; all are run when empty."""


class Rollback(Waiting, kw_only=True):
    """How the release is rolled back."""

    recreate: bool = False
    """Without effect."""

    force: bool = False
    """Whether objects are replaced instead of changed, without server-side apply."""

    cleanup_on_fail: bool = False
    """Whether objects that a failed rollback created are deleted."""

    server_side_apply: Annotated[str, Schema(enum=tuple(ServerSideApply))] = ""
    """Whether the API server merges what is applied; as the revision rolled back to did when empty."""


class Uninstall(ApiStruct, kw_only=True):
    """How the release is uninstalled."""

    timeout: Interval | None = None
    """How long each single step may take; the timeout of the HelmRelease when absent."""

    disable_hooks: bool = False
    """Whether not to run the chart's hooks."""

    keep_history: bool = False
    """Whether the records of the release stay."""

    disable_wait: bool = False
    """Whether not to wait until the objects are gone."""

    deletion_propagation: Annotated[str, Schema(default="background", enum=tuple(DeletionPropagation))] = "background"
    """What becomes of what the deleted objects own."""
