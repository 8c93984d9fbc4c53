"""What a HelmRelease asks for that this version would have to ignore: refusing beats pretending. Pure."""

from tidegate.helm import reasons
from tidegate.toolkit.outcomes import Stalled
from tidegate_api.helm.v2.helm_release import HelmRelease

_OFF = ("", "disabled")


def require_supported(release: HelmRelease) -> None:
    """Raises: Stalled, naming each field."""
    missing = [name for name, is_set in {**_of_release(release), **_of_actions(release)}.items() if is_set]
    if missing:
        raise Stalled(reasons.UNSUPPORTED, f"not supported yet: {', '.join(missing)}")


def _of_release(release: HelmRelease) -> dict[str, bool]:
    spec = release.spec
    return {
        "spec.kubeConfig": spec.kube_config is not None,
        "spec.postRenderers": bool(spec.post_renderers),
        "spec.healthCheckExprs": bool(spec.health_check_exprs),
        "spec.dependsOn[].readyExpr": any(one.ready_expr for one in spec.depends_on),
        "spec.test.enable": spec.test is not None and spec.test.enable,
        "spec.driftDetection.mode": spec.drift_detection is not None and spec.drift_detection.mode not in _OFF,
        "spec.chart.spec.verify": spec.chart is not None and spec.chart.spec.verify is not None,
        "spec.waitStrategy legacy": spec.wait_strategy is not None and spec.wait_strategy.name == "legacy",
    }


def _of_actions(release: HelmRelease) -> dict[str, bool]:
    install, upgrade, rollback = release.spec.install, release.spec.upgrade, release.spec.rollback
    return {
        "spec.install.serverSideApply": install is not None and install.server_side_apply is False,
        "spec.upgrade.serverSideApply disabled": upgrade is not None and upgrade.server_side_apply == "disabled",
        "spec.rollback.serverSideApply disabled": rollback is not None and rollback.server_side_apply == "disabled",
        "spec.upgrade.preserveValues": upgrade is not None and upgrade.preserve_values,
    }
