"""Artifacts on disk: whole or not at all, verified, collected; paths are input."""

import hashlib
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tidegate.source.storage import TEMPORARY, Retention, Storage, StorageError
from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.objects import ObjectKey

KEY = ObjectKey("flux-system", "app")


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = Storage(tmp_path / "data", "source-controller.flux-system.svc.cluster.local.")
    made.prepare()
    return made


def publish(storage: Storage, name: str = "one.tar.gz", content: bytes = b"content") -> Artifact:
    with storage.staging("GitRepository", KEY, name) as staged:
        staged.file.write_bytes(content)
        return storage.publish(staged, "main@sha1:1", "sha256:" + hashlib.sha256(content).hexdigest())


def test_a_published_artifact_is_described_by_the_bytes_on_disk(storage: Storage):
    artifact = publish(storage)

    assert artifact.digest == "sha256:" + hashlib.sha256(b"content").hexdigest()
    assert artifact.path == "gitrepository/flux-system/app/one.tar.gz"
    assert artifact.url == f"http://source-controller.flux-system.svc.cluster.local./{artifact.path}"
    assert (artifact.size, (storage.root / artifact.path).read_bytes()) == (7, b"content")
    assert storage.holds(artifact)


def test_f19_a_write_that_is_not_finished_leaves_the_old_file_and_no_other(storage: Storage):
    artifact = publish(storage)

    with storage.staging("GitRepository", KEY, "one.tar.gz") as staged:
        staged.file.write_bytes(b"half")

    assert storage.holds(artifact)
    assert os.listdir(storage.root / "gitrepository/flux-system/app") == ["one.tar.gz"]


def test_f19_leftovers_of_an_earlier_life_are_swept_at_start(storage: Storage):
    artifact = publish(storage)
    leftover = (storage.root / artifact.path).with_name(f"{TEMPORARY}x")
    leftover.write_bytes(b"half")

    storage.prepare()

    assert not leftover.exists()
    assert storage.holds(artifact)


def test_f28_a_damaged_file_is_found_at_start_and_removed(storage: Storage):
    artifact = publish(storage)
    (storage.root / artifact.path).write_bytes(b"c0ntent")

    assert not Storage(storage.root, "host").holds(artifact)
    assert not (storage.root / artifact.path).exists()


def test_a_missing_file_is_not_held(storage: Storage):
    artifact = publish(storage)
    (storage.root / artifact.path).unlink()

    assert not storage.holds(artifact)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a/b/c",
        "a/b/c/d/e",
        "../../etc/passwd",
        "a/b/../d",
        "a/b/c/..",
        "/a/b/c",
        "a/b/c/.hidden",
        "a//b/c",
        "a/b/c/d\\e",
    ],
)
def test_f46_n11_paths_that_name_no_artifact_are_refused(storage: Storage, path: str):
    with pytest.raises(StorageError):
        storage.locate(path)


def test_superseded_artifacts_go_by_age_and_number(tmp_path: Path):
    storage = Storage(tmp_path, "host", retention=Retention(ttl=timedelta(minutes=1), records=2))
    old, recent, newer, current = (publish(storage, f"{name}.tar.gz") for name in ("old", "recent", "newer", "current"))
    for artifact, age in ((old, 90), (recent, 30), (newer, 10)):
        os.utime(tmp_path / artifact.path, (time.time() - age,) * 2)

    assert sorted(storage.collect(current)) == ["old.tar.gz", "recent.tar.gz"]
    assert storage.holds(newer)
    assert storage.holds(current)


def test_an_object_takes_all_its_files_with_it(storage: Storage):
    artifact = publish(storage)

    assert storage.remove_all("GitRepository", KEY) == 1
    assert not storage.holds(artifact)


def test_an_unknown_digest_algorithm_is_refused(tmp_path: Path):
    with pytest.raises(StorageError, match="unsupported digest algorithm 'md5'"):
        Storage(tmp_path, "host", "md5")
