"""References of versions, and profiles of the hours that are marked."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from mlops_dash.errors import InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.store import prediction_log
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring import profiles, references
from mlops_dash.store.monitoring.parts import total, unpack
from mlops_dash.store.prediction_log import to_us
from tests import factories
from tests.services.monitoring.monitoring_world import FIRST, MODEL, ROWS, V1, World, world


@pytest.fixture
def made(context: Context) -> World:
    return world(context)


def reference_of(w: World, version_id: str = V1) -> references.Reference:
    with reading(w.context.databases.app) as session:
        found = references.reference(session, version_id)
    assert found is not None
    return found


def days(w: World, version_id: str = V1):  # type: ignore[no-untyped-def]
    reference = reference_of(w, version_id)
    with reading(w.context.databases.log) as session:
        return [unpack(reference.layout, one.packed) for one in profiles.day_profiles(session, reference.id)]


def count(w: World, sql: str) -> int:
    with reading(w.context.databases.app if "evidence" in sql or "reference" in sql else w.context.databases.log) as s:
        return int(s.connection().execute(text(sql)).scalar_one())


def test_a_reference_holds_every_row_its_days_and_a_baseline_with_intervals(made: World) -> None:
    made.reference()
    reference = reference_of(made)
    assert reference.n_rows == 42 * ROWS
    assert len(reference.windows) == 42
    assert total(reference.layout, reference.windows).histogram(reference.layout, "x").n == 42 * ROWS
    value, low, high, n, n_days, _ = reference.baseline["metrics"]["auc"]
    assert low < value < high
    assert (n, n_days) == (42 * ROWS, 42)
    assert reference.baseline["swing"]["k"] == 6
    assert reference.start == FIRST
    assert reference.end == FIRST + timedelta(days=42)
    assert count(made, "SELECT COUNT(*) FROM evidence WHERE kind = 'metric' AND subject = 'flight-delay v1'") == 4


def test_the_same_reference_twice_is_one_reference_and_one_set_of_evidence(made: World) -> None:
    rows = made.rows(30)
    rows["at"] = pd.Timestamp(FIRST) + rows.pop("offset")
    first = made.monitoring.record_reference(factories.WORKER, V1, rows)
    made.now += timedelta(days=1)
    second = made.monitoring.record_reference(factories.WORKER, V1, rows.sample(frac=1.0, random_state=1))
    assert first == second
    assert count(made, "SELECT COUNT(*) FROM reference") == 1
    assert count(made, "SELECT COUNT(*) FROM evidence") == 4


def test_a_reference_that_cannot_be_used_is_refused_with_the_next_step(made: World) -> None:
    rows = made.rows(3)
    rows["at"] = pd.Timestamp(FIRST) + rows.pop("offset")
    record = made.monitoring.record_reference
    for broken, said in (
        (rows.drop(columns="score"), "lacks the columns score"),
        (rows.assign(at=rows["at"].dt.tz_localize(None)), "no time zone"),
        (rows.assign(label=np.nan), "are missing"),
        (rows.assign(x=np.nan, wind=np.nan, place=None), "No feature"),
    ):
        with pytest.raises(InvalidInput, match=said):
            record(factories.WORKER, V1, broken)
    with pytest.raises(NotFound):
        record(factories.WORKER, "nobody", rows)
    with pytest.raises(NotAllowed):
        record(factories.VIEWER, V1, rows)
    assert count(made, "SELECT COUNT(*) FROM reference") == 0


def test_a_column_without_any_reference_value_is_kept_and_said(made: World) -> None:
    rows = made.rows(30).assign(gust=np.nan)
    rows["at"] = pd.Timestamp(FIRST) + rows.pop("offset")
    made.monitoring.record_reference(factories.WORKER, V1, rows)
    assert reference_of(made).kinds["gust"] == "the reference holds no value"
    assert reference_of(made).layout.columns["gust"].k == 1  # whatever comes later is unseen


def test_profiles_hold_exactly_the_logged_rows_and_clear_their_marks(made: World) -> None:
    made.reference()
    made.live(3)
    done = made.monitoring.profile_dirty_hours(factories.WORKER)
    assert (done.rows, done.left) == (3 * ROWS, 0)
    found = days(made)
    assert [part.n for part in found] == [ROWS] * 3
    assert [part.n_labelled for part in found] == [ROWS] * 3
    with reading(made.context.databases.log) as session:
        frame = prediction_log.read_window(session, V1, FIRST, made.now)
    layout = reference_of(made).layout
    assert sum(part.labelled.positives for part in found) == int(frame["label"].sum())
    assert sum(part.labelled.squared for part in found) == pytest.approx(((frame["label"] - frame["score"]) ** 2).sum())
    levels = dict(
        zip(layout.columns["place"].labels, total(layout, found).histogram(layout, "place").counts, strict=True)
    )
    assert levels["a"] == (frame["place"] == "a").sum()


def test_a_limit_leaves_the_rest_marked_and_many_small_calls_give_the_same_profiles(made: World) -> None:
    made.reference()
    made.live(3)
    once = made.monitoring.profile_dirty_hours(factories.WORKER, limit=10)
    assert (once.hours, once.left) == (10, 3 * 24 - 10)
    while made.monitoring.profile_dirty_hours(factories.WORKER, limit=10).left:
        pass
    small = days(made)
    with transaction(made.context.databases.log) as session:
        prediction_log.mark_range(session, MODEL, FIRST, made.now, marked_us=1)
        session.connection().execute(text("DELETE FROM profile_hour"))
        session.connection().execute(text("DELETE FROM profile_day"))
    made.monitoring.profile_dirty_hours(factories.WORKER)
    whole = days(made)
    for a, b in zip(small, whole, strict=True):
        assert (a.counts == b.counts).all()
        assert (a.labelled.counts() == b.labelled.counts()).all()
        assert a.labelled.numbers() == pytest.approx(b.labelled.numbers())


def test_an_hour_marked_again_while_it_was_profiled_stays_marked(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made.reference()
    made.live(1)
    real = prediction_log.read_window

    def and_meanwhile(session, *args, **kwargs):  # type: ignore[no-untyped-def]
        found = real(session, *args, **kwargs)
        with transaction(made.context.databases.log) as other:
            prediction_log.mark_hours(other, [(MODEL, to_us(made.now - timedelta(days=1)))], marked_us=to_us(made.now))
        return found

    monkeypatch.setattr(prediction_log, "read_window", and_meanwhile)
    assert made.monitoring.profile_dirty_hours(factories.WORKER).left == 1


def test_without_a_reference_the_marks_wait_for_one(made: World) -> None:
    made.live(1)
    assert made.monitoring.profile_dirty_hours(factories.WORKER).hours == 0
    assert count(made, "SELECT COUNT(*) FROM dirty_hour") == 24
    made.reference()
    assert made.monitoring.profile_dirty_hours(factories.WORKER).rows == ROWS


def test_a_new_reference_marks_the_past_of_its_version(made: World) -> None:
    made.reference()
    made.live(2)
    made.monitoring.profile_dirty_hours(factories.WORKER)
    assert count(made, "SELECT COUNT(*) FROM dirty_hour") == 0
    made.reference(days=35)
    assert count(made, "SELECT COUNT(*) FROM dirty_hour") == 48
    made.monitoring.profile_dirty_hours(factories.WORKER)
    assert [part.n for part in days(made)] == [ROWS] * 2


def test_shadow_scores_make_the_series_of_their_own_version_and_replayed_ones_none(made: World) -> None:
    made.reference("flight-delay-v2")
    made.live(1, version_id="flight-delay-v2", role="shadow")
    made.live(1, version_id="flight-delay-v2", role="replayed")
    made.monitoring.profile_dirty_hours(factories.WORKER)
    assert [part.n for part in days(made, "flight-delay-v2") if part.n] == [ROWS]
