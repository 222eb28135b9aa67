"""Windows that a column names: a batch is judged an hour after its last row, and is what rows belong together by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.monitoring.past import Span, of_model
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.words import Drift, Health
from mlops_dash.errors import InvalidInput
from mlops_dash.ids import canonical_json
from mlops_dash.services.command import Context
from mlops_dash.store import prediction_log
from mlops_dash.store.db import transaction
from mlops_dash.store.prediction_log import Label, Prediction, Score, to_us
from tests import factories
from tests.services.monitoring.monitoring_world import FIRST, MODEL, V1, World, world
from tests.services.monitoring.test_hours import by

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
ROWS = 200
RUN = 'run "a"'  # the column that names a row's batch


def rows(w: World, *, moved: float = 0.0, blind: bool = False) -> pd.DataFrame:
    """One batch."""
    x = w.rng.normal(0.0, 1.0, ROWS)
    p = 1.0 / (1.0 + np.exp(1.0 - 1.5 * x))
    label = (w.rng.random(ROWS) < p).astype(float)
    return pd.DataFrame({"x": x, "wind": w.rng.normal(moved, 1.0, ROWS),
                         "score": w.rng.permutation(p) if blind else p, "label": label})  # fmt: skip


def send(w: World, name: object, *, labels: bool = True, moved: float = 0.0, blind: bool = False,
         spread: timedelta = timedelta(0)) -> None:  # fmt: skip
    """A batch from `now` on, all at one instant or spread; None as its name = a row that names none."""
    made = rows(w, moved=moved, blind=blind)
    at = [to_us(w.now + n * spread / ROWS) for n in range(ROWS)]
    named = {} if name is None else {RUN: name}
    asked = [{**one, **named} for one in made[["x", "wind"]].to_dict("records")]
    ids = [f"{name}-{t}-{n}" for n, t in enumerate(at)]
    with transaction(w.context.databases.log) as session:
        prediction_log.append(
            session,
            [Prediction(MODEL, i, t, "b", 0, "", canonical_json(a)) for i, t, a in zip(ids, at, asked, strict=True)],
            [Score(MODEL, i, V1, "champion", "1", t, float(s), t)
             for i, t, s in zip(ids, at, made["score"], strict=True)],
            marked_us=to_us(w.now),
        )  # fmt: skip
        if labels:
            prediction_log.append_labels(
                session, [Label(MODEL, i, y, t, t) for i, t, y in zip(ids, at, made["label"], strict=True)]
            )


def batched(context: Context, n: int = 12, **more: object) -> World:
    """A reference of so many weekly batches, each at one instant; the next one is due now."""
    made = world(context)
    by(context, f"batch:{RUN}", **more)
    past = [rows(made).assign(**{"at": pd.Timestamp(FIRST + w * WEEK), RUN: f"2013-W{w:02}"}) for w in range(n)]
    made.monitoring.record_reference(factories.WORKER, V1, pd.concat(past, ignore_index=True))
    made.now = FIRST + n * WEEK
    return made


def windows(w: World) -> list[dict[str, object]]:
    """Judged windows as JSON."""
    return list(w.monitoring.summary(factories.ADMIN, MODEL)["windows"])


def test_a_batch_is_judged_an_hour_after_its_last_row_and_ripens_by_time(context: Context) -> None:
    made = batched(context)
    send(made, "2013-W12", labels=False)
    first = made.evaluate(later=timedelta(minutes=59))
    assert (first.windows, first.again_at) == (0, FIRST + 12 * WEEK + HOUR)
    made.now = first.again_at
    second = made.monitoring.evaluate(factories.WORKER, MODEL)
    (one,) = windows(made)
    assert (one["batch"], one["n"], one["ripe"]) == ("2013-W12", ROWS, False)
    assert second.again_at == FIRST + 12 * WEEK + 2 * HOUR
    made.now = second.again_at
    made.monitoring.evaluate(factories.WORKER, MODEL)
    assert windows(made)[0]["ripe"] is True


def test_batches_are_what_rows_belong_together_by_and_the_page_says_it(context: Context) -> None:
    made = batched(context)
    for week in range(6):
        send(made, f"2013-W{12 + week}")
        made.now += WEEK
    made.now -= WEEK - 2 * HOUR
    made.evaluate()
    room = made.room()
    assert (room.health, room.judged_by) == (Health.OK, "batch"), room.why
    assert "over the last 6 ripe batches" in room.headline
    assert room.basis == (
        f"Judged by the batch, named by {RUN}: rows of one batch are taken together (12 batches); usual swing "
        "unknown: 12 reference batches, at least 20 are needed; judged by the noise floor alone."
    )
    assert [one.name for one in room.features] != []
    assert RUN not in [one.name for one in room.features]  # it names rows and is no input
    assert room.detail is not None
    assert room.detail.n_live == ROWS


def test_with_few_batches_rows_are_taken_as_independent_and_the_page_says_it(context: Context) -> None:
    made = batched(context, 3, min_reference_rows=500)
    send(made, "2013-W03")
    made.evaluate(later=3 * HOUR)
    assert "rows are taken as independent, and only an effect beyond the tolerance counts" in made.room().basis


def test_with_twenty_batches_the_usual_swing_is_known(context: Context) -> None:
    made = batched(context, 24)
    send(made, "a", moved=3.0)
    made.now += WEEK
    send(made, "b", moved=3.0)
    made.evaluate(later=3 * HOUR)
    room = made.room()
    assert "usual swing unknown" not in room.basis
    assert room.health is Health.INPUTS_MOVED
    assert str(next(one for one in room.features if one.name == "wind").verdict) == "drift"


def test_a_weekly_batch_model_is_not_grey_between_batches_and_is_after_a_missed_one(context: Context) -> None:
    made = batched(context)
    for week in range(5):
        send(made, f"2013-W{12 + week}")
        made.now += WEEK
    made.evaluate()
    for days, health in ((-6, Health.OK), (0, Health.OK), (4, Health.OK), (5, Health.NOT_KNOWN)):
        made.now += timedelta(days=days)
        assert made.room().health is health, days
        assert made.monitoring.models(factories.VIEWER)[0].health is health
        made.now -= timedelta(days=days)


def test_two_batches_at_one_instant_and_two_that_overlap_are_windows_of_their_own(context: Context) -> None:
    made = batched(context)
    send(made, "left", spread=6 * HOUR)
    send(made, "right", spread=12 * HOUR)
    made.now += WEEK
    send(made, "up")
    send(made, "down")
    made.evaluate(later=3 * HOUR)
    assert [(one["batch"], one["n"]) for one in windows(made)] == [
        ("left", ROWS), ("right", ROWS), ("down", ROWS), ("up", ROWS),
    ]  # fmt: skip
    assert len({one["start"] for one in windows(made)}) == 4
    assert made.monitoring.evaluate(factories.WORKER, MODEL).changed == 0
    room = made.room()
    assert room.performance is not None
    assert [point.n for point in room.performance.points] == [ROWS] * 4


def test_a_batch_that_got_worse_is_harm_and_is_named(context: Context) -> None:
    made = batched(context)
    for week in range(8):
        send(made, f"late-{week}", blind=week >= 2)
        made.now += WEEK
    made.evaluate()
    room = made.room()
    assert room.health is Health.HARMED, room.why
    assert "worse since about batch late-2" in room.headline


def test_rows_that_come_late_revise_their_batch_and_rows_without_one_are_set_aside(context: Context) -> None:
    made = batched(context)
    send(made, 20130401, spread=HOUR)
    made.evaluate(later=3 * HOUR)
    assert [(one["batch"], one["n"]) for one in windows(made)] == [("20130401", ROWS)]
    send(made, "20130401")
    send(made, None)
    made.evaluate(later=3 * HOUR)
    (one,) = windows(made)
    assert (one["batch"], one["n"], one["revision"]) == ("20130401", 2 * ROWS, 2)
    (aside,) = made.room().aside.groups
    assert (aside.rows, aside.column, aside.reason) == (ROWS, RUN, "names no batch")


def test_a_reference_without_the_column_or_with_a_row_that_names_none_is_refused(context: Context) -> None:
    made = world(context)
    by(context, f"batch:{RUN}")
    frame = pd.concat([rows(made)] * 6, ignore_index=True)
    frame["at"] = pd.Timestamp(FIRST)
    with pytest.raises(InvalidInput, match=r"no column .* which names the batch"):
        made.monitoring.record_reference(factories.WORKER, V1, frame)
    frame[RUN] = ["a"] * (len(frame) - 1) + [None]
    with pytest.raises(InvalidInput, match="1 reference rows name no batch"):
        made.monitoring.record_reference(factories.WORKER, V1, frame)


def test_batches_cannot_become_days_without_a_new_reference(context: Context) -> None:
    made = batched(context)
    send(made, "a")
    by(context, "day")
    assert "push it again to be judged by the day" in made.evaluate(later=3 * HOUR).reason
    by(context, f"batch:{RUN}")
    assert made.evaluate().windows == 1


def test_a_batch_that_two_versions_scored_is_shown_once_and_two_batches_of_a_day_are_two() -> None:
    def window(version_id: str, name: str, hour: int) -> Reading:
        start = datetime(2026, 3, 1, hour, tzinfo=UTC)
        return Reading("m", version_id[-1], version_id, start, start + HOUR, 9, 0, False, Drift.STABLE, Health.OK, {},
                       kind=f"batch:{name}")  # fmt: skip

    held = [window("v2", "b", 9), window("v1", "a", 3), window("v1", "b", 8)]
    spans = [Span("v1", datetime(2026, 1, 1, tzinfo=UTC), None)]
    shown = of_model(held, spans, serving="v1", zone="UTC")
    assert [(one.version_id, one.batch) for one in shown] == [("v1", "a"), ("v1", "b")]
