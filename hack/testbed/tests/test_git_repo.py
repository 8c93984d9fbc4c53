"""What a test does to a repository is what git then finds in it."""

from pathlib import Path

import pytest

from hack.testbed.git_repo import EXECUTABLE, SUBMODULE, SYMLINK, GitFailed, GitRepo


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo(tmp_path / "repo.git")


def paths(repo: GitRepo, revision: str = "main") -> list[str]:
    return repo.git("ls-tree", "-r", "--name-only", "-z", revision).split("\0")[:-1]


def test_a_commit_adds_changes_and_removes(repo: GitRepo) -> None:
    repo.commit({"a": "1", "dir/b": "1", "dir/c": "1"})
    repo.commit({"a": "2"}, remove=["dir"])

    assert paths(repo) == ["a"]
    assert repo.git("show", "main:a") == "2"
    assert repo.git("rev-list", "--count", "main").strip() == "2"


def test_equal_histories_have_equal_hashes(tmp_path: Path) -> None:
    hashes = [GitRepo(tmp_path / name).commit({"a": "1"}) for name in ("one", "two")]

    assert hashes[0] == hashes[1]


def test_names_and_content_are_kept_byte_for_byte(repo: GitRepo) -> None:
    repo.commit({'odd "name"\\ ü': b"\x00\xff\n"})

    assert paths(repo) == ['odd "name"\\ ü']
    assert repo.git("cat-file", "-s", 'main:odd "name"\\ ü').strip() == "3"


def test_modes_make_executables_links_and_submodules(repo: GitRepo) -> None:
    commit = repo.commit({"a": "1"})
    repo.commit(
        {"run": "#!", "link": "a", "sub": commit},
        modes={"run": EXECUTABLE, "link": SYMLINK, "sub": SUBMODULE},
    )

    modes = {line.split("\t")[1]: line[:6] for line in repo.git("ls-tree", "main").splitlines()}
    assert modes == {"a": "100644", "run": EXECUTABLE, "link": SYMLINK, "sub": SUBMODULE}


def test_a_rewrite_has_no_past(repo: GitRepo) -> None:
    old = repo.commit({"a": "1"})
    new = repo.rewrite({"b": "1"})

    assert repo.resolve("main") == new != old
    assert repo.git("rev-list", "--count", "main").strip() == "1"
    assert paths(repo) == ["b"]


def test_a_reset_goes_back(repo: GitRepo) -> None:
    old = repo.commit({"a": "1"})
    repo.commit({"a": "2"})

    assert repo.reset(old) == repo.resolve("main") == old


def test_branches_come_and_go(repo: GitRepo) -> None:
    first = repo.commit({"a": "1"})
    repo.create_branch("release/1.x")
    repo.commit({"a": "2"}, branch="release/1.x")
    repo.commit({"z": "1"}, branch="fresh")

    assert repo.resolve("main") == first
    assert paths(repo, "fresh") == ["z"]
    repo.delete_branch("fresh")
    assert repo.find("refs/heads/fresh") is None


def test_an_annotated_tag_is_an_object_and_a_lightweight_one_is_not(repo: GitRepo) -> None:
    commit = repo.commit({"a": "1"})

    assert repo.tag("v1") == commit
    assert repo.tag("v2", message="second") != commit == repo.resolve("v2^{commit}")


def test_a_tag_can_be_moved_and_deleted(repo: GitRepo) -> None:
    repo.commit({"a": "1"})
    repo.tag("v1", message="one")
    second = repo.commit({"a": "2"})

    repo.tag("v1")
    assert repo.resolve("v1") == second
    repo.delete_tag("v1")
    assert repo.find("v1") is None


def test_an_unknown_revision_is_an_error_that_says_so(repo: GitRepo) -> None:
    with pytest.raises(GitFailed, match="nothing"):
        repo.resolve("nothing")
