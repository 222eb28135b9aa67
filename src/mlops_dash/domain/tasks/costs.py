"""What do answers cost that were wrong? From the summaries of labelled rows, as the owner prices them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_dash.domain.tasks.binary import ClassSummary
from mlops_dash.domain.tasks.regression import NumberSummary
from mlops_dash.domain.tasks.summaries import Summary
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.domain.tasks.told_classes import ClassCounts
from mlops_dash.stats.arrays import Floats

NEAR = 0.05  # of the threshold: where no border is nearer, too many rows would act otherwise than they did


@dataclass(frozen=True)
class Costs:
    """Prices of the monitoring policy, in the installation's currency.

    Attributes:
        error: Of one wrong answer; of a regression of one unit of absolute error in one row; of a probability of a yes
            where no came.
        missed: Of a probability: of a no where yes came.
        threshold: From which probability on an answer acts as yes.
    """

    error: float = 0.0
    missed: float = 0.0
    threshold: float = 0.5

    @property
    def given(self) -> bool:
        """Whether anything has a price."""
        return self.error > 0 or self.missed > 0


def why_no_price(task: ModelTask, scale: Mapping[str, Any], costs: Costs) -> str:
    """Why nothing can be said of money; "" where it can.

    Args:
        task: What the model predicts.
        scale: Of the reference, which knows the borders.
        costs: The prices.
    """
    if not task.has_reliability or first_yes(scale, costs.threshold) is not None:
        return ""
    return f"the cells of the reference's scores have no border within {NEAR} of the threshold {costs.threshold:g}"


def first_yes(scale: Mapping[str, Any], threshold: float) -> int | None:
    """The first cell of the score that acts as yes, as many as there are cells where none does.

    A probability is known by its cell alone, so the threshold is taken at the nearest border; None where none is near.

    >>> [first_yes({"edges": [0.2, 0.5]}, threshold) for threshold in (0.03, 0.21, 0.5, 0.98, 0.8)]
    [0, 1, 2, 3, None]
    """
    away = np.abs(np.array([0.0, *scale["edges"], 1.0]) - threshold)
    nearest = int(np.argmin(away))
    return nearest if away[nearest] <= NEAR else None


def costs_by_class(rows: Summary, scale: Mapping[str, Any], costs: Costs) -> tuple[Floats, Floats]:
    """What the wrong answers of some labelled rows cost together, by true class, and how many rows each class has.

    A regression's rows are of one class. Of a probability `why_no_price` must have been asked.

    >>> from mlops_dash.stats.moments import Moments
    >>> none = Moments.empty()
    >>> table = np.array([[90, 10], [20, 80]])
    >>> costs_by_class(ClassSummary(table, (none, none), 0.0), {"edges": [0.5]}, Costs(error=1.0, missed=5.0))
    (array([20., 50.]), array([110.,  90.]))
    >>> costs_by_class(ClassCounts(np.array([[7, 2], [1, 5]])), {}, Costs(error=10.0))
    (array([20., 10.]), array([9., 6.]))
    """
    if isinstance(rows, ClassCounts):
        of_class = rows.table.sum(axis=1)
        return costs.error * (of_class - np.diag(rows.table)).astype(np.float64), of_class.astype(np.float64)
    if isinstance(rows, ClassSummary):
        first, table = first_yes(scale, costs.threshold), rows.table
        wrong = [costs.error * table[first:, 0].sum(), costs.missed * table[:first, 1].sum()]
        return np.array(wrong, dtype=np.float64), table.sum(axis=0).astype(np.float64)
    cost = costs.error * float(rows.errors.absolute.sum) if isinstance(rows, NumberSummary) else 0.0
    return np.array([cost]), np.array([float(rows.n)])


def cost_of_a_row(sums: Floats, usual: Floats) -> Floats:
    """What a row costs where every class has its share of the reference: a changed base rate alone costs nothing.

    A class without rows is taken to cost what it does in the reference.

    Args:
        sums: float[..., 2k], costs by true class, then rows.
        usual: float[2k], the same of the reference.

    >>> usual = np.array([18.0, 40.0, 90.0, 10.0])  # of 90 no and 10 yes; below the same answers to twice as many yes
    >>> [round(float(cost_of_a_row(sums, usual)), 9) for sums in (usual, np.array([16.0, 80.0, 80.0, 20.0]))]
    [0.58, 0.58]
    """
    k = usual.size // 2
    cost, rows = sums[..., :k], sums[..., k:]
    normal = np.divide(usual[:k], usual[k:], out=np.zeros(k), where=usual[k:] > 0)
    of_class = np.divide(cost, rows, out=np.broadcast_to(normal, cost.shape).copy(), where=rows > 0)
    value: Floats = np.where(rows.sum(axis=-1) > 0, of_class @ (usual[k:] / usual[k:].sum()), np.nan)
    return value
