"""The files and rules that a control plane is made of, without starting one."""

from pathlib import Path

import pytest
import re2
import yaml

from hack.controlplane import external, kubeconfig, ports, stages


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param("sh -c exit 3", "3", id="only"),
        pytest.param("sh -c echo no; exit 3", "3", id="last"),
        pytest.param("sh -c echo no;exit 3", "3", id="no-space"),
        pytest.param("sh -c wget x\nexit 17\n", "17", id="own-line"),
        pytest.param("exit 0", "0", id="zero"),
        pytest.param("sh -c test -f x || exit 1", None, id="only-if-not"),
        pytest.param("sh -c test -f x && exit 1", None, id="only-if"),
        pytest.param("sh -c if x; then exit 1; fi; echo fine", None, id="in-a-branch"),
        pytest.param("serve --on-exit 1 --port 80", None, id="an-argument"),
        pytest.param("sh -c echo exited 3", None, id="another-word"),
    ],
)
def test_an_exit_counts_when_it_is_the_last_and_unconditional_statement(script: str, code: str | None) -> None:
    found = re2.search(stages.LAST_EXIT.format(code="([0-9]+)"), script)

    assert (found[2] if found else None) == code


def test_a_kubeconfig_is_complete_in_itself_and_private(tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_text("certificate")
    file = kubeconfig.write(tmp_path / "config", server="https://127.0.0.1:1", token="secret", authority=authority)

    cluster = yaml.safe_load(file.read_text())["clusters"][0]["cluster"]
    assert cluster == {"server": "https://127.0.0.1:1", "certificate-authority-data": "Y2VydGlmaWNhdGU="}
    assert file.stat().st_mode & 0o777 == 0o600


def test_ports_are_different_and_out_of_the_kernels_range() -> None:
    found = ports.free(50)

    assert len(set(found)) == 50
    assert all(port in ports.CANDIDATES for port in found)


def test_another_cluster_is_used_only_when_our_own_variable_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = kubeconfig.write(tmp_path / "config", server="https://example.com", token="t", authority=None)
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.delenv(external.VARIABLE, raising=False)
    by_kubeconfig = external.find()
    monkeypatch.setenv(external.VARIABLE, str(file))
    by_our_own = external.find()

    assert by_kubeconfig is None
    assert by_our_own is not None
    assert by_our_own.server == "https://example.com"
