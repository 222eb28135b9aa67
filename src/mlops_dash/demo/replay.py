"""The year as live traffic: hourly batches at their scheduled hours, labels when the planes land."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pandas as pd

from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.demo.flights.columns import LABEL, ZONE, features_of
from mlops_dash.demo.story import MODEL, REPLAY

EVALUATE_ON = 0  # Mondays


def drive(clock: Clock, at: datetime) -> None:
    """Set this process's clock to an instant of the story."""
    clock.offset = at - clock.wall()


def days(start: datetime, end: datetime) -> list[datetime]:
    """New York midnights from start to end (excluded)."""
    first, last = start.astimezone(ZONE).date(), end.astimezone(ZONE).date()
    count = (last - first).days
    return [datetime.combine(first + timedelta(days=n), datetime.min.time(), ZONE) for n in range(count)]


def play(
    services: Services,
    clock: Clock,
    flights: pd.DataFrame,
    *,
    first: datetime,
    start: datetime,
    end: datetime,
    after_day: Callable[[datetime, datetime], None],
) -> None:
    """Score every flight scheduled in [start, end), day by day, and bring the labels of the planes that landed.

    `first` is the first traffic ever: flights before it were never asked for.
    `after_day(day, next midnight)` is called when a day is stored: the checkpoint.
    """
    scheduled, landed = flights["scheduled_at"], flights["landed_at"]
    for day in days(start, end):
        midnight = datetime.combine(day.date() + timedelta(days=1), datetime.min.time(), ZONE)
        drive(clock, midnight)
        score_day(services, flights[(scheduled >= day) & (scheduled < midnight)])
        known = flights[(landed >= day) & (landed < midnight) & (scheduled >= first) & flights[LABEL].notna()]
        label_day(services, known)
        if midnight.weekday() == EVALUATE_ON:
            watch(services)
        after_day(day, midnight)


def score_day(services: Services, rows: pd.DataFrame) -> None:
    """One day's flights, a batch an hour, at the hour they are scheduled for."""
    if rows.empty:
        return
    services.scoring.score(
        REPLAY,
        MODEL,
        features_of(rows),
        ids=rows["flight_id"].tolist(),
        at=rows["scheduled_at"].tolist(),
        batch_id=batches(rows["scheduled_at"]),
    )


def batches(times: pd.Series) -> list[str]:
    """The batch of each row: the hour (UTC) it is asked for."""
    hours, names = pd.factorize(times.dt.floor("h"))
    said = [f"replay-{pd.Timestamp(name):%Y%m%dT%H}" for name in names]
    return [said[hour] for hour in hours]


def label_day(services: Services, rows: pd.DataFrame) -> None:
    """The outcomes of the planes that landed; each is received when it was observed."""
    if rows.empty:
        return
    labels = pd.DataFrame(
        {
            "prediction_id": rows["flight_id"].to_numpy(),
            "value": rows[LABEL].astype("float64").to_numpy(),
            "observed_at": list(rows["landed_at"]),
        }
    )
    services.scoring.record_labels(REPLAY, MODEL, labels, received_at=rows["landed_at"].tolist())


def watch(services: Services) -> None:
    """What the worker does between batches: profile what is new, judge the windows."""
    while services.monitoring.profile_dirty_hours(REPLAY).left:
        pass
    services.monitoring.evaluate(REPLAY, MODEL)
