"""Renders charts with Helm's own code: THE door to helm_python. The main of a worker process (runtime/workers.py).

One line of a template can abort Helm's runtime, with it the process, or never return (reliability §3.2): nothing but a
worker imports this.
"""

import base64
import json
import posixpath
from typing import Any

import helm_python
from helm_python import _native

from tidegate.adapters import chart_archive, chart_jobs, chart_manifests, chart_schemas, versions
from tidegate.adapters.bounds import ArchiveTooLarge
from tidegate.adapters.chart_archive import ChartFile
from tidegate.adapters.chart_jobs import Crd, JsonObject, Outcome, Problem, Refusal, Rendered, RenderRequest
from tidegate.adapters.chart_manifests import InvalidTemplate
from tidegate.adapters.chart_schemas import SchemaRefused
from tidegate.adapters.gzip_stream import InvalidArchive
from tidegate.adapters.versions import InvalidRange
from tidegate.runtime import worker_loop
from tidegate.runtime.errors import TidegateError

MAX_OUTPUT = 64 << 20
MAX_OBJECTS = 10_000
NEVER = "0001-01-01T00:00:00Z"
_NOTES = "NOTES.txt"
_MANIFEST_EXTENSIONS = (".yaml", ".yml", ".json")
_CHART_ERRORS = (helm_python.HelmChartLoadError, helm_python.HelmChartInvalidError)


class IncompatibleCluster(TidegateError):
    """The chart is not made for the cluster's version of Kubernetes."""


def work(job: bytes) -> bytes:
    """The encoded outcome of an encoded request."""
    return chart_jobs.encode(outcome(chart_jobs.decode_request(job)))


def outcome(request: RenderRequest) -> Outcome:
    """What rendering comes to, whatever the chart is."""
    try:
        return render(request)
    except (InvalidArchive, ArchiveTooLarge, IncompatibleCluster, *_CHART_ERRORS) as error:
        return Refusal(problem=Problem.CHART, message=_text(error))
    except (SchemaRefused, helm_python.HelmValuesError) as error:
        return Refusal(problem=Problem.VALUES, message=_text(error))
    except OutputTooLarge as error:
        return Refusal(problem=Problem.LIMIT, message=_text(error))
    except (InvalidTemplate, helm_python.HelmError) as error:
        return Refusal(problem=Problem.TEMPLATE, message=_text(error))


class OutputTooLarge(TidegateError):
    """The templates gave more than a bound allows."""


def render(request: RenderRequest) -> Rendered:
    """Raises: any of Helm's errors and of ours."""
    files = chart_archive.read(request.chart)
    if not request.skip_schema:
        for _, part in chart_archive.charts(files):
            for schema in (file for file in part if file.name == chart_archive.SCHEMA):
                chart_schemas.require_self_contained(schema.data)
    archive = chart_archive.without_schemas(request.chart) if request.skip_schema else request.chart
    chart = helm_python.Chart.load_archive(archive)
    _require_compatible(chart.metadata, request.kube_version)
    rendered = _templates(chart, request)
    notes = rendered.get(posixpath.join(chart.name, "templates", _NOTES), "")
    manifest, hooks = chart_manifests.sort({path: text for path, text in rendered.items() if not path.endswith(_NOTES)})
    if manifest.count("\n# Source: ") + len(hooks) > MAX_OBJECTS:
        raise OutputTooLarge(f"more than {MAX_OBJECTS} objects rendered")
    # Rendering has changed the chart, as inside of Helm: disabled subcharts are gone, imported values are there.
    crds = [Crd(name=crd["filename"], text=crd["data"]) for crd in chart.crds]
    return Rendered(manifest=manifest, hooks=hooks, notes=notes, crds=crds, chart=_record(chart, files))


def _templates(chart: helm_python.Chart, request: RenderRequest) -> dict[str, str]:
    options = {
        "name": request.release_name,
        "namespace": request.namespace,
        "revision": request.revision,
        "is_install": not request.is_upgrade,
        "is_upgrade": request.is_upgrade,
        "kube_version": request.kube_version,
        "api_versions": request.api_versions,
    }
    text = _native.call_string("helm_render", chart._raw(), json.dumps(request.values), json.dumps(options))  # noqa: SLF001
    if len(text) > MAX_OUTPUT:
        raise OutputTooLarge(f"more than {MAX_OUTPUT >> 20} MiB rendered")
    rendered: dict[str, str] = json.loads(text)
    return rendered


def _require_compatible(metadata: JsonObject, kube_version: str) -> None:
    """As Helm checks it on install and upgrade. Raises: IncompatibleCluster."""
    wanted = metadata.get("kubeVersion")
    if not wanted:
        return
    version = versions.parse_version(kube_version)
    try:
        fits = version is not None and versions.parse_range(wanted).has(version)
    except InvalidRange:
        fits = False
    if not fits:
        text = f"chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {kube_version}"
        raise IncompatibleCluster(text)


def _record(chart: helm_python.Chart, files: list[ChartFile]) -> JsonObject:
    """The chart as a release record holds it, its fields in the order of Helm's struct."""
    named = {file.name: file for file in files}
    schema = named.get(chart_archive.SCHEMA)
    templates = [_file(file) for file in files if file.name.startswith("templates/")]
    others = [_file(file) for file in files if _is_other(file.name)]
    return {
        "metadata": chart.metadata,
        "lock": _lock(named.get("Chart.lock") or named.get("requirements.lock")),
        "templates": templates or None,
        "values": chart.values,
        "schema": base64.b64encode(schema.data).decode() if schema is not None else None,
        "schemamodtime": schema.modified if schema is not None else NEVER,
        "files": others or None,
        "modtime": named[chart_archive.CHART_FILE].modified,
    }


def _file(file: ChartFile) -> JsonObject:
    return {"name": file.name, "data": base64.b64encode(file.data).decode(), "modtime": file.modified}


def _is_other(name: str) -> bool:
    if name.startswith("charts/"):
        return name.endswith(".prov")
    special = (chart_archive.CHART_FILE, "Chart.lock", "values.yaml", chart_archive.SCHEMA)
    return name not in special and not name.startswith("templates/")


def _lock(file: ChartFile | None) -> JsonObject | None:
    if file is None:
        return None
    found = helm_python.values_from_yaml(file.data.decode("utf-8", "replace"))
    dependencies = found.get("dependencies") or None
    return {
        "generated": found.get("generated", NEVER),
        "digest": found.get("digest", ""),
        "dependencies": [_dependency(item) for item in dependencies] if dependencies else None,
    }


def _dependency(item: JsonObject) -> JsonObject:
    """In the order of Helm's struct, which leaves out whatever is empty but the name and the repository."""
    optional = ("condition", "tags", "enabled", "import-values", "alias")
    head = {"name": item.get("name", ""), **{key: item[key] for key in ("version",) if item.get(key)}}
    return {**head, "repository": item.get("repository", ""), **{key: item[key] for key in optional if item.get(key)}}


def _text(error: Exception) -> str:
    text: Any = getattr(error, "message", None) or str(error)
    return str(text)


if __name__ == "__main__":
    worker_loop.serve(work)
