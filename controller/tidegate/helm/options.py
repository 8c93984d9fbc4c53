"""How a release is acted on, from its HelmRelease: defaults filled in (flux-v2-behaviour.md 6.1). Pure."""

from datetime import timedelta
from typing import Any

from tidegate.helm.release.model import Options
from tidegate_api.helm.v2.actions import CRDsPolicy, Install, Rollback, Uninstall, Upgrade
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.meta.kustomize import CommonMetadata

TIMEOUT = timedelta(minutes=5)
MAX_HISTORY = 5


def for_install(release: HelmRelease) -> Options:
    """Of an install, and of one that is resumed."""
    install = release.spec.install or Install()
    creates = install.create_namespace and bool(release.spec.target_namespace)
    # After a remediation that kept its history, or a failed try, the name is free to be used again.
    return _options(release, install, create_namespace=creates, replace=True)


def for_upgrade(release: HelmRelease) -> Options:
    """Of an upgrade, and of one that is resumed."""
    upgrade = release.spec.upgrade or Upgrade()
    return _options(release, upgrade, force=upgrade.force, cleanup_on_fail=upgrade.cleanup_on_fail)


def for_rollback(release: HelmRelease) -> Options:
    """Of a rollback, and of one that is resumed."""
    rollback = release.spec.rollback or Rollback()
    return Options(
        uid=release.metadata.uid,
        generation=release.metadata.generation,
        timeout=rollback.timeout or release.spec.timeout or TIMEOUT,
        wait=not rollback.disable_wait,
        wait_for_jobs=not rollback.disable_wait_for_jobs,
        hooks_disabled=rollback.disable_hooks,
        force=rollback.force,
        cleanup_on_fail=rollback.cleanup_on_fail,
        max_history=_max_history(release),
        labels=(release.spec.common_metadata or CommonMetadata()).labels,
        annotations=(release.spec.common_metadata or CommonMetadata()).annotations,
    )


def for_uninstall(release: HelmRelease) -> Options:
    """Of an uninstall, asked for or as a remediation."""
    uninstall = release.spec.uninstall or Uninstall()
    return Options(
        uid=release.metadata.uid,
        generation=release.metadata.generation,
        timeout=uninstall.timeout or release.spec.timeout or TIMEOUT,
        wait=not uninstall.disable_wait,
        hooks_disabled=uninstall.disable_hooks,
        keep_history=uninstall.keep_history,
        deletion_propagation=uninstall.deletion_propagation,
    )


def _options(release: HelmRelease, part: Install | Upgrade, **more: Any) -> Options:
    spec = release.spec
    common = spec.common_metadata or CommonMetadata()
    return Options(
        uid=release.metadata.uid,
        generation=release.metadata.generation,
        timeout=part.timeout or spec.timeout or TIMEOUT,
        wait=not part.disable_wait,
        wait_for_jobs=not part.disable_wait_for_jobs,
        hooks_disabled=part.disable_hooks,
        crds=part.crds or CRDsPolicy.CREATE,
        take_ownership=not part.disable_take_ownership,
        max_history=_max_history(release),
        labels=common.labels,
        annotations=common.annotations,
        disable_schema_validation=part.disable_schema_validation,
        **more,
    )


def _max_history(release: HelmRelease) -> int:
    most = release.spec.max_history
    return most if most is not None else MAX_HISTORY
