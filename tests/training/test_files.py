"""Notebooks, DVC pipelines and MLflow projects as programs: which tool runs them, with what, and what is said."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_dash.errors import InvalidInput
from mlops_dash.training import files
from mlops_dash.training.program import run
from tests.test_runner import notebook
from tests.training.test_contract import ASKED


def heard(entry: str, home: Path) -> tuple[list[str], str]:
    told: list[str] = []
    lines: list[str] = []
    asked = replace(ASKED, home=str(home))
    run(entry, asked, tell=lambda share, text: told.append(f"{share:g} {text}"), write=lines.append)
    return told, "".join(lines)


@pytest.mark.parametrize("entry", ["{python} train.ipynb", "train.ipynb all", "my.dvc.yaml", "MLproject a b", "''"])
def test_other_words_are_no_such_file(entry: str) -> None:
    assert not files.names_file(entry)


def test_a_notebook_is_given_the_parameters_says_its_cells_and_is_kept_as_it_ran(tmp_path: Path) -> None:
    path = notebook(
        tmp_path / "it's theirs.ipynb", "rounds = 1\nwhy = start = ''",
        "open('told.txt', 'w').write(f'{rounds} {why} {start}')", "print('progress 0.5 fitting')",
    )  # fmt: skip
    told, log = heard(f'"{path}"', tmp_path)
    assert (tmp_path / "told.txt").read_text() == f"3 it's {ASKED.window.start.isoformat()}"
    assert any(text.startswith("1 cell 4 of 4") for text in told), told
    assert "0.5 fitting" in told, log
    assert "rounds = 3" in files.executed(replace(ASKED, home=str(tmp_path))).read_text()


def test_a_notebook_that_fails_says_where_it_lies_as_it_ran(tmp_path: Path) -> None:
    path = notebook(tmp_path / "train.ipynb", "rounds = 1", "raise ValueError('no rows in March')")
    with pytest.raises(InvalidInput, match="ended with exit code 1") as caught:
        heard(str(path), tmp_path)
    assert str(files.executed(replace(ASKED, home=str(tmp_path)))) in caught.value.hint


def test_a_file_that_is_not_there_and_a_tool_that_is_not_installed_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"There is no file train\.ipynb"):
        heard("train.ipynb", tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    with pytest.raises(InvalidInput, match="dvc is not installed where this program works"):
        files.command_of(str(tmp_path / "dvc.yaml"), ASKED)


def test_a_pipeline_of_dvc_trains_every_time_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "dvc.py").write_text("import json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    python = tmp_path / "python"  # an environment that has it
    python.write_text(f"#!/bin/sh\nPYTHONPATH='{tmp_path}' exec '{sys.executable}' \"$@\"\n")
    python.chmod(0o755)
    asked = replace(ASKED, python=str(python), folder=str(tmp_path))
    lines: list[str] = []
    run("dvc.yaml train 'weekly batch'", asked, tell=lambda *_: None, write=lines.append)
    said = json.loads(lines[-1])
    assert said == ["--cd", str(tmp_path), "repro", "--force", "train", "weekly batch"]
