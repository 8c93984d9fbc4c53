"""What releases are called and where they are."""

import pytest

from tidegate.helm import names
from tidegate.helm.release.model import ReleaseKey
from tidegate.helm.tests.releases import a_release, a_snapshot
from tidegate_api.meta.objects import ObjectKey

LONG = "some-front-appended-namespace-release-with-a-name-that-is-longer-than-helm-allows"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, ReleaseKey("web", "apps", "apps"), id="plain"),
        pytest.param({"targetNamespace": "prod"}, ReleaseKey("prod-web", "prod", "apps"), id="storage does not follow"),
        pytest.param({"releaseName": "x", "targetNamespace": "prod"}, ReleaseKey("x", "prod", "apps"), id="named"),
        pytest.param({"storageNamespace": "store"}, ReleaseKey("web", "apps", "store"), id="stored elsewhere"),
    ],
)
def test_a_release_is_where_its_spec_says(spec: dict[str, str], expected: ReleaseKey):
    assert names.release_key(a_release(spec)) == expected


def test_h17_a_long_name_is_cut_and_told_from_others_by_a_hash():
    short = names.release_key(a_release(name=LONG)).name

    assert (len(short), short[:41]) == (53, f"{LONG[:40]}-")
    assert names.shorten(LONG + "x") != short
    assert names.shorten("a" * 53) == "a" * 53


def test_the_chart_is_made_beside_its_source():
    source = {"kind": "HelmRepository", "name": "charts", "namespace": "sources"}
    release = a_release({"chart": {"spec": {"chart": "web", "sourceRef": source}}})

    assert names.chart_key(release) == ObjectKey("sources", "apps-web")


@pytest.mark.parametrize(
    ("spec", "chart", "has_moved"),
    [
        pytest.param({}, "web", False, id="as it was"),
        pytest.param({"releaseName": "other"}, "web", True, id="name"),
        pytest.param({"targetNamespace": "prod", "releaseName": "web"}, "web", True, id="namespace"),
        pytest.param({"storageNamespace": "store"}, "web", True, id="storage"),
        pytest.param({}, "other", True, id="chart"),
        pytest.param({"upgrade": {"chartNameChangeStrategy": "InPlaceUpdate"}}, "other", False, id="chart in place"),
    ],
)
def test_another_target_is_another_release(spec: dict[str, object], chart: str, *, has_moved: bool):
    release = a_release(spec, history=[a_snapshot(1)], storage_namespace="apps")

    assert names.has_moved(release, a_snapshot(1), chart) == has_moved
