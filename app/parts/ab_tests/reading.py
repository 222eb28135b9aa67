"""What a test shows once it is no longer blind: the effect over the days, and every metric."""

from __future__ import annotations

import streamlit as st

from app.charts.ab_tests import figures as charts
from app.charts.ab_tests import words
from app.ui import widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.ab_tests.readings import Reading
from mlops_dash.domain.ab_tests.rules import ABTest


def draw(frame: Frame, test: ABTest, reading: Reading) -> None:
    """Both cards, side by side."""
    left, right = st.columns([7, 5], gap="small")
    with left:
        _effect(frame, test, reading)
    with right:
        _metrics(frame, test, reading)


def _effect(frame: Frame, test: ABTest, reading: Reading) -> None:
    level = fmt.percent(1.0 - test.design.alpha, 0)
    sub = f"{test.challenger} minus {test.control} after each ripe day; always-valid {level} interval"
    outcome = words.in_sentence(test.design.outcome)

    def controls() -> None:
        widgets.as_table(charts.looks_table(reading.looks), key="effect")

    with widgets.card("effect", f"Effect on {outcome}", sub, controls, height="stretch"):
        if not reading.looks:
            widgets.empty("event_available", "One look at the end", "Chosen at design: see all metrics.", key="looks")
            return
        widgets.chart(charts.effect_figure(test, reading.looks, frame.tokens), key=f"effect-{test.id}",
                      alt=charts.effect_alt(test, reading.looks), height=_height(reading))  # fmt: skip


def _height(reading: Reading) -> int:
    return max(charts.forest_height(charts.branches(reading)), 300)


def _metrics(frame: Frame, test: ABTest, reading: Reading) -> None:
    rows = charts.branches(reading)

    def controls() -> None:
        widgets.as_table(charts.forest_table(rows), key="metrics")

    with widgets.card("metrics", "All metrics", charts.forest_sub(test, rows), controls, height="stretch"):
        fig = charts.forest_figure(rows, frame.tokens, left="better", right="worse")
        widgets.chart(fig, key=f"metrics-{test.id}", alt=charts.forest_alt(rows), height=_height(reading))
