"""Scoring on a real model: what is answered, what is stored, what is followed."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlmodel import select

from mlops_dash.clock import Clock
from mlops_dash.domain.access import Actor, Role
from mlops_dash.domain.words import AlertState
from mlops_dash.errors import (
    BrokenModel,
    InvalidInput,
    InvalidRow,
    NotAllowed,
    NotFound,
    NothingToServe,
    StoreUnavailable,
)
from mlops_dash.services.command import Context
from mlops_dash.services.scoring import ScoringService, following
from mlops_dash.store import prediction_log as log
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.log import HeartbeatRow
from mlops_dash.store.tables.monitoring import AlertRow
from mlops_dash.store.tables.registry import ModelVersionRow, ServingRow
from mlops_dash.tracking.models.loading import ModelCache
from tests import factories
from tests.factories import NOON, SCIENTIST, VIEWER, WORKER
from tests.served import MODEL, Served, flights

V1, V2 = f"{MODEL}-v1", f"{MODEL}-v2"


@pytest.fixture
def home(served: Served, tmp_path: Path) -> Iterator[Context]:
    """A world in which versions 1 to 3 are registered and 1 is approved."""
    made = factories.context(tmp_path, mlflow_uri=served.uri)
    with transaction(made.databases.app) as session:
        session.add(factories.model_row(do_not_log=[]))
        session.add(factories.model_row("idle"))
        for version in ("1", "2", "3"):
            session.add(factories.version_row(version, artifact_digest="", source_uri=served.sources[version]))
    approve(made, V1)
    yield made
    made.databases.dispose()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "STALE_SECONDS", 0.0)
    monkeypatch.setattr(following, "RETRY_BROKEN_SECONDS", 0.0)


@pytest.fixture
def scoring(home: Context) -> ScoringService:
    return service(home)


def service(home: Context) -> ScoringService:
    return ScoringService(home, ModelCache(home.settings.mlflow_uri, home.settings.home))


def approve(home: Context, version_id: str, *, shadows: tuple[str, ...] = (), epoch: int = 1) -> None:
    with transaction(home.databases.app) as session:
        session.merge(
            ServingRow(
                model=MODEL,
                alias="champion",
                version_id=version_id,
                shadow_version_ids=list(shadows),
                epoch=epoch,
                operation_id=f"op-{epoch}",
                since=NOON,
            )
        )


def logged(home: Context, version_id: str = V1, **kwargs: object) -> pd.DataFrame:
    with reading(home.databases.log) as session:
        return log.read_window(
            session,
            version_id,
            NOON - timedelta(days=9),
            NOON + timedelta(days=9),
            **kwargs,  # type: ignore[arg-type]
        )


def alerts(home: Context) -> list[tuple[str, str]]:
    with reading(home.databases.app) as session:
        return [(row.version, row.state) for row in session.exec(select(AlertRow))]


def total(home: Context) -> int:
    with reading(home.databases.log) as session:
        return log.counts(session, MODEL).predictions


# --- score ------------------------------------------------------------------------------------------------------------


def test_rows_are_answered_and_stored_with_their_features(home: Context, scoring: ScoringService) -> None:
    rows = flights(20)
    batch = scoring.score(SCIENTIST, MODEL, rows, ids=[f"f{i}" for i in range(20)], batch_id="b")
    assert (batch.version, batch.version_id, batch.batch_id, batch.stored) == ("1", V1, "b", 20)
    read = logged(home).set_index("prediction_id").loc[list(batch.prediction_ids)]
    assert read["score"].tolist() == list(batch.scores)
    assert (read["at"] == pd.Timestamp(NOON)).all()
    pd.testing.assert_frame_equal(read[list(rows)].reset_index(drop=True), rows, check_dtype=False)


def test_scoring_again_stores_nothing_new(home: Context, scoring: ScoringService) -> None:
    rows = flights(5)
    first = scoring.score(SCIENTIST, MODEL, rows)
    again = scoring.score(SCIENTIST, MODEL, rows)
    assert first.prediction_ids == again.prediction_ids
    assert first.batch_id == again.batch_id
    assert (first.stored, again.stored, total(home)) == (5, 0, 5)


def test_rows_of_a_batch_are_numbered(home: Context, scoring: ScoringService) -> None:
    batch = scoring.score(SCIENTIST, MODEL, flights(3), batch_id=["a", "b", "a"])
    assert batch.prediction_ids == ("a-0", "b-0", "a-1")


def test_equal_rows_without_ids_are_told_apart(home: Context, scoring: ScoringService) -> None:
    row = flights(1)
    batch = scoring.score(SCIENTIST, MODEL, pd.concat([row, row], ignore_index=True))
    assert len(set(batch.prediction_ids)) == 2
    assert total(home) == 2


def test_each_row_may_have_its_own_time(home: Context, scoring: ScoringService) -> None:
    times = [NOON - timedelta(hours=2), NOON]
    scoring.score(SCIENTIST, MODEL, flights(2), at=times)
    assert [moment.to_pydatetime() for moment in logged(home)["at"]] == times


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"ids": ["a"]}, "1 ids were given for 2 rows"),
        ({"at": [NOON]}, "1 times were given for 2 rows"),
        ({"at": [datetime(2013, 1, 1)] * 2}, "no zone"),  # noqa: DTZ001
        ({"batch_id": ["b"]}, "1 batches were given for 2 rows"),
        ({"ids": ["a", "a"]}, "twice"),
    ],
)
def test_what_does_not_fit_the_rows_is_refused(
    home: Context, scoring: ScoringService, given: dict[str, object], reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        scoring.score(SCIENTIST, MODEL, flights(2), **given)  # type: ignore[arg-type]
    assert total(home) == 0


def test_a_bad_row_refuses_the_whole_batch(home: Context, scoring: ScoringService) -> None:
    rows = flights(4).astype(object)
    rows.loc[3, "hour"] = "noon"
    with pytest.raises(InvalidRow) as caught:
        scoring.score(SCIENTIST, MODEL, rows)
    assert (caught.value.row, caught.value.column, caught.value.value) == (3, "hour", "'noon'")
    assert total(home) == 0


def test_no_rows_are_no_answer(home: Context, scoring: ScoringService) -> None:
    batch = scoring.score(SCIENTIST, MODEL, flights(0))
    assert (batch.prediction_ids, batch.stored) == ((), 0)


def test_shadows_answer_silently(home: Context, scoring: ScoringService) -> None:
    approve(home, V1, shadows=(V2,), epoch=2)
    batch = scoring.score(SCIENTIST, MODEL, flights(6))
    shadow = logged(home, V2, roles=("shadow",))
    assert len(shadow) == 6
    assert sorted(shadow["score"]) != sorted(batch.scores)
    assert len(logged(home, V1, roles=("champion",))) == 6


def test_a_broken_shadow_does_not_keep_the_champion_from_answering(home: Context, scoring: ScoringService) -> None:
    approve(home, V1, shadows=(f"{MODEL}-v3",), epoch=2)
    assert scoring.score(SCIENTIST, MODEL, flights(2)).version == "1"
    assert alerts(home) == [("3", AlertState.OPEN)]


def test_a_feature_that_must_not_be_logged_is_not(home: Context, scoring: ScoringService) -> None:
    with transaction(home.databases.app) as session:
        session.merge(factories.model_row(do_not_log=["carrier"]))
    scoring.score(SCIENTIST, MODEL, flights(3))
    assert "carrier" not in logged(home)


def test_unknown_models_and_models_without_approval_say_the_next_step(scoring: ScoringService) -> None:
    with pytest.raises(NotFound, match="'nothing'") as unknown:
        scoring.score(SCIENTIST, "nothing", flights(1))
    with pytest.raises(NothingToServe, match="No version of idle") as idle:
        scoring.score(SCIENTIST, "idle", flights(1))
    assert unknown.value.hint
    assert "promote" in idle.value.hint


def test_a_viewer_may_not_score(scoring: ScoringService) -> None:
    with pytest.raises(NotAllowed):
        scoring.score(VIEWER, MODEL, flights(1))


def test_nothing_is_stored_when_the_log_is_locked(home: Context, scoring: ScoringService) -> None:
    scoring.score(SCIENTIST, MODEL, flights(1))
    other = sqlite3.connect(home.settings.home / "log.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with home.databases.log.connect() as connection:  # the pool's one connection: do not wait ten seconds
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
        connection.commit()
    with pytest.raises(StoreUnavailable) as caught:
        scoring.score(SCIENTIST, MODEL, flights(3, seed=5))
    assert "Nothing was changed" in caught.value.hint
    other.rollback()
    other.close()
    assert total(home) == 1


# --- following --------------------------------------------------------------------------------------------------------


def test_a_promotion_is_followed(home: Context, scoring: ScoringService) -> None:
    assert scoring.score(SCIENTIST, MODEL, flights(1)).version == "1"
    approve(home, V2, epoch=2)
    assert scoring.score(SCIENTIST, MODEL, flights(1)).version == "2"


def test_the_first_load_records_the_digest_of_the_files(home: Context, scoring: ScoringService) -> None:
    scoring.score(SCIENTIST, MODEL, flights(1))
    with reading(home.databases.app) as session:
        row = session.get(ModelVersionRow, V1)
    assert row is not None
    assert len(row.artifact_digest) == 64


def test_a_broken_version_leaves_the_one_before_answering_with_an_alert(
    home: Context, scoring: ScoringService, caplog: pytest.LogCaptureFixture
) -> None:
    scoring.score(SCIENTIST, MODEL, flights(1))
    approve(home, f"{MODEL}-v3", epoch=2)
    with caplog.at_level(logging.CRITICAL):
        assert scoring.score(SCIENTIST, MODEL, flights(1)).version == "1"
        (served,) = scoring.follow(WORKER, "gateway")
    assert (served.version_id, served.epoch) == (V1, 1)
    assert "pickle" in served.error
    assert alerts(home) == [("3", AlertState.OPEN)]
    with reading(home.databases.log) as session:
        beat = session.exec(select(HeartbeatRow)).one()
    assert (beat.version_id, beat.epoch, beat.error) == (V1, 1, served.error)
    approve(home, V2, epoch=3)
    assert scoring.score(SCIENTIST, MODEL, flights(1)).version == "2"
    assert alerts(home) == [("3", AlertState.CLOSED)]
    assert scoring.follow(WORKER, "gateway")[0].error == ""


def test_a_broken_first_version_is_unavailable(home: Context, scoring: ScoringService) -> None:
    approve(home, f"{MODEL}-v3", epoch=2)
    with pytest.raises(BrokenModel, match="pickle"):
        scoring.score(SCIENTIST, MODEL, flights(1))
    (served,) = scoring.follow(WORKER, "gateway")
    assert (served.version_id, served.version) == ("", "")
    assert alerts(home) == [("3", AlertState.OPEN)]


def test_scoring_goes_on_while_mlflow_is_away(home: Context, scoring: ScoringService) -> None:
    scoring.score(SCIENTIST, MODEL, flights(1))
    away = ScoringService(home, ModelCache("http://127.0.0.1:9", home.settings.home))
    assert away.score(SCIENTIST, MODEL, flights(2)).version == "1"
    approve(home, V2, epoch=2)
    assert away.score(SCIENTIST, MODEL, flights(1)).version == "1"
    (served,) = away.follow(WORKER, "gateway")
    assert served.version == "1"
    assert served.error.startswith("v2: ")
    assert alerts(home) == []  # MLflow's silence is not a broken model


def test_a_heartbeat_is_written_on_change_and_then_rarely(served: Served, home: Context) -> None:
    clock = Clock(wall=lambda: moment[0])
    moment = [NOON]
    mine = service(replace(home, clock=clock))

    def told() -> tuple[str, datetime]:
        with reading(home.databases.log) as session:
            row = session.exec(select(HeartbeatRow)).one()
        return row.version_id, log.from_us(row.at_us)

    mine.follow(WORKER, "gateway")
    assert told() == (V1, NOON)
    moment[0] += timedelta(seconds=1)
    mine.follow(WORKER, "gateway")
    assert told() == (V1, NOON)
    approve(home, V2, epoch=2)
    mine.follow(WORKER, "gateway")
    assert told() == (V2, moment[0])
    assert [one.version for one in mine.serving(VIEWER)] == ["2"]


def test_only_our_own_processes_follow(scoring: ScoringService) -> None:
    with pytest.raises(NotAllowed):
        scoring.follow(SCIENTIST, "gateway")


# --- MLflow's protocol ------------------------------------------------------------------------------------------------


def test_an_answer_is_stored_only_by_store(home: Context, scoring: ScoringService) -> None:
    body = json.dumps({"dataframe_split": json.loads(flights(3).to_json(orient="split"))}).encode()
    answered = scoring.answer(SCIENTIST, MODEL, body, "application/json", batch_id="req")
    assert answered.status == 200
    assert answered.pending is not None
    assert total(home) == 0
    (stored,) = scoring.store(SCIENTIST, [answered.pending])
    assert (stored.predictions, stored.scores, total(home)) == (3, 3, 3)
    rows = scoring.batch(VIEWER, "req")
    assert [(row.prediction_id, row.answers[0][:2]) for row in rows] == [
        (f"req-{i}", ("1", "champion")) for i in range(3)
    ]


def test_a_bad_request_has_nothing_to_store(scoring: ScoringService) -> None:
    answered = scoring.answer(SCIENTIST, MODEL, b"{}", "application/json", batch_id="req")
    assert (answered.status, answered.pending) == (400, None)


def test_ids_come_from_a_column(scoring: ScoringService) -> None:
    body = flights(2).assign(flight=["x", "y"]).to_csv(index=False).encode()
    answered = scoring.answer(SCIENTIST, MODEL, body, "text/csv", batch_id="req", ids_column="flight")
    assert answered.pending is not None
    assert answered.pending.prediction_ids == ("x", "y")


def test_an_unknown_batch_is_not_found(scoring: ScoringService) -> None:
    with pytest.raises(NotFound, match="'none'"):
        scoring.batch(VIEWER, "none")


# --- made elsewhere ---------------------------------------------------------------------------------------------------


def outside(**changes: object) -> dict[str, object]:
    return {"prediction_id": "p", "version": "2", "score": 0.5, "features": {"hour": 7}, **changes}


def test_predictions_made_elsewhere_are_stored_under_their_version(home: Context, scoring: ScoringService) -> None:
    rows = [outside(at="2013-06-03T10:00:00Z"), outside(prediction_id="q", role="shadow")]
    assert scoring.record_predictions(SCIENTIST, MODEL, rows, batch_id="b").predictions == 2
    assert scoring.record_predictions(SCIENTIST, MODEL, rows, batch_id="b").predictions == 0
    read = logged(home, V2)
    assert read["prediction_id"].tolist() == ["p", "q"]
    assert read["hour"].tolist() == [7, 7]
    assert read["at"].iloc[0] == pd.Timestamp("2013-06-03T10:00Z")


def test_an_unknown_version_refuses_the_batch(home: Context, scoring: ScoringService) -> None:
    with pytest.raises(InvalidRow, match="no such version") as caught:
        scoring.record_predictions(SCIENTIST, MODEL, [outside(), outside(prediction_id="q", version="9")])
    assert (caught.value.row, caught.value.column) == (1, "version")
    assert total(home) == 0


def test_either_all_rows_have_ids_or_none(scoring: ScoringService) -> None:
    with pytest.raises(InvalidRow):
        scoring.record_predictions(SCIENTIST, MODEL, [outside(), outside(prediction_id=None)])
    bare = {"version": "1", "score": 0.5, "features": {}}
    assert scoring.prepare_predictions(SCIENTIST, MODEL, [bare], batch_id="b").prediction_ids == ("b-0",)


# --- labels -----------------------------------------------------------------------------------------------------------


def test_labels_join_their_predictions(home: Context, scoring: ScoringService) -> None:
    scoring.score(SCIENTIST, MODEL, flights(2), ids=["a", "b"])
    observed = [NOON + timedelta(hours=1), NOON + timedelta(hours=2)]
    frame = pd.DataFrame({"prediction_id": ["a", "later"], "value": [1.0, 0.0], "observed_at": observed})
    done = scoring.record_labels(SCIENTIST, MODEL, frame, received_at=observed)
    assert done == log.LabelsAppended(new=2, revised=0, unchanged=0, pending=1)
    assert scoring.record_labels(SCIENTIST, MODEL, frame).unchanged == 2
    read = logged(home).set_index("prediction_id")
    assert read.loc["a", "label"] == 1.0
    assert read.loc["a", "label_received_at"] == pd.Timestamp(observed[0])
    assert np.isnan(read.loc["b", "label"])
    counts = scoring.counts(VIEWER, MODEL)
    assert (counts.predictions, counts.labelled, counts.pending_labels) == (2, 1, 1)


def test_labels_as_objects_are_prepared(home: Context, scoring: ScoringService) -> None:
    pending = scoring.prepare_labels(SCIENTIST, MODEL, [{"prediction_id": "a", "value": 1}])
    (stored,) = scoring.store(SCIENTIST, [pending])
    assert stored.labels == log.LabelsAppended(1, 0, 0, 1)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (pd.DataFrame({"prediction_id": ["a"], "value": [1.0]}), "lack the column observed_at"),
        (pd.DataFrame({"prediction_id": ["a"], "value": [2.0], "observed_at": [NOON]}), "0 or 1"),
        (pd.DataFrame({"prediction_id": ["a"], "value": [1.0], "observed_at": [NOON.replace(tzinfo=None)]}), "no zone"),
        (pd.DataFrame({"prediction_id": [None], "value": [1.0], "observed_at": [NOON]}), "a text is needed"),
    ],
)
def test_bad_labels_are_refused(scoring: ScoringService, frame: pd.DataFrame, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        scoring.record_labels(SCIENTIST, MODEL, frame)


def test_no_labels_are_no_error(scoring: ScoringService) -> None:
    empty = pd.DataFrame({"prediction_id": [], "value": [], "observed_at": pd.to_datetime([], utc=True)})
    assert scoring.record_labels(SCIENTIST, MODEL, empty) == log.LabelsAppended(0, 0, 0, 0)


# --- backfill ---------------------------------------------------------------------------------------------------------


def test_a_backfill_scores_what_is_logged_once(
    home: Context, scoring: ScoringService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_dash.services.scoring.again.BACKFILL_ROWS", 4)
    rows = flights(10)
    times = [NOON - timedelta(hours=hour) for hour in range(10)]
    scoring.score(SCIENTIST, MODEL, rows, ids=[f"f{i}" for i in range(10)], at=times)
    told: list[tuple[int, float]] = []
    start, end = NOON - timedelta(hours=8), NOON
    done = scoring.backfill(WORKER, MODEL, V2, start, end, progress=lambda count, share: told.append((count, share)))
    assert done == 8
    assert [count for count, _ in told] == [4, 8]
    assert all(0.0 <= share <= 1.0 for _, share in told)
    replayed = logged(home, V2, roles=("replayed",)).set_index("prediction_id")
    direct = ModelCache(home.settings.mlflow_uri, home.settings.home).get(MODEL, "2").predict(rows)
    assert replayed["score"].to_dict() == {f"f{i}": direct[i] for i in range(1, 9)}
    assert logged(home, V2).empty  # never monitored
    assert scoring.backfill(WORKER, MODEL, V2, start, end) == 0


def test_rows_are_answered_again_without_a_trace(home: Context, scoring: ScoringService) -> None:
    rows = flights(6)
    scoring.score(SCIENTIST, MODEL, rows, ids=[f"f{i}" for i in range(6)], at=[NOON] * 6)
    with reading(home.databases.log) as session:
        page = log.read_logged(session, MODEL, NOON, NOON + timedelta(hours=1), labels=True)
    features = page.drop(columns=["prediction_id", "at", "at_us", "label", "label_received_at", "label_observed_at"])
    direct = ModelCache(home.settings.mlflow_uri, home.settings.home).get(MODEL, "2").predict(rows)
    assert scoring.answer_again(WORKER, MODEL, V2, features).tolist() == direct.tolist()
    assert logged(home, V2, roles=("champion", "replayed")).empty
    assert page["label"].isna().all()


def test_a_backfill_of_a_foreign_version_is_not_found(scoring: ScoringService) -> None:
    for version in ("nothing", V1):
        with pytest.raises(NotFound):
            scoring.backfill(WORKER, "idle", version, NOON - timedelta(days=1), NOON)


def test_a_backfill_that_lacks_a_feature_says_so(home: Context, scoring: ScoringService) -> None:
    scoring.record_predictions(SCIENTIST, MODEL, [outside(version="1", at="2013-06-03T10:00:00Z")])
    with pytest.raises(InvalidInput, match="lacks the column"):
        scoring.backfill(WORKER, MODEL, V2, NOON - timedelta(days=1), datetime(2013, 6, 4, tzinfo=UTC))


def test_ids_of_a_csv_are_texts(scoring: ScoringService) -> None:
    rows = flights(4).assign(id=["007", "7", "NA", "None"])
    body = rows.to_csv(index=False).encode()
    said = scoring.answer(SCIENTIST, MODEL, body, "text/csv; charset=utf-8", batch_id="c", ids_column="id")
    assert said.pending is not None
    assert said.pending.prediction_ids == ("007", "7", "NA", "None")
    with pytest.raises(InvalidRow, match="a text is needed"):
        scoring.answer(SCIENTIST, MODEL, body.replace(b",NA\n", b",\n"), "text/csv", batch_id="d", ids_column="id")
    with pytest.raises(InvalidInput, match="no column 'number'"):
        scoring.answer(SCIENTIST, MODEL, body, "text/csv", batch_id="e", ids_column="number")


def test_a_service_account_stores_nothing_of_other_models(home: Context, scoring: ScoringService) -> None:
    kiosk = Actor("user:kiosk", "kiosk", Role.SERVICE, models=frozenset({MODEL}))
    rows = [{"version": "2", "score": 0.5, "features": {"hour": 7}}]
    assert scoring.record_predictions(kiosk, MODEL, rows).predictions == 1
    pending = scoring.prepare_predictions(kiosk, MODEL, rows, batch_id="b")
    for given in ([replace(pending, model="idle")], [pending, replace(pending, model="idle")]):
        with pytest.raises(NotAllowed, match="none of the models"):
            scoring.store(kiosk, given)
    with pytest.raises(NotAllowed, match="none of the models"):
        scoring.record_predictions(kiosk, model="idle", rows=rows)
    with pytest.raises(NotAllowed, match="may not do score:write"):
        scoring.score(kiosk, MODEL, flights(1))
    with reading(home.databases.log) as session:
        assert log.counts(session, MODEL).predictions == 1
