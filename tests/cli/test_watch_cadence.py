"""A batch a week becomes a watched model that is judged by the week, and is not grey between two batches."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.words import Health
from tests.cli.conftest import Run
from tests.factories import ADMIN, WORKER

MODEL = 'it\'s the "fast" one'
DAY = timedelta(days=1)


def batches(*, weeks: int, rows: int = 150, worse_from: int | None = None, ends: int = 5) -> pd.DataFrame:
    """Minutes to the door, scored in one batch a week: the last one so many days ago."""
    rng = np.random.default_rng(6)
    last = pd.Timestamp.now(tz="UTC").floor("h") - pd.Timedelta(days=ends)  # as old at any time of day
    week = np.repeat(np.arange(weeks), rows)
    at = (
        last
        - pd.to_timedelta((weeks - 1 - week) * 7, unit="D")
        + pd.to_timedelta(np.tile(range(rows), weeks), unit="s")
    )
    stops, street = rng.poisson(4, len(week)), rng.choice(['O\'Hara "St"', "Main", "Park"], len(week))
    said = 8 + 3.0 * stops
    wide = 4.0 if worse_from is None else np.where(week < worse_from, 4.0, 8.0)
    return pd.DataFrame({"scored_at": at.strftime("%Y-%m-%d %H:%M:%S"), "minutes_said": said, "stops": stops,
                         "street": street, "minutes": said + rng.normal(0, 1, len(week)) * wide})  # fmt: skip


def watch(run: Run, path: Path, *more: str) -> tuple[int, str, str]:
    words = ("--model", MODEL, "--score", "minutes_said", "--label", "minutes", "--yes", "--json", *more)
    return run("watch", str(path), *words)


@pytest.mark.timeout(300)
def test_a_weekly_batch_is_judged_by_the_week_and_stays_known_until_the_next_one(
    house: Services, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "batches.csv"
    batches(weeks=30).to_csv(path, index=False)
    code, out, err = watch(run, path)
    assert code == 0, err
    assert "the week" in err
    assert "rows come every 7 days" in err
    found = json.loads(out)
    assert (found["task"], found["verdict"]) == ("regression", "ok"), found["sentence"]
    assert "ripe weeks" in found["sentence"]
    assert "usual swing unknown" in found["sentence"]
    assert [one["n"] for one in found["windows"]] == [150] * 20
    (model,) = house.registry.models(ADMIN)
    assert model.cadence == "week"
    clock, now = house.context.clock, house.context.clock.now()
    for days, health in ((0, Health.OK), (6, Health.OK), (20, Health.NOT_KNOWN)):
        clock.wall = lambda days=days: now + days * DAY  # type: ignore[misc]
        assert house.monitoring.room(ADMIN, MODEL).health is health, days
        assert [row.health for row in house.fleet.room(ADMIN).rows] == [health]


@pytest.mark.timeout(300)
def test_a_batch_that_got_worse_is_found_by_the_week_and_a_second_file_changes_nothing(
    house: Services, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "batches.csv"
    batches(weeks=26, worse_from=20).to_csv(path, index=False)
    found = json.loads(watch(run, path, "--window", "week")[1])
    assert found["verdict"] == "harmed", found["sentence"]
    again = json.loads(watch(run, path)[1])
    assert (again["stored"], again["verdict"]) == (0, "harmed")
    code, _, err = watch(run, path, "--window", "day")
    assert (code, "is judged by the week already" in err) == (2, True), err


@pytest.mark.timeout(300)
def test_with_few_batches_rows_are_taken_as_independent_and_that_is_said(
    house: Services, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "batches.csv"
    batches(weeks=9, worse_from=6).to_csv(path, index=False)
    found = json.loads(watch(run, path)[1])
    assert "rows are taken as independent" in found["sentence"]
    assert found["verdict"] == "harmed", found["sentence"]


def test_a_cadence_is_edited_and_the_past_is_judged_by_it(house: Services, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "batches.csv"
    batches(weeks=30).to_csv(path, index=False)
    daily = json.loads(watch(run, path, "--window", "day")[1])
    assert len(daily["windows"]) > 100
    edit = ("model", "edit", MODEL, "--reason", "a batch a week")
    assert run(*edit, "--window", "week")[0] == 0
    assert "judged by the week" in run("model", "list")[1]
    house.monitoring.evaluate(WORKER, MODEL)
    weekly = house.monitoring.summary(ADMIN, MODEL)
    # the last batch is five days old: from Monday to Thursday the week that goes on is there too, still empty
    assert [one["n"] for one in weekly["windows"][:20]] == [150] * 20
    assert [one["n"] for one in weekly["windows"][20:]] in ([], [0])
    assert "ripe weeks" in weekly["sentence"]
    assert run(*edit, "--window", "week")[0] == 2


@pytest.mark.timeout(300)
def test_a_model_is_judged_by_the_hour_where_it_says_so_and_its_times_have_an_hour(
    house: Services, run: Run, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    n = 24 * 6 * 60  # a row a minute on six days, until an hour ago
    at = pd.Timestamp.now(tz="UTC").floor("h") - pd.to_timedelta(np.arange(n)[::-1] + 1, unit="min")
    stops = rng.poisson(4, n)
    table = pd.DataFrame({"scored_at": at, "minutes_said": 8 + 3.0 * stops, "stops": stops,
                          "minutes": 8 + 3.0 * stops + rng.normal(0, 4, n)})  # fmt: skip
    path = tmp_path / "hours.parquet"
    table.to_parquet(path)
    found = json.loads(watch(run, path, "--window", "hour")[1])
    assert found["verdict"] == "ok", found["sentence"]
    assert "ripe hours" in found["sentence"]
    assert "Judged by the hour, drift by the day that ends with it" in found["sentence"]
    assert {one["n"] for one in found["windows"]} == {60}
    assert len(found["windows"]) >= 72
    (row,) = house.fleet.room(ADMIN).rows
    assert (row.health, row.window, row.stale) == (Health.OK, "hour", "")
    assert row.usual_day == pytest.approx(24 * 60)
    table.assign(scored_at=at.normalize()).to_csv(tmp_path / "days.csv", index=False)
    code, _, err = run("watch", str(tmp_path / "days.csv"), "--model", "days", "--score", "minutes_said", "--label",
                       "minutes", "--window", "hour", "--yes")  # fmt: skip
    assert (code, "No row has a time of day" in err) == (2, True), err
    assert [model.name for model in house.registry.models(ADMIN)] == [MODEL]  # nothing was kept of the second


@pytest.mark.timeout(300)
def test_batches_that_a_column_names_are_judged_one_by_one_and_edited_by_name(
    house: Services, run: Run, tmp_path: Path
) -> None:
    table = batches(weeks=30)
    table['run "id"'] = np.repeat([f"run-{week}" for week in range(30)], 150)
    path = tmp_path / "runs.csv"
    table.to_csv(path, index=False)
    code, out, err = watch(run, path, "--window", 'batch:run "id"')
    assert code == 0, err
    assert 'the batch in run "id"' in err
    assert "as named: 30 batches" in err
    found = json.loads(out)
    assert found["verdict"] == "ok", found["sentence"]
    assert (
        'Judged by the batch, named by run "id": rows of one batch are taken together (10 batches)'
        in (found["sentence"])
    )
    assert [(one["batch"], one["n"]) for one in found["windows"]] == [(f"run-{week}", 150) for week in range(10, 30)]
    assert json.loads(watch(run, path)[1])["stored"] == 0
    assert 'judged by the batch in run "id"' in run("model", "list")[1]
    clock, now = house.context.clock, house.context.clock.now()
    for days, health in ((0, Health.OK), (6, Health.OK), (14, Health.NOT_KNOWN)):
        clock.wall = lambda days=days: now + days * DAY  # type: ignore[misc]
        assert house.monitoring.room(ADMIN, MODEL).health is health, days
        (row,) = house.fleet.room(ADMIN).rows
        assert (row.health, row.window) == (health, "batch")


@pytest.mark.timeout(300)
def test_windows_of_so_many_rows_are_watched_and_a_longer_file_fills_the_open_one(
    house: Services, run: Run, tmp_path: Path
) -> None:
    table = batches(weeks=30)
    path = tmp_path / "rows.csv"
    table.iloc[:4400].to_csv(path, index=False)
    code, out, err = watch(run, path, "--window", "rows:300")
    assert code == 0, err
    assert "the window of 300 rows" in err
    assert "1,500 rows before" in err
    assert "the first third, whole windows of 300 rows" in err
    found = json.loads(out)
    assert found["verdict"] == "ok", found["sentence"]
    assert "Judged by the window of 300 rows: rows of one window of 300 rows are taken together" in found["sentence"]
    assert [one["n"] for one in found["windows"]] == [300] * 9  # 200 rows more wait for the tenth
    assert "batch" not in found["windows"][0]
    table.to_csv(path, index=False)
    again = json.loads(watch(run, path)[1])
    assert (again["stored"], [one["n"] for one in again["windows"]]) == (100, [300] * 10)
    assert "judged by the window of 300 rows" in run("model", "list")[1]
    (row,) = house.fleet.room(ADMIN).rows
    assert row.usual_day is not None
    assert row.usual_day < 60


@pytest.mark.timeout(300)
def test_rows_of_a_customer_belong_together_where_days_are_few_and_it_is_edited(
    house: Services, run: Run, tmp_path: Path
) -> None:
    table = batches(weeks=30)
    table['the "customer"'] = np.random.default_rng(8).choice([f"<b>{n}</b>" for n in range(90)], len(table))
    path = tmp_path / "people.csv"
    table.to_csv(path, index=False)
    code, out, err = watch(run, path, "--cluster", 'the "customer"')
    assert code == 0, err
    assert 'rows with the same the "customer" are taken together (in up to 40 groups)' in err
    inputs = next(line for line in err.splitlines() if line.split()[:1] == ["inputs"])
    assert "customer" not in inputs, "it says which rows belong together, and the model is not given it"
    found = json.loads(out)
    assert found["verdict"] == "ok", found["sentence"]
    assert 'rows with the same the "customer" are taken together' in found["sentence"]
    (model,) = house.registry.models(ADMIN)
    assert model.cluster == 'the "customer"'
    assert 'rows belong together by the "customer"' in run("model", "list")[1]
    assert json.loads(watch(run, path)[1])["stored"] == 0
    code, _, err = watch(run, path, "--cluster", "street")
    assert (code, 'belong together by the "customer" already' in err) == (2, True), err
    assert run("model", "edit", MODEL, "--no-cluster", "--reason", "alike")[0] == 0
    assert house.registry.models(ADMIN)[0].cluster == ""
    code, _, err = run("watch", str(path), "--model", "other", "--cluster", "nobody", "--score", "minutes_said",
                       "--label", "minutes", "--yes")  # fmt: skip
    assert (code, "no column 'nobody' without a role" in err) == (2, True), err


@pytest.mark.parametrize(
    ("window", "why"),
    [
        ("rows:4000", "4,500 rows are no two windows of 4,000"),
        ("rows:1.5", "does not say how many rows one window has"),
        ("batch:nowhere", "There is no column 'nowhere' that could name the batch"),
        ("batch", "No column says which batch a row is of"),
        ("batch:stops_at", "it names rows rather than batches"),
        ("batch:holes", "150 rows name no batch in 'holes'"),
        ("fortnight", "Nothing is judged by the fortnight"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_anything_is_kept(
    house: Services, run: Run, tmp_path: Path, window: str, why: str
) -> None:
    table = batches(weeks=30)
    table["stops_at"] = [f"stop {n}" for n in range(len(table))]
    table["holes"] = [None] * 150 + ["a"] * 4350
    path = tmp_path / "runs.csv"
    table.to_csv(path, index=False)
    code, _, err = watch(run, path, "--window", window)
    assert (code, why in err) == (2, True), err
    assert house.registry.models(ADMIN) == ()
