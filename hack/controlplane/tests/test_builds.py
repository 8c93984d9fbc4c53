"""The cache, with a go command that only pretends to compile."""

import threading
from pathlib import Path

import pytest

from hack.controlplane import builds, catalogue, progress

FAKE_GO = """#!/bin/sh
case "$1" in
env) echo go1.26.0 ;;
build)
    echo "$GOTOOLCHAIN $CGO_ENABLED" >> {log}
    sleep 0.05
    if [ -e {log}.fail ]; then echo "undefined: x"; exit 1; fi
    while [ "$1" != -o ]; do shift; done
    printf '#!/bin/sh\\n' > "$2"
    chmod +x "$2" ;;
esac
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO.format(log=tmp_path / "built"))
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "cache" / "tidegate"


def built(cache: Path) -> list[str]:
    return (cache.parent.parent / "built").read_text().splitlines()


def test_a_program_is_built_once(cache: Path) -> None:
    first = builds.path("etcd")
    second = builds.path("etcd")

    assert first == second == cache / catalogue.BY_NAME["etcd"].build_name / "etcd"
    assert built(cache) == ["local 0"]


def test_two_that_want_the_same_build_share_it(cache: Path) -> None:
    threads = [threading.Thread(target=builds.path, args=("etcd",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(built(cache)) == 1


def test_a_failed_build_tells_what_go_said_and_leaves_nothing(cache: Path) -> None:
    (cache.parent.parent / "built.fail").touch()

    with pytest.raises(progress.CommandFailed, match="undefined: x"):
        builds.path("etcd")
    assert [entry.name for entry in cache.iterdir()] == [".lock"]


def test_what_a_killed_build_left_is_swept(cache: Path) -> None:
    unfinished = cache / ".etcd-abc" / "result"
    unfinished.mkdir(parents=True)

    builds.path("etcd")
    assert not unfinished.exists()


def test_kubebuilder_assets_go_before_the_cache(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    own = tmp_path / "assets" / "kube-apiserver"
    own.parent.mkdir()
    own.touch(mode=0o755)

    assert builds.path("kube-apiserver") == own
    assert builds.missing(["etcd", "kube-apiserver"]) == ["etcd"]
    assert not cache.exists()
