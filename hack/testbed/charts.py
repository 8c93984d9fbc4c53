"""Charts made in code, packed as `helm package` packs them: the same chart has the same bytes every time."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

APP_TEMPLATES = {
    "deployment.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels:
    app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels:
      app: {{ .Release.Name }}
  template:
    metadata:
      labels:
        app: {{ .Release.Name }}
    spec:
      containers:
        - name: app
          image: {{ .Values.image }}:{{ .Chart.AppVersion }}
""",
    "config.yaml": """
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  color: {{ required "color is required" .Values.color | quote }}
""",
    "service.yaml": """
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector:
    app: {{ .Release.Name }}
  ports:
    - port: 80
""",
    "hooks.yaml": """
{{- range $name, $hook := .Values.hooks }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $.Release.Name }}-{{ $name }}
  annotations:
    helm.sh/hook: {{ $hook.events }}
    helm.sh/hook-weight: {{ $hook.weight | default 0 | quote }}
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: hook
          image: registry.example.com/hooks
          command: [sh, -c, "exit {{ $hook.code | default 0 }}"]
{{- end }}
""",
    "NOTES.txt": "{{ .Release.Name }} {{ .Chart.Version }} is {{ .Values.color }}.\n",
}
APP_VALUES = """replicas: 2
image: registry.example.com/app
color: blue
hooks:
  migrate:
    events: pre-install,pre-upgrade
    weight: -5
  announce:
    events: post-install,post-upgrade
"""
APP_SCHEMA = """{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {"replicas": {"type": "integer", "minimum": 0}}
}
"""


@dataclass(frozen=True)
class Chart:
    """A chart of one version; `files` are beside its Chart.yaml, `templates` in the folder of that name."""

    name: str
    version: str
    app_version: str = ""
    templates: Mapping[str, str] = field(default_factory=lambda: APP_TEMPLATES)
    files: Mapping[str, str] = field(
        default_factory=lambda: {"values.yaml": APP_VALUES, "values.schema.json": APP_SCHEMA}
    )

    @property
    def file_name(self) -> str:
        """As `helm package` names it."""
        return f"{self.name}-{self.version}.tgz"

    def all_files(self) -> dict[str, str]:
        """Every file of the chart's folder, by its path in it."""
        head = f"apiVersion: v2\nname: {self.name}\nversion: {self.version}\n"
        head += f'appVersion: "{self.app_version or self.version}"\n'
        templates = {f"templates/{name}": text for name, text in self.templates.items()}
        return {"Chart.yaml": head, **self.files, **templates}


def package(chart: Chart) -> bytes:
    """The chart's archive."""
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as zipped, tarfile.open(None, "w", zipped) as tar:
        for name, text in chart.all_files().items():
            entry = tarfile.TarInfo(f"{chart.name}/{name}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return target.getvalue()


def digest(chart: Chart) -> str:
    """SHA-256 of the archive, in hex."""
    return hashlib.sha256(package(chart)).hexdigest()


def head_of(archive: bytes) -> dict[str, Any]:
    """What an archive's Chart.yaml says."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        entry = next(one for one in tar if one.name.count("/") == 1 and one.name.endswith("/Chart.yaml"))
        content = tar.extractfile(entry)
        assert content is not None
        found = yaml.safe_load(content.read())
    assert isinstance(found, dict)
    return found


def write(chart: Chart, directory: Path) -> Path:
    """The archive as a file of that directory."""
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / chart.file_name
    target.write_bytes(package(chart))
    return target


def unpack(files: Mapping[str, str], directory: Path) -> Path:
    """A chart's folder, as it lies in its repository."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory
