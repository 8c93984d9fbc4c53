"""The whole way through a worker process, with Helm's own code in it."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from tidegate.adapters.chart_jobs import RenderRequest
from tidegate.adapters.chart_renderer import (
    ChartInvalid,
    Renderer,
    RenderError,
    RenderLimit,
    TemplateFailed,
    ValuesInvalid,
)
from tidegate.adapters.tests.charts import CHART, a_chart
from tidegate.runtime.workers import WorkerLimits

CONFIG_MAP = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  a: {{ .Values.a | quote }}
"""
FAIL = '{{ fail "no" }}'
ENDLESS = "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"
SCHEMA = json.dumps({"type": "object", "properties": {"a": {"type": "integer"}}})


@pytest_asyncio.fixture
async def renderer() -> AsyncIterator[Renderer]:
    async with Renderer() as started:
        yield started


def a_request(chart: bytes, **fields: Any) -> RenderRequest:
    known: dict[str, Any] = {
        "release_name": "rel",
        "namespace": "apps",
        "revision": 1,
        "is_upgrade": False,
        "values": {},
        "kube_version": "v1.37.2",
        "api_versions": ("v1", "apps/v1"),
        "skip_schema": False,
    }
    return RenderRequest(chart=chart, **known | fields)


async def test_a_chart_gives_what_helm_would_store(renderer: Renderer) -> None:
    files: dict[str, str | bytes] = {
        "values.yaml": "a: 1\n",
        "templates/map.yaml": CONFIG_MAP,
        "templates/NOTES.txt": "In {{ .Release.Namespace }}.",
        "crds/x.yaml": "kind: CustomResourceDefinition\n",
        "logo.png": b"\x89\xff",
    }
    rendered = await renderer.render(a_request(a_chart(files), values={"a": 2}))

    text = CONFIG_MAP.replace("{{ .Release.Name }}", "rel").replace("{{ .Values.a | quote }}", '"2"')
    assert rendered.manifest == f"---\n# Source: app/templates/map.yaml\n{text}\n"
    assert (rendered.notes, rendered.hooks, [crd.name for crd in rendered.crds]) == (
        "In apps.",
        [],
        ["app/crds/x.yaml"],
    )
    assert list(rendered.chart) == [
        *("metadata", "lock", "templates", "values", "schema", "schemamodtime", "files", "modtime")
    ]
    assert (rendered.chart["values"], rendered.chart["schema"]) == ({"a": 1}, None)
    assert [file["name"] for file in rendered.chart["files"]] == ["crds/x.yaml", "logo.png"]
    assert rendered.chart["files"][1]["data"] == "if8="


async def test_templates_see_the_release_and_the_cluster(renderer: Renderer) -> None:
    text = (
        "a: {{ .Release.IsUpgrade }} {{ .Release.Revision }} {{ .Capabilities.KubeVersion.Version }} "
        '{{ .Capabilities.APIVersions.Has "example.com/v7" }}'
    )
    request = a_request(
        a_chart({"templates/a.yaml": text}), is_upgrade=True, revision=7, api_versions=("example.com/v7",)
    )

    assert "a: true 7 v1.37.2 true" in (await renderer.render(request)).manifest


async def test_a_disabled_subchart_leaves_no_trace(renderer: Renderer) -> None:
    chart = f"{CHART}dependencies:\n- name: sub\n  version: 1.0.0\n  repository: ''\n  condition: sub.enabled\n"
    sub = {
        "charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
        "charts/sub/templates/a.yaml": CONFIG_MAP,
        "charts/sub/crds/b.yaml": "kind: CustomResourceDefinition\n",
    }
    rendered = await renderer.render(a_request(a_chart(sub, chart=chart), values={"sub": {"enabled": False}}))

    assert (rendered.manifest, rendered.crds, rendered.chart["metadata"].get("dependencies")) == ("", [], None)


async def test_values_that_break_the_schema_are_refused_unless_told_otherwise(renderer: Renderer) -> None:
    chart = a_chart({"values.schema.json": SCHEMA, "templates/map.yaml": CONFIG_MAP})

    with pytest.raises(ValuesInvalid, match="at '/a': got string, want integer"):
        await renderer.render(a_request(chart, values={"a": "x"}))
    rendered = await renderer.render(a_request(chart, values={"a": "x"}, skip_schema=True))
    assert 'a: "x"' in rendered.manifest
    assert rendered.chart["schema"] is not None


async def test_h9_a_schema_that_leads_outside_is_never_followed(renderer: Renderer) -> None:
    sub = {"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n"}
    schema = json.dumps({"$ref": "file:///etc/passwd"})

    for name in ("values.schema.json", "charts/sub/values.schema.json"):
        with pytest.raises(ValuesInvalid, match=r"external \$ref"):
            await renderer.render(a_request(a_chart({**sub, name: schema})))


@pytest.mark.parametrize(
    ("chart", "error", "reason"),
    [
        pytest.param(a_chart(chart=""), ChartInvalid, "chart.metadata", id="empty-chart-file"),
        pytest.param(a_chart({"values.yaml": "[1]"}), ChartInvalid, "cannot load values.yaml", id="list-of-values"),
        pytest.param(b"no chart", ChartInvalid, "not a gzip archive", id="no-archive"),
        pytest.param(a_chart(chart=f"{CHART}kubeVersion: '<1.20'\n"), ChartInvalid, "incompatible", id="kube-version"),
        pytest.param(a_chart({"templates/a.yaml": FAIL}), TemplateFailed, "app/templates/a.yaml", id="fail"),
        pytest.param(a_chart({"templates/a.yaml": "{{ .Values.a.b.c }}"}), TemplateFailed, "nil pointer", id="nil"),
        pytest.param(a_chart({"templates/a.yaml": "a: ["}), TemplateFailed, "YAML parse error", id="no-yaml"),
    ],
)
async def test_h7_a_chart_that_cannot_be_rendered_says_why(
    renderer: Renderer, chart: bytes, error: type[RenderError], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        await renderer.render(a_request(chart))


async def test_h7_templates_of_comments_alone_are_no_fault(renderer: Renderer) -> None:
    assert "# nothing" in (await renderer.render(a_request(a_chart({"templates/a.yaml": "# nothing\n"})))).manifest


@pytest.mark.parametrize(
    ("template", "seconds", "reason"),
    [
        pytest.param(ENDLESS, 0.5, "longer than 0.5s", id="endless"),
        pytest.param("{{ until 2000000000 | len }}", 20, "rendering crashed", id="crash"),
        pytest.param('{{ repeat 100000000 "a" }}', 20, "rendered|crashed", id="output"),
    ],
)
async def test_h10_a_hostile_template_costs_its_own_render_alone(template: str, seconds: float, reason: str) -> None:
    limits = WorkerLimits(memory=512 << 20)
    async with Renderer(limits, within=timedelta(seconds=seconds)) as renderer:
        with pytest.raises(RenderLimit, match=reason):
            await renderer.render(a_request(a_chart({"templates/a.yaml": f"a: {template}"})))
    async with Renderer(limits) as renderer:
        assert "name: rel" in (await renderer.render(a_request(a_chart({"templates/map.yaml": CONFIG_MAP})))).manifest
