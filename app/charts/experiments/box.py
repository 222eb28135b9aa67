"""Boxes of one metric by the values of a parameter. Facts in, figures out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

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
from mlops_dash.domain.experiments.frame import numbers, standing
from mlops_dash.domain.experiments.groups import short_value
from mlops_dash.domain.experiments.room import Column, ExperimentRoom

Floats = npt.NDArray[np.float64]
MOST_BOXES = 12
_BINS = 6
_FEW = 5  # a box of fewer runs would hide that they are few: their points are drawn
_ALL_POINTS = 300
_MOST_OUTSIDE = 40  # points beyond the whiskers, of one box


@dataclass(frozen=True, eq=False)
class Group:
    """Runs of one value, or one range of values, of the parameter."""

    label: str
    values: Floats
    n_bad: int

    @property
    def n(self) -> int:
        """Runs with a finite value."""
        return len(self.values)

    def quartiles(self) -> tuple[float, float, float]:
        """25, 50 and 75 %."""
        low, middle, high = (float(one) for one in np.quantile(self.values, [0.25, 0.5, 0.75]))
        return low, middle, high

    def fences(self) -> tuple[float, float]:
        """The last runs inside 1.5 times the box."""
        low, _, high = self.quartiles()
        reach = 1.5 * (high - low)
        inside = self.values[(self.values >= low - reach) & (self.values <= high + reach)]
        return float(inside.min()), float(inside.max())


@dataclass(frozen=True, eq=False)
class Boxes:
    """All boxes of a picture, in order."""

    by: Column
    metric: Column
    groups: tuple[Group, ...]
    binned: bool
    n_other: int  # values of the parameter that are put together as "others"


def boxes(room: ExperimentRoom, by: Column, metric: Column) -> Boxes:
    """Split the matching runs by a parameter: by value up to twelve, numbers beyond that by equally full ranges."""
    runs = room.matching
    series, y = runs.column(by.name), runs.column(metric.name).to_numpy(dtype=float)
    missing = series.isna().to_numpy()
    texts = np.array(["" if one is None else str(one) for one in series], dtype=object)
    values = numbers(series)
    distinct = pd.unique(texts[~missing])
    binned, n_other = False, 0
    if values is not None and len(distinct) > MOST_BOXES:
        binned = True
        finite = np.isfinite(values)
        edges = np.unique(np.quantile(values[finite], np.linspace(0, 1, _BINS + 1)))
        places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(0, len(edges) - 2))
        names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)] or [f"{edges[0]:.4g}"]
        found = [(name, (places == at) & finite) for at, name in enumerate(names)]
        # "None", "nan" and "inf" have no place in a range: each is a box of its own
        words = sorted(set(texts[~finite & ~missing]), key=standing)
        found += [(word, (texts == word) & ~missing) for word in words]
    else:
        ordered = sorted(distinct, key=standing)
        if len(ordered) > MOST_BOXES:
            common = pd.Series(texts[~missing]).value_counts().index[: MOST_BOXES - 1]
            n_other = len(ordered) - len(common)
            ordered = [one for one in ordered if one in set(common)]
        found = [(short_value(str(one)), (texts == one) & ~missing) for one in ordered]
        if n_other:
            found.append(("others", ~np.isin(texts, ordered) & ~missing))
    if missing.any():
        found.append(("not logged", missing))
    finite = np.isfinite(y)
    groups = tuple(Group(name, y[here & finite], int((here & ~finite).sum())) for name, here in found)
    return Boxes(by, metric, groups, binned, n_other)


def finding(found: Boxes) -> str:
    """Where the median is best, and where it is worst."""
    metric, by = short(found.metric.key, 40), short(found.by.key, 40)
    full = [one for one in found.groups if one.n]
    if len(full) < 2:
        return f"{metric} by {by}: one value only" if full else f"No run has a finite {metric}"
    way = found.metric.direction or Direction.HIGHER
    merits = directions.merit(np.array([one.quartiles()[1] for one in full]), way)
    ranked = [full[at] for at in np.argsort(-merits, kind="stable")]
    digits = decimals(np.array([one.quartiles()[1] for one in full]))
    best, worst = ranked[0], ranked[-1]
    if best.quartiles()[1] == worst.quartiles()[1]:
        return f"The median of {metric} is the same for every {by}"
    where = f"{by} {short(best.label, 24)}"
    return (
        f"Median {metric} is {directions.BEST[way]} at {where}: {fmt.metric(best.quartiles()[1], digits)}, "
        f"against {fmt.metric(worst.quartiles()[1], digits)} at {short(worst.label, 24)}"
    )


def figure(found: Boxes, t: Tokens) -> go.Figure:
    """A box a group; points where there are few."""
    fig = go.Figure()
    ticks = [f"{in_figure(short(one.label, 16))}<br>n {one.n:,}" for one in found.groups]
    boxed = [(at, one) for at, one in enumerate(found.groups) if one.n >= _FEW]
    if boxed:
        quartiles = np.array([one.quartiles() for _, one in boxed], dtype=np.float32)
        fences = np.array([one.fences() for _, one in boxed], dtype=np.float32)
        fig.add_box(
            x=[at for at, _ in boxed], q1=quartiles[:, 0], median=quartiles[:, 1], q3=quartiles[:, 2],
            lowerfence=fences[:, 0], upperfence=fences[:, 1], fillcolor=t.band, line={"color": t.primary, "width": 1.5},
            width=0.5, showlegend=False, name="", hoverinfo="y", boxpoints=False,
        )  # fmt: skip
    x, y = _points(found.groups)
    if len(x):
        fig.add_scatter(
            x=x, y=y, mode="markers", showlegend=False, marker={"color": t.context, "size": 5, "opacity": 0.75},
            hovertemplate="%{y:.5~g}<extra></extra>",
        )  # fmt: skip
    fig.update_xaxes(title={"text": in_figure(short(found.by.key))}, tickvals=list(range(len(ticks))), ticktext=ticks,
                     range=[-0.6, len(ticks) - 0.4], fixedrange=True)  # fmt: skip
    fig.update_yaxes(title={"text": in_figure(short(found.metric.key, 40))})
    return fig.update_layout(hovermode="closest", margin={"l": 0, "r": 8, "t": 4, "b": 0})


def _points(groups: Sequence[Group]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """All runs while they are few, else those beyond the whiskers; side by side by their order, which is no chance."""
    every = sum(one.n for one in groups) <= _ALL_POINTS
    x, y = [np.empty(0)], [np.empty(0)]
    for at, one in enumerate(groups):
        values = one.values
        if one.n >= _FEW and not every:
            low, high = one.fences()
            values = values[(values < low) | (values > high)]
            values = values[:: max(1, -(-len(values) // _MOST_OUTSIDE))]
        if len(values):
            x.append(at + 0.16 * (((np.arange(len(values)) * 0.618) % 1) - 0.5))
            y.append(values)
    return np.concatenate(x).astype(np.float32), np.concatenate(y).astype(np.float32)


def notes(found: Boxes) -> list[str]:
    """What is not in the picture."""
    said = []
    bad = sum(one.n_bad for one in found.groups)
    if bad:
        said.append(f"{fmt.plural(bad, 'run')} without a finite {short(found.metric.key)}: in no box")
    if found.binned:
        said.append(f"{short(found.by.key)} has more than {MOST_BOXES} values: ranges with equally many runs")
    if found.n_other:
        said.append(f"others: {fmt.plural(found.n_other, 'rarer value')}")
    if any(0 < one.n < _FEW for one in found.groups):
        said.append(f"fewer than {_FEW} runs: points, no box")
    said.append("a parameter that was changed together with others shows their effect too")
    return said


def table(found: Boxes) -> pd.DataFrame:
    """The numbers behind the boxes."""
    rows = []
    digits = decimals(np.concatenate([one.values for one in found.groups]))
    for one in found.groups:
        shown = (*one.quartiles(), float(one.values.min()), float(one.values.max())) if one.n else (np.nan,) * 5
        low, middle, high, least, most = (fmt.metric(value, digits) for value in shown)
        rows.append([one.label, one.n, one.n_bad, middle, low, high, least, most])
    return pd.DataFrame(rows, columns=[found.by.key, "n", "Not finite", "Median", "25 %", "75 %", "Lowest", "Highest"])
