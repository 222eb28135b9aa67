"""The values of the columns that are read apart: how their units were drawn, and the effect on each."""

from __future__ import annotations

import math

import pandas as pd

from app.charts.ab_tests import words
from app.ui import widgets
from mlops_dash.domain import format as fmt
from mlops_dash.domain.ab_tests.readings import MISMATCH_LOG_E, Reading
from mlops_dash.domain.ab_tests.rules import ABTest


def draw(test: ABTest, reading: Reading) -> None:
    """The card; nothing where the design names no column."""
    if not test.design.segments:
        return
    found = reading.segments
    many = f", corrected for {len(found)}" if len(found) > 1 else ""
    with widgets.card("segments", "Segments", f"{words.label(test.design.outcome)}: challenger minus control{many}"):
        if not found:
            widgets.empty("category", "No segment yet", "No value of these columns has 100 units.", key="segments")
            return
        limit = MISMATCH_LOG_E + math.log(len(found))
        rows = {
            "Segment": [one.name for one in found],
            "Challenger": [fmt.whole(one.challenger) for one in found],
            "Control": [fmt.whole(one.control) for one in found],
            "Sample ratio": ["fails" if one.log_e >= limit else "holds" for one in found],
            "Effect": [
                "hidden" if reading.blind else fmt.MISSING if one.primary.low is None
                else f"{fmt.delta(one.primary.value)} {fmt.interval(one.primary.low, one.primary.high)}"
                for one in found
            ],
        }  # fmt: skip
        widgets.table(pd.DataFrame(rows))
