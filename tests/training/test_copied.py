"""A plain folder is copied for a run, named by what was copied, and that it changed since is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlops_dash.domain.retraining import Recipe
from mlops_dash.errors import InvalidInput
from mlops_dash.training import copied
from mlops_dash.training.contract import COMMIT_TAG, FOLDER_TAG, REQUEST_TAG, working_in
from mlops_dash.training.workplace import Wanted, Workplace, workplace
from tests.training.test_contract import ASKED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / 'the team\'s "birds"'
    (made / "lib").mkdir(parents=True)
    (made / "train.py").write_text("print('birds')\n")
    (made / "lib" / "crates.py").write_text("CRATES = 12\n")
    for left_out in (".git", "__pycache__", "mlruns"):
        (made / left_out).mkdir()
        (made / left_out / "much").write_text("x")
    return made


def worked(folder: Path, home: Path) -> tuple[str, list[str]]:
    """The hash of a run's copy, and what the log says."""
    said: list[str] = []
    with workplace(Wanted("weekly", repository=str(folder)), home, write=said.append) as place:
        assert (Path(place.folder) / "lib" / "crates.py").read_text().startswith("CRATES")
        assert sorted(one.name for one in Path(place.folder).iterdir()) == ["lib", "train.py"]
        (folder / "train.py").write_text((folder / "train.py").read_text())  # saved meanwhile
        (Path(place.folder) / "out.txt").write_text("left by the program")
    assert not Path(place.folder).exists()
    assert not (folder / "out.txt").exists()
    return place.copied, said


def test_a_run_works_in_a_copy_that_is_named_by_its_content_and_a_change_is_said(folder: Path, tmp_path: Path) -> None:
    first, said = worked(folder, tmp_path / "home")
    assert f"sha256 {first}" in said[0]
    assert len(said) == 1
    again, said = worked(folder, tmp_path / "home")
    assert (again, len(said)) == (first, 1)
    (folder / "lib" / "crates.py").write_text("CRATES = 13\n")
    other, said = worked(folder, tmp_path / "home")
    assert other != first
    assert "has changed since the last run here" in said[1]
    assert first in said[1]


@pytest.mark.parametrize("change", ["name", "mode", "link", "gone", "empty"])
def test_whatever_a_program_can_see_counts_in_the_hash(folder: Path, tmp_path: Path, change: str) -> None:
    (folder / "link").symlink_to("train.py")
    before = copied.copy_of(folder, tmp_path / "a", "weekly")
    assert (tmp_path / "a" / "link").is_symlink()
    if change == "name":
        (folder / "train.py").rename(folder / "run.py")
    elif change == "mode":
        (folder / "train.py").chmod(0o755)
    elif change == "link":
        (folder / "link").unlink()
        (folder / "link").symlink_to("lib/crates.py")
    elif change == "gone":
        (folder / "lib" / "crates.py").unlink()
    else:
        (folder / "train.py").write_text("")
    assert copied.copy_of(folder, tmp_path / "b", "weekly") != before


def test_a_link_is_copied_as_one_and_nothing_outside_is_taken(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    (folder / "there").symlink_to(outside)
    os.mkfifo(folder / "pipe")
    copied.copy_of(folder, tmp_path / "a", "weekly")
    assert (tmp_path / "a" / "there").is_symlink()
    assert not (tmp_path / "a" / "pipe").exists()


def test_what_cannot_be_copied_is_refused_in_a_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match="is not there"):
        copied.copy_of(tmp_path / "nowhere", tmp_path / "a", "weekly")
    with pytest.raises(InvalidInput, match="holds our own files"):
        copied.copy_of(folder, folder / "lib" / "copy", "weekly")
    monkeypatch.setattr(copied, "MOST_FILES", 1)
    with pytest.raises(InvalidInput, match="holds more than 1 files"):
        copied.copy_of(folder, tmp_path / "b", "weekly")


def test_what_ran_stands_on_the_run_and_a_changed_folder_is_another_request() -> None:
    recipe = Recipe("weekly", "birds", "{python} train.py", repository="/srv/birds")
    one, other = (working_in(ASKED, recipe, Workplace(folder="/tmp/x", copied=name * 64)) for name in "ab")
    assert (one.tags[FOLDER_TAG], COMMIT_TAG in one.tags) == ("a" * 64, False)
    assert one.tags[REQUEST_TAG] != other.tags[REQUEST_TAG]
    assert FOLDER_TAG not in ASKED.tags
