"""A small made world to monitor: one model, rows whose label follows one feature, days added at will."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from mlops_dash.clock import Clock
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.ids import canonical_json
from mlops_dash.services.command import Context
from mlops_dash.services.monitoring import MonitoringService
from mlops_dash.store import prediction_log
from mlops_dash.store.db import transaction
from mlops_dash.store.prediction_log import Label, Prediction, Score, to_us
from mlops_dash.store.tables.registry import OperationRow, PolicyVersionRow, ServingRow
from tests import factories

MODEL = "flight-delay"
V1 = "flight-delay-v1"
FIRST = datetime(2013, 1, 1, tzinfo=UTC)  # of the reference
LIVE = FIRST + timedelta(days=42)
ROWS = 120


@dataclass
class World:
    """Time is `now`; `monitoring` is the service under test."""

    context: Context
    monitoring: MonitoringService
    now: datetime = LIVE
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def rows(self, days: int, *, moved: float = 0.0, blind: bool = False) -> pd.DataFrame:
        """Rows of some days: x drives the label, wind does not; `moved` shifts wind, a `blind` score says nothing."""
        n = days * ROWS
        day = np.repeat(np.arange(days), ROWS)
        x = self.rng.normal(0.0, 1.0, n)
        p = 1.0 / (1.0 + np.exp(1.0 - 1.5 * x))
        label = (self.rng.random(n) < p).astype(float)
        score = self.rng.permutation(p) if blind else p
        return pd.DataFrame(
            {
                "offset": pd.to_timedelta(day * 24 * 60 + np.tile(np.arange(ROWS) * 12, days), unit="min"),
                "x": x,
                "wind": self.rng.normal(moved, 1.0, n),
                "place": self.rng.choice(["a", "b", "c"], n),
                "score": score,
                "label": label,
            }
        )

    def reference(self, version_id: str = V1, days: int = 42) -> str:
        """Record a reference of six weeks before the first live day."""
        rows = self.rows(days)
        rows["at"] = pd.Timestamp(FIRST) + rows.pop("offset")
        return self.monitoring.record_reference(factories.WORKER, version_id, rows)

    def live(
        self,
        days: int,
        *,
        moved: float = 0.0,
        blind: bool = False,
        labels: bool = True,
        without: str = "",
        version_id: str = V1,
        role: str = "champion",
    ) -> None:
        """Add live days from `now` on; time goes on with them."""
        rows = self.rows(days, moved=moved, blind=blind)
        at = [to_us(self.now) + int(us) for us in rows["offset"].dt.total_seconds() * 1e6]
        ids = [f"{us}" for us in at]
        asked = rows.drop(columns=["offset", "score", "label"]).to_dict("records")
        for one in asked:
            if without:
                one[without] = None
        predictions = [
            Prediction(MODEL, i, t, "b", 0, "", canonical_json(a)) for i, t, a in zip(ids, at, asked, strict=True)
        ]
        scores = [
            Score(MODEL, i, version_id, role, version_id[-1], t, float(s), t)
            for i, t, s in zip(ids, at, rows["score"], strict=True)
        ]
        known = [
            Label(MODEL, i, y, t + 3_600_000_000, t + 3_600_000_000)
            for i, t, y in zip(ids, at, rows["label"], strict=True)
        ]
        with transaction(self.context.databases.log) as session:
            prediction_log.append(session, predictions, scores, marked_us=to_us(self.now))
            if labels:
                prediction_log.append_labels(session, known)
        self.now += timedelta(days=days)

    def relabel(self, at: datetime, value: float) -> None:
        """Say late what the row of this time was."""
        us = to_us(at)
        with transaction(self.context.databases.log) as session:
            prediction_log.append_labels(session, [Label(MODEL, str(us), value, us, to_us(self.now))])

    def evaluate(self, later: timedelta = timedelta(0)):  # type: ignore[no-untyped-def]
        """Profile what is marked and judge, some time from now."""
        self.now += later
        while self.monitoring.profile_dirty_hours(factories.WORKER).left:
            pass
        return self.monitoring.evaluate(factories.WORKER, MODEL)

    def serve(self, version_id: str) -> None:
        """Make a version champion."""
        with transaction(self.context.databases.app) as session:
            session.merge(
                ServingRow(model=MODEL, alias="champion", version_id=version_id, shadow_version_ids=[], epoch=1,
                           operation_id="op", since=self.now)
            )  # fmt: skip

    def promote(self, version_id: str, *, before: str | None = V1, kind: str = "promote") -> None:
        """Make a version champion by an operation that was carried out now."""
        number = self.context.new_id()
        with transaction(self.context.databases.app) as session:
            session.add(
                OperationRow(id=number, kind=kind, model=MODEL, from_version_id=before, to_version_id=version_id,
                             state="confirmed", actor="user:lead", reason="better", decided_at=self.now,
                             alias_moved_at=self.now, epoch=1)
            )  # fmt: skip
            session.merge(
                ServingRow(model=MODEL, alias="champion", version_id=version_id, shadow_version_ids=[], epoch=1,
                           operation_id=number, since=self.now)
            )  # fmt: skip

    def room(self, window: str = "90d", **choice):  # type: ignore[no-untyped-def]
        """What the page shows to a viewer."""
        return self.monitoring.room(factories.VIEWER, MODEL, window, **choice)


def world(context: Context, *, served: bool = True) -> World:
    """A model with two versions, v1 serving, and a monitoring policy in UTC; no reference yet."""
    made = World(context, MonitoringService(context))
    context.clock.wall = lambda: made.now  # the world's time is a field of the world
    context.clock.offset = timedelta(0)
    assert isinstance(context.clock, Clock)
    policy = MonitoringPolicy(label_delay_hours=24.0)
    with transaction(context.databases.app) as session:
        session.add(factories.model_row(name=MODEL))
        session.flush()
        session.add_all([factories.version_row("1"), factories.version_row("2")])
        session.add(
            PolicyVersionRow(id="policy", model=MODEL, kind="monitoring", number=1, body=policy.as_json(),
                             digest=policy.digest, author="a", approver="b", active_from=FIRST)
        )  # fmt: skip
    if served:
        made.serve(V1)
    return made
