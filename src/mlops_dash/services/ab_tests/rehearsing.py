"""Before a test starts: its own looks on the past, where nothing differed, and what it could find.

The champion's rows of as many days as the test shall last are drawn into two arms again and again (`stats.ab_replay`).
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from mlops_dash.domain.ab_tests.assigning import DAY, ENTITY
from mlops_dash.domain.ab_tests.outcomes import quantile_in
from mlops_dash.domain.ab_tests.room import PRICE_OF_PEEKING, Rehearsal
from mlops_dash.domain.ab_tests.rules import ALWAYS_VALID, ABTest, Design
from mlops_dash.domain.events import unit_name
from mlops_dash.services.ab_tests.reading import days_of, parts_of, statistic_of
from mlops_dash.services.ab_tests.unit_reading import linear, rows_of, with_outcome
from mlops_dash.services.ab_tests.unit_table import unit_table
from mlops_dash.stats.ab import quantile_of
from mlops_dash.stats.ab_plan import detectable
from mlops_dash.stats.ab_replay import Looks, of_days, of_quantiles, of_units, replay
from mlops_dash.stats.arrays import Floats
from mlops_dash.store import ab_tests as store
from mlops_dash.store import prediction_log
from mlops_dash.store.db import Session

POWER: Final = 0.8
_DAY: Final = timedelta(days=1)
_SEED: Final = 20_260_301  # the same past says the same every time


def rehearse(log: Session, test: ABTest, *, now: datetime, runs: int) -> Rehearsal:
    """What the past says of a test; `reason` says why it says nothing.

    Args:
        log: A session on the log database.
        test: The test; nothing of it is changed.
        now: The past ends where its units would be ripe.
        runs: How often arms are drawn.
    """
    design = test.design
    last = (now - design.ripens_after).astimezone(ZoneInfo(design.zone))
    end = last.replace(hour=0, minute=0, second=0, microsecond=0)
    start = end - design.enters_for
    rows = prediction_log.read_window(
        log, test.control_id, start, end, roles=("champion",), features=design.unit == ENTITY or bool(design.segments)
    )
    nothing = Rehearsal(start=start, end=end, units=0, days=0)
    if _not_replayed(design):
        return nothing.because(_not_replayed(design))
    if rows.empty:
        return nothing.because(f"{test.control} answered no row from {start:%Y-%m-%d} to {end:%Y-%m-%d}.")
    if design.unit == ENTITY and design.entity not in rows:
        return nothing.because(f"No logged row of {test.control} has a column {design.entity!r}.")
    if design.by_units:
        events = store.events_of(log, test, start, end)
        looks, units, day, values, mean = _of_units(design, rows, events, now)
    else:
        looks, units, day, values, mean = _of_days(design, rows)
    if units < 2 * design.min_units:
        return nothing.because(
            f"{units:,} units in {design.enters_for.days} days are too few: each arm needs {design.min_units:,} before "
            "a look."
        )
    found = replay(
        looks, units, share=design.share, planned_units=design.planned_units, alpha=design.alpha, runs=runs,
        rng=np.random.default_rng(_SEED), first=max(design.min_days, 1), one_look=design.reading != ALWAYS_VALID,
    )  # fmt: skip
    days = int(np.unique(day).size)
    one_look = detectable(
        sd=float(values.std(ddof=1)), units=design.planned_units, share=design.share, alpha=design.alpha, power=POWER
    )
    return Rehearsal(
        start=start,
        end=end,
        units=units,
        days=days,
        replayed=found,
        value=mean,
        one_look=one_look,
        every_day=one_look * PRICE_OF_PEEKING,
        days_needed=math.ceil(design.planned_units / (units / days) + (design.days - design.enters_for / _DAY)),
    )


def _not_replayed(design: Design) -> str:
    """Why a test of this kind is not replayed; "" = it is."""
    if design.unit == DAY:
        return "Days as units are not replayed: rows drawn one by one would say nothing of days drawn as a whole."
    if design.by_units and design.outcome == "base_rate_free_loss":
        return "The base-rate-free loss of units is not replayed; log loss is: design the test with it to see."
    return ""


def _of_units(
    design: Design, rows: pd.DataFrame, events: pd.DataFrame, now: datetime
) -> tuple[Looks, int, np.ndarray, Floats, float]:  # type: ignore[type-arg]
    """Looks, units, their days, a number a unit that varies as the outcome does, and the outcome of all."""
    named = rows["prediction_id"].astype(str)
    if design.unit == ENTITY:
        named = pd.Series([design.kept(unit_name(one)) for one in rows[design.entity]], index=rows.index)
    table = unit_table(design, rows.assign(unit=named, challenger=False), events, now=now)
    told = with_outcome(table.outcomes[design.outcome], design.outcome)
    columns, day = rows_of(table.outcomes[design.outcome], told), table.day[told]
    if (q := quantile_in(design.outcome)) is not None:
        whole = quantile_of(columns.y, q)
        looks = of_quantiles(columns.y, q, day, least=design.min_units, days=len(table.days))
        away = columns.y - columns.y.mean()
        varies = away * math.sqrt(whole.variance * whole.n) / whole.sd  # so that a mean of them is as sure as it
        return looks, whole.n, day, varies, whole.value
    looks = of_units(columns.y, columns.z, columns.x, day, least=design.min_units, days=len(table.days))
    total = float(columns.z.sum()) if columns.z is not None else float(len(columns.y))
    mean = float(columns.y.sum()) / total if total else math.nan
    values = linear(columns, design.outcome)
    if columns.z is not None:
        values = values / max(float(columns.z.mean()), 1e-300)
    if columns.x is not None:
        slope = float(np.cov(values, columns.x)[0, 1] / columns.x.var(ddof=1))
        values = values - slope * (columns.x - columns.x.mean())
    return looks, len(columns.y), day, values, mean


def _of_days(design: Design, rows: pd.DataFrame) -> tuple[Looks, int, np.ndarray, Floats, float]:  # type: ignore[type-arg]
    known = rows[rows["label"].notna()]
    _, day = np.unique(days_of(known["at"], design.zone).to_numpy(dtype=object), return_inverse=True)
    parts = parts_of(known, design.outcome)
    statistic = statistic_of(design.outcome, design)
    looks = of_days(parts, np.asarray(day, dtype=np.int64), statistic, least=design.min_units)
    values = parts[:, 0] + parts[:, 2]
    mean = float(statistic(parts.sum(axis=0))) if len(parts) else math.nan
    return looks, len(known), np.asarray(day), values, mean
