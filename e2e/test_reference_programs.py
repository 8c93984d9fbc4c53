"""The programs that ours are compared with do their own work on this ground: helm, flux, the registry."""

import asyncio
import os
import subprocess
from pathlib import Path

from hack.controlplane.cluster import ControlPlane
from hack.testbed.registry import Registry

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


async def test_a_chart_goes_to_the_registry_and_comes_back(registry: Registry, helm: Path, tmp_path: Path) -> None:
    await run(helm, "package", a_chart(tmp_path / "app"), "--destination", tmp_path)
    charts = f"oci://{registry.host}/charts"
    _, pushed = await run(helm, "push", tmp_path / "app-1.2.3.tgz", charts, "--plain-http")
    _, shown = await run(helm, "show", "chart", f"{charts}/app", "--version=1.2.3", "--plain-http")

    assert "Pushed" in pushed
    assert "version: 1.2.3" in shown


async def test_flux_accepts_the_cluster(own_control_plane: ControlPlane, flux: Path) -> None:
    code, said = await run(flux, "check", "--pre", kubeconfig=own_control_plane.admin)

    assert code == 0, said
