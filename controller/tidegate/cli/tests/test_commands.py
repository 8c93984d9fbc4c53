"""The command line: what it answers, how it fails, and that our own manifests speak its language."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import tidegate
from tidegate.cli import commands, controllers
from tidegate.runtime import logs

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def _log_elsewhere_afterwards() -> Iterator[None]:
    """A command sends logs to the stderr of its test, which is closed when the next one begins."""
    yield
    logs.configure(stream=sys.__stderr__)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]):
    assert commands.run([]) == commands.OK
    assert all(f"tidegate {name}" in capsys.readouterr().out for name in ["run"])


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]):
    assert commands.run(["version"]) == commands.OK
    assert capsys.readouterr().out == f"tidegate v{tidegate.__version__}\n"


@pytest.mark.parametrize(
    ("argv", "cause"),
    [
        pytest.param(["sail"], "unknown command 'sail'", id="command"),
        pytest.param(["run", "--fast"], "unrecognized arguments: --fast", id="flag"),
        pytest.param(["run", "--log-level=loud"], "--log-level must be", id="value"),
        pytest.param(
            ["source-controller", "--concurrent-ssa=4"], "unrecognized arguments", id="another program's flag"
        ),
        pytest.param(["run", "--requeue-dependency=soon"], "invalid duration 'soon'", id="duration"),
    ],
)
def test_a_mistake_in_the_arguments_is_told_and_exits_with_2(
    argv: list[str], cause: str, capsys: pytest.CaptureFixture[str]
):
    assert commands.run(argv) == commands.USAGE
    assert cause in capsys.readouterr().err


def test_without_a_cluster_it_says_so_and_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(variable, raising=False)

    assert commands.run(["kustomize-controller"]) == commands.FAILURE
    assert "no kubeconfig is given (KUBECONFIG)" in capsys.readouterr().err


@pytest.mark.parametrize("program", ["source-controller", "kustomize-controller", "helm-controller"])
def test_our_deployments_start_the_program_with_flags_that_it_has(program: str):
    manifest = yaml.safe_load((ROOT / f"config/manager/{program}/deployment.yaml").read_text())
    (container,) = manifest["spec"]["template"]["spec"]["containers"]

    assert container["command"] == ["tidegate", program]
    assert controllers.parse(program, container["args"]).enable_leader_election is True


@pytest.mark.parametrize(
    "args",
    [
        # As go run'ed by Flux's own end-to-end scripts.
        [
            "--storage-path=/tmp/s",
            "--storage-addr=:9090",
            "--storage-adv-addr=localhost:9090",
            "--events-addr=http://x/",
        ],
        ["--log-level", "debug", "--log-encoding", "console", "--concurrent", "20", "--kube-api-qps=500"],
        ["--requeue-dependency=5s", "--min-retry-delay=1s", "--max-retry-delay=1h", "--interval-jitter-percentage=0"],
        [
            "--watch-all-namespaces=false",
            "--watch-label-selector=sharding.fluxcd.io/key=a",
            "--leader-election-retry-period=2s",
        ],
        # As patched into installations, after Flux's documentation.
        ["--helm-cache-max-size=10", "--helm-cache-ttl=60m", "--helm-cache-purge-interval=5m"],
        ["--helm-index-max-size", "104857600", "--helm-chart-max-size=1", "--token-cache-max-size=0"],
    ],
)
def test_what_starts_fluxs_controllers_starts_ours(args: list[str]):
    assert controllers.parse("source-controller", args)


def test_what_starts_fluxs_helm_controller_starts_ours():
    args = ["--oom-watch-memory-threshold=95", "--oom-watch-interval=500ms", "--graceful-shutdown-timeout=600s"]
    assert controllers.parse("helm-controller", [*args, "--http-timeout=30s", "--feature-gates=OOMWatch=true"])


def test_help_says_which_flags_have_no_effect(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        commands.run(["source-controller", "--help"])
    assert "accepted for compatibility: the bound is 256 MiB" in " ".join(capsys.readouterr().out.split())
