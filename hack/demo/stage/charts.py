"""The charts of the demo and the files of the repository that release them. Pure: path -> content.

appa        built by a pipeline: its Chart.yaml and values.yaml have tokens, `#{Build.BuildNumber}#`
appb        somebody else's, from a chart repository
releases/   a namespace, two HelmRepositories, one HelmRelease a file
"""

from collections.abc import Mapping
from typing import Any

import yaml

from hack.demo.stage.manifests import IMAGES, Files
from hack.testbed.charts import Chart

NAMESPACE = "production"
COMPANY, COMMUNITY = "company", "community"
NUMBER, COMMIT = "Build.BuildNumber", "Build.SourceVersion"
VALUES = """replicas: 2
greeting: hello
migration:
  exitCode: 0
"""
CHART_YAML = """apiVersion: v2
name: {name}
description: What the demo releases
version: {version}
appVersion: "{version}"
annotations:
  commit: "{commit}"
"""
SCHEMA = """{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {"replicas": {"type": "integer", "minimum": 1}, "greeting": {"type": "string"}}
}
"""
DEPLOYMENT = f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{{{ .Release.Name }}}}
spec:
  replicas: {{{{ .Values.replicas }}}}
  selector:
    matchLabels:
      app: {{{{ .Release.Name }}}}
  template:
    metadata:
      labels:
        app: {{{{ .Release.Name }}}}
    spec:
      containers:
        - name: app
          image: {IMAGES}/{{{{ .Chart.Name }}}}:{{{{ .Chart.AppVersion }}}}
          ports:
            - name: http
              containerPort: 8080
"""
SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector:
    app: {{ .Release.Name }}
  ports:
    - port: 80
      targetPort: http
"""
CONFIG = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  greeting: {{ .Values.greeting | quote }}
"""
HOOK = """apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-NAME
  annotations:
    helm.sh/hook: EVENTS
    helm.sh/hook-weight: "WEIGHT"
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: NAME
          image: registry.example.com/shop/tools
          command: [sh, -c, "exit CODE"]
"""
BEFORE, AFTER = "pre-install,pre-upgrade", "post-install,post-upgrade"
NOTES = "{{ .Release.Name }} {{ .Chart.Version }} says {{ .Values.greeting }}.\n"


def application(name: str) -> Files:
    """A chart's folder as it lies in its application's repository: with tokens."""
    head = CHART_YAML.format(name=name, version=_token(NUMBER), commit=_token(COMMIT))
    return {"Chart.yaml": head, "values.yaml": VALUES, "values.schema.json": SCHEMA, **_templates()}


def community(name: str, version: str) -> Chart:
    """A chart that somebody else has built."""
    templates = {path.removeprefix("templates/"): text for path, text in _templates().items()}
    return Chart(name, version, "", templates, {"values.yaml": VALUES})


def repositories(registry: str, http: str) -> Files:
    """Where charts come from, and where releases go."""
    company = {"type": "oci", "url": registry, "insecure": True, "interval": "10m"}
    return {
        "releases/namespace.yaml": _file("v1", "Namespace", NAMESPACE),
        "releases/company.yaml": _source(COMPANY, company),
        "releases/community.yaml": _source(COMMUNITY, {"url": http, "interval": "10m"}),
    }


def release(name: str, version: str, source: str, values: Mapping[str, Any] | None = None) -> Files:
    """`releases/<name>.yaml`."""
    chart = {"chart": name, "version": version, "sourceRef": {"kind": "HelmRepository", "name": source}}
    spec: dict[str, Any] = {"interval": "10m", "timeout": "1m", "chart": {"spec": chart}}
    if values:
        spec["values"] = dict(values)
    return {path(name): _file("helm.toolkit.fluxcd.io/v2", "HelmRelease", name, NAMESPACE, spec)}


def path(name: str) -> str:
    """The file of a release."""
    return f"releases/{name}.yaml"


def _templates() -> Files:
    hooks = {
        "check": _hook("check", BEFORE, -5),
        "migrate": _hook("migrate", BEFORE, 0, "{{ .Values.migration.exitCode }}"),
        "announce": _hook("announce", AFTER, 5),
    }
    files = {"deployment": DEPLOYMENT, "service": SERVICE, "config": CONFIG, **hooks}
    return {f"templates/{name}.yaml": text for name, text in files.items()} | {"templates/NOTES.txt": NOTES}


def _hook(name: str, events: str, weight: int, code: str = "0") -> str:
    text = HOOK.replace("NAME", name).replace("EVENTS", events)
    return text.replace("WEIGHT", str(weight)).replace("CODE", code)


def _token(name: str) -> str:
    return f"#{{{name}}}#"


def _source(name: str, spec: dict[str, Any]) -> str:
    return _file("source.toolkit.fluxcd.io/v1", "HelmRepository", name, NAMESPACE, spec)


def _file(version: str, kind: str, name: str, namespace: str = "", spec: dict[str, Any] | None = None) -> str:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    found = {"apiVersion": version, "kind": kind, "metadata": metadata, **({"spec": spec} if spec else {})}
    return yaml.safe_dump(found, sort_keys=False)
