"""Fleets of any size, written as the worker would have left them: models, readings, references, traffic, alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain.monitoring.readings import SCORE, Estimate, FeatureReading, estimate_to_row, feature_to_row
from mlops_dash.domain.tasks import BINARY
from mlops_dash.domain.words import AlertState, Drift, Health, OperationState
from mlops_dash.services.command import Context
from mlops_dash.store.db import transaction
from mlops_dash.store.prediction_log import to_us
from mlops_dash.store.tables.log import LabelRow, PredictionRow
from mlops_dash.store.tables.monitoring import AlertRow, ReadingRow, ReferenceRow
from mlops_dash.store.tables.registry import OperationRow, ServingRow
from tests.factories import model_row, version_row

DAY = timedelta(days=1)
WATCHES = BINARY.watches
FEATURES = ("hour", "temp", "wind_speed", "carrier")
WHY = {
    Health.OK: "no harm, and inputs within their usual swing",
    Health.INPUTS_MOVED: "temp moved, without harm so far",
    Health.AT_RISK: "ROC AUC within the day beyond its bound, the alarm is not sure yet",
    Health.HARMED: "the harm alarm of ROC AUC within the day is on",
    Health.NOT_KNOWN: "no ripe labels yet",
}


@dataclass(frozen=True)
class Made:
    """A model of the fleet: what a test needs to know of it."""

    name: str
    version_id: str


def served(
    context: Context,
    name: str,
    *,
    health: Health = Health.OK,
    windows: int = 35,
    rows: int = 900,
    value: float = 0.655,
    labels_until: int = 1,
    silent_for: int = 0,
    version: str = "1",
) -> Made:
    """A model that serves, judged day by day up to last midnight UTC.

    Args:
        context: Where.
        name: Of the model.
        health: The word of every window.
        windows: How many days were judged.
        rows: Predictions a day.
        value: The trailing mean of the last day; earlier days lie a little above.
        labels_until: The last so many days have no ripe labels yet.
        silent_for: The last so many days have no rows.
        version: Its number.
    """
    now = context.clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    version_id = f"{name}-v{version}"
    with transaction(context.databases.app) as session:
        session.add(model_row(name, title=f"{name.replace('-', ' ').capitalize()} of tests"))
        session.flush()
        session.add(version_row(version, name))
        session.flush()
        operation = OperationRow(
            id=f"op-{name}", kind="promote", model=name, to_version_id=version_id, state=str(OperationState.CONFIRMED),
            actor="user:lead", decided_at=now - 40 * DAY, alias_moved_at=now - 40 * DAY,
        )  # fmt: skip
        serving = ServingRow(
            model=name, alias="champion", version_id=version_id, shadow_version_ids=[], operation_id=operation.id,
            since=now - 40 * DAY,
        )  # fmt: skip
        session.add_all([operation, serving, _reference(name, version_id, now)])
        for back in range(windows, 0, -1):
            ripe = back > max(labels_until, silent_for)
            n = 0 if back <= silent_for else rows
            session.add(_reading(name, version, version_id, midnight - back * DAY, n, ripe, health,
                                 value + 0.001 * (back - labels_until - 1)))  # fmt: skip
    traffic(context, name, last=midnight - silent_for * DAY)
    return Made(name, version_id)


def registered(context: Context, name: str, *, version: bool = True) -> None:
    """A model that serves nothing yet."""
    with transaction(context.databases.app) as session:
        session.add(model_row(name))
        session.flush()
        if version:
            session.add(version_row("1", name))


def traffic(context: Context, name: str, *, last: datetime, rows: int = 3) -> None:
    """A few logged predictions an hour apart, the last at a time, all labelled an hour later."""
    with transaction(context.databases.log) as session:
        for i in range(rows):
            at = to_us(last - timedelta(hours=i))
            session.add(PredictionRow(model=name, prediction_id=f"{name}-{i}", at_us=at, features="{}"))
            session.add(LabelRow(model=name, prediction_id=f"{name}-{i}", value=1.0, observed_at_us=at + 3_600_000_000,
                                 received_at_us=at + 3_600_000_000))  # fmt: skip


def alert(context: Context, name: str, kind: str = "harm", **changes: Any) -> None:
    """An open alert of a model's version 1."""
    now = context.clock.now()
    values = {
        "id": f"{kind}-{name}", "model": name, "version": "1", "kind": kind, "severity": "critical",
        "state": str(AlertState.OPEN), "title": f"{kind} of {name}", "cause": "Likely cause: temp moved.",
        "opened_at": now - 3 * DAY, "last_seen_at": now, "evidence_ids": [], "body": {},
    }  # fmt: skip
    with transaction(context.databases.app) as session:
        session.add(AlertRow(**{**values, **changes}))


