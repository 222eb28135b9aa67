"""Windows of an hour: judged when the hour is over, ripe by time alone, drift over the day that ends with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import Health
from mlops_dash.errors import InvalidInput
from mlops_dash.ids import canonical_json
from mlops_dash.services.command import Context
from mlops_dash.store import prediction_log
from mlops_dash.store.db import transaction
from mlops_dash.store.prediction_log import Label, Prediction, Score, to_us
from mlops_dash.store.tables.registry import PolicyVersionRow
from tests import factories
from tests.services.monitoring.monitoring_world import FIRST, MODEL, V1, World, world

HOUR = timedelta(hours=1)
A_HOUR = 60  # rows


def by(context: Context, window: str, **more: object) -> MonitoringPolicy:
    """Put another cadence into force."""
    policy = replace(MonitoringPolicy(label_delay_hours=2.0, window=window), **more)
    with transaction(context.databases.app) as session:
        row = session.get_one(PolicyVersionRow, "policy")
        row.body, row.digest = policy.as_json(), policy.digest
    return policy


def rows(w: World, hours: int, *, moved: float = 0.0, blind: bool = False) -> pd.DataFrame:
    """Rows of some hours, one a minute."""
    n = hours * A_HOUR
    x = w.rng.normal(0.0, 1.0, n)
    p = 1.0 / (1.0 + np.exp(1.0 - 1.5 * x))
    label = (w.rng.random(n) < p).astype(float)
    return pd.DataFrame({"x": x, "wind": w.rng.normal(moved, 1.0, n),
                         "score": w.rng.permutation(p) if blind else p, "label": label})  # fmt: skip


def live(w: World, hours: int, *, labels: bool = True, moved: float = 0.0, blind: bool = False) -> None:
    """Add hours from `now` on; time goes on with them."""
    made = rows(w, hours, moved=moved, blind=blind)
    at = [to_us(w.now + timedelta(minutes=n)) for n in range(len(made))]
    asked = made[["x", "wind"]].to_dict("records")
    with transaction(w.context.databases.log) as session:
        prediction_log.append(
            session,
            [Prediction(MODEL, f"{t}", t, "b", 0, "", canonical_json(a)) for t, a in zip(at, asked, strict=True)],
            [Score(MODEL, f"{t}", V1, "champion", "1", t, float(s), t)
             for t, s in zip(at, made["score"], strict=True)],
            marked_us=to_us(w.now),
        )  # fmt: skip
        if labels:
            prediction_log.append_labels(
                session, [Label(MODEL, f"{t}", y, t, t) for t, y in zip(at, made["label"], strict=True)]
            )
    w.now += hours * HOUR


@pytest.fixture
def hourly(context: Context) -> World:
    """Ten days of reference by the hour; live hours begin at midnight, 11 January 2013."""
    made = world(context)
    by(context, "hour")
    reference = rows(made, 240)
    reference["at"] = pd.Timestamp(FIRST) + pd.to_timedelta(np.arange(len(reference)), unit="min")
    made.monitoring.record_reference(factories.WORKER, V1, reference)
    made.now = FIRST + timedelta(days=10)
    return made


def test_an_hour_is_judged_when_it_is_over_and_ripens_although_no_row_comes(hourly: World) -> None:
    live(hourly, 1, labels=False)
    hourly.now -= timedelta(minutes=1)
    assert hourly.evaluate().windows == 0
    hourly.now += timedelta(minutes=1)
    found = hourly.monitoring.evaluate(factories.WORKER, MODEL)
    (one,) = hourly.monitoring.summary(factories.ADMIN, MODEL)["windows"]
    assert (one["start"][:16], one["end"][:16], one["n"], one["ripe"]) == (
        "2013-01-11T00:00", "2013-01-11T01:00", A_HOUR, False,
    )  # fmt: skip
    looks = 0
    while not hourly.monitoring.summary(factories.ADMIN, MODEL)["windows"][0]["ripe"]:  # as the worker does
        assert found.again_at is not None
        hourly.now = found.again_at
        found = hourly.monitoring.evaluate(factories.WORKER, MODEL)
        looks += 1
        assert looks < 4
    assert hourly.now == datetime(2013, 1, 11, 3, tzinfo=UTC)  # its end and the two hours of the policy


def test_a_healthy_hourly_model_is_ok_by_its_hours_and_says_what_that_rests_on(hourly: World) -> None:
    live(hourly, 50)
    hourly.evaluate(later=timedelta(minutes=30))
    room = hourly.room("7d")
    assert (room.health, room.judged_by) == (Health.OK, "hour"), room.why
    assert "ripe hours" in room.headline
    assert room.basis == (
        "Judged by the hour, drift by the day that ends with it: rows of one hour are taken together (240 hours); "
        "usual swing unknown: 10 reference days, at least 20 are needed; judged by the noise floor alone."
    )
    assert room.performance is not None
    assert [point.n for point in room.performance.points] == [A_HOUR] * 50
    assert room.drift is not None
    assert room.drift.ends[-1] - room.drift.starts[-1] == timedelta(days=1)
    assert room.detail is not None
    assert room.detail.n_live == 24 * A_HOUR
    first = hourly.monitoring.summary(factories.ADMIN, MODEL)["windows"][0]
    assert "23" not in first["unjudged"]
    assert (first["drift"], room.reference.n_days if room.reference else 0) == ("not_computable", 10)


def test_answers_that_say_nothing_any_more_are_found_within_hours(hourly: World) -> None:
    live(hourly, 24)
    begun = hourly.now
    live(hourly, 12, blind=True)
    hourly.evaluate()
    room = hourly.room("2d")
    assert room.health is Health.HARMED, room.why
    (alert,) = [one for one in room.alerts if one.kind == "harm"]
    assert alert.opened_at - begun <= timedelta(hours=12)
    assert "worse since about 12 Jan 0" in room.headline


def test_a_night_without_rows_is_no_silence_where_the_reference_has_such_nights(context: Context) -> None:
    made = world(context)
    by(context, "hour")
    reference = rows(made, 240)
    nights = np.repeat(np.arange(30), 8 * A_HOUR) * 16  # eight hours a day, sixteen without a row
    minutes = np.arange(len(reference)) + nights * 60
    reference["at"] = pd.Timestamp(FIRST) + pd.to_timedelta(minutes, unit="min")
    made.monitoring.record_reference(factories.WORKER, V1, reference)
    made.now = FIRST + timedelta(days=30)
    for _ in range(4):
        live(made, 8)
        made.now += 16 * HOUR
    made.now -= 2 * HOUR
    made.evaluate()
    assert made.room("7d").stale == ""
    assert made.room("7d").health is Health.OK, made.room("7d").why
    made.now += 6 * HOUR
    assert made.room("7d").stale == "No predictions since 3 Feb 07:00."
    assert made.room("7d").health is Health.NOT_KNOWN


def test_hours_can_be_put_together_to_days_and_days_cannot_be_cut_to_hours(hourly: World) -> None:
    live(hourly, 72)
    hourly.evaluate()
    by(hourly.context, "day")
    hourly.evaluate(later=HOUR)
    assert [one["n"] for one in hourly.monitoring.summary(factories.ADMIN, MODEL)["windows"]] == [24 * A_HOUR] * 3
    by(hourly.context, "hour")
    assert hourly.evaluate(later=HOUR).windows == 74


def test_a_reference_by_days_says_that_it_must_be_pushed_again(context: Context) -> None:
    made = world(context)
    made.reference()
    by(context, "hour")
    live(made, 3)
    assert "push it again to be judged by the hour" in made.evaluate().reason


def test_rows_without_a_time_of_day_cannot_be_judged_by_the_hour(context: Context) -> None:
    made = world(context)
    by(context, "hour")
    reference = rows(made, 240)
    reference["at"] = pd.Timestamp(FIRST) + pd.to_timedelta(np.arange(len(reference)) // 600, unit="D")
    with pytest.raises(InvalidInput, match="No row has a time of day"):
        made.monitoring.record_reference(factories.WORKER, V1, reference)


def test_where_the_midnight_of_the_zone_cuts_an_hour_the_hour_is_whole(context: Context) -> None:
    made = world(context)
    by(context, "hour", zone="Asia/Kolkata")
    reference = rows(made, 240)
    reference["at"] = pd.Timestamp(FIRST) + pd.to_timedelta(np.arange(len(reference)), unit="min")
    made.monitoring.record_reference(factories.WORKER, V1, reference)
    made.now = FIRST + timedelta(days=10)
    live(made, 30)
    made.evaluate()
    windows = made.monitoring.summary(factories.ADMIN, MODEL)["windows"]
    assert [one["n"] for one in windows] == [A_HOUR] * 30
