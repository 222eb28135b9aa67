"""A bounded number of rows from a span with many, from all hours of the day; the same ones each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

HOUR = timedelta(hours=1)
FEW = 24  # with fewer whole hours than this, a piece of every hour is read instead
_SEED = 20_130_101
Read = Callable[[Sequence[datetime], timedelta], pd.DataFrame]  # begins, and how long from each on -> their rows


def spread_rows(counted: Mapping[datetime, int], rows: int, read: Read, *, most_hours: int = 1_500) -> pd.DataFrame:
    """About so many rows: those of hours drawn at random, or, of few hours with many rows, of a piece of each.

    Args:
        counted: How many rows each hour has; at least one hour.
        rows: How many are wanted, roughly.
        read: Gives the rows of pieces of time.
        most_hours: How many pieces are read at most.
    """
    rng = np.random.default_rng(_SEED)
    hours = _some(sorted(counted), most_hours, rng)
    share = rows / max(1, sum(counted[hour] for hour in hours))
    if share >= 1.0:
        return read(hours, HOUR)
    if share * len(hours) < FEW:
        width = max(timedelta(seconds=1), HOUR * share)
        found = read([hour + (HOUR - width) * rng.random() for hour in hours], width)
        if len(found) >= rows / 4:  # fewer where rows come in batches, which pieces miss
            return found
    return read(_some(hours, max(1, round(share * len(hours))), rng), HOUR)


def _some(hours: Sequence[datetime], n: int, rng: np.random.Generator) -> list[datetime]:
    """At most `n` of them, in order."""
    if len(hours) <= n:
        return list(hours)
    return [hours[at] for at in sorted(rng.choice(len(hours), n, replace=False).tolist())]
