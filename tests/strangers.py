"""Models of somebody else, watched here: a classifier and a regression, with references, traffic, labels and faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import event, text

from mlops_dash.bootstrap import Services
from mlops_dash.ids import canonical_json
from mlops_dash.store import prediction_log
from mlops_dash.store.db import transaction
from mlops_dash.store.prediction_log import Label, Prediction, Score, to_us
from mlops_dash.store.tables.registry import ServingRow
from tests.factories import LEAD, SCIENTIST, WORKER

FIRST = datetime(2013, 4, 1, tzinfo=UTC)
LIVE = FIRST + timedelta(days=42)
PER_DAY = 110


@dataclass
class Stranger:
    """One external model with one version."""

    services: Services
    name: str
    task: str = "binary"
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))
    version_id: str = ""

    def rows(self, first: datetime, days: int, per_day: int = PER_DAY) -> pd.DataFrame:
        """Rows of some days: a number, a word, a score that means something, and the label."""
        n = days * per_day
        step = timedelta(days=1) / per_day
        at = [first + timedelta(days=day) + step * k for day in range(days) for k in range(per_day)]
        x = self.rng.normal(0.0, 1.0, n)
        if self.task == "regression":
            label = 200.0 + 30.0 * x
            score = label + self.rng.normal(0.0, 8.0, n)
        else:
            score = 1.0 / (1.0 + np.exp(1.0 - 1.5 * x))
            label = (self.rng.random(n) < score).astype(float)
        kind = self.rng.choice(["flat", "house", "barn"], n)
        at_column = pd.to_datetime(pd.Series(at), utc=True)
        return pd.DataFrame({"at": at_column, "x": x, "kind": kind, "score": score, "label": label})

    def begin(self) -> None:
        """Add the model, a version that serves, and its reference of six weeks."""
        registry = self.services.registry
        registry.add_model(SCIENTIST, self.name, task=self.task, source="external", reason="theirs")
        self.version_id = registry.record_version(WORKER, self.name, "1")
        self.services.monitoring.record_reference(WORKER, self.version_id, self.rows(FIRST, 42))
        self.serve(self.version_id)

    def serve(self, version_id: str) -> None:
        """Make a version champion."""
        with transaction(self.services.context.databases.app) as session:
            session.merge(
                ServingRow(model=self.name, alias="champion", version_id=version_id, shadow_version_ids=[], epoch=1,
                           operation_id="op", since=LIVE)
            )  # fmt: skip

    def send(self, days: int = 8, *, first: datetime = LIVE, labels: bool = True) -> None:
        """Live rows by the door, with their labels."""
        rows = self.rows(first, days)
        ids = [f"{self.name}/{number}/{first:%Y%m%d}" for number in range(len(rows))]
        sent = [
            {"prediction_id": name, "at": row["at"].isoformat(), "version": "1", "score": row["score"],
             "features": {"x": row["x"], "kind": row["kind"]}}
            for name, row in zip(ids, rows.to_dict("records"), strict=True)
        ]  # fmt: skip
        self.services.scoring.record_predictions(LEAD, self.name, sent)
        if labels:
            known = pd.DataFrame({"prediction_id": ids, "value": rows["label"], "observed_at": rows["at"]})
            self.services.scoring.record_labels(LEAD, self.name, known, received_at=rows["at"].tolist())

    def smuggle(
        self, name: str, at_us: int, features: object, *, score: float = 0.5, label: float | None = None
    ) -> None:
        """A row in the log as the door would not let it in today: written before there was a reference, or by hand."""
        kept = features if isinstance(features, str) else canonical_json(features)
        row = Prediction(self.name, name, at_us, "b", 0, "", kept)
        answer = Score(self.name, name, self.version_id, "champion", "1", at_us, score, at_us)
        with transaction(self.services.context.databases.log) as session:
            prediction_log.append(session, [row], [answer], marked_us=to_us(LIVE))
            if label is not None:
                prediction_log.append_labels(session, [Label(self.name, name, label, at_us, at_us)])

    def break_reference(self) -> None:
        """Spoil what is stored of the reference, so that whoever reads it fails."""
        with transaction(self.services.context.databases.app) as session:
            session.connection().execute(
                text("UPDATE reference SET cells = '{}', profile = :spoilt WHERE version_id = :version"),
                {"spoilt": b"spoilt", "version": self.version_id},
            )


class Statements:
    """Counts the SQL statements of both databases while it is open."""

    def __init__(self, services_or_context: object) -> None:
        context = getattr(services_or_context, "context", services_or_context)
        self._engines = (context.databases.app, context.databases.log)  # type: ignore[attr-defined]
        self.said: list[str] = []

    def __enter__(self) -> Statements:
        for engine in self._engines:
            event.listen(engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for engine in self._engines:
            event.remove(engine, "before_cursor_execute", self._note)

    def _note(self, _connection, _cursor, statement, _parameters, _context, _many) -> None:  # type: ignore[no-untyped-def]
        if not statement.startswith(("BEGIN", "PRAGMA")):
            self.said.append(statement)

    @property
    def n(self) -> int:
        """How many so far."""
        return len(self.said)
