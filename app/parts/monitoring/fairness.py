"""Gaps between the groups that the owner named: other answers, or worse ones, beside the largest group, over time."""

from __future__ import annotations

import pandas as pd

from app.ui import widgets
from mlops_dash.domain import format as fmt
from mlops_dash.domain.monitoring.fairness import Fairness, Gap
from mlops_dash.domain.monitoring.room import MonitoringRoom

_MOST = 8  # shown; the table has all of them


def card(room: MonitoringRoom) -> None:
    """The gaps, or why nobody knows; nothing while the owner names no groups."""
    found = room.fairness
    if found is None:
        return

    def controls() -> None:
        if found.gaps:
            widgets.as_table(table(found, found.gaps), key="fairness")

    with widgets.card("fairness", "Gaps between groups", found.sentence, controls):
        if found.gaps:
            widgets.table(table(found, found.gaps[:_MOST]))
        if len(found.gaps) > _MOST:
            widgets.note(f"{len(found.gaps) - _MOST} more in the table.")
        for one in found.notes:
            widgets.note(f"{one[0].upper()}{one[1:]}.")
        if found.reason:
            widgets.note("They are measured with the parts of the rows.")
        elif found.start is not None:
            widgets.note(
                f"Labelled rows of {fmt.period(found.start, found.end, room.zone)}: {found.n:,} rows, "
                f"{found.clusters}; 95 % intervals over those. A gap is the group minus the largest group of "
                "its column. It is apart when "
                "that is sure over all gaps that were tried, and more than the tolerance. It does not say why."
            )


def table(found: Fairness, gaps: tuple[Gap, ...]) -> pd.DataFrame:
    """One row a gap."""
    return pd.DataFrame(
        {
            "Group": [one.group for one in gaps],
            "Beside": [one.base for one in gaps],
            "Measure": [one.measure for one in gaps],
            "Is": [f"{one.state}: {one.reason}" if one.gap is None and one.reason else str(one.state) for one in gaps],
            "Group has": [_said(found, one, one.value) for one in gaps],
            "Gap, 95 %": [_gap(found, one) for one in gaps],
            "Before": [" → ".join(_said(found, one, was.gap) for was in one.before) or fmt.MISSING for one in gaps],
            "Rows": [f"{one.n:,} and {one.n_base:,}" for one in gaps],
        }
    )


def _said(found: Fairness, one: Gap, value: float | None) -> str:
    return fmt.MISSING if value is None else found.said(one, value)


def _gap(found: Fairness, one: Gap) -> str:
    if one.gap is None:
        return fmt.MISSING
    decimals = 3 if one.is_share or not found.unit else 2
    return f"{found.said(one, one.gap)} {fmt.interval(one.low, one.high, decimals)}"
