from pathlib import Path

import pytest

from hack import generated, rbac

FILES = {"same.yaml": "a", "changed.yaml": "new", "missing.yaml": "b"}


def test_files_that_differ_are_missing_or_left_over_are_stale(tmp_path: Path) -> None:
    present = {"same.yaml": "a", "changed.yaml": "old", "left-over.yaml": "c", "kustomization.yaml": "d"}
    for name, text in present.items():
        (tmp_path / name).write_text(text)

    assert generated.stale(tmp_path, FILES) == ["changed.yaml", "left-over.yaml", "missing.yaml"]


def test_check_reports_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["crds", "--check"])

    assert (generated.main(tmp_path, FILES), list(tmp_path.iterdir())) == (1, [])


def test_what_was_written_is_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "left-over.yaml").write_text("c")
    monkeypatch.setattr("sys.argv", ["crds"])

    assert generated.main(tmp_path, FILES) == 0
    assert generated.stale(tmp_path, FILES) == []


def test_rbac_files_are_up_to_date() -> None:
    assert generated.stale(rbac.FOLDER, rbac.files()) == []
