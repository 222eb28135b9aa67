"""Which logged rows can be counted into the cells of a reference? The others are set aside, with a reason, one by one.

Total: any logged row is either kept or set aside, whatever it holds, so counting what is kept cannot fail.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_dash.domain.batches import batch_names
from mlops_dash.domain.monitoring.readings import SCORE
from mlops_dash.domain.schema import LARGEST, in_range, sample_of
from mlops_dash.domain.sifting import Unfit, unfit_scores, unfit_values
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.stats.arrays import Floats
from mlops_dash.store.monitoring.parts import Layout

LABEL = "label"
NO_BATCH = "names no batch"


def sift(layout: Layout, rows: pd.DataFrame, *, batch: str = "") -> tuple[pd.DataFrame, tuple[Unfit, ...]]:
    """Split rows into those that can be counted, and what is wrong with the others.

    A feature or a score that cannot be counted sets its row aside; a label that cannot be one leaves the row without a
    label.

    Args:
        layout: Cells of the reference.
        rows: As `read_window` gives them.
        batch: Which column must name the batch of a row; "" = none.

    Returns:
        The rows that can be counted, and the first unfit value of each other row.
    """
    unfit = {row: Unfit(row, batch, NO_BATCH, "") for row in _without_batch(rows, batch)}
    for name, cells in layout.columns.items():
        if name != SCORE and name in rows:
            for one in unfit_values(name, cells.kind, rows[name]):
                unfit.setdefault(one.row, one)
    for one in unfit_scores(rows["score"].to_numpy(dtype=np.float64), task=layout.task):
        unfit.setdefault(one.row, one)
    labels = {one.row: one for one in _unfit_labels(rows[LABEL].to_numpy(dtype=np.float64), task=layout.task)}
    if not unfit and not labels:
        return rows, ()
    kept = rows.copy()
    kept.loc[kept.index[list(labels)], LABEL] = np.nan
    kept = kept.drop(index=kept.index[sorted(unfit)])
    return kept, tuple((labels | unfit)[row] for row in sorted(labels | unfit))


def _without_batch(rows: pd.DataFrame, batch: str) -> list[int]:
    if not batch:
        return []
    if batch not in rows:
        return list(range(len(rows)))
    return [int(row) for row in np.flatnonzero(batch_names(rows[batch]).isna().to_numpy())]


def _unfit_labels(labels: Floats, *, task: ModelTask) -> Sequence[Unfit]:
    found = []
    for row in np.flatnonzero(~np.isnan(labels)).tolist():
        label = float(labels[row])
        reason = task.why_no_label(label) if in_range(label) else f"is not finite or beyond {LARGEST:g}"
        if reason:
            found.append(Unfit(row, LABEL, reason, sample_of(label)))
    return found
