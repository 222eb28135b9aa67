"""Another team's file becomes a watched model by one command, with a true verdict; twice is once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash.bootstrap import Services
from tests.cli.conftest import Run
from tests.factories import ADMIN

MODEL = 'who\'s "leaving"'


def customers(*, days: int = 90, harmed_from: int | None = None) -> pd.DataFrame:
    """Forty customers a day; from a day on the outcome follows another rule than the score."""
    rng = np.random.default_rng(4)
    n = days * 40
    day = np.repeat(np.arange(days), 40)
    calls, plan = rng.poisson(3, n), rng.choice(["007", "01", "NA"], n)
    p = 1 / (1 + np.exp(-(calls - 3.5)))
    truth = p if harmed_from is None else np.where(day < harmed_from, p, 1 - p)
    left = np.where(rng.random(n) < truth, "leaves", "stays")
    first = pd.Timestamp.now(tz="UTC").normalize() - pd.Timedelta(days=days) + pd.Timedelta(hours=8)
    at = first + pd.to_timedelta(day, unit="D")
    return pd.DataFrame({"when": at.strftime("%Y-%m-%d %H:%M"), "p": p.round(4), "churned": left, "calls": calls,
                         "plan": plan, "depot": rng.choice(["north", "south", "west"], n)})  # fmt: skip


def watch(run: Run, path: Path, *more: str) -> tuple[int, str, str]:
    words = ("--model", MODEL, "--time", "when", "--label", "churned", "--positive", "leaves", "--yes", *more)
    return run("watch", str(path), *words)


@pytest.mark.timeout(300)
def test_a_file_becomes_a_model_that_is_not_harmed_and_twice_is_once(house: Services, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    customers().to_csv(path, index=False)
    code, out, err = watch(run, path, "--json")
    assert code == 0, err
    first = json.loads(out)
    assert first["verdict"] == "ok", first["sentence"]
    assert first["stored"] == first["rows"] == house.scoring.counts(ADMIN, MODEL).predictions
    assert house.scoring.counts(ADMIN, MODEL).labelled == first["rows"]
    (model,) = house.registry.models(ADMIN)
    assert (model.source, model.task, model.positive_label) == ("external", "binary", "leaves")
    entries = len(house.registry.ledger(ADMIN, MODEL))
    again = json.loads(watch(run, path, "--json")[1])
    assert (again["stored"], again["verdict"]) == (0, first["verdict"])
    assert len(house.registry.ledger(ADMIN, MODEL)) == entries


@pytest.mark.timeout(300)
def test_a_longer_file_and_then_next_weeks_add_their_new_rows_to_the_same_reference(
    house: Services, run: Run, tmp_path: Path
) -> None:
    every = customers()
    path = tmp_path / "predictions.csv"
    every.iloc[: 60 * 40].to_csv(path, index=False)
    first = json.loads(watch(run, path, "--json")[1])
    before = house.monitoring.room(ADMIN, MODEL).reference
    every.iloc[: 80 * 40].to_csv(path, index=False)
    longer = json.loads(watch(run, path, "--json")[1])
    assert longer["stored"] == 20 * 40
    every.iloc[80 * 40 :].query("churned == 'stays'").to_csv(path, index=False)
    last = json.loads(watch(run, path, "--json")[1])
    assert last["stored"] == last["rows"] == len(every.iloc[80 * 40 :].query("churned == 'stays'"))
    total = first["stored"] + longer["stored"] + last["stored"]
    assert house.scoring.counts(ADMIN, MODEL).predictions == total
    after = house.monitoring.room(ADMIN, MODEL).reference
    assert before is not None
    assert (before, before.scored) == (after, "as served")


def test_what_stands_of_a_model_is_not_changed_by_a_second_file(house: Services, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    customers(days=9).to_csv(path, index=False)
    assert watch(run, path)[0] == 0
    for words, said in (
        (("--positive", "stays"), "positive class 'leaves'"),
        (("--task", "regression"), "is a binary model already"),
        (("--reference-until", "2026-01-01"), "already"),
    ):
        code, _, err = watch(run, path, *words)
        assert (code, said in err) == (2, True), err


@pytest.mark.timeout(300)
def test_a_model_whose_world_turned_is_said_to_be_harmed(house: Services, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    customers(harmed_from=60).to_parquet(path, index=False)
    verdict = json.loads(watch(run, path, "--json")[1])
    assert verdict["verdict"] == "harmed", verdict["sentence"]


@pytest.mark.timeout(300)
def test_a_regression_in_minutes_is_watched_by_its_error(house: Services, run: Run, tmp_path: Path) -> None:
    table = customers().rename(columns={"when": "timestamp"})
    rng = np.random.default_rng(1)
    table["predicted"] = 10 + 2.0 * table["calls"]
    table["label"] = table["predicted"] + rng.normal(0, 3, len(table))
    path = tmp_path / "handling.csv"
    table.drop(columns=["p", "churned"]).to_csv(path, index=False)
    code, out, err = run("watch", str(path), "--model", "handling-minutes", "--yes", "--json")
    assert code == 0, err
    assert json.loads(out)["verdict"] == "ok"
    assert "MAE" in json.loads(out)["sentence"]


def test_a_file_without_outcomes_is_watched_for_drift_and_volume_and_says_so(
    house: Services, run: Run, tmp_path: Path
) -> None:
    name = 'it\'s the "fast" one'
    table = customers().drop(columns=["p", "churned"])
    table["minutes"] = 10 + 2.0 * table["calls"]
    moved = pd.to_datetime(table["when"]) >= pd.Timestamp.now().normalize() - pd.Timedelta(days=20)
    path = tmp_path / "fast.csv"
    table.to_csv(path, index=False)
    words = ("--model", name, "--time", "when", "--score", "minutes", "--yes")
    code, out, err = run("watch", str(path), *words, "--json")
    assert code == 0, err
    assert "no outcome: drift and volume alone are watched" in err
    found = json.loads(out)
    assert (found["task"], found["verdict"]) == ("regression", "not_known"), found["sentence"]
    assert "No outcome is known: drift and volume are watched, the quality of the answers is not." in found["sentence"]
    assert "the reference has no labels" in found["sentence"]
    assert all(not one["metrics"] and not one["trailing"] for one in found["windows"])
    room = house.monitoring.room(ADMIN, name)
    assert (room.performance, room.alerts, len(room.volume)) == (None, (), 60)
    row = house.fleet.room(ADMIN).rows[0]
    assert (row.estimate, row.baseline, row.labelled, row.headline) == (None, None, False, room.headline)
    assert row.to_verdict is None, "nobody has outcomes: that is no step that is missing"
    table.loc[moved, "calls"] += 12
    longer = tmp_path / "moved.csv"
    table[moved].assign(when=table.loc[moved, "when"].str.replace(":00", ":30")).to_csv(longer, index=False)
    found = json.loads(run("watch", str(longer), *words, "--json")[1])
    assert found["verdict"] == "inputs_moved", found["sentence"]
    assert "without harm" not in found["sentence"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--score", "q"), "There is no column 'q'."),
        (("--positive", "perhaps"), "No label is 'perhaps'; they are leaves, stays."),
        (("--time", "calls"), "The times in 'calls' cannot be read:"),
        (("--time", "plan"), "The times in 'plan' cannot be read:"),
        (("--label", "depot"), "The labels are 3 words"),
        (("--score", "calls"), "leave [0, 1]"),
        (("--reference-until", "2031-01-01"), "A reference until 2031-01-01 holds"),
        (("--reference-until", "soon"), "'soon' is no day."),
        (("--task", "ranking"), "There is no task 'ranking'."),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_and_nothing_is_stored(
    house: Services, run: Run, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    path = tmp_path / "predictions.csv"
    customers(days=6).to_csv(path, index=False)
    code, _, err = watch(run, path, *words)
    assert (code, said in err, len(err.splitlines())) == (2, True, 1), err
    assert house.registry.models(ADMIN) == ()


def test_a_file_of_next_year_is_refused_before_anything_is_stored(house: Services, run: Run, tmp_path: Path) -> None:
    table = customers(days=9)
    table["when"] = (pd.to_datetime(table["when"]) + pd.Timedelta(days=400)).dt.strftime("%Y-%m-%d %H:%M")
    path = tmp_path / "predictions.csv"
    table.to_csv(path, index=False)
    code, _, err = watch(run, path)
    assert (code, "240 of 240 rows to watch lie in the future" in err, "Traceback" in err) == (2, True, False), err
    assert house.registry.models(ADMIN) == ()


def test_nobody_to_answer_is_said(house: Services, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "predictions.csv"
    customers(days=6).to_csv(path, index=False)

    def closed(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    code, _, err = run("watch", str(path), "--model", MODEL, "--time", "when", "--label", "churned")
    assert (code, "Say --yes" in err) == (2, True)
    assert house.registry.models(ADMIN) == ()


@pytest.mark.timeout(300)
def test_a_file_of_semicolons_decimal_commas_and_windows_letters_is_the_same_file(
    house: Services, run: Run, tmp_path: Path
) -> None:
    rows = customers().assign(depot=lambda table: table["depot"].replace("west", "Düren"))
    path = tmp_path / "vorhersagen.csv"
    rows.to_csv(path, sep=";", decimal=",", index=False, encoding="cp1252")
    code, out, err = watch(run, path)
    assert code == 0, err
    assert "read as         separated by semicolons, with decimal commas, in cp1252" in out
    rows.to_csv(path, index=False)
    assert json.loads(watch(run, path, "--json")[1])["stored"] == 0
