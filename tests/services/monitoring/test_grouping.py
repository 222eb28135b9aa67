"""Rows of one customer say alike: where days are few intervals go by groups of customers, and the page says so."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.words import Health
from mlops_dash.ids import canonical_json
from mlops_dash.services.command import Context
from mlops_dash.store import prediction_log
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring import references
from mlops_dash.store.prediction_log import Label, Prediction, Score, to_us
from mlops_dash.store.tables.registry import ModelRow
from tests import factories
from tests.services.monitoring.monitoring_world import FIRST, MODEL, V1, World, world
from tests.services.monitoring.test_hours import by

CUSTOMER = 'customer "id"'
A_DAY, PEOPLE = 240, 90
DAY = timedelta(days=1)


def rows(w: World, n: int, *, blind: bool = False, apart: float = 2.5) -> pd.DataFrame:
    """Rows of customers for some of whom the model is far off."""
    who = w.rng.integers(0, PEOPLE, n)
    x = w.rng.normal(0.0, 1.0, n)
    own = np.random.default_rng(5).normal(0.0, apart, PEOPLE)[who]
    p = 1.0 / (1.0 + np.exp(1.0 - 1.5 * x))
    label = (w.rng.random(n) < 1.0 / (1.0 + np.exp(1.0 - 1.5 * x - own))).astype(float)
    return pd.DataFrame({"x": x, CUSTOMER: [f"<b>{one}</b>" for one in who],
                         "score": w.rng.permutation(p) if blind else p, "label": label})  # fmt: skip


def begun(context: Context, *, days: int = 12, cluster: str = CUSTOMER, window: str = "day",
          apart: float = 2.5) -> World:  # fmt: skip
    """A reference of so many days."""
    made = world(context)
    by(context, window, min_reference_rows=500)
    with transaction(context.databases.app) as session:
        session.get_one(ModelRow, MODEL).cluster = cluster
    past = rows(made, days * A_DAY, apart=apart)
    past["at"] = [pd.Timestamp(FIRST + n * DAY / A_DAY) for n in range(len(past))]
    made.monitoring.record_reference(factories.WORKER, V1, past)
    made.now = FIRST + timedelta(days=42)
    return made


def send(w: World, days: int, *, labels: bool = True, blind: bool = False, named: bool = True) -> list[Label]:
    """Days from now on; gives the labels."""
    made = rows(w, days * A_DAY, blind=blind)
    at = [to_us(w.now + n * DAY / A_DAY) for n in range(len(made))]
    asked = made[["x", CUSTOMER] if named else ["x"]].to_dict("records")
    known = [Label(MODEL, f"{t}", float(y), t, t) for t, y in zip(at, made["label"], strict=True)]
    with transaction(w.context.databases.log) as session:
        prediction_log.append(
            session,
            [Prediction(MODEL, f"{t}", t, "b", 0, "", canonical_json(a)) for t, a in zip(at, asked, strict=True)],
            [Score(MODEL, f"{t}", V1, "champion", "1", t, float(s), t) for t, s in zip(at, made["score"], strict=True)],
            marked_us=to_us(w.now),
        )
        if labels:
            prediction_log.append_labels(session, known)
    w.now += days * DAY
    return known


def width(w: World, metric: str = "auc") -> float:
    """Of the latest interval of a metric, over all windows of the headline."""
    found = w.monitoring.room(factories.VIEWER, MODEL, metric=metric).performance
    assert found is not None
    last = [one.trailing for one in found.points if one.trailing is not None and one.trailing.low is not None][-1]
    assert last.low is not None
    assert last.high is not None
    return last.high - last.low


def test_with_few_days_intervals_go_by_customers_and_it_is_said(context: Context) -> None:
    made = begun(context)
    send(made, 8)
    made.evaluate(later=3 * timedelta(hours=1))
    room = made.room()
    assert room.basis == (
        f"Judged by the day: rows with the same {CUSTOMER} are taken together (in up to 40 groups), as the reference "
        "has 12 days, fewer than 20."
    )
    assert room.cluster == "group"
    assert [one.name for one in room.features if one.name == CUSTOMER] == []  # it names customers and is no input
    assert room.health is Health.OK, room.why
    assert "ripe days" in room.headline


@pytest.mark.parametrize(("apart", "least", "most"), [(2.5, 1.3, 30.0), (0.0, 1.0, 1.3)])
def test_the_alarm_takes_rows_of_customers_that_differ_as_fewer(
    context: Context, apart: float, least: float, most: float
) -> None:
    begun(context, apart=apart)
    with reading(context.databases.app) as session:
        reference = references.reference(session, V1)
    assert reference is not None
    assert reference.is_grouped
    design = reference.baseline["design"]
    assert least <= max(design.values()) <= most, design
    assert min(design.values()) >= 1.0


def test_where_there_are_twenty_days_those_are_what_rows_belong_to(context: Context) -> None:
    made = begun(context, days=24)
    send(made, 8)
    made.evaluate(later=3 * timedelta(hours=1))
    room = made.room()
    assert (room.basis, room.cluster) == ("", "day")
    assert [one.name for one in room.features if one.name == CUSTOMER] == []


def test_worse_answers_are_still_found(context: Context) -> None:
    made = begun(context)
    send(made, 6)
    send(made, 14, blind=True)
    made.evaluate(later=3 * timedelta(hours=1))
    assert made.room().health is Health.HARMED


@pytest.mark.parametrize("window", ["rows:400", "week"])
def test_labels_that_come_late_are_grouped_too_by_every_cadence(context: Context, window: str) -> None:
    made = begun(context, window=window, days=15)
    known = send(made, 21, labels=False)
    made.evaluate(later=3 * timedelta(hours=1))
    with transaction(context.databases.log) as session:
        prediction_log.append_labels(session, known)
    made.evaluate(later=3 * timedelta(hours=1))
    room = made.room()
    assert f"rows with the same {CUSTOMER} are taken together" in room.basis
    with reading(context.databases.app) as session:
        reference = references.reference(session, V1)
    assert reference is not None
    with reading(context.databases.log) as session:
        held = session.connection().exec_driver_sql(
            "SELECT COUNT(DISTINCT g.batch), SUM(NOT EXISTS (SELECT 1 FROM profile_batch b WHERE b.reference_id = "
            "g.reference_id AND b.batch = g.batch AND b.hour_us = g.hour_us)) FROM profile_group g"
        )
        batches, lost = held.one()
    if window.startswith("rows"):
        assert batches == -(-21 * A_DAY // 400)  # every group is of the window that its rows are of
        assert lost == 0
    assert width(made) > 0.0


def test_where_rows_do_not_name_their_customer_no_interval_is_told_and_it_is_said(context: Context) -> None:
    made = begun(context)
    send(made, 8, named=False)
    made.evaluate(later=3 * timedelta(hours=1))
    room = made.room()
    assert room.performance is not None
    told = [one.trailing for one in room.performance.points if one.trailing is not None]
    assert told
    assert {(one.low, one.high) for one in told} == {(None, None)}
    assert all(f"rows by their {CUSTOMER} lie in 1 group, at least 5 are needed" in one.reason for one in told), told
    assert "are taken together" not in room.basis
    assert f"the latest rows name too few values of {CUSTOMER}, so no interval is told" in room.basis


def test_a_few_rows_without_a_customer_are_taken_together(context: Context) -> None:
    made = begun(context)
    send(made, 2, named=False)
    send(made, 12)
    made.evaluate(later=3 * timedelta(hours=1))
    assert width(made) > 0.0
    assert "are taken together" in made.room().basis


def test_a_reference_without_the_column_goes_by_days_as_it_did(context: Context) -> None:
    made = begun(context, cluster="nowhere")
    send(made, 8)
    made.evaluate(later=3 * timedelta(hours=1))
    assert made.room().basis == ""
