"""How is a column judged that has no PSI, its reference being one value or none? By the rate of other values."""

from __future__ import annotations

import math

from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import Drift
from mlops_dash.stats.constants import Others
from mlops_dash.stats.drift import ColumnDrift
from mlops_dash.stats.intervals import wilson

INTERVAL = 0.95
CONSTANT_DRIFT, CONSTANT_WATCH = 0.01, 0.001  # share of other values in a column that had one value
RARE, DOMINATES = 0.05, 0.50  # a level below the first in the reference and above the second now is judged apart


def p_of_rate(policy: MonitoringPolicy, drift: ColumnDrift) -> float:
    """The p-value with which a column's rate takes part among all columns of a window; NaN where it is not judged."""
    others = drift.others
    judged = others is not None and _nearly_constant(others) and _enough(policy, others)
    return others.p_value if judged and others is not None else math.nan


def judge_rate(policy: MonitoringPolicy, drift: ColumnDrift, q: float) -> tuple[Drift, str] | None:
    """Judge by its rate what has no PSI: another value than the only one, or a rare level that dominates now.

    With 0 of n reference rows the upper bound of a rate is 3/n. Many columns of one window are judged so, and one stray
    row of 100 is above most bounds: a rate must also be above what chance gives among all of them.

    Args:
        policy: Minima and the share of false discoveries.
        drift: The column.
        q: Of its rate, among all columns of the window.

    Returns:
        The verdict and what it says; None where this rule has nothing to say.
    """
    others = drift.others
    if others is not None and _nearly_constant(others):
        if not _enough(policy, others):
            return None
        upper = wilson(others.reference, others.n_reference, level=INTERVAL)[1]
        bound = 3.0 / others.n_reference if others.reference == 0 else upper
        low = wilson(others.current, others.n_current, level=INTERVAL)[0]
        share = others.current / others.n_current
        if others.value:
            said = f"{share:.1%} other than {others.value}, which fills the reference"
        else:
            usual = (
                f"{others.reference / others.n_reference:.2%} have one" if others.reference else "it is always empty"
            )
            said = f"{share:.1%} with a value; in the reference {usual}"
        for word, floor in ((Drift.DRIFT, CONSTANT_DRIFT), (Drift.WATCH, CONSTANT_WATCH)):
            if q < policy.alpha and low > max(bound, floor):
                return word, said
        return Drift.STABLE, f"{said}: judged by that share"
    risen = drift.risen
    enough = drift.n_current >= policy.min_rows and drift.n_reference >= policy.min_reference_rows
    if risen is not None and enough and risen.reference < RARE and risen.current > DOMINATES:
        return Drift.DRIFT, f"{risen.label}: {risen.current:.1%} of values, {risen.reference:.1%} in the reference"
    return None


def _nearly_constant(others: Others) -> bool:
    return others.reference <= CONSTANT_DRIFT * others.n_reference


def _enough(policy: MonitoringPolicy, others: Others) -> bool:
    return others.n_current >= policy.min_rows and others.n_reference >= policy.min_reference_rows
