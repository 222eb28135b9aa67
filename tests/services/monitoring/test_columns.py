"""The columns of a stranger's model: every score is there, and what happened to each is named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.clock import fixed
from mlops_dash.domain.monitoring.findings import Signal
from mlops_dash.domain.monitoring.room import MonitoringRoom
from mlops_dash.domain.words import Drift
from tests import factories
from tests.factories import LEAD, VIEWER, WORKER
from tests.strangers import LIVE, Stranger

NAME = 'minutes at the "north" desk'


class Desk(Stranger):
    """A regression in minutes with a flag that is always 0 and a column that is always empty."""

    broken = False

    def rows(self, first, days, per_day=130):  # type: ignore[no-untyped-def]
        rows = super().rows(first, days, per_day)
        n, b = len(rows), self.broken
        return rows.assign(
            x=rows["x"] + (4.0 if b else 0.0),
            score=rows["score"] + (120.0 if b else 0.0),
            label=rows["label"] + (120.0 if b else 0.0),
            priority=np.full(n, 1.0 if b else 0.0),
            note=["late" if b else None] * n,
            kind=self.rng.choice(["flat", "tent"], n) if b else rows["kind"],
            age=np.where(self.rng.random(n) < 0.3, np.nan, 40.0) if b else self.rng.normal(40.0, 9.0, n),
        )

    def send(self, days=8, *, first=LIVE, labels=True):  # type: ignore[no-untyped-def]
        rows = self.rows(first, days)
        ids = [f"{number}/{first:%Y%m%d}" for number in range(len(rows))]
        names = ("x", "kind", "priority", "note", "age")
        sent = [
            {"prediction_id": one, "at": row["at"].isoformat(), "version": "1", "score": row["score"],
             "features": {name: None if pd.isna(row[name]) else row[name] for name in names}}
            for one, row in zip(ids, rows.to_dict("records"), strict=True)
        ]  # fmt: skip
        self.services.scoring.record_predictions(LEAD, self.name, sent)
        known = pd.DataFrame({"prediction_id": ids, "value": rows["label"], "observed_at": rows["at"]})
        self.services.scoring.record_labels(LEAD, self.name, known, received_at=rows["at"].tolist())

    def look(self, feature: str = "") -> MonitoringRoom:
        self.services.monitoring.profile_dirty_hours(WORKER)
        self.services.monitoring.evaluate(WORKER, self.name, until=LIVE + timedelta(days=9))
        return self.services.monitoring.room(VIEWER, self.name, feature=feature, end=LIVE + timedelta(days=9))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Services]:
    made = bootstrap.build(factories.settings(tmp_path), clock=fixed(LIVE + timedelta(days=10)))
    yield made
    made.close()


@pytest.fixture
def desk(house: Services) -> Desk:
    made = Desk(house, NAME, "regression")
    made.begin()
    return made


def test_every_score_of_every_column_is_in_the_room(desk: Desk) -> None:
    desk.send(8)
    room = desk.look("x")
    assert set(room.scores) == {"x", "kind", "priority", "note", "age", "(score)"}
    assert room.detail is not None
    score = room.detail.score
    assert score is not None
    assert score == room.scores["x"]
    assert 0.0 < score.js < 0.2
    assert score.ks is not None
    assert score.wasserstein is not None
    assert abs(score.psi - (room.detail.reading.psi or 0.0)) < 1e-6
    assert room.detail.times_limit == 4.0  # six weeks of reference: the rank rule wants twenty
    assert room.findings == ()
    assert room.scores["kind"].ks is None


def test_a_flag_that_is_1_now_and_a_column_that_was_empty_are_named_and_not_stable(desk: Desk) -> None:
    desk.broken = True
    desk.send(8)
    room = desk.look()
    found = {(one.signal, one.column) for one in room.findings}
    assert {
        (Signal.OTHER_VALUE, "priority"), (Signal.FILLED, "note"), (Signal.MISSING, "age"), (Signal.UNSEEN, "kind"),
        (Signal.RANGE, "x"), (Signal.CONSTANT, "age"), (Signal.PREDICTIONS, "(score)"), (Signal.LABELS, ""),
    } <= found  # fmt: skip
    verdicts = {one.name: one.verdict for one in room.features}
    assert Drift.STABLE not in {verdicts[name] for name in ("priority", "note", "x", "kind")}
    assert set(verdicts) == set(room.scores)
    said = desk.services.monitoring.summary(VIEWER, NAME)["findings"]
    assert {"signal": "no longer constant", "column": "priority",
            "sentence": "100.0% other than 0, which fills the reference"} in said  # fmt: skip


def test_words_in_a_column_of_numbers_are_a_changed_type(desk: Desk) -> None:
    desk.send(8)
    at = int((LIVE + timedelta(days=7, hours=3)).timestamp() * 1e6)
    for number in range(4):
        desk.smuggle(f"late/{number}", at + number, {"x": "many", "kind": "flat", "priority": 0}, score=200.0)
    room = desk.look()
    (changed,) = [one for one in room.findings if one.signal is Signal.TYPE]
    assert changed.column == "x"
    assert changed.sentence == "4 rows set aside: is no number, as the column holds"
