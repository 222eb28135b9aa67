"""Whether two versions err on the same rows, as a sentence from the evidence that compares them."""

from __future__ import annotations

from typing import Final

from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.format import percent, with_unit

KEY: Final = "overlap"  # in the details of the first paired difference


def overlap_sentence(one: Evidence, unit: str = "") -> str:
    """Shares of rows with their intervals; "" where the evidence tells none.

    Args:
        one: A paired difference.
        unit: Of the label, behind a tolerance.
    """
    told = one.details.get(KEY)
    if not told:
        return ""
    parts, tolerance = told["shares"], told["tolerance"]
    wrong = "another class than the label"
    if tolerance is not None:
        wrong = f"an error beyond {with_unit(tolerance, 2, unit)}, the median of {one.comparator}"

    def said(name: str) -> str:
        value, low, high = parts[name]
        return percent(value) if low is None else f"{percent(value)} ({percent(max(0.0, low))} to {percent(high)})"

    return (
        f"Both are right on {said('both_right')} of the rows, both wrong on {said('both_wrong')}; only "
        f"{one.subject} is wrong on {said('only_a_wrong')}, only "
        f"{one.comparator} on {said('only_b_wrong')}. Wrong is {wrong}."
    )
