"""A version that took over is replayed on the rows before it: drawn apart, told in a sentence, in no verdict."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error
from sqlmodel import select

from mlops_dash import attempt, bootstrap, replay
from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.monitoring.replay import MOST_ROWS, ReplayState, newest_days
from mlops_dash.domain.words import Health, JobState
from mlops_dash.errors import BrokenModel, Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.jobs import JobsService
from mlops_dash.settings import from_environment
from mlops_dash.store import prediction_log
from mlops_dash.store import retraining as job_reads
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.log import ScoreRow
from mlops_dash.store.tables.monitoring import ReadingRow
from mlops_dash.store.tables.registry import ModelRow, ModelVersionRow, OperationRow, PolicyVersionRow, ServingRow
from tests import penguins
from tests.factories import ADMIN, NOON, SCIENTIST, VIEWER, WORKER
from tests.services.monitoring.monitoring_world import LIVE, MODEL, ROWS, V1, World, world
from tests.services.monitoring.test_regression import POLICY, V2, Minutes

DAY = timedelta(days=1)


@pytest.fixture
def made(context: Context) -> Minutes:
    """Arrival minutes of a stranger: v1 served 23 days, the last 14 with 12 minutes too much; v2 takes over."""
    base = world(context)
    minutes = Minutes(base.context, base.monitoring)
    context.clock.wall = lambda: minutes.now
    with transaction(context.databases.app) as session:
        session.get_one(ModelRow, MODEL).task = "regression"
        row = session.get_one(PolicyVersionRow, "policy")
        row.body, row.digest = POLICY.as_json(), POLICY.digest
        version = session.get_one(ModelVersionRow, V2)
        version.training_end = LIVE + 7 * DAY
    minutes.reference(V1)
    minutes.reference(V2)
    minutes.live(9)
    minutes.worse = 12.0
    minutes.live(14)
    minutes.evaluate(DAY)
    minutes.now += timedelta(minutes=21)
    minutes.promote(V2)
    minutes.evaluate(timedelta(hours=1))
    return minutes


def right(_version_id: str, rows: pd.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
    """The other version knows the truth but for 3 minutes."""
    truth: np.ndarray = 150.0 + 40.0 * rows["x"].to_numpy(dtype=np.float64)  # type: ignore[type-arg]
    return truth + 3.0


def finished(w: World, result: dict[str, object], *, state: JobState = JobState.SUCCEEDED, error: str = "") -> None:
    """The one job that waits ends so."""
    jobs = JobsService(w.context)
    job = jobs.claim(WORKER, "here")
    assert job is not None
    assert (job.task, job.arguments["version_id"]) == (Task.REPLAY, V2)
    jobs.finish(WORKER, job.id, job.epoch, state, result=result, error=error)


def kept(w: World) -> tuple[int, int]:
    """Scores in the log, and readings."""
    with reading(w.context.databases.log) as log, reading(w.context.databases.app) as app:
        return len(log.exec(select(ScoreRow)).all()), len(app.exec(select(ReadingRow)).all())


def test_the_rows_after_its_training_are_answered_again_and_measured_as_live_days_are(made: Minutes) -> None:
    before = kept(made)
    shares: list[float] = []
    found = made.monitoring.replay(WORKER, MODEL, right, tell=lambda share, _text: shares.append(share))
    assert (found.start, found.end) == (LIVE + 7 * DAY, LIVE + 24 * DAY)
    assert (found.rows, found.labelled, found.aside) == (16 * ROWS, 16 * ROWS, 0)
    assert shares == sorted(shares)
    assert kept(made) == before, "nothing of it is stored where a verdict could find it"
    last = [one for one in found.windows if one["metrics"]][-1]
    value, low, high, n, n_days, _ = last["metrics"]["7"]["mae"]
    assert value == pytest.approx(mean_absolute_error([0.0], [3.0]))
    assert low <= value <= high
    assert (n, n_days) == (7 * ROWS, 7)


def test_the_page_draws_it_beside_the_past_and_says_that_it_is_not_live(made: Minutes) -> None:
    assert made.monitoring.plan_replay(WORKER, MODEL)
    assert not made.monitoring.plan_replay(WORKER, MODEL), "once a takeover"
    waiting = made.room()
    assert waiting.replay is not None
    assert (waiting.replay.state, waiting.replay.why_not) == (ReplayState.WAITING, "A replay is on its way.")
    finished(made, made.monitoring.replay(WORKER, MODEL, right).as_json())
    room = made.room()
    assert room.headline == "v1 until 8 Mar 2013, 00:21 UTC, v2 since; nothing judged yet."
    assert room.health is Health.NOT_KNOWN, "what is replayed is no verdict"
    assert room.replay is not None
    assert room.replay.label == "Replay v2 again"
    assert room.replay.sentence == (
        "v2 replayed on the log of 19 Feb to 7 Mar 2013: 1,920 rows that others answered, 1,920 labelled, "
        "16 ripe days. Not live: it counts in no verdict, gate or alarm."
    )
    assert room.performance is not None
    assert len(room.performance.replayed) == 16
    assert {one.version for one in room.performance.points} == {"1"}
    ends = room.performance.replayed[-1].trailing
    assert ends is not None
    assert ends.value == pytest.approx(3.0)
    assert made.room(end=made.now - 2 * DAY).replay is None, "the past is looked at as it was"


def test_where_the_end_of_the_training_is_not_known_the_sentence_says_what_that_means(made: Minutes) -> None:
    with transaction(made.context.databases.app) as session:
        session.get_one(ModelVersionRow, V2).training_end = None
    assert made.monitoring.plan_replay(WORKER, MODEL)
    finished(made, made.monitoring.replay(WORKER, MODEL, right).as_json())
    told = made.room().replay
    assert told is not None
    assert told.sentence.endswith(
        "alarm. When the training of v2 ended is not known: rows of its training would flatter it."
    )


def test_after_a_rollback_a_version_is_not_replayed_on_what_it_answered_itself(made: Minutes) -> None:
    with transaction(made.context.databases.app) as session:
        session.add(OperationRow(id="first", kind="promote", model=MODEL, from_version_id=None, to_version_id=V1,
                                 state="confirmed", actor="user:lead", reason="the first", decided_at=LIVE,
                                 alias_moved_at=LIVE, epoch=1))  # fmt: skip
    made.worse = 0.0
    made.live(3, version_id=V2)
    made.now += timedelta(minutes=21)
    made.promote(V1)
    found = made.monitoring.replay(WORKER, MODEL, right)
    assert found.rows <= 3 * ROWS
    assert found.start >= LIVE + 23 * DAY


def test_a_version_that_no_longer_serves_is_not_counted_as_the_one_that_does(made: Minutes) -> None:
    with pytest.raises(InvalidInput, match="Meanwhile v2 serves"):
        made.monitoring.replay(WORKER, MODEL, right, version_id=V1)


def test_it_leaves_with_the_new_versions_own_first_ripe_day(made: Minutes) -> None:
    finished_once = made.monitoring.plan_replay(WORKER, MODEL)
    assert finished_once
    finished(made, made.monitoring.replay(WORKER, MODEL, right).as_json())
    made.worse = 0.0
    made.live(2, version_id=V2)
    made.evaluate(DAY)
    room = made.room()
    assert room.performance is not None
    assert (room.replay, room.performance.replayed) == (None, ())
    assert made.monitoring.replayed(VIEWER, MODEL) is None
    assert not made.monitoring.plan_replay(WORKER, MODEL)
    with pytest.raises(NotFound, match="nothing of flight-delay to replay"):
        made.monitoring.ask_replay(SCIENTIST, MODEL, "curious")


def test_who_may_ask_says_why_and_asks_once(made: Minutes) -> None:
    ask = made.monitoring.ask_replay
    with pytest.raises(NotAllowed):
        ask(VIEWER, MODEL, "why not")
    with pytest.raises(InvalidInput, match="needs a reason"):
        ask(SCIENTIST, MODEL, " ")
    ask(SCIENTIST, MODEL, "the hand-over is tomorrow")
    with pytest.raises(Conflict, match="queued already"):
        ask(SCIENTIST, MODEL, "again")
    with reading(made.context.databases.app) as session:
        job = job_reads.unfinished_for(session, model=MODEL, task=Task.REPLAY)
    assert job is not None
    assert job.arguments == {"version_id": V2, "version": "2"}


def test_what_it_asked_for_is_in_the_ledger(made: Minutes) -> None:
    from mlops_dash.domain.audit_words import sentence
    from mlops_dash.store import audit

    made.monitoring.ask_replay(SCIENTIST, MODEL, "the hand-over is tomorrow")
    with reading(made.context.databases.app) as session:
        (entry,) = [one for one in audit.entries(session) if one.action == Action.REPLAY_REQUESTED]
    assert entry.reason == "the hand-over is tomorrow"
    assert sentence(entry).endswith("asked for a replay of flight-delay v2")


def test_a_replay_that_failed_or_could_not_is_said_and_may_be_asked_for_again(made: Minutes) -> None:
    made.monitoring.ask_replay(SCIENTIST, MODEL, "curious")
    finished(made, {}, state=JobState.TIMED_OUT, error="It ran longer than 30 minutes.")
    view = made.monitoring.replayed(VIEWER, MODEL)
    assert view is not None
    assert (view.state, view.why_not) == (ReplayState.FAILED, "")
    assert view.sentence == "The replay of v2 failed: It ran longer than 30 minutes."
    made.now += timedelta(minutes=5)
    made.monitoring.ask_replay(SCIENTIST, MODEL, "once more")
    finished(made, {"why_not": "The model's files are not trusted: they hold a pickle."})
    view = made.monitoring.replayed(VIEWER, MODEL)
    assert view is not None
    assert (view.state, view.sentence) == (ReplayState.CANNOT, "The model's files are not trusted: they hold a pickle.")


def test_where_it_cannot_be_replayed_the_reason_is_a_sentence_and_no_job_is_made(made: Minutes) -> None:
    def cannot() -> str:
        assert not made.monitoring.plan_replay(WORKER, MODEL)
        view = made.monitoring.replayed(VIEWER, MODEL)
        assert view is not None
        with pytest.raises(InvalidInput, match="v2 cannot be replayed"):
            made.monitoring.ask_replay(SCIENTIST, MODEL, "curious")
        with pytest.raises(InvalidInput, match="v2 cannot be replayed"):
            made.monitoring.replay(WORKER, MODEL, right)
        assert view.state is ReplayState.CANNOT
        return view.sentence

    with transaction(made.context.databases.app) as session:
        session.get_one(ModelVersionRow, V2).training_end = made.now
    assert "would flatter it" in cannot()
    with transaction(made.context.databases.app) as session:
        session.get_one(ModelVersionRow, V2).training_end = None
        session.get_one(ModelRow, MODEL).source = "external"
    assert cannot() == "v2 cannot be replayed: others serve this model, so its files are not here."


def test_rows_that_cannot_be_counted_are_left_out_and_too_many_are_said(made: Minutes) -> None:
    days = [(LIVE + day * DAY, 10) for day in range(4)]
    assert newest_days(days, most=25) == LIVE + 2 * DAY
    assert newest_days(days, most=9) is None
    assert newest_days([(LIVE, MOST_ROWS)]) == LIVE
    with transaction(made.context.databases.log) as session:
        row = session.connection().exec_driver_sql(
            "SELECT prediction_id, features FROM prediction ORDER BY at_us DESC LIMIT 1"
        ).one()  # fmt: skip
        spoilt = str(row[1]).replace('"x":', '"x":"far","y":')
        session.connection().exec_driver_sql(
            "UPDATE prediction SET features = ? WHERE prediction_id = ?", (spoilt, row[0])
        )
    found = made.monitoring.replay(WORKER, MODEL, right)
    assert (found.rows, found.aside) == (16 * ROWS - 1, 1)


# --- the process of its own -----------------------------------------------------------------------------------------


@pytest.fixture
def island(tmp_path: Path) -> Iterator[Services]:
    """Three species in words, one with quotes in its name: v2 took over an hour ago, MLflow does not answer."""
    house = bootstrap.build(
        from_environment({"MLOPS_DASH_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"})
    )
    table = penguins.penguins(house.context.clock.now(), days=60)
    cut = 30 * penguins.PER_DAY
    first = penguins.watched(house, table)
    second = house.registry.record_version(WORKER, penguins.MODEL, "2", source_uri="models:/penguins/2")
    house.monitoring.record_reference(WORKER, second, penguins.numbered(table.iloc[:cut]))
    since = house.context.clock.now() - timedelta(hours=1)
    with transaction(house.context.databases.app) as session:
        session.get_one(ModelRow, penguins.MODEL).source = "mlflow"
        session.add(
            OperationRow(id="op2", kind="promote", model=penguins.MODEL, from_version_id=first, to_version_id=second,
                         state="confirmed", actor="user:lead", reason="better", decided_at=since, alias_moved_at=since,
                         epoch=2)
        )  # fmt: skip
        session.merge(
            ServingRow(model=penguins.MODEL, alias="champion", version_id=second, shadow_version_ids=[], epoch=2,
                       operation_id="op2", since=since)
        )  # fmt: skip
    yield house
    house.close()


def test_a_model_that_answers_in_words_is_replayed_too(island: Services) -> None:
    found = island.monitoring.replay(WORKER, penguins.MODEL, lambda _version, rows: np.zeros(len(rows)))
    last = [one for one in found.windows if one["metrics"]][-1]
    assert last["metrics"]["28"]["recall:Adélie"][0] == pytest.approx(1.0)
    assert last["metrics"]["28"][f"recall:{penguins.ODD}"][0] == pytest.approx(0.0)
    assert found.labelled == found.rows


def test_probabilities_of_classes_that_are_told_again_are_counted(island: Services) -> None:
    """The reference of v2 gets its probabilities: the replay then has a log-loss, as live rows have."""
    table = penguins.with_probabilities(penguins.penguins(island.context.clock.now(), days=60))
    version = island.registry.version_id(WORKER, penguins.MODEL, "2")
    rows = penguins.numbered(table.iloc[: 30 * penguins.PER_DAY])
    island.monitoring.record_reference(WORKER, version, rows)
    p = np.array([0.7, 0.2, 0.1])
    found = island.monitoring.replay(WORKER, penguins.MODEL, lambda _version, rows: np.tile(p, (len(rows), 1)))
    last = [one for one in found.windows if one["metrics"]][-1]
    value, low, high = last["metrics"]["28"]["log_loss"][:3]
    assert -np.log(0.7) < low < value < high < -np.log(0.1)
    assert last["metrics"]["28"][f"recall:{penguins.SPECIES[0]}"][0] == pytest.approx(1.0)


def ran(house: Services) -> tuple[int, JobState, dict[str, object]]:
    """The replay that was planned, as a worker's child does it."""
    assert house.monitoring.plan_replay(WORKER, penguins.MODEL)
    job = house.jobs.claim(WORKER, "here")
    assert job is not None
    code = attempt.finish(attempt.Run(house, job, sys.stdout.write), replay.replay)
    done = house.jobs.job(WORKER, job.id)
    return code, done.state, dict(done.result or {})


