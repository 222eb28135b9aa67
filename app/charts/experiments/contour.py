"""One metric over two numbers, as the mean of the runs in each cell. Facts in, figures out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from app.charts.experiments.table import decimals, short
from app.ui.text import in_figure
from app.ui.theme import Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments.frame import numbers
from mlops_dash.domain.experiments.room import Column, ExperimentRoom

Floats = npt.NDArray[np.float64]
_MOST_CELLS = 12  # along one axis
_RUNS_A_CELL = 3
_MOST_DOTS = 1_000


@dataclass(frozen=True, eq=False)
class Cells:
    """Runs in a grid; `mean` and `count` have the shape (y cells, x cells), NaN and 0 where no run is."""

    x: Column
    y: Column
    z: Column
    across: Floats  # centre of each cell: the mean of its runs
    up: Floats
    mean: Floats
    count: npt.NDArray[np.int64]
    dots: tuple[Floats, Floats]
    n: int
    n_bad: int

    @property
    def n_filled(self) -> int:
        """Cells that hold a run."""
        return int((self.count > 0).sum())


def numeric(room: ExperimentRoom, axes: Mapping[str, Column]) -> dict[str, Column]:
    """Those of the columns that are numbers and differ among the matching runs."""
    made = {}
    for name, one in axes.items():
        values = numbers(room.matching.column(name))
        if values is not None:
            finite = values[np.isfinite(values)]
            if len(finite) and finite.min() < finite.max():
                made[name] = one
    return made


def cells(room: ExperimentRoom, x: Column, y: Column, z: Column) -> Cells:
    """Put the matching runs into cells: every value where there are few, else ranges with equally many runs."""
    runs = room.matching
    across, up = _numbers(room, x), _numbers(room, y)
    value = runs.column(z.name).to_numpy(dtype=float)
    whole = np.isfinite(across) & np.isfinite(up) & np.isfinite(value)
    across, up, value = across[whole], up[whole], value[whole]
    most = int(np.clip(np.sqrt(len(value) / _RUNS_A_CELL), 3, _MOST_CELLS))
    column, at_x = _cut(across, most)
    row, at_y = _cut(up, most)
    shape = (len(at_y), len(at_x))
    flat = row * shape[1] + column
    count = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)
    total = np.bincount(flat, weights=value, minlength=shape[0] * shape[1]).reshape(shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / count, np.nan)
    dots = np.unique(np.column_stack([across, up]), axis=0)  # runs at one place are one dot
    dots = dots[:: max(1, -(-len(dots) // _MOST_DOTS))]
    return Cells(x, y, z, at_x, at_y, mean, count, (dots[:, 0], dots[:, 1]), len(value), int((~whole).sum()))


def _numbers(room: ExperimentRoom, column: Column) -> Floats:
    found = numbers(room.matching.column(column.name))
    return np.full(len(room.matching), np.nan) if found is None else found


def _cut(values: Floats, most: int) -> tuple[npt.NDArray[np.int64], Floats]:
    distinct, places = np.unique(values, return_inverse=True)
    if len(distinct) > _MOST_CELLS:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, most + 1)))
        places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(0, len(edges) - 2))
        _, places = np.unique(places, return_inverse=True)
        distinct = np.bincount(places, weights=values) / np.bincount(places)
    return places.astype(np.int64), distinct


def finding(found: Cells) -> str:
    """The best cell, with how many runs it holds."""
    z = short(found.z.key, 40)
    if not found.n:
        return f"No run has {z}, {short(found.x.key, 30)} and {short(found.y.key, 30)}"
    way = found.z.direction or Direction.HIGHER
    row, column = np.unravel_index(directions.best(found.mean.ravel(), way) or 0, found.mean.shape)
    value = fmt.metric(float(found.mean[row, column]), decimals(found.mean.ravel()))
    return (
        f"{z} is {directions.BEST[way]} near {short(found.x.key, 24)} {found.across[column]:.4g} and "
        f"{short(found.y.key, 24)} {found.up[row]:.4g}: {value}, "
        f"mean of {fmt.plural(int(found.count[row, column]), 'run')}"
    )


def _colours(found: Cells, t: Tokens) -> dict[str, Any]:
    """The colour scale, strongest where it is best: at one end, or at 0 in the middle."""
    way = found.z.direction or Direction.HIGHER
    up: list[list[Any]] = [[at / (len(t.sequential) - 1), colour] for at, colour in enumerate(t.sequential)]
    down = [[1 - at, colour] for at, colour in reversed(up)]
    largest = float(np.nanmax(np.abs(found.mean), initial=0.0))
    both = [*([at / 2, colour] for at, colour in up), *([0.5 + at / 2, colour] for at, colour in down[1:])]
    looks: dict[Direction, dict[str, Any]] = {
        Direction.HIGHER: {"colorscale": up},
        Direction.LOWER: {"colorscale": down},
        Direction.ZERO: {"colorscale": both, "zmin": -largest, "zmax": largest},
    }
    return looks[way]


def figure(found: Cells, t: Tokens) -> go.Figure:
    """Filled contours of the cell means with the runs as dots; single cells where a contour has nothing to join."""
    fig = go.Figure()
    digits = decimals(found.mean.ravel())
    look = {
        "x": found.across.astype(np.float32), "y": found.up.astype(np.float32), "z": found.mean.astype(np.float32),
        "connectgaps": False, **_colours(found, t),
        "colorbar": {"thickness": 10, "outlinewidth": 0, "tickformat": f".{max(0, digits - 1)}f", "nticks": 5},
        "hovertemplate": f"%{{x:.4~g}}, %{{y:.4~g}}: %{{z:.{digits}f}}<extra></extra>",
    }  # fmt: skip
    if min(found.mean.shape) > 1:
        fig.add_contour(**look, line={"width": 0.6, "color": t.card, "smoothing": 0}, ncontours=9)
    else:
        fig.add_heatmap(**look)
    across, up = found.dots
    fig.add_scatter(
        x=across.astype(np.float32), y=up.astype(np.float32), mode="markers", showlegend=False, hoverinfo="skip",
        marker={"size": 4.5, "color": t.card, "line": {"color": t.ink, "width": 1}, "opacity": 0.8},
    )  # fmt: skip
    for update, one, values in ((fig.update_xaxes, found.x, across), (fig.update_yaxes, found.y, up)):
        wide = values.min() > 0 and values.max() / values.min() >= 50
        update(title={"text": in_figure(short(one.key, 40))}, showgrid=False, **({"type": "log"} if wide else {}))
    return fig.update_layout(hovermode="closest", margin={"l": 0, "r": 0, "t": 4, "b": 0})


def table(found: Cells) -> pd.DataFrame:
    """The cells that hold runs."""
    digits = decimals(found.mean.ravel())
    rows = [
        [f"{found.across[column]:.4g}", f"{found.up[row]:.4g}", fmt.metric(float(found.mean[row, column]), digits),
         int(found.count[row, column])]
        for row, column in zip(*np.nonzero(found.count), strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=[f"{found.x.key} (x)", f"{found.y.key} (y)", f"mean {found.z.key}", "n"])
