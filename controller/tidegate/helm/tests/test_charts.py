"""Where a chart comes from, and what is said while it is not there yet."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tidegate.adapters import chart_archive, chart_head
from tidegate.adapters.tests.charts import a_chart
from tidegate.helm import charts
from tidegate.helm.parts import Settings
from tidegate.helm.tests.releases import a_release
from tidegate.runtime import clock
from tidegate.toolkit.outcomes import Failed, Stalled, Waiting
from tidegate.toolkit.sources import Source
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.meta.artifact import Artifact

DIGEST = "sha256:" + "ab12" * 16
ARTIFACT = {"path": "a", "url": "http://a", "revision": "1", "digest": DIGEST, "lastUpdateTime": "2026-01-01T00:00:00Z"}
READY = {"status": {"observedGeneration": 1, "artifact": ARTIFACT}}


def marked(kind: str, status: str, message: str = "") -> JsonObject:
    """A source that is ready but for this condition."""
    condition = {"type": kind, "status": status, "reason": "X", "message": message}
    return {"status": {**READY["status"], "conditions": [{**condition, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}


def referring(kind: str, namespace: str = "") -> HelmRelease:
    return a_release({"chart": None, "chartRef": {"kind": kind, "name": "web", "namespace": namespace}})


class Parts:
    """The parts that charts are found with: each kind has this source, or none."""

    def __init__(self, source: JsonObject | None, *, cross_namespace: bool = True) -> None:
        found = codec.decode(Source, {"metadata": {"generation": 1}, **source}) if source is not None else None
        self.sources = dict.fromkeys(("HelmChart", "OCIRepository", "ExternalArtifact"), self)
        self.find = lambda _key: found
        self.settings = Settings(0, timedelta(seconds=30), cross_namespace, "", external_artifacts=False)

    async def content(self, *_args: object) -> bytes:
        return a_chart()

    @property
    def artifacts(self) -> "Parts":
        return self


def require(source: JsonObject | None, release: HelmRelease | None = None, generation: int = 1, **how: Any) -> Artifact:
    parts: Any = Parts(source, **how)
    return charts.require_artifact(parts, release or a_release(), generation)


def test_a_source_that_is_ready_has_the_artifact():
    assert require(READY).digest == DIGEST


def test_its_newest_attempt_may_have_failed():
    assert require(marked("Ready", "False")).digest == DIGEST


@pytest.mark.parametrize(
    ("source", "generation", "cause"),
    [
        pytest.param(None, 1, "latest generation of object has not been reconciled", id="not made yet"),
        pytest.param({"status": {"observedGeneration": 1}}, 1, "does not have an artifact", id="no artifact"),
        pytest.param(
            {"status": {"artifact": ARTIFACT}}, 1, "latest generation of object has not been reconciled", id="not seen"
        ),
        pytest.param(READY, 2, "latest generation of object has not been reconciled", id="just changed by us"),
        pytest.param(marked("Stalled", "True", "no such chart"), 1, "no such chart", id="given up"),
    ],
)
def test_a_source_that_is_not_ready_is_waited_for(source: JsonObject | None, generation: int, cause: str):
    with pytest.raises(Waiting) as raised:
        require(source, generation=generation)

    assert raised.value.message == f"HelmChart 'apps/apps-web' is not ready: {cause}"
    assert raised.value.reason == "SourceNotReady"


def test_a_source_that_nobody_makes_is_missed():
    with pytest.raises(Failed, match="could not get Source object: OCIRepository 'apps/web' not found"):
        require(None, referring("OCIRepository"), generation=0)


def test_other_namespaces_can_be_closed():
    with pytest.raises(Stalled) as raised:
        require(READY, referring("HelmChart", "other"), cross_namespace=False)

    assert raised.value.reason == "AccessDenied"


def test_external_artifacts_need_their_gate():
    with pytest.raises(Stalled, match="ExternalArtifact feature gate is disabled"):
        require(READY, referring("ExternalArtifact"))


async def test_a_chart_of_a_registry_has_the_digest_in_its_version():
    parts: Any = Parts(READY)
    turn: Any = type("Turn", (), {"touched": asyncio.Event()})
    artifact = Artifact(
        path="a", url="http://a", revision=f"1.2.3@{DIGEST}", digest=DIGEST, last_update_time=clock.utc_now()
    )

    chart = await charts.load(parts, referring("OCIRepository"), artifact, turn)

    assert (chart.version, chart.oci_digest, chart.app_version) == ("1.2.3+ab12ab12ab12", DIGEST, "9")
    assert chart_head.read(chart.archive).version == chart.version
    before, after = chart_archive.read(a_chart()), chart_archive.read(chart.archive)
    assert [(file.name, file.modified) for file in before] == [(file.name, file.modified) for file in after]
