"""The HelmChart that is made of spec.chart."""

from tidegate.helm import chart_template, names
from tidegate.helm.tests.bed import CHARTS, a_desk
from tidegate.helm.tests.releases import a_release
from tidegate_api.codec import JsonObject
from tidegate_api.meta.objects import ObjectKey

SOURCE = {"kind": "HelmRepository", "name": "charts", "namespace": "sources"}


def built(template: JsonObject) -> JsonObject:
    release = a_release({"interval": "5m", "chart": template})
    key = names.chart_key(release)
    assert key is not None
    assert release.spec.chart is not None
    return chart_template.build(release, key, release.spec.chart)


def test_it_says_what_the_template_says_and_whose_it_is():
    chart = built({"metadata": {"labels": {"team": "a"}}, "spec": {"chart": "web", "sourceRef": SOURCE}})

    assert chart["metadata"] == {
        "name": "apps-web",
        "namespace": "sources",
        "labels": {
            "team": "a",
            "helm.toolkit.fluxcd.io/name": "web",
            "helm.toolkit.fluxcd.io/namespace": "apps",
        },
    }
    assert chart["spec"] == {
        "chart": "web",
        "interval": "5m0s",
        "sourceRef": {"kind": "HelmRepository", "name": "charts"},
    }


async def test_it_goes_when_the_release_refers_to_a_chart_of_its_own():
    async with a_desk() as desk:
        await desk.turn()
        desk.edit({"spec": {"chart": None, "chartRef": {"kind": "HelmChart", "name": "apps-web"}}})

        await desk.turn()

        assert desk.process.names(CHARTS) == []
        assert "HelmChartDeleted" in desk.events
        assert desk.status.helm_chart == ""


async def test_somebody_elses_chart_of_that_name_is_left_alone():
    async with a_desk() as desk:
        await desk.turn()
        strange = {"metadata": {"labels": {"helm.toolkit.fluxcd.io/name": "another"}}}
        desk.server.store.update(CHARTS, ObjectKey("apps", "apps-web"), lambda live: {**live, **_merged(live, strange)})
        desk.edit({"spec": {"chart": None, "chartRef": {"kind": "HelmChart", "name": "other"}}})

        await desk.turn()

        assert desk.process.names(CHARTS) == ["apps-web"]


def _merged(live: JsonObject, patch: JsonObject) -> JsonObject:
    return {"metadata": {**live["metadata"], **patch["metadata"]}}
