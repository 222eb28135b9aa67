"""A backfill of a stranger's regression: planned, run by a real program, cancelled; and what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash import bootstrap, runner
from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.domain.audit import Action
from mlops_dash.domain.hindsight import Way
from mlops_dash.domain.retraining import Recipe
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from tests import factories
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER, WORKER

MODEL = 'handling "minutes"'
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAYS, CHANGED, A_DAY = 100, 55, 12
TRAIN = """
import os, sys, pandas as pd, mlflow
from sklearn.linear_model import LinearRegression

assert os.environ["MLOPS_DASH_RECIPE_END"] == os.environ["MLOPS_DASH_RECIPE_EDGE"], "nothing is held out"
rows = pd.read_parquet(sys.argv[1])
start, end = (pd.Timestamp(os.environ[f"MLOPS_DASH_RECIPE_{name}"]) for name in ("START", "END"))
rows = rows[(rows["at"] >= start) & (rows["at"] < end)]
with mlflow.start_run():
    model = LinearRegression().fit(rows[["crates"]], rows["label"])
    mlflow.sklearn.log_model(model, name="model", input_example=rows[["crates"]].head(3), serialization_format="skops")
    rows.assign(score=model.predict(rows[["crates"]]))[["row_id", "label", "score"]].to_parquet("predictions.parquet")
    mlflow.log_artifact("predictions.parquet", "eval")
"""


def handled() -> pd.DataFrame:
    """Twelve handlings a day; from day 55 on each takes twenty minutes longer."""
    rng = np.random.default_rng(5)
    at = pd.date_range(FIRST + timedelta(hours=9), periods=DAYS, tz="UTC").repeat(A_DAY)
    crates = rng.integers(1, 90, len(at)).astype(float)
    longer = 20.0 * (at >= pd.Timestamp(FIRST + timedelta(days=CHANGED)))
    label = 12 + 0.7 * crates + longer + rng.normal(0, 3, len(at))
    return pd.DataFrame({"row_id": [f"h{n}" for n in range(len(at))], "at": at, "crates": crates, "label": label})


@pytest.fixture
def depot(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    now = FIRST + timedelta(days=DAYS + 30)
    made = bootstrap.build(factories.settings(tmp_path, mlflow_uri=mlflow_uri), clock=Clock(wall=lambda: now))
    made.registry.add_model(SCIENTIST, MODEL, task="regression", reason="test")
    handled().to_parquet(tmp_path / "handled.parquet")
    (tmp_path / "train.py").write_text(TRAIN)
    program = f"{{python}} '{tmp_path / 'train.py'}' '{tmp_path / 'handled.parquet'}'"
    made.retraining.save_recipe(ADMIN, Recipe("weekly", MODEL, program, {"train_days": 20}))
    yield made
    made.close()


def log_what_happened(depot: Services) -> None:
    """The team's own service answered (badly) and logged its inputs; the outcomes came a day later."""
    depot.registry.record_version(WORKER, MODEL, "0", note="their old service")
    rows = handled()
    sent = [
        {"prediction_id": one.row_id, "version": "0", "score": 40.0, "features": {"crates": one.crates},
         "at": one.at.isoformat()}
        for one in rows.itertuples()
    ]  # fmt: skip
    depot.scoring.record_predictions(WORKER, MODEL, sent)
    known = rows["at"] + pd.Timedelta(days=1)
    labels = pd.DataFrame({"prediction_id": rows["row_id"], "value": rows["label"], "observed_at": known})
    depot.scoring.record_labels(WORKER, MODEL, labels)


