"""What is pinned and how it is linked."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from hack.controlplane import catalogue
from hack.controlplane.catalogue import Program


@pytest.mark.parametrize("program", catalogue.PROGRAMS, ids=lambda program: program.name)
def test_every_program_has_a_pinned_version_and_checksums(program: Program) -> None:
    assert program.version.startswith("v")
    assert (program.directory / "go.sum").read_text().count(f"{program.pinned} {program.version} h1:") == 1


def test_kubernetes_is_told_its_version() -> None:
    flags = catalogue.link_flags(catalogue.BY_NAME["kube-apiserver"])

    version = catalogue.BY_NAME["kube-apiserver"].version
    minor = version.split(".")[1]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion={version}" in flags
        assert f"-X {package}.gitMinor={minor}" in flags


def test_another_pin_gives_another_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    etcd = catalogue.BY_NAME["etcd"]
    before = etcd.build_name
    shutil.copytree(etcd.directory, tmp_path / "etcd")
    monkeypatch.setattr(catalogue, "MODULES", tmp_path)
    same = etcd.build_name
    with (tmp_path / "etcd" / "go.mod").open("a") as go_mod:
        go_mod.write("\nrequire example.com/other v1.0.0\n")

    assert same == before
    assert etcd.build_name != before


def test_other_flags_give_another_build() -> None:
    etcd = catalogue.BY_NAME["etcd"]

    assert dataclasses.replace(etcd, variables={"main.x": "1"}).build_name != etcd.build_name


@pytest.mark.parametrize(
    "text",
    ["require example.com/a v1.2.3\n", "require (\n\texample.com/a v1.2.3 // indirect\n)\n"],
    ids=["line", "block"],
)
def test_a_version_is_found_in_both_spellings(text: str) -> None:
    assert catalogue.pinned_version(text, "example.com/a") == "v1.2.3"


def test_an_unpinned_module_and_an_unknown_program_are_errors() -> None:
    with pytest.raises(LookupError, match=r"no version of example\.com/a$"):
        catalogue.pinned_version("require example.com/a/v2 v2.0.0\n", "example.com/a")
    with pytest.raises(LookupError, match="nix"):
        catalogue.select(["etcd", "nix"])
