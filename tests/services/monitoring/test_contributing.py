"""Why one row got its answer: exact where answers add up, masked columns as one, values only for who may see rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops_dash import attempt, bootstrap, why
from mlops_dash.domain.audit import Action
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.monitoring.contributions import LOG_ODDS, MASKED, MISSING, SAID, SHARE, RowContributions
from mlops_dash.domain.words import JobState
from mlops_dash.errors import BrokenModel, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.jobs import JobsService
from mlops_dash.services.monitoring.explaining import ELSEWHERE
from mlops_dash.store import audit, prediction_log
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.prediction_log import to_us
from mlops_dash.store.tables.registry import ModelRow
from tests import factories, penguins
from tests.factories import SCIENTIST, VIEWER, WORKER
from tests.services.monitoring.monitoring_world import LIVE, MODEL, V1, World, world
from tests.services.monitoring.test_explaining import Windy, needs_wind, twenty_calm_days
from tests.services.monitoring.test_regression import Minutes

ROW = str(to_us(LIVE))


@pytest.fixture
def made(context: Context) -> Minutes:
    base = world(context)
    return twenty_calm_days(context, Windy(base.context, base.monitoring))


def adds_up(found: RowContributions) -> None:
    assert found.base + sum(one.amount for one in found.added) == pytest.approx(found.total, rel=1e-5)


def crossed(_version_id: str, rows: pd.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(150.0 + 40.0 * rows["x"] * rows["wind"], dtype=np.float64)


def held(made: World, row: str = ROW) -> dict[str, Any]:
    with reading(made.context.databases.log) as session:
        page = prediction_log.read_logged(session, MODEL, LIVE, made.now)
    return dict(page[page["prediction_id"] == row].iloc[0])


def test_minutes_of_a_linear_model_are_told_exactly_in_minutes_with_what_the_row_holds(made: Minutes) -> None:
    found = made.monitoring.explain_row(SCIENTIST, MODEL, ROW, needs_wind)
    row, added = held(made), {one.column: one for one in found.added}
    adds_up(found)
    assert (found.exact, found.unit, found.n, found.compared_with) == (True, "min", 200, "the first windows")
    assert found.total == pytest.approx(150.0 + 40.0 * row["x"] + 8.0 * row["wind"])
    other = str(to_us(LIVE) + 720_000_000)
    (of_other,) = [
        one for one in made.monitoring.explain_row(SCIENTIST, MODEL, other, needs_wind).added if one.column == "x"
    ]
    assert added["x"].amount - of_other.amount == pytest.approx(40.0 * (row["x"] - held(made, other)["x"]), rel=1e-5)
    assert (added["x"].low, added["place"].amount, added["x"].value) == (None, 0.0, f"{row['x']:.6g}")
    assert "min" in found.sentence
    assert f"x = {row['x']:.6g}" in found.sentence
    assert found.method.startswith("exact")
    assert RowContributions.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_an_answer_that_crosses_columns_has_intervals_and_still_adds_up(made: Minutes) -> None:
    found = made.monitoring.explain_row(SCIENTIST, MODEL, ROW, crossed)
    adds_up(found)
    assert not found.exact
    for one in found.added:
        assert one.low is not None
        assert one.high is not None
        assert one.low <= one.amount <= one.high
    assert "Shapley" in found.method


def test_a_pipeline_with_a_logistic_regression_is_told_exactly_in_log_odds(context: Context) -> None:
    made = world(context)
    made.reference(V1)
    made.live(10)
    made.evaluate()
    known = made.rows(30)
    names = ["x", "wind", "place"]
    steps = make_column_transformer((StandardScaler(), ["x", "wind"]), (OneHotEncoder(), ["place"]))
    model = make_pipeline(steps, LogisticRegression()).fit(known[names], known["label"])
    found = made.monitoring.explain_row(
        SCIENTIST, MODEL, ROW, lambda _version, rows: model.predict_proba(rows[names])[:, 1]
    )
    adds_up(found)
    assert (found.exact, found.unit) == (True, LOG_ODDS)
    own = float(model.decision_function(pd.DataFrame([held(made)])[names])[0])
    assert found.total == pytest.approx(own, rel=1e-5)
    assert found.of == "probability of 1"
    assert "log-odds" in found.sentence


@pytest.mark.parametrize("names_a_class", [True, False])
def test_of_several_classes_the_one_that_the_row_got_is_explained(tmp_path: Path, names_a_class: bool) -> None:
    house = bootstrap.build(factories.settings(tmp_path))
    table = penguins.with_probabilities(penguins.penguins(house.context.clock.now(), days=45))
    table["bill"] += np.where(table["label"] == penguins.SPECIES[1], 8.0, -8.0)
    penguins.watched(house, table)
    with transaction(house.context.databases.app) as session:
        session.get_one(ModelRow, penguins.MODEL).source = "mlflow"

    def by_the_bill(_version_id: str, rows: pd.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
        long = rows["bill"].to_numpy(dtype=np.float64) > 40.0
        told = np.where(long[:, None], [0.1, 0.7, 0.2], [0.8, 0.1, 0.1])
        return told.argmax(axis=1).astype(np.float64) if names_a_class else told

    with reading(house.context.databases.log) as session:
        span = table["at"].min().to_pydatetime(), house.context.clock.now()
        page = prediction_log.read_logged(session, penguins.MODEL, *span)
    row = page[page["bill"] > 40.0].iloc[0]
    found = house.monitoring.explain_row(SCIENTIST, penguins.MODEL, row["prediction_id"], by_the_bill)
    house.close()
    adds_up(found)
    assert found.answer == penguins.SPECIES[1]
    assert (found.total, found.unit) == ((1.0, SAID) if names_a_class else (0.7, SHARE))
    assert found.added[0].column == "bill"
    assert found.of.endswith(penguins.SPECIES[1])


def test_what_must_not_be_logged_is_told_as_one_without_a_value_although_older_rows_hold_it(made: Minutes) -> None:
    with transaction(made.context.databases.app) as session:
        session.get_one(ModelRow, MODEL).do_not_log = ["wind", "place"]
    found = made.monitoring.explain_row(SCIENTIST, MODEL, ROW, needs_wind)
    adds_up(found)
    assert {one.column: one.value for one in found.added}[MASKED] == ""
    assert {one.column for one in found.added} == {"x", MASKED}
    assert str(held(made)["wind"])[:6] not in json.dumps(found.as_json())


def answer(made: Minutes) -> None:
    """What a worker does with the next job."""
    jobs = JobsService(made.context)
    services: Any = SimpleNamespace(
        monitoring=made.monitoring, jobs=jobs,
        scoring=SimpleNamespace(answer_again=lambda _who, _model, version, rows: needs_wind(version, rows)),
    )  # fmt: skip
    job = jobs.claim(WORKER, "here")
    assert job is not None
    assert attempt.finish(attempt.Run(services, job, sys.stdout.write), why.work) == 0


def test_a_column_that_is_masked_later_is_asked_about_anew_and_never_stands_by_itself(made: Minutes) -> None:
    def masked(*names: str) -> None:
        with transaction(made.context.databases.app) as session:
            session.get_one(ModelRow, MODEL).do_not_log = list(names)

    def known() -> RowContributions | None:
        return made.monitoring.row_contributions(SCIENTIST, MODEL, ROW).found

    first = made.monitoring.ask_row(SCIENTIST, MODEL, ROW)
    answer(made)
    before = known()
    assert before is not None
    assert "wind" in {one.column for one in before.added}
    masked("wind", "place")
    assert known() is None
    second = made.monitoring.ask_row(SCIENTIST, MODEL, ROW)
    assert second != first
    masked()
    answer(made)  # it answers by what holds while it runs
    masked("place", "wind")
    found = known()
    assert found is not None
    adds_up(found)
    assert {one.column: one.value for one in found.added}[MASKED] == ""
    assert {one.column for one in found.added} == {"x", MASKED}
    assert "wind =" not in found.sentence
    assert made.monitoring.ask_row(SCIENTIST, MODEL, ROW) == second


def test_a_worker_answers_and_keeps_amounts_alone_and_who_may_not_see_rows_sees_none(made: Minutes) -> None:
    jobs = JobsService(made.context)
    ask = made.monitoring.ask_row
    assert made.monitoring.row_contributions(SCIENTIST, MODEL, ROW).state is None
    number = ask(SCIENTIST, MODEL, ROW)
    assert made.monitoring.row_contributions(SCIENTIST, MODEL, ROW).waits
    assert ask(SCIENTIST, MODEL, ROW) == number  # it is on its way
    services: Any = SimpleNamespace(
        monitoring=made.monitoring, jobs=jobs,
        scoring=SimpleNamespace(answer_again=lambda _who, _model, version, rows: needs_wind(version, rows)),
    )  # fmt: skip
    job = jobs.claim(WORKER, "here")
    assert job is not None
    assert (job.id, job.task) == (number, Task.ROW)
    assert attempt.finish(attempt.Run(services, job, sys.stdout.write), why.work) == 0
    done = jobs.job(WORKER, number)
    assert done.state is JobState.SUCCEEDED
    assert f"{held(made)['x']:.6g}" not in json.dumps(dict(done.result or {}))
    known = made.monitoring.row_contributions(SCIENTIST, MODEL, ROW)
    assert known.found is not None
    assert known.found.sentence == made.monitoring.explain_row(SCIENTIST, MODEL, ROW, needs_wind).sentence
    assert ask(SCIENTIST, MODEL, ROW) == number  # it is known
    seen = made.monitoring.row_contributions(VIEWER, MODEL, ROW)
    assert seen.found is None
    assert "scientists and leads" in seen.sentence
    with pytest.raises(NotAllowed):
        ask(VIEWER, MODEL, ROW)
    with reading(made.context.databases.app) as session:
        entries = [one for one in audit.entries(session) if one.action == Action.ROW_ASKED]
    assert {one.model for one in entries} == {MODEL}
    assert len({one.object for one in entries}) == 1  # the same row, by a keyed digest of its id
    assert ROW not in repr(entries)  # the ledger is kept for ever, a row is not
    with transaction(made.context.databases.log) as session:
        prediction_log.erase(session, MODEL, [ROW], marked_us=0)
    gone = made.monitoring.row_contributions(SCIENTIST, MODEL, ROW)
    assert gone.found is None
    assert "no row" in gone.sentence


def test_a_model_that_cannot_be_asked_ends_the_job_with_the_reason_and_it_may_be_asked_again(made: Minutes) -> None:
    jobs = JobsService(made.context)

    def breaks(*_given: Any) -> Any:
        raise BrokenModel("The model failed on rows that fit its signature: boom")

    services: Any = SimpleNamespace(
        monitoring=made.monitoring, jobs=jobs, scoring=SimpleNamespace(answer_again=breaks)
    )  # fmt: skip
    number = made.monitoring.ask_row(SCIENTIST, MODEL, ROW)
    job = jobs.claim(WORKER, "here")
    assert job is not None
    assert attempt.finish(attempt.Run(services, job, sys.stdout.write), why.work) == 0
    known = made.monitoring.row_contributions(SCIENTIST, MODEL, ROW)
    assert (known.found, "boom" in known.sentence) == (None, True)
    assert made.monitoring.ask_row(SCIENTIST, MODEL, ROW) != number


def test_whoever_writes_does_not_wait_while_a_row_is_looked_up(made: Minutes, monkeypatch: pytest.MonkeyPatch) -> None:
    looked, read_logged = [], prediction_log.read_logged

    def slow(*given: Any, **named: Any) -> pd.DataFrame:
        with transaction(made.context.databases.app) as session:  # somebody else's, in the middle of the look
            session.get_one(ModelRow, MODEL).title = "written meanwhile"
        looked.append(given)
        return read_logged(*given, **named)

    monkeypatch.setattr(prediction_log, "read_logged", slow)
    assert made.monitoring.ask_row(SCIENTIST, MODEL, ROW)
    assert looked


def test_a_missing_value_is_said_and_mixed_like_any_other(context: Context) -> None:
    base = world(context)
    made = Windy(base.context, base.monitoring)
    with transaction(context.databases.app) as session:
        session.get_one(ModelRow, MODEL).task = "regression"
    made.reference(V1)
    made.live(5)
    row = str(to_us(made.now))
    made.live(2, without="wind")
    made.evaluate()

    def filled(_version_id: str, rows: pd.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
        return np.asarray(rows["x"] + rows["wind"].fillna(5.0), dtype=np.float64)

    found = made.monitoring.explain_row(SCIENTIST, MODEL, row, filled)
    adds_up(found)
    (wind,) = [one for one in found.added if one.column == "wind"]
    assert (wind.value, wind.amount == pytest.approx(25 / 7, abs=0.8)) == (MISSING, True)


def test_what_cannot_be_explained_is_said(made: Minutes) -> None:
    with pytest.raises(NotFound, match="holds no row 'nobody'"):
        made.monitoring.ask_row(SCIENTIST, MODEL, "nobody")
    with pytest.raises(NotFound, match="holds no row"):
        made.monitoring.explain_row(SCIENTIST, MODEL, ROW, needs_wind, at=made.now)
    with transaction(made.context.databases.app) as session:
        session.get_one(ModelRow, MODEL).source = "external"
    for ask in (made.monitoring.ask_row, lambda *given: made.monitoring.explain_row(*given, needs_wind)):
        with pytest.raises(InvalidInput, match=ELSEWHERE):
            ask(SCIENTIST, MODEL, ROW)


def test_too_few_reference_rows_explain_nothing(context: Context) -> None:
    base = world(context)
    made = Windy(base.context, base.monitoring)
    with transaction(context.databases.app) as session:
        session.get_one(ModelRow, MODEL).task = "regression"
    made.reference(V1)
    with transaction(context.databases.log) as session:
        one = prediction_log.Prediction(MODEL, ROW, to_us(LIVE), "b", 0, "", '{"place":"a","wind":1.0,"x":2.0}')
        prediction_log.append(session, [one], [], marked_us=0)
    with pytest.raises(InvalidInput, match="20 are needed"):
        made.monitoring.explain_row(SCIENTIST, MODEL, ROW, needs_wind)
