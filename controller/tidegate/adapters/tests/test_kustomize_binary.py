"""The process that Kustomize runs in is bounded, blind, and never left behind."""

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tidegate.adapters import kustomize
from tidegate.adapters.kustomize import KustomizeError

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def a_directory(root: Path, manifest: str = CONFIG_MAP, kustomization: str = "resources: [a.yaml]") -> Path:
    directory = root / "apps"
    directory.mkdir()
    (directory / "a.yaml").write_text(manifest)
    (directory / "kustomization.yaml").write_text(kustomization)
    return directory


def a_bomb() -> str:
    levels = [f"a{i}: &a{i} [{','.join([f'*a{i - 1}' if i else 'x'] * 10)}]" for i in range(9)]
    return CONFIG_MAP + "\n".join(levels)


def kubectl_processes() -> list[str]:
    """Children of this process, of whichever thread, that run kubectl."""
    children = "".join(path.read_text() for path in Path("/proc/self/task").glob("*/children")).split()
    return [child for child in children if "kubectl" in Path(f"/proc/{child}/comm").read_text()]


async def test_documents_are_returned_as_they_are(tmp_path: Path) -> None:
    output = await kustomize.build(a_directory(tmp_path), root=tmp_path)

    assert output == b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"


async def test_a_failure_is_told_without_the_place_of_the_artifact(tmp_path: Path) -> None:
    directory = a_directory(tmp_path, kustomization="bases: []\nresources: [missing.yaml]")

    with pytest.raises(KustomizeError) as caught:
        await kustomize.build(directory, root=tmp_path)
    assert str(caught.value).startswith(
        "accumulating resources: accumulation err='accumulating resources from 'missing.yaml'"
    )
    assert "open apps/missing.yaml" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert "deprecated" not in str(caught.value)


async def test_a_message_is_bounded_and_clean(tmp_path: Path) -> None:
    directory = a_directory(tmp_path, kustomization=f'resources: ["\\e[31m{"x" * 20_000}"]')

    with pytest.raises(KustomizeError) as caught:
        await kustomize.build(directory, root=tmp_path)
    assert len(str(caught.value)) <= kustomize.MAX_MESSAGE + 1
    assert "\x1b" not in str(caught.value)


async def test_too_much_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kustomize, "MAX_MEMORY", 200 << 20)

    with pytest.raises(KustomizeError, match="more than 200 MiB of memory needed"):
        await kustomize.build(a_directory(tmp_path, a_bomb()), root=tmp_path, within=timedelta(seconds=40))
    assert not kubectl_processes()


async def test_too_much_time_is_refused_and_the_process_is_gone(tmp_path: Path) -> None:
    started = time.monotonic()

    with pytest.raises(KustomizeError, match=r"no result within 0.2s"):
        await kustomize.build(a_directory(tmp_path, a_bomb()), root=tmp_path, within=timedelta(seconds=0.2))
    assert time.monotonic() - started < 5
    assert not kubectl_processes()


async def test_p9_cancelling_ends_the_process_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "tmp"
    home.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(home))
    before = len(os.listdir("/proc/self/fd"))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await kustomize.build(a_directory(tmp_path, a_bomb()), root=tmp_path)
    assert not kubectl_processes()
    assert not list(home.iterdir())
    assert len(os.listdir("/proc/self/fd")) <= before + 2


async def test_too_much_output_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kustomize, "MAX_OUTPUT", 20)

    with pytest.raises(KustomizeError, match="of manifests"):
        await kustomize.build(a_directory(tmp_path), root=tmp_path)


async def test_k4_no_git_is_found_and_no_proxy_leads_out(tmp_path: Path) -> None:
    for base in ("https://203.0.113.1/x.yaml", "github.com/o/r"):
        (tmp_path / base[:5]).mkdir(parents=True)
        directory = a_directory(tmp_path / base[:5], kustomization=f"resources: ['{base}']")

        with pytest.raises(KustomizeError, match=r"127\.0\.0\.1:9|no 'git' program on path"):
            await kustomize.build(directory, root=tmp_path)


async def test_k7_shell_text_is_inert(tmp_path: Path) -> None:
    root = tmp_path / "$(touch x); `id`"
    root.mkdir()

    assert b"name: a" in await kustomize.build(a_directory(root), root=root)


def test_a_crash_is_told_without_its_traces(tmp_path: Path) -> None:
    trace = b"SIGSEGV: segmentation violation\nPC=0x43783d m=0 sigcode=1 addr=0x0\ngoroutine 0 [idle]:\n"

    assert "0x" not in kustomize.message_of(trace, tmp_path)
    assert kustomize.message_of(trace, tmp_path).startswith("kustomize crashed: more than 1024 MiB of memory needed")
