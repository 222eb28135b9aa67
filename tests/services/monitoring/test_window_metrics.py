"""What harm costs stands in the one sentence, where the owner said a price: of minutes, of words, of probabilities."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_dash import bootstrap
from mlops_dash.domain.cadence import cadence_named
from mlops_dash.domain.money import rounded
from mlops_dash.domain.monitoring.readings import COST
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind, policy_body
from mlops_dash.domain.tasks import BINARY, REGRESSION
from mlops_dash.domain.words import Health
from mlops_dash.errors import InvalidInput
from mlops_dash.services.command import Context
from mlops_dash.services.monitoring import MonitoringService
from mlops_dash.services.monitoring.course import Day
from mlops_dash.services.monitoring.window_metrics import weeks_of
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.registry import ModelRow, PolicyVersionRow
from tests import factories, penguins
from tests.factories import ADMIN, LEAD, VIEWER, WORKER
from tests.services.monitoring import test_batches as batches
from tests.services.monitoring.monitoring_world import FIRST, MODEL, ROWS, V1, World, world
from tests.services.monitoring.test_regression import POLICY, Minutes


def priced(context: Context, policy: MonitoringPolicy, task: str) -> Minutes:
    """Three calm weeks, then minutes that are 12 too many."""
    base = world(context)
    made = Minutes(base.context, base.monitoring)
    context.clock.wall = lambda: made.now
    with transaction(context.databases.app) as session:
        session.get_one(ModelRow, MODEL).task = task
        row = session.get_one(PolicyVersionRow, "policy")
        row.body, row.digest = policy.as_json(), policy.digest
    return made


def latest(monitoring: MonitoringService, model: str = MODEL) -> dict[str, Any]:
    """The estimates of the longest stretch of the latest window that has any."""
    windows = monitoring.summary(VIEWER, model)["windows"]
    found: dict[str, Any] = next(one["trailing"]["28"] for one in reversed(windows) if one["trailing"])
    return found


def test_minutes_too_many_cost_so_much_a_week_in_the_verdict_the_alert_and_the_json(context: Context) -> None:
    made = priced(context, replace(POLICY, cost_of_error=2.0), "regression")
    made.reference(V1)
    made.worse = 12.0
    made.live(14)
    made.evaluate(timedelta(days=2))
    room = made.room()
    assert room.health is Health.HARMED
    assert "min worse than its reference, about " in room.headline
    told = latest(made.monitoring)
    more, low, high = told[COST][:3]
    assert low < more < high
    gap = told["mae"][0] - 8.0  # |error| of the reference: about .8 of its sd of 10
    assert more == pytest.approx(2.0 * gap * 7 * ROWS, rel=0.1)
    assert (high - low) / more == pytest.approx((told["mae"][2] - told["mae"][1]) / gap, rel=0.5)
    assert f"about {rounded(more)} EUR a week more (95 % interval {rounded(low)} to {rounded(high)})" in room.headline
    (alert,) = [one for one in room.alerts if one.kind == "harm"]
    assert "EUR a week more (95 % interval" in alert.title


def test_without_a_price_nothing_is_said_of_money(context: Context) -> None:
    made = priced(context, POLICY, "regression")
    made.reference(V1)
    made.worse = 12.0
    made.live(14)
    made.evaluate(timedelta(days=2))
    assert "a week" not in made.room().headline
    assert COST not in latest(made.monitoring)


def test_where_nothing_got_worse_no_money_is_named(context: Context) -> None:
    made = priced(context, replace(POLICY, cost_of_error=2.0), "regression")
    made.reference(V1)
    made.live(21)
    made.evaluate(timedelta(days=2))
    row = latest(made.monitoring)[COST]
    assert row[1] < 0 < row[2]
    assert "EUR" not in made.room().headline


def test_a_probability_has_a_price_of_a_wrong_yes_and_of_a_missed_one(context: Context) -> None:
    base = world(context)
    context.clock.wall = lambda: base.now
    with transaction(context.databases.app) as session:
        row = session.get_one(PolicyVersionRow, "policy")
        policy = MonitoringPolicy(cost_of_error=1.0, cost_of_missed=10.0, cost_threshold=0.4)
        row.body, row.digest = policy.as_json(), policy.digest
    base.reference(V1)
    rows = _rows_of(base, 400)
    base.live(21, blind=True)
    base.evaluate(timedelta(days=2))
    told = latest(base.monitoring)[COST]
    assert told[0] == pytest.approx(rows, rel=0.2)
    assert told[1] > 0
    assert "EUR a week more (95 % interval" in base.room().headline


def _rows_of(base: World, days: int) -> float:
    """What blind rows cost a week more than rows that are not, by counting over so many days."""

    def cost(blinded: bool) -> float:
        rows = World(base.context, base.monitoring).rows(days, blind=blinded)
        yes, came = rows["score"] >= 0.4, rows["label"] == 1.0
        return float((yes & ~came).mean() + 10.0 * (~yes & came).mean())

    return 7 * ROWS * (cost(True) - cost(False))


def test_words_of_a_stranger_have_a_price_of_a_wrong_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(penguins, "PER_DAY", 120)
    house = bootstrap.build(factories.settings(tmp_path))
    now = house.context.clock.now()
    table = penguins.penguins(now, days=60, worse_from=36)
    penguins.watched(house, table)
    body = {"cost_of_error": 3.0}
    made = house.policies.propose(ADMIN, penguins.MODEL, PolicyKind.MONITORING, body, reason="a wrong bird")
    house.policies.activate(LEAD, made.id, reason="yes")
    house.monitoring.evaluate(WORKER, penguins.MODEL)
    room = house.monitoring.room(VIEWER, penguins.MODEL)
    told = latest(house.monitoring, penguins.MODEL)[COST]
    fleet = next(one for one in house.fleet.room(ADMIN).rows if one.model == penguins.MODEL)
    house.close()
    assert told[0] > told[1] > 0
    assert "EUR a week more (95 % interval" in room.headline
    assert fleet.headline == room.headline


def test_a_price_that_fits_no_answer_is_refused_and_older_policies_keep_their_digest() -> None:
    with pytest.raises(InvalidInput, match="models that answer with one probability"):
        policy_body(PolicyKind.MONITORING, {"cost_of_missed": 4.0}, REGRESSION)
    for wrong in ({"cost_of_error": -1.0}, {"cost_threshold": 1.0}, {"cost_of_error": np.inf}):
        with pytest.raises(InvalidInput):
            policy_body(PolicyKind.MONITORING, wrong, BINARY)
    assert policy_body(PolicyKind.MONITORING, {"cost_of_missed": 4.0}, BINARY)["cost_of_missed"] == 4.0
    assert not [name for name in policy_body(PolicyKind.MONITORING, {}, BINARY) if name.startswith("cost")]


def of(window: str, *begins: datetime) -> float | None:
    """The weeks of windows that begin then; a batch ends with its last row."""
    days = [
        Day(n, at.date().isoformat(), at, at + timedelta(microseconds=1), part=None, clusters=(), mark=0,
            ripens=at, ripe=True)  # type: ignore[arg-type]
        for n, at in enumerate(begins)
    ]  # fmt: skip
    return weeks_of(cadence_named(window), days)


@pytest.mark.parametrize("window", ["batch:run", "rows:500"])
def test_a_week_of_batches_is_told_by_their_begins_and_not_before_two_that_lie_a_day_apart(window: str) -> None:
    first, day = datetime(2026, 3, 2, 9, tzinfo=UTC), timedelta(days=1)
    assert of(window, first) is None
    assert of(window, first, first + timedelta(hours=3), first + timedelta(hours=5)) is None
    assert of(window, first, first + day) == pytest.approx(2 / 7)
    assert of(window, *(first + n * day for n in range(7))) == pytest.approx(1.0)
    assert of(window, *(first + 7 * n * day for n in range(3))) == pytest.approx(3.0)


def test_a_week_of_days_weeks_months_and_hours_is_told_by_the_calendar() -> None:
    first = datetime(2026, 2, 1, tzinfo=UTC)
    assert of("day", first) == of("day", first, first) / 2 == pytest.approx(1 / 7)  # type: ignore[operator]
    assert of("week", first + timedelta(days=1)) == 1.0, "also while it still runs"
    assert of("month", first, datetime(2026, 3, 1, tzinfo=UTC)) == pytest.approx((28 + 31) / 7)
    assert of("hour", *(first + timedelta(hours=n) for n in range(24))) == pytest.approx(1 / 7)


def test_days_without_labels_make_a_week_no_cheaper(context: Context) -> None:
    made = priced(context, replace(POLICY, cost_of_error=2.0), "regression")
    made.reference(V1)
    made.worse = 12.0
    for labels in (True, False):
        made.live(1 if labels else 19, labels=labels)
    made.live(1)
    made.evaluate(timedelta(days=4))
    told = latest(made.monitoring)
    assert told[COST][4] == 2, "two days have labels, twenty-one have rows"
    assert told[COST][0] == pytest.approx(2.0 * (told["mae"][0] - 8.0) * 7 * ROWS, rel=0.15)


def test_one_batch_tells_no_amount_and_says_why_and_weekly_ones_that_of_a_week(context: Context) -> None:
    made = batches.batched(context, cost_of_error=1.0, cost_of_missed=10.0, cost_threshold=0.4)
    for n in range(6):
        batches.send(made, f"2013-W5{n}", blind=True)
        made.evaluate(timedelta(hours=3))
        told = latest(made.monitoring)[COST]
        if n == 0:
            assert told[:3] == [None, None, None]
            assert told[5] == "rows of a week are not known before two batches that lie a day apart"
            assert "EUR" not in made.room().headline
        made.now += batches.WEEK - timedelta(hours=3)
    assert told[0] == pytest.approx(_rows_of(World(context, made.monitoring), 400) / 7 / ROWS * batches.ROWS, rel=0.3)
    assert "EUR a week more" in made.room().headline


def test_a_threshold_far_from_every_score_of_the_reference_tells_no_amount_and_says_why(context: Context) -> None:
    base = world(context)
    context.clock.wall = lambda: base.now
    with transaction(context.databases.app) as session:
        row = session.get_one(PolicyVersionRow, "policy")
        policy = MonitoringPolicy(cost_of_error=1.0, cost_of_missed=10.0, cost_threshold=0.5)
        row.body, row.digest = policy.as_json(), policy.digest
    rows = base.rows(42)
    rows["at"], rows["score"] = pd.Timestamp(FIRST) + rows.pop("offset"), rows["score"] / 20
    base.monitoring.record_reference(WORKER, V1, rows)
    base.live(21, blind=True)
    base.evaluate(timedelta(days=2))
    told = latest(base.monitoring)[COST]
    assert told[0] is None
    assert "no border within 0.05 of the threshold 0.5" in told[5]
    headline = base.room().headline
    assert "EUR" not in headline
    assert "what that costs cannot be told (the cells of the reference's scores have no border" in headline


def test_more_yes_that_are_answered_as_well_as_before_cost_nothing(context: Context) -> None:
    base = world(context)
    context.clock.wall = lambda: base.now
    with transaction(context.databases.app) as session:
        row = session.get_one(PolicyVersionRow, "policy")
        policy = MonitoringPolicy(cost_of_error=1.0, cost_of_missed=10.0, cost_threshold=0.4)
        row.body, row.digest = policy.as_json(), policy.digest
    base.reference(V1)
    plain = base.rows

    def richer(days: int, **more: Any) -> pd.DataFrame:
        """As many rows, of which twice as many came true, each drawn from those of its class."""
        rows = plain(days, **more)
        yes = rows["label"] == 1.0
        share = min(0.9, 2 * yes.mean())
        chosen = base.rng.random(len(rows)) < share
        drawn = np.where(chosen, base.rng.choice(np.flatnonzero(yes), len(rows)),
                         base.rng.choice(np.flatnonzero(~yes), len(rows)))  # fmt: skip
        columns = rows.columns.drop("offset")
        rows[columns] = rows[columns].to_numpy()[drawn]
        return rows.astype({"x": float, "wind": float, "score": float, "label": float})

    base.rows = richer  # type: ignore[method-assign]
    base.live(21)
    base.evaluate(timedelta(days=2))
    told = latest(base.monitoring)
    assert told["label_rate"][0] > 0.55, "the reference has .31"
    assert told[COST][1] < 0 < told[COST][2]
    assert "EUR" not in base.room().headline