def many(context: Context, n: int, *, windows: int = 35) -> tuple[Made, ...]:
    """A fleet in which every health word occurs."""
    words = (Health.OK, Health.OK, Health.INPUTS_MOVED, Health.OK, Health.AT_RISK, Health.OK, Health.HARMED)
    return tuple(
        served(context, f"model-{i:02d}", health=words[i % len(words)], windows=windows, rows=400 + 100 * i)
        for i in range(n)
    )


def _reading(
    name: str, version: str, version_id: str, start: datetime, n: int, ripe: bool, health: Health, value: float
) -> ReadingRow:
    labelled = round(0.97 * n) if ripe else 0
    measured = bool(ripe and labelled)
    return ReadingRow(
        id=f"{version_id}:{start:%Y-%m-%dT%H}", model=name, version=version, version_id=version_id, window_start=start,
        window_end=start + DAY, n=n, n_labelled=labelled, ripe=ripe, health=str(health), computed_at=start + DAY,
        drift=str(Drift.STABLE if n else Drift.NOT_COMPUTABLE),
        body=_body(health, value, start, n=labelled, measured=measured),
    )  # fmt: skip


def _body(health: Health, value: float, start: datetime, *, n: int, measured: bool) -> dict[str, Any]:
    estimate = estimate_to_row(Estimate(value, value - 0.03, value + 0.03, 28 * n, 28))
    metrics = {watch.key: estimate for watch in WATCHES}
    harmed = [WATCHES[0]] if health is Health.HARMED else []
    harm = {
        watch.key: {
            "through": f"{start:%Y-%m-%d}", "level": 2.0 if watch in harmed else 0.1, "alarmed": watch in harmed,
            "since": f"{start - 20 * DAY:%Y-%m-%d}" if watch in harmed else None, "alarm": None,
            "restarts": 0,
        }
        for watch in WATCHES
    }  # fmt: skip
    features = [
        FeatureReading(one, "numeric", Drift.STABLE, 0.02, 0.01, 0.01, 0.03, 0.02, 1.0, 0.4, 0.0, 0.0, 0.0, 0.0, 900)
        for one in (*FEATURES, SCORE)
    ]
    return {
        "features": [feature_to_row(one) for one in features], "flagged": [], "broken": [], "odd": [],
        "moved": ["temp"] if health is Health.INPUTS_MOVED else [], "why": WHY[health], "harm": harm,
        "day": {"day_auc": value} if measured else {},
        "metrics": {"7": metrics, "28": metrics} if measured else {},
    }  # fmt: skip


def _reference(name: str, version_id: str, now: datetime) -> ReferenceRow:
    watches = {
        watch.key: {"mean": 1.0 - 0.672 if watch.higher else 0.5, "bound": 0.4, "units": []} for watch in WATCHES
    }
    metrics = {key: [0.68, 0.66, 0.70, 50_000, 59, ""] for key in ("auc", "brier", "log_loss", "base_rate_free_loss")}
    return ReferenceRow(
        id=f"ref-{name}", version_id=version_id, model=name, window_start=now - 100 * DAY, window_end=now - 41 * DAY,
        n_rows=50_000, schema_=dict.fromkeys(FEATURES, "numeric"), cells={}, profile=b"", method="out of fold",
        baseline={"watches": watches, "metrics": metrics, "prior": 0.228, "swing": {"k": 8, "usual": {}, "maxima": []}},
        created_at=now - 40 * DAY,
    )  # fmt: skip
