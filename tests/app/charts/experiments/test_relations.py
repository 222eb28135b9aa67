"""Figures of runs as data: points that are kept, boxes, cells, fronts; names with every sign."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from app.charts.experiments import box, contour, importance, pareto
from app.charts.experiments import curves as run_curves
from app.charts.experiments import table as runs_table
from app.charts.experiments.relations import lacking, scatter
from app.ui import theme
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.frame import INFO, RunFrame, empty
from mlops_dash.domain.experiments.groups import grouped
from mlops_dash.domain.experiments.pictures import Axis, Curve, Front, Importance, ParameterImportance
from mlops_dash.domain.experiments.room import Column, ExperimentRoom, RunQuery
from tests.factories import NOON

TOKENS = theme.tokens("light")
AUC = Column("metrics.auc", "metrics", "auc", direction=Direction.HIGHER)
LOSS = Column("metrics.loss", "metrics", "loss", direction=Direction.LOWER)


def frame(params: dict[str, list[str | None]], metrics: dict[str, list[float]]) -> RunFrame:
    n = len(next(iter(metrics.values())))
    info = pd.DataFrame({name: [""] * n for name in INFO}, dtype=object)
    info["run_id"] = [f"{at:032x}" for at in range(n)]
    info["run_name"] = [f"<b>run</b> {at}" for at in range(n)]
    info[["start_time", "end_time"]] = 0.0
    values = pd.DataFrame(metrics, dtype=float)
    return RunFrame(info, values, np.ones(values.shape, dtype=bool), pd.DataFrame(params, dtype=object), empty().tags)


def room(runs: RunFrame) -> ExperimentRoom:
    return ExperimentRoom(
        query=RunQuery(), experiments=(), experiment=None, source=None, runs=runs, matching=runs, sort="",
        descending=False, n_pages=1, page=1, rows=runs, columns=(AUC,), hidden=(), statuses={}, mistake=None,
        grouping=grouped(runs), groups=None, tray=empty(), comparable=None, judged_elsewhere=frozenset(),
        n_judged_on=0, gone=(), baseline="", base={}, pictured=runs, curves=(), curve_metric="", differences=(),
    )  # fmt: skip


# --- curves -----------------------------------------------------------------------------------------------------------


def test_a_thinned_curve_keeps_its_ends_spikes_and_gaps() -> None:
    y = np.sin(np.arange(10_000) / 500)
    y[1_234], y[7_777], y[5_000] = 9.0, -9.0, math.nan
    x, kept, low, high = run_curves.thinned(Curve("a", ("1",), np.arange(10_000.0), y), 200)
    assert len(x) <= 210
    assert (x[0], x[-1]) == (0, 9_999)
    assert [float(np.nanmax(kept)), float(np.nanmin(kept))] == [9.0, -9.0]
    assert np.isnan(kept).any()
    assert (np.diff(x) > 0).all()
    assert low is None
    assert high is None


def test_a_thinned_band_keeps_its_own_extremes() -> None:
    n = 4_000
    low, high = np.full(n, -1.0), np.full(n, 1.0)
    low[777], high[3_333] = -5.0, 5.0
    x, _, thin_low, thin_high = run_curves.thinned(
        Curve("a", ("1", "2"), np.arange(float(n)), np.zeros(n), low, high), 100
    )
    assert thin_low is not None
    assert thin_high is not None
    assert (thin_low.min(), thin_high.max()) == (-5.0, 5.0)
    assert len(x) <= 120


def test_a_hundred_curves_of_a_thousand_steps_are_small() -> None:
    rng = np.random.default_rng(1)
    lines = [Curve(f"run-{at}", (str(at),), np.arange(1_000.0), rng.normal(size=1_000).cumsum()) for at in range(100)]
    best = run_curves.best_of(lines, AUC)
    figure = run_curves.curves(lines, TOKENS, metric="auc", axis=Axis.STEP, slots=range(100), best=best)
    assert len(figure.to_json()) < 150_000
    ends = [one.y[-1] for one in lines]
    assert best == int(np.argmax(ends))
    assert figure.data[-1].name == f"run-{best}"  # drawn last, over the grey ones
    assert figure.data[-1].line.color == TOKENS.primary
    table = run_curves.curves_table(lines)
    assert (len(table), list(table.columns)) == (100, ["Line", "Points", "First", "Last", "Lowest", "Highest"])


def test_names_are_text_in_every_figure() -> None:
    line = Curve("<b>bold</b> & more", ("1",), np.arange(3.0), np.arange(3.0))
    figure = run_curves.curves([line, line], TOKENS, metric="<i>m</i>", axis=Axis.STEP, slots=[0, 1])
    assert figure.data[0].name == "&lt;b&gt;bold&lt;/b&gt; &amp; more"
    assert figure.layout.yaxis.title.text == "&lt;i&gt;m&lt;/i&gt;"
    runs = frame({"depth": ["3", "4"]}, {"auc": [0.1, 0.2], "loss": [1.0, 2.0]})
    dots = scatter(room(runs), TOKENS, x=LOSS, y=AUC, slots={})
    assert list(dots.data[0].text) == ["&lt;b&gt;run&lt;/b&gt; 0", "&lt;b&gt;run&lt;/b&gt; 1"]


# --- boxes ------------------------------------------------------------------------------------------------------------


def test_boxes_count_what_has_no_number_and_name_the_best_median() -> None:
    runs = frame(
        {"depth": ["3", "3", "3", "6", "6", "6", None]}, {"auc": [0.1, 0.2, math.nan, 0.5, 0.6, math.inf, 0.9]}
    )
    found = box.boxes(room(runs), Column("params.depth", "params", "depth"), AUC)
    assert [(one.label, one.n, one.n_bad) for one in found.groups] == [("3", 2, 1), ("6", 2, 1), ("not logged", 1, 0)]
    assert box.finding(found) == "Median auc is highest at depth not logged: 0.900, against 0.150 at 3"
    assert "2 runs without a finite auc: in no box" in box.notes(found)
    assert len(box.table(found)) == 3
    assert not [one for one in box.figure(found, TOKENS).data if one.type == "box"]  # fewer than five each: points


def test_many_numbers_become_equally_full_ranges_and_many_words_keep_the_common_ones() -> None:
    numbers = frame({"rate": [str(at / 100) for at in range(60)]}, {"auc": [at / 60 for at in range(60)]})
    found = box.boxes(room(numbers), Column("params.rate", "params", "rate"), AUC)
    assert found.binned
    assert [one.n for one in found.groups] == [10] * 6
    assert len(box.figure(found, TOKENS).data[0].q1) == 6
    words = frame({"kind": [f"k{at % 20}" for at in range(60)]}, {"auc": [0.5] * 60})
    found = box.boxes(room(words), Column("params.kind", "params", "kind"), AUC)
    assert (len(found.groups), found.n_other) == (12, 9)
    assert box.finding(found) == "The median of auc is the same for every kind"


# --- contour ----------------------------------------------------------------------------------------------------------


def test_cells_are_means_and_those_without_a_run_are_empty() -> None:
    runs = frame({"x": ["1", "1", "2", "2"], "y": ["10", "10", "20", "20"]}, {"loss": [1.0, 3.0, 0.5, math.nan]})
    x, y = Column("params.x", "params", "x"), Column("params.y", "params", "y")
    found = contour.cells(room(runs), x, y, LOSS)
    assert found.count.tolist() == [[2, 0], [0, 1]]
    assert found.mean[0, 0] == 2.0
    assert np.isnan(found.mean[0, 1])
    assert (found.n, found.n_bad, found.n_filled) == (3, 1, 2)
    assert (found.dots[0].tolist(), found.dots[1].tolist()) == ([1, 2], [10, 20])
    assert contour.finding(found) == "loss is lowest near x 2 and y 20: 0.500, mean of 1 run"
    assert contour.figure(found, TOKENS).data[0].connectgaps is False
    assert contour.table(found)["n"].tolist() == [2, 1]


# --- importance and front ---------------------------------------------------------------------------------------------


def test_importance_names_what_goes_beyond_chance_and_how_good_the_forest_is() -> None:
    found = Importance(
        "auc", (ParameterImportance("depth", 0.8, 0.7, 0.9, True), ParameterImportance("act", 0.01, 0, 0.02, False)),
        chance=0.02, r2=0.63, n=60, n_configurations=20, n_bad=1, n_more=0, left_out=0,
    )  # fmt: skip
    assert importance.finding(found) == "depth matters most for auc, no other beyond chance"
    assert "60 runs of 20 configurations" in importance.basis(found)
    assert "explains 63 % of the variance (out-of-bag R²)" in importance.basis(found)
    assert importance.figure(found, TOKENS).data[0].marker.color == (TOKENS.context, TOKENS.primary)
    none = replace(found, found=tuple(replace(one, beyond=False) for one in found.found))
    assert importance.finding(none) == "No parameter matters for auc beyond chance"


@pytest.mark.parametrize(("first", "shape"), [(Direction.HIGHER, "vh"), (Direction.LOWER, "hv")])
def test_the_front_is_stairs_towards_what_is_worse(first: Direction, shape: str) -> None:
    values = np.array([[0.1, 1.0], [0.2, 2.0], [0.15, 3.0]])
    ids = (("1",), ("2",), ("3",))
    found = Front(("auc", "loss"), (), (first, Direction.LOWER), values, (True, True, False), ("a", "b", "c"), ids, 0,
                  grouped=False)  # fmt: skip
    stairs = [one for one in pareto.figure(found, TOKENS, {}).data if one.mode == "lines"]
    assert [one.line.shape for one in stairs] == [shape]
    assert pareto.finding(found) == "2 runs of 3 are beaten by no other in auc and loss at once"
    alone = replace(found, on=(True, False, False))
    assert pareto.finding(alone) == "a is best in auc and loss at once: no trade-off"
    assert pareto.finding(alone, alike=False) == "1 run of 3 is beaten by no other in auc and loss at once"
    assert pareto.table(found, pareto.digits(found))["On the front"].tolist() == ["yes", "yes", "no"]


# --- table ------------------------------------------------------------------------------------------------------------


def test_a_run_that_became_a_version_carries_it() -> None:
    runs = frame({"seed": ["1", "2"]}, {"auc": [0.6, 0.7]})
    versions = {runs.ids[1]: ("flight-delay", "3")}
    made = runs_table.data(
        room(runs), now=NOON, wall=NOON, zone="UTC", sort=("", True), slots={}, versions=versions
    )  # fmt: skip
    assert [row["name"] for row in made["rows"]] == ["<b>run</b> 0", "<b>run</b> 1"]
    assert [row.get("version") for row in made["rows"]] == [None, "v3"]
    assert made["rows"][1]["hint"].endswith("became flight-delay v3")


# --- numbers beside words ---------------------------------------------------------------------------------------------

DEPTH = Column("params.depth", "params", "depth")


def test_boxes_stand_in_the_order_of_numbers_although_one_run_says_none() -> None:
    runs = frame({"depth": ["16", "None", "4", "100"]}, {"auc": [0.1, 0.2, 0.3, 0.4]})
    assert [one.label for one in box.boxes(room(runs), DEPTH, AUC).groups] == ["4", "16", "100", "None"]


def test_ranges_of_many_numbers_keep_none_and_infinity_in_boxes_of_their_own() -> None:
    values = [*(str(at) for at in range(40)), "None", "inf"]
    found = box.boxes(room(frame({"depth": [*values]}, {"auc": [0.5] * 42})), DEPTH, AUC)
    assert found.binned
    assert [one.label for one in found.groups][-2:] == ["inf", "None"]
    assert sum(one.n for one in found.groups) == 42


def test_a_scatter_puts_words_behind_numbers_and_leaves_none_out_of_a_number_axis() -> None:
    mixed = frame({"depth": ["16", "sqrt", "4"]}, {"auc": [0.1, 0.2, 0.3]})
    assert scatter(room(mixed), TOKENS, x=DEPTH, y=AUC, slots={}).layout.xaxis.categoryarray == ("4", "16", "sqrt")
    numbers = frame({"depth": ["16", "None", "4"]}, {"auc": [0.1, 0.2, 0.3]})
    assert scatter(room(numbers), TOKENS, x=DEPTH, y=AUC, slots={}).layout.xaxis.categoryarray is None
    assert lacking(room(numbers), DEPTH, AUC) == 1
