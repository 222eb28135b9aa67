"""Windows of N rows: over with the N-th, cut by time and id, kept when rows come late, the last one not judged."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.words import Health
from mlops_dash.ids import canonical_json
from mlops_dash.services.command import Context
from mlops_dash.services.monitoring import profiling
from mlops_dash.services.monitoring.counting import FIRST as BEGIN
from mlops_dash.services.monitoring.counting import Mark, cuts, mark_of, marks_of, place, too_large
from mlops_dash.store import prediction_log
from mlops_dash.store.db import transaction
from mlops_dash.store.monitoring.profiles import Held
from mlops_dash.store.prediction_log import Label, Prediction, Score, to_us
from tests import factories
from tests.services.monitoring.monitoring_world import FIRST, MODEL, V1, World, world
from tests.services.monitoring.test_hours import by, rows

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
EVERY = 200


def counted(context: Context, n: int = 12, **more: object) -> World:
    """A reference of so many windows and 50 rows more, a row a minute; the next row is due now."""
    made = world(context)
    by(context, f"rows:{EVERY}", **more)
    past = rows(made, 60)[:0]
    past = pd.concat([past, *(rows(made, 10) for _ in range(5 * n))]).reset_index(drop=True)[: n * EVERY + 50]
    past["at"] = [pd.Timestamp(FIRST + m * MINUTE) for m in range(len(past))]
    made.monitoring.record_reference(factories.WORKER, V1, past)
    made.now = FIRST + timedelta(days=42)
    return made


def send(w: World, n: int, *, every: timedelta = MINUTE, at: object = None, moved: float = 0.0, blind: bool = False,
         tag: str = "r", labels: bool = True) -> None:  # fmt: skip
    """Rows from `now` on, or from `at`; time goes on with those of now."""
    made = rows(w, n // 60 + 1, moved=moved, blind=blind)[:n]
    begin = w.now if at is None else at
    times = [to_us(begin + k * every) for k in range(n)]  # type: ignore[operator]
    ids = [f"{tag}{t}-{k:05}" for k, t in enumerate(times)]
    asked = made[["x", "wind"]].to_dict("records")
    with transaction(w.context.databases.log) as session:
        prediction_log.append(
            session,
            [Prediction(MODEL, i, t, "b", 0, "", canonical_json(a)) for i, t, a in zip(ids, times, asked, strict=True)],
            [Score(MODEL, i, V1, "champion", "1", t, float(s), t)
             for i, t, s in zip(ids, times, made["score"], strict=True)],
            marked_us=to_us(w.now),
        )  # fmt: skip
        if labels:
            prediction_log.append_labels(
                session, [Label(MODEL, i, y, t, t) for i, t, y in zip(ids, times, made["label"], strict=True)]
            )
    if at is None:
        w.now += n * every


def windows(w: World) -> list[dict[str, object]]:
    """Judged windows as JSON."""
    return list(w.monitoring.summary(factories.ADMIN, MODEL)["windows"])


def sizes(w: World) -> list[object]:
    """How many rows each judged window has."""
    return [one["n"] for one in windows(w)]


def test_a_window_is_judged_with_its_last_row_and_the_open_one_is_not(context: Context) -> None:
    made = counted(context)
    send(made, EVERY - 1)
    assert made.evaluate().windows == 0
    send(made, 1)
    assert made.evaluate().windows == 1
    send(made, 3 * EVERY + 7)
    made.evaluate()
    assert sizes(made) == [EVERY] * 4
    assert made.monitoring.evaluate(factories.WORKER, MODEL).changed == 0


@pytest.mark.parametrize("at_once", [100, 20_000])
def test_windows_are_the_same_however_rows_are_read(
    context: Context, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(profiling, "ROWS_AT_ONCE", at_once)
    made = counted(context)
    begin = made.now
    send(made, 5 * EVERY + 3)
    made.evaluate()
    starts = [one["start"] for one in windows(made)]
    assert starts == [(begin + k * EVERY * MINUTE).isoformat() for k in range(5)]


def test_rows_of_one_instant_are_cut_by_their_ids(context: Context) -> None:
    made = counted(context)
    send(made, 3 * EVERY + 20, every=timedelta(0))
    made.evaluate(later=HOUR)
    assert sizes(made) == [EVERY] * 3
    assert len({one["start"] for one in windows(made)}) == 3


def test_a_late_row_joins_the_window_of_its_time_and_no_later_one_changes(context: Context) -> None:
    made = counted(context)
    begin = made.now
    send(made, 4 * EVERY)
    made.evaluate()
    before = windows(made)
    send(made, 9, at=begin + 250 * MINUTE, tag="late")
    made.evaluate()
    after = windows(made)
    assert [one["n"] for one in after] == [EVERY, EVERY + 9, EVERY, EVERY]
    assert [one["start"] for one in after] == [one["start"] for one in before]


def test_a_window_that_late_rows_make_twice_as_large_is_cut_again(context: Context) -> None:
    made = counted(context)
    begin = made.now
    send(made, 3 * EVERY)
    made.evaluate()
    send(made, 2 * EVERY + 30, at=begin + 210 * MINUTE, every=timedelta(seconds=20), tag="late")
    made.evaluate()
    assert sizes(made) == [EVERY, EVERY, EVERY, EVERY + 30, EVERY]


def test_hours_that_come_backwards_fill_whole_windows_too(context: Context) -> None:
    made = counted(context)
    begin = made.now
    for hour in (7, 5, 3, 1):
        send(made, 120, at=begin + hour * HOUR, tag=f"h{hour}-")
        made.now = begin + 10 * HOUR
        made.evaluate()
    assert sum(int(str(n)) for n in sizes(made)) >= 480 - EVERY
    assert all(EVERY <= int(str(n)) < 2 * EVERY for n in sizes(made))


def test_it_ripens_with_its_last_row_and_says_what_it_is_judged_by(context: Context) -> None:
    made = counted(context)
    send(made, 8 * EVERY, labels=False)
    made.evaluate()
    assert [one["ripe"] for one in windows(made)] == [True] * 7 + [False]
    send(made, EVERY)
    made.evaluate(later=3 * HOUR)
    room = made.room()
    assert room.basis == (
        "Judged by the window of 200 rows: rows of one window of 200 rows are taken together (12 windows of 200 rows); "
        "usual swing unknown: 12 reference windows of 200 rows, at least 20 are needed; judged by the noise floor "
        "alone."
    )
    assert room.judged_by == "window of 200 rows"


def test_worse_answers_are_harm_and_moved_inputs_are_found(context: Context) -> None:
    made = counted(context, 24)
    send(made, 4 * EVERY)
    send(made, 8 * EVERY, blind=True, moved=3.0)
    made.evaluate(later=3 * HOUR)
    room = made.room()
    assert room.health is Health.HARMED, room.why
    assert "ripe windows of 200 rows" in room.headline
    assert str(next(one for one in room.features if one.name == "wind").verdict) == "drift"
    assert room.performance is not None
    assert room.performance.window == "window of 200 rows"


def test_days_are_what_rows_belong_to_where_there_are_twenty(context: Context) -> None:
    made = world(context)
    by(context, f"rows:{EVERY}")
    past = rows(made, 40)
    past["at"] = [pd.Timestamp(FIRST + k * 15 * MINUTE) for k in range(len(past))]
    made.monitoring.record_reference(factories.WORKER, V1, past)
    made.now = FIRST + timedelta(days=42)
    send(made, 8 * EVERY, every=15 * MINUTE)
    made.evaluate(later=3 * HOUR)
    assert "rows of one day are taken together (25 days)" in made.room().basis


def test_it_is_old_when_the_usual_pace_is_missed(context: Context) -> None:
    made = counted(context)
    send(made, 8 * EVERY)
    made.evaluate(later=3 * HOUR)
    for days, health in ((0, Health.OK), (1, Health.OK), (2, Health.NOT_KNOWN)):
        made.now += timedelta(days=days)
        assert made.room().health is health, days
        made.now -= timedelta(days=days)


def test_another_number_of_rows_wants_another_reference(context: Context) -> None:
    made = counted(context)
    send(made, 2 * EVERY)
    by(context, "rows:300")
    assert "push it again to be judged by the window of 300 rows" in made.evaluate().reason
    by(context, f"rows:{EVERY}")
    assert made.evaluate().windows == 2


def test_of_marks_and_cuts() -> None:
    held = [Held(BEGIN.name, 0, 3, 30), Held(Mark(40, "a").name, 0, 2, 50)]
    assert marks_of(held, 3) == [BEGIN, Mark(40, "a")]
    assert marks_of(held, 2) == [BEGIN, Mark(40, "a"), Mark(51, "")]
    assert mark_of(Mark(-5, "x y").name) == Mark(-5, "x y")
    assert too_large(held, 3) is None
    found = too_large([*held, Held(Mark(40, "a").name, 60, 2, 70)], 3)
    assert found is not None
    assert (found.window, found.hour_us, found.before) == (Mark(40, "a"), 60, 2)
    at, ids = np.asarray([3, 1, 2, 2]), np.asarray(["a", "b", "d", "c"], dtype=object)
    assert cuts(at, ids, before=0, every=2) == [Mark(2, "d")]
    assert cuts(at, ids, before=4, every=2, most=5) == [Mark(1, "b")]
    assert place(at, ids, [BEGIN, Mark(2, "d")]).tolist() == [1, 0, 1, 0]