def test_what_does_not_answer_is_tried_again(island: Services) -> None:
    code, state, _ = ran(island)
    assert (code, state) == (3, JobState.QUEUED)


def test_a_model_that_cannot_be_loaded_ends_in_a_sentence_and_is_no_failure(
    island: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise BrokenModel("The files hold a pickle and are not trusted.", hint="An admin may trust them.")

    monkeypatch.setattr("mlops_dash.services.scoring.again.ModelCache.get", refuse)
    code, state, result = ran(island)
    assert (code, state) == (0, JobState.SUCCEEDED)
    assert result["why_not"] == "The files hold a pickle and are not trusted. An admin may trust them."
    view = island.monitoring.replayed(ADMIN, penguins.MODEL)
    assert view is not None
    assert view.state is ReplayState.CANNOT


def test_a_log_without_rows_before_the_takeover_is_said(context: Context) -> None:
    w = world(context)
    w.reference(V1)
    w.reference(V2)
    w.now += 3 * DAY
    w.promote(V2)
    assert w.now > NOON - 365 * DAY
    with reading(context.databases.log) as session:
        assert prediction_log.logged_by_hour(session, MODEL, LIVE, w.now) == ()
    with pytest.raises(InvalidInput, match="no row is logged before it took over"):
        w.monitoring.replay(WORKER, MODEL, right)
