"""What do answers cost that were wrong? From the summaries of labelled rows, as the owner prices them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_dash.domain.tasks.binary import ClassSummary
from mlops_dash.domain.tasks.regression import NumberSummary
from mlops_dash.domain.tasks.summaries import Summary
from mlops_dash.domain.tasks.told_classes import ClassCounts


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


def cost_of(rows: Summary, scale: Mapping[str, Any], costs: Costs) -> float:
    """What the wrong answers of some labelled rows cost together.

    A probability is known by its cell of the score, so the threshold is taken at the cells' nearest border.

    Args:
        rows: Labelled rows.
        scale: Of the reference, which knows the borders.
        costs: The prices.

    >>> from mlops_dash.stats.moments import Moments
    >>> none = Moments.empty()
    >>> table = np.array([[90, 10], [20, 80]])
    >>> cost_of(ClassSummary(table, (none, none), 0.0), {"edges": [0.5]}, Costs(error=1.0, missed=5.0))
    70.0
    >>> cost_of(ClassCounts(np.array([[7, 2], [1, 5]])), {}, Costs(error=10.0))
    30.0
    """
    if isinstance(rows, NumberSummary):
        return costs.error * float(rows.errors.absolute.sum)
    if isinstance(rows, ClassCounts):
        return costs.error * float(rows.table.sum() - np.trace(rows.table))
    if isinstance(rows, ClassSummary):
        edges = np.asarray(scale["edges"], dtype=np.float64)
        first_yes = int(np.argmin(np.abs(edges - costs.threshold))) + 1 if edges.size else 0
        table = rows.table
        return costs.error * float(table[first_yes:, 0].sum()) + costs.missed * float(table[:first_yes, 1].sum())
    return 0.0
