"""mlops-dash runs: the same runs and groups as the page, as text, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from mlops_dash.cli import main
from tests.runs_world import ODD, RunsWorld, awkward


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> RunsWorld:
    home = tmp_path_factory.mktemp("runs")
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    return awkward(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")


@pytest.fixture(autouse=True)
def _home(world: RunsWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLOPS_DASH_DATABASE_URL", "MLOPS_DASH_LOG_DATABASE_URL", "MLOPS_DASH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLOPS_DASH_MLFLOW_DATABASE_URL", world.uri)


def test_json_has_runs_and_groups(world: RunsWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["runs", "--experiment", "sweep", "--filter", "params.depth = '6'", "--group-by", "depth", "--json"]) == 0
    )
    said = json.loads(capsys.readouterr().out)
    assert (said["experiment"], said["n_runs"]) == ("sweep", 4)
    assert {one["run_id"] for one in said["runs"]} == {
        world.ids[name] for name in ("depth-6-seed-1", "depth-6-seed-2", "depth-6-seed-3", "child")
    }
    assert [(one["n"], one["params"]) for one in said["groups"]] == [(4, {"depth": "6"})]


def test_csv_has_one_line_a_run_and_every_odd_name(world: RunsWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--experiment", world.experiment, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 9
    broken = next(one for one in rows if one["name"] == "broken")
    assert (broken[f"metrics.{ODD}"], broken["metrics.valid_auc"]) == ("-Infinity", "NaN")
    assert next(one for one in rows if one["name"] == "child")["tags.note"] == "it's 100 % fine"


def test_the_table_of_the_page_in_every_format(
    world: RunsWorld, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    asked = ["runs", "--experiment", "sweep", "--filter", "params.depth = '6'", "--column", "metrics.valid_auc",
             "--column", "params.seed", "--sort=-params.seed"]  # fmt: skip
    assert main([*asked, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode())))
    assert [one["seed"] for one in rows] == ["7", "3", "2", "1"]
    assert list(rows[0])[:3] == ["Run", "valid_auc", "seed"]
    assert main([*asked, "--format", "markdown", "--groups"]) == 0
    said = capfdbinary.readouterr().out.decode()
    assert said.splitlines()[0] == "| depth | Runs | valid\\_auc | seed |"
    assert "| 6 | 4 | 0.66150 ± 0.00205 (n 4) | 7, 3, 2, 1 |" in said
    assert main([*asked, "--format", "latex"]) == 0
    assert capfdbinary.readouterr().out.decode().splitlines()[1] == r"\begin{tabular}{lrlllrl}"
    assert main([*asked, "--output", str(tmp_path / "six.xlsx")]) == 0
    assert b"six.xlsx: 4 rows" in capfdbinary.readouterr().out
    with zipfile.ZipFile(tmp_path / "six.xlsx") as book:
        assert world.ids["child"] in book.read("xl/worksheets/sheet1.xml").decode()
    assert main([*asked, "--format", "csv", "--output", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("sweep-*.csv"))) == 1


def test_several_experiments_are_one_table(world: RunsWorld, capsys: pytest.CaptureFixture[str]) -> None:
    both = ["runs", "--experiment", "sweep", "--experiment", "other"]
    assert main([*both, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["n_runs"] == 10
    assert {one["name"]: one["experiment"] for one in said["runs"]}["elsewhere"] == "other"
    with_it = [one for one in said["groups"] if world.ids["elsewhere"] in one["run_ids"]]
    assert [one["n"] for one in with_it] == [1]
    assert main([*both, "--csv"]) == 0
    assert {one["experiment"] for one in csv.DictReader(io.StringIO(capsys.readouterr().out))} == {"sweep", "other"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--format", "csv", "--filter", "metrics.valid_auc > high"], "Position 21"),
        (["--format", "csv", "--column", "auc"], "no column 'auc'"),
        (["--output", "table.odt"], "does not say its format"),
        (["--output", "/nowhere/at/all.csv"], "cannot be written"),
    ],
)
def test_a_table_that_cannot_be_made_says_why(
    options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--experiment", "sweep", *options]) == 2
    assert sentence in capsys.readouterr().err


def test_text_names_groups_with_their_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--experiment", "sweep", "--filter", "run_name LIKE 'depth-%'"]) == 0
    said = capsys.readouterr().out
    assert "sweep: 6 runs in 2 groups" in said
    assert "valid_auc 0.662 [0.659516, 0.664484], n 3" in said


def test_mistakes_are_one_sentence_with_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--experiment", "nothing"]) == 2
    assert capsys.readouterr().err == "MLflow has no experiment 'nothing'. There are: sweep, other, Default.\n"
    assert main(["runs", "--experiment", "sweep", "--filter", "metrics.valid_auc > high"]) == 2
    assert "Position 21, at “high”: expected a number." in capsys.readouterr().err


def test_the_bench_prints_ours_beside_the_client(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "experiments", "--runs", "20", "--repeats", "1", "--json"]) == 0
    frame, curves = json.loads(capsys.readouterr().out)
    assert {"name", "ours_s", "peer", "peer_s", "ratio", "peak_mib", "n"} <= set(frame)
    assert (frame["n"], curves["n"]) == (20, 20_000)
    assert frame["ratio"] == pytest.approx(frame["peer_s"] / frame["ours_s"])
    assert main(["bench", "experiments", "--runs", "0"]) == 2
