"""Of which batch, or window of N rows, is a row? And what hours have of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_dash.domain.batches import batch_names
from mlops_dash.services.monitoring import counting
from mlops_dash.stats.arrays import Ints
from mlops_dash.store.monitoring.parts import count_rows
from mlops_dash.store.monitoring.profiles import BatchPart, Held
from mlops_dash.store.monitoring.references import Reference
from mlops_dash.store.prediction_log import HOUR_US

Names = npt.NDArray[Any]  # object[rows], text


def names_of(
    reference: Reference, rows: pd.DataFrame, at: Ints, windows: Sequence[Held], hours: Sequence[int]
) -> Names:
    """Of which batch, or window of N rows, each row is; windows that become full with these rows are cut at once.

    Args:
        reference: Which says what windows are.
        rows: Those that can be counted, with their ids.
        at: int64[rows], their times in microseconds.
        windows: Windows of N rows as far as they are known.
        hours: Of the rows.
    """
    if reference.batch_column:
        return batch_names(rows[reference.batch_column]).to_numpy()
    every, ids = reference.cadence.rows, rows["prediction_id"].to_numpy()
    marks = counting.marks_of(windows, every)
    found, before = counting.place(at, ids, marks), counting.open_before(windows, marks, hours)
    if before is not None:
        last = found == len(marks) - 1
        marks += counting.cuts(at[last], ids[last], before=before, every=every)
        found = counting.place(at, ids, marks)
    return np.asarray([mark.name for mark in marks], dtype=object)[found]


def batch_parts(reference: Reference, rows: pd.DataFrame, at: Ints, names: Names) -> tuple[BatchPart, ...]:
    """Count rows by hour and batch.

    Args:
        reference: In whose cells they are counted.
        rows: Those that can be counted, at least one.
        at: int64[rows], their times in microseconds.
        names: object[rows], of which batch each is.
    """
    hours = at - at % HOUR_US
    codes, keys = pd.MultiIndex.from_arrays([hours, names]).factorize()
    parts = count_rows(reference.layout, rows, codes.astype(np.int64), len(keys))
    times = pd.Series(at).groupby(codes).agg(["min", "max"])
    return tuple(
        BatchPart(int(hour), str(name), int(first), int(last), part)
        for (hour, name), part, first, last in zip(keys, parts, times["min"], times["max"], strict=True)
    )
