"""A test's looks on the past of a stranger's model: what they say, and why they say nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from mlops_dash.domain.ab_tests.assigning import DAY
from mlops_dash.domain.ab_tests.rules import AT_END, ABTest
from mlops_dash.domain.events import Event
from mlops_dash.services.ab_tests.rehearsing import rehearse
from mlops_dash.services.command import Context
from mlops_dash.store import prediction_log as log
from mlops_dash.store.db import reading, transaction
from tests import factories
from tests.services.ab_tests.test_unit_reading import BASE, START, a_test

MODEL, CUSTOMERS = "queue", 2_000


@pytest.fixture
def home(tmp_path: Path) -> Context:
    """Twenty days of customers that v1 answered, with what they paid."""
    made = factories.context(tmp_path)
    rng = np.random.default_rng(4)
    predictions, scores, labels, events = [], [], [], []
    for n in range(CUSTOMERS):
        at = START + timedelta(days=20 * n / CUSTOMERS)
        us, minutes = log.to_us(at), float(rng.normal(30, 8))
        predictions.append(log.Prediction(MODEL, f"p{n}", us, "b", n, "", f'{{"customer": {n}, "waiting": 3}}'))
        scores.append(log.Score(MODEL, f"p{n}", "v1", "champion", "1", us, minutes + float(rng.normal(0, 3)), us))
        labels.append(log.Label(MODEL, f"p{n}", minutes, us, us))
        events.append(Event(f"e{n}", str(n), "revenue", float(rng.gamma(0.5, 20.0)), at + timedelta(hours=1)))
        events.append(Event(f"b{n}", str(n), "revenue", float(rng.gamma(0.5, 20.0)), at - timedelta(hours=1)))
    with transaction(made.databases.log) as session:
        log.append(session, predictions, scores, marked_us=0)
        log.append_labels(session, labels)
        log.append_events(session, MODEL, events, received=None)
    return made


def asked(home: Context, test: ABTest, *, runs: int = 100):  # type: ignore[no-untyped-def]
    with reading(home.databases.log) as session:
        return rehearse(session, test, now=START + timedelta(days=20, hours=72, minutes=1), runs=runs)


DESIGN = replace(BASE, planned_units=CUSTOMERS, min_units=200)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cuped": True},
        {"outcome": "higher:share:revenue"},
        {"outcome": "mae"},
        {"outcome": "higher:ratio:revenue/revenue"},
        {"outcome": "lower:p90:revenue"},
    ],
)
def test_the_past_says_how_often_it_would_lie_and_what_it_could_find(home: Context, changes: dict[str, object]) -> None:
    found = asked(home, a_test(replace(DESIGN, **changes)))  # type: ignore[arg-type]
    assert (found.reason, found.units, found.days, found.days_needed) == ("", CUSTOMERS, 20, 22)
    assert found.replayed is not None
    assert found.replayed.share <= 0.05 + 3 * (0.05 * 0.95 / 100) ** 0.5
    if changes.get("outcome") in {None, "mae"}:
        sd = {None: 20 * 0.5**0.5, "mae": 3 * (1 - 2 / np.pi) ** 0.5}[changes.get("outcome")]  # type: ignore[index]
        assert found.one_look == pytest.approx(2.8 * sd * 2 / CUSTOMERS**0.5, rel=0.1)
        assert found.every_day > found.one_look
        assert "saw a difference where none is, as promised (5%)" in found.alarm_words(0.05)
    assert asked(home, a_test(replace(DESIGN, **changes))) == found  # type: ignore[arg-type]


def test_why_the_past_says_nothing(home: Context) -> None:
    assert "too few: each arm needs 1,500" in asked(home, a_test(replace(DESIGN, min_units=1_500))).reason
    assert "has a column 'account'" in asked(home, a_test(replace(DESIGN, entity="account"))).reason
    other = replace(a_test(DESIGN), control_id="v9", control="v9")
    said = asked(home, other)
    assert ("answered no row" in said.reason, said.as_json()["replayed"]) == (True, None)


def test_the_replay_looks_as_the_design_says_or_says_why_it_does_not(home: Context) -> None:
    daily = asked(home, a_test(DESIGN)).replayed
    end = asked(home, a_test(replace(DESIGN, reading=AT_END))).replayed
    late = asked(home, a_test(replace(DESIGN, min_days=20))).replayed
    assert daily is not None
    assert end is not None
    assert late is not None
    assert daily.naive == end.naive > end.alarms > daily.alarms  # the last day's t-test alone; each day's always valid
    assert late.naive == end.alarms  # from the twentieth of twenty days on there is one look
    days = replace(DESIGN, unit=DAY, entity="", outcome="log_loss", reading=AT_END, min_units=5, planned_units=20)
    assert asked(home, a_test(days)).reason.startswith("Days as units are not replayed")
    loss = asked(home, a_test(replace(DESIGN, outcome="base_rate_free_loss")))
    assert (loss.replayed, "of units is not replayed" in loss.reason) == (None, True)
