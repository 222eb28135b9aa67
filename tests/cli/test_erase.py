"""Forgetting somebody: their rows leave the log and the numbers, and the ledger does not name them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import profiles, references
from tests.cli.conftest import Run
from tests.factories import ADMIN, WORKER

MODEL = 'it\'s "late"'
BO = 'bo "the builder"'


def trips(days: int = 45, a_day: int = 12) -> pd.DataFrame:
    """A regression in minutes; one customer alone travels in the last hour of every day."""
    rng = np.random.default_rng(3)
    n = days * a_day
    first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)
    at = [first + timedelta(days=k // a_day, hours=k % a_day) for k in range(n)]
    took = rng.normal(30, 8, n)
    who = [BO if k % a_day == a_day - 1 else f"c{k % 5}" for k in range(n)]
    return pd.DataFrame({"trip": [f"t{k:04d}" for k in range(n)], "at": at, "customer": who, "waiting": took.round(),
                         "score": took, "label": took + rng.normal(0, 3, n)})  # fmt: skip


def watch(run: Run, path: Path, table: pd.DataFrame) -> None:
    table.to_parquet(path)
    code, _, err = run("watch", str(path), "--model", MODEL, "--id", "trip", "--task", "regression", "--yes", "--json")
    assert code == 0, err


def live_rows(house: Services) -> int:
    with reading(house.context.databases.app) as session:
        (reference,) = references.latest_ids(session)[MODEL].values()
    with reading(house.context.databases.log) as session:
        return sum(one.n for one in profiles.day_profiles(session, reference))


@pytest.mark.timeout(300)
def test_somebodys_rows_leave_the_log_and_the_days_and_the_ledger_does_not_name_them(
    house: Services, run: Run, tmp_path: Path
) -> None:
    watch(run, tmp_path / "trips.parquet", trips())
    counted = house.scoring.counts(ADMIN, MODEL)
    told = json.loads(run("erase", "--model", MODEL, "--entity", BO, "--column", "customer", "--dry-run", "--json")[1])
    theirs = told["predictions"]
    assert (theirs * 12, told["labels"], told["erased"]) == (counted.predictions, theirs, 0)
    assert house.scoring.counts(ADMIN, MODEL) == counted
    code, _, err = run("erase", "--model", MODEL, "--entity", BO, "--column", "customer")
    assert (code, "needs a reason" in err) == (2, True)

    code, out, err = run("erase", "--model", MODEL, "--entity", BO, "--column", "customer", "--reason", "asked for it")

    assert (code, "are erased" in out, err) == (0, True, "")
    after = house.scoring.counts(ADMIN, MODEL)
    assert (after.predictions, after.labelled) == (counted.predictions - theirs, counted.labelled - theirs)
    entry = house.audit.entries(ADMIN).entries[0]
    assert (entry.action, entry.before["predictions"], entry.reason) == (Action.ROWS_ERASED, theirs, "asked for it")
    assert "builder" not in str(vars(entry))
    assert entry.before["whom"] == told["whom"]
    before = live_rows(house)
    assert house.monitoring.profile_dirty_hours(WORKER, model=MODEL).left == 0
    assert live_rows(house) == before - theirs  # hours that were theirs alone are counted as empty
    assert run("erase", "--model", MODEL, "--entity", BO, "--column", "customer", "--reason", "again")[0] == 0
    assert house.audit.entries(ADMIN).entries[0].number == entry.number


@pytest.mark.timeout(300)
def test_one_row_goes_by_its_id_and_evidence_that_names_it_is_said(house: Services, run: Run, tmp_path: Path) -> None:
    table = trips()
    watch(run, tmp_path / "trips.parquet", table)
    rows = tmp_path / "rows.csv"
    table[["trip", "label", "score"]].to_csv(rows, index=False)
    words = ("--model", MODEL, "--version", "1", "--rows", str(rows), "--id", "trip", "--label", "label")
    assert run("evidence", "push", *words, "--score", "score")[0] == 0
    last = table["trip"].iloc[-1]
    told = json.loads(run("erase", "--model", MODEL, "--entity", last, "--reason", "asked for it", "--json")[1])
    assert (told["predictions"], told["erased"], told["pushes"]) == (1, 1, ["v1"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "nobody's", "--entity", "ana"), "No model"),
        (("--model", MODEL, "--entity", "ana", "--column", "custmer"), "has an input 'custmer'"),
        (("--model", MODEL, "--entity", ""), "is empty"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(house: Services, run: Run, words: tuple[str, ...], said: str) -> None:
    house.registry.add_model(ADMIN, MODEL, task="regression", source="external", reason="ours")
    code, out, err = run("erase", *words, "--reason", "asked for it")
    assert (code, out, said in err, len(err.splitlines())) == (2, "", True, 1), err
