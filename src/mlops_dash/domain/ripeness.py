"""Which rows of the log count: their calendar day, and whether enough of a day's labels have come."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_dash.domain.policies import MonitoringPolicy


def days_in(at: pd.Series[Any], zone: str) -> npt.NDArray[Any]:
    """The calendar day of the zone of each time, as text: the cluster of every estimate."""
    local = at.dt.tz_convert(ZoneInfo(zone)).dt.tz_localize(None)
    days = local.to_numpy().astype("datetime64[D]").astype(str)  # a tenth of the time of strftime
    return np.asarray(days, dtype=object)


def with_days(rows: pd.DataFrame, zone: str) -> pd.DataFrame:
    """Add `day`, the calendar day of the zone; for rows whose inputs are not asked for: one may be named like that."""
    return rows.assign(day=days_in(rows["at"], zone))


def ripe_rows(rows: pd.DataFrame, watch: MonitoringPolicy, now: datetime) -> pd.DataFrame:
    """Labelled rows of ripe days: a day counts when it is old enough, or when most of its labels have come.

    Labels that come quickly may differ from those that come late, so a day is taken whole or not at all.
    """
    if rows.empty:
        return rows
    labelled = rows["label"].notna()
    old = pd.Timestamp(now - timedelta(hours=watch.label_delay_hours))
    by_day = pd.DataFrame({"last": rows["at"], "share": labelled.astype(float), "day": rows["day"]}).groupby("day")
    whole = (by_day["last"].max() <= old) | (by_day["share"].mean() >= watch.ripe_coverage)
    return rows[labelled & rows["day"].map(whole)]
