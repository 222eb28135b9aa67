"""Figures of "Is it real?": one interval a pair with the margin, one a slice; the tables say the same numbers."""

from __future__ import annotations

import math

import pytest

from app.charts.experiments.slices import height, pairs_alt, pairs_figure, pairs_table, slices_figure, slices_table
from app.ui.theme import Tokens, tokens
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.comparability import Comparability
from mlops_dash.domain.experiments.comparison import Design, Outcome, PairVerdict, Side
from mlops_dash.domain.experiments.why import SlicePart, WhyRoom
from mlops_dash.stats.run_comparison import RunDifference


@pytest.fixture(params=["light", "dark"])
def t(request: pytest.FixtureRequest) -> Tokens:
    return tokens(request.param)


def pair(outcome: Outcome, value: float, *, found: bool = True) -> PairVerdict:
    sides = [Side(name, f"{name} <b>" + "x" * 60, (name,), ("1",)) for name in ("a", "b")]
    numbers = RunDifference(value, 0.01, 9.0, 0.8 + value, 0.8) if found else None
    return PairVerdict(
        sides[0], sides[1], "auc", Direction.HIGHER, Design.SEEDS_ROWS, "", "", Comparability("yes", ""), outcome,
        f"a is {outcome}.", numbers, 0.005, 0.04, 0.9, 1, "paired t",
    )  # fmt: skip


def test_each_pair_has_both_intervals_and_the_margin_is_a_band(t: Tokens) -> None:
    fig = pairs_figure([pair(Outcome.BETTER, 0.05), pair(Outcome.CANNOT_TELL, 0.01)], t)
    thin, thick, dot = fig.data[:3]
    assert thin.x[0] < thick.x[0] < dot.x[0] < thick.x[1] < thin.x[1]
    assert (thin.line.color, fig.data[3].line.color) == (t.good, t.context)
    band = fig.layout.shapes[0]
    assert (band.x0, band.x1) == (-0.005, 0.005)
    assert all("<b>" not in (one.text or "") for one in fig.layout.annotations)
    assert height(2) > height(1)


def test_a_pair_that_was_not_tested_is_in_the_table_and_not_in_the_figure(t: Tokens) -> None:
    pairs = [pair(Outcome.BETTER, 0.05), pair(Outcome.CANNOT_TELL, math.nan, found=False)]
    assert len(pairs_figure(pairs, t).data) == 3
    table = pairs_table(pairs)
    assert table["Difference"].tolist() == ["+0.050", "—"]
    assert table["Verdict"].tolist() == ["Better", "Cannot tell"]
    assert pairs_alt(pairs) == "a is better. a is cannot_tell."


def test_slices_are_coloured_only_when_they_are_clear_and_sum_in_the_table(t: Tokens) -> None:
    parts = (
        SlicePart("EWR", 30, 0.3, 0.02, 0.01, 0.03, 0.8, 0.7, clear=True),
        SlicePart("JFK", 50, 0.5, 0.01, -0.01, 0.03, 0.8, 0.7, clear=False),
        SlicePart("LGA", 20, 0.2, -0.02, -0.03, -0.01, 0.7, math.nan, clear=True),
    )
    why = WhyRoom("a", "b", "auc", Direction.HIGHER, ("origin",), "origin", 0.01, -0.01, 0.03, parts, 3, "found", "how")
    fig = slices_figure(why, t)
    assert [one.line.color for one in fig.data[::2]] == [t.good, t.context, t.bad]
    table = slices_table(why)
    assert table["Part of the difference"].tolist() == ["+0.020", "+0.010", "−0.020", "+0.010"]
    assert table["origin"].tolist()[-1] == "all rows"
    assert table["auc of the other"].tolist() == ["0.700", "0.700", "—", "—"]
