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
    last = pd.Timestamp.now(tz="UTC").normalize() - pd.Timedelta(days=ends) + pd.Timedelta(hours=6)
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
    assert len(weekly["windows"]) == 20
    assert "ripe weeks" in weekly["sentence"]
    assert run(*edit, "--window", "week")[0] == 2
