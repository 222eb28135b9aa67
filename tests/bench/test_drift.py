"""`bench drift`: every side judges every column of the same files, and one that cannot run is named."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mlops_dash import cli
from mlops_dash.bench import drift
from tests.machine import unmeasured


@pytest.fixture(autouse=True)
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.keys() - unmeasured().keys():  # what is timed is not traced
        monkeypatch.delenv(name)


def test_ours_and_a_rival_judge_every_column_of_the_same_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = "import sys, pyarrow.parquet as pq; print(len(pq.read_schema(sys.argv[1])))"
    monkeypatch.setattr(drift, "RIVALS", {"reader": ("a reader", reader)})
    code = cli.main(
        ["bench", "drift", "--rows", "2000", "--repeats", "1", "--rival", f"reader={sys.executable}", "--json"]
    )
    said = capsys.readouterr()
    assert code == 0, said.err
    ours, theirs = json.loads(said.out)
    assert (ours["name"], ours["columns"], ours["ratio"]) == (drift.OURS, drift.NUMBERS + drift.WORDS, 1.0)
    assert (theirs["name"], theirs["columns"]) == ("a reader", drift.NUMBERS + drift.WORDS)
    assert ours["peak_mib"] > 10
    assert ours["fastest"] <= ours["seconds"] <= ours["slowest"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--rival", "nobody=python"], "nobody is no rival that is known here."),
        (["--rival", "evidently"], "evidently does not say where the rival is."),
        (["--rows", "2000", "--repeats", "1", "--rival", "alibi=/nowhere/python"], "alibi-detect TabularDrift cannot"),
        (["--rows", "0"], "That many cannot be measured here."),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    given: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", "drift", *given]) in {2, 3}
    assert sentence in capsys.readouterr().err


def test_the_files_differ_in_two_columns_and_span_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "_GROUP", 1_000)
    drift.write(tmp_path / "one.parquet", 2_500, seed=0)
    found = pq.ParquetFile(tmp_path / "one.parquet")
    assert (found.metadata.num_rows, found.num_row_groups) == (2_500, 3)