@pytest.mark.timeout(900)
def test_what_never_each_time_and_on_alarm_would_have_been_is_read_from_later_rows_alone(depot: Services) -> None:
    log_what_happened(depot)
    asked = {"first": "2026-02-10", "until": "2026-04-11", "every": "20d"}
    plan = depot.retraining.planned_backfill(VIEWER, "weekly", **asked)
    assert [f"{one.at:%m-%d}" for one in plan.cuts] == ["02-10", "03-02", "03-22"]
    assert plan.seconds is None, "it never ran"
    backfill_id = depot.retraining.backfill(SCIENTIST, "weekly", "how often?", **asked)
    with pytest.raises(Conflict, match="is under way: 0 of 3 versions are trained"):
        depot.retraining.backfill(SCIENTIST, "weekly", "me too", **asked)
    assert depot.retraining.hindsight(VIEWER, backfill_id).sentence == "0 of 3 versions are trained."
    for _ in plan.cuts:
        runner.run_next(depot)
    (known,) = depot.retraining.backfills(VIEWER, MODEL)
    assert known.words == "3 of 3 versions are trained"
    assert [job.result["rows"] for job in known.jobs if job.result] == [60 * A_DAY, 40 * A_DAY, 20 * A_DAY]
    room = depot.retraining.room(VIEWER)
    assert (room.jobs, room.candidate) == ((), None), "nobody has to decide about them"

    found = depot.retraining.hindsight(VIEWER, backfill_id)
    by = {one.way: one for one in found.ways}
    names = [str(job.result["version"]) for job in known.jobs if job.result]
    assert by[Way.NEVER].versions == (names[0],) * 3
    assert by[Way.EACH].versions == tuple(names)
    assert by[Way.ALARM].versions == (names[0], names[0], names[2]), "the second window was bad, so the third is new"
    assert (by[Way.EACH].trainings, by[Way.ALARM].trainings) == (2, 1)
    last = {way: by[way].readings[2].value for way in Way}
    assert last[Way.NEVER] == pytest.approx(20, abs=1)
    assert last[Way.EACH] == last[Way.ALARM] == pytest.approx(2.4, abs=0.5)
    first = by[Way.NEVER].readings[0]
    assert (first.n, first.n_clusters) == (20 * A_DAY, 20)
    gain = by[Way.EACH].gain
    assert gain is not None
    assert gain.low is not None
    assert gain.low > 0
    assert by[Way.EACH].whole.n == 60 * A_DAY
    assert found.sentence.startswith("Retraining")
    again = depot.retraining.planned_backfill(VIEWER, "weekly", **asked)
    assert again.seconds is not None


def test_lanes_run_beside_each_other_and_everything_is_cancelled_at_once(depot: Services) -> None:
    asked = {"first": "2026-02-01", "until": "2026-04-01", "every": "7d"}
    backfill_id = depot.retraining.backfill(SCIENTIST, "weekly", "how often?", parallel=2, **asked)
    waiting = depot.retraining.run_now(LEAD, "weekly", "an ordinary run")
    first = depot.jobs.claim(WORKER, "w1")
    assert first is not None
    assert first.id == waiting, "people go first, and no backfill stands in their way"
    running = [depot.jobs.claim(WORKER, "w1") for _ in range(3)]
    assert [job is not None for job in running] == [True, True, False]
    stopped = depot.retraining.cancel_backfill(LEAD, backfill_id, "too many")
    (known,) = depot.retraining.backfills(VIEWER)
    assert stopped == len(known.jobs) == 9
    assert known.count(JobState.CANCELLED) == 7
    assert all(job.cancel_requested for job in known.jobs if job.running)
    entry = depot.audit.entries(ADMIN).entries[0]
    assert (entry.action, entry.reason, entry.after["cancelled"]) == (Action.BACKFILL_CANCELLED, "too many", 9)
    for job in known.jobs:
        if job.running:
            depot.jobs.finish(WORKER, job.id, job.epoch, JobState.CANCELLED, error="stopped")
    assert depot.retraining.hindsight(VIEWER, backfill_id).sentence.startswith("The first version was not trained:")
    with pytest.raises(Conflict, match="has ended already"):
        depot.retraining.cancel_backfill(LEAD, backfill_id, "again")


@pytest.mark.parametrize(
    "asked",
    [
        {"first": "2026-02-30"}, {"first": "2030-01-01"}, {"first": "2026-01-01", "every": "often"},
        {"first": "2026-01-01", "every": "0d"}, {"first": "2000-01-01", "every": "1d"},
        {"first": "2026-01-01", "until": "2025-12-01"}, {"first": "2026-01-01", "parallel": 0},
        {"first": "2026-01-01", "parallel": 99},
    ],
)  # fmt: skip
def test_nonsense_is_one_sentence_and_starts_nothing(depot: Services, asked: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        depot.retraining.backfill(SCIENTIST, "weekly", "why", **asked)  # type: ignore[arg-type]
    assert depot.retraining.backfills(VIEWER) == ()


def test_who_may_not_and_what_is_not_there(depot: Services) -> None:
    with pytest.raises(NotAllowed):
        depot.retraining.backfill(VIEWER, "weekly", "why", first="2026-01-01")
    with pytest.raises(NotFound):
        depot.retraining.backfill(SCIENTIST, "nobody's", "why", first="2026-01-01")
    with pytest.raises(InvalidInput):
        depot.retraining.backfill(SCIENTIST, "weekly", " ", first="2026-01-01")
    with pytest.raises(NotFound):
        depot.retraining.hindsight(VIEWER, "nobody's")
