"""The programs that ours are compared with do their own work on this ground: helm, flux, the registry."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from hack.controlplane.cluster import ControlPlane
from hack.testbed import charts
from hack.testbed.charts import Chart
from hack.testbed.helm import Helm, HelmFailed
from hack.testbed.pipeline import Pipeline
from hack.testbed.registry import LOGIN, Registry

CHART = """\
apiVersion: v2
name: app
version: 1.2.3
"""
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-test
  annotations: {"helm.sh/hook": test}
spec:
  restartPolicy: Never
  containers:
    - {name: main, image: example/app:1, command: [sh, -c, "exit {{ .Values.code }}"]}
"""


async def run(*words: object, kubeconfig: Path | None = None) -> tuple[int, str]:
    """Exit code and output, in a thread: servers run in this loop."""
    argv = [str(word) for word in words]
    env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    done = await asyncio.to_thread(subprocess.run, argv, env=env, capture_output=True, check=False, timeout=50)
    return done.returncode, (done.stdout + done.stderr).decode()


def a_chart(directory: Path) -> Path:
    (directory / "templates").mkdir(parents=True)
    (directory / "Chart.yaml").write_text(CHART)
    (directory / "values.yaml").write_text("code: 0\n")
    (directory / "templates" / "test.yaml").write_text(POD)
    return directory


async def test_a_helm_test_ends_as_its_pod_does(own_control_plane: ControlPlane, helm: Path, tmp_path: Path) -> None:
    chart = a_chart(tmp_path / "app")
    codes = {}
    for name, code in (("good", 0), ("bad", 3)):
        await run(helm, "install", name, chart, f"--set=code={code}", kubeconfig=own_control_plane.admin)
        codes[name], _ = await run(helm, "test", name, "--timeout=20s", kubeconfig=own_control_plane.admin)

    assert codes == {"good": 0, "bad": 1}


TOKENS = {
    "Chart.yaml": "apiVersion: v2\nname: app\nversion: #{build.number}#\n",
    "values.yaml": "image:\n  tag: '#{image.tag}#'\n",
}


async def test_a_pipeline_fills_a_chart_and_pushes_it_to_the_registry(
    registry: Registry, helm_cli: Helm, tmp_path: Path
) -> None:
    pipeline = Pipeline(helm_cli, registry.charts, tmp_path)
    released = await pipeline.run(TOKENS, {"build.number": "158.0.0", "image.tag": "a1b2"})
    shown = await helm_cli("show", "values", f"{registry.charts}/app", "--version=158.0.0", "--plain-http")

    assert released.digest.startswith("sha256:")
    assert "tag: 'a1b2'" in shown


@pytest.mark.builds("registry")
async def test_a_registry_with_a_login_takes_charts_from_nobody_else(helm_cli: Helm, tmp_path: Path) -> None:
    archive = charts.write(Chart("app", "1.0.0"), tmp_path)
    login = [f"--username={LOGIN[0]}", f"--password={LOGIN[1]}"]
    async with Registry(tmp_path / "registry", login=True) as server:
        with pytest.raises(HelmFailed, match=r"401|unauthorized|basic"):
            await helm_cli("push", str(archive), server.charts, "--plain-http")
        await helm_cli("push", str(archive), server.charts, "--plain-http", *login)
        shown = await helm_cli("show", "chart", f"{server.charts}/app", "--version=1.0.0", "--plain-http", *login)

    assert "name: app" in shown


async def test_flux_accepts_the_cluster(own_control_plane: ControlPlane, flux: Path) -> None:
    code, said = await run(flux, "check", "--pre", kubeconfig=own_control_plane.admin)

    assert code == 0, said
