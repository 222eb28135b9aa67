"""Pictures of runs: parallel coordinates and scatter. Facts in, figures out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from app.charts.experiments.table import decimals, short, value_text
from app.ui.text import in_figure
from app.ui.theme import DASHES, MARKERS, Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments.frame import RunFrame, numbers, order, standing
from mlops_dash.domain.experiments.groups import short_value
from mlops_dash.domain.experiments.room import Column, ExperimentRoom

Floats = npt.NDArray[np.float64]
MOST_DOTS = 2_000
_MOST_LABELS = 1_000  # points with a name to point at; of more only the numbers are said
_MOST_ROWS = 200  # of a table behind a picture: it travels with every run of the page
MOST_AXES = 7
_MOST_WORDS = 14  # categories on one axis


def ink(t: Tokens, slot: int) -> str:
    """The colour of a place in the palette; beyond it everything is grey, because colours are an identity."""
    return t.series[slot] if slot < len(t.series) else t.context


# --- parallel coordinates ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Parallel:
    """Axes with their numbers, and the runs that have a value on every one of them."""

    axes: tuple[dict[str, Any], ...]
    colour: Floats
    ids: tuple[str, ...]
    names: tuple[str, ...]
    lacking: int

    @property
    def n_drawn(self) -> int:
        """How many runs have a line."""
        return len(self.ids)


def parallel(room: ExperimentRoom, axes: Sequence[Column]) -> Parallel:
    """Numbers for parallel coordinates: parameters first, metrics last; texts become places on an axis.

    An axis on which all runs are equal says nothing and is left out.
    """
    runs, found = room.pictured, []
    ordered = [one for one in axes if one.kind != "metrics"] + [one for one in axes if one.kind == "metrics"]
    for one in ordered:
        axis = _axis(runs, one)
        if axis is not None and len(np.unique(axis["values"][np.isfinite(axis["values"])])) > 1:
            found.append(axis)
    found = found[:MOST_AXES] if len(found) <= MOST_AXES else [*found[: MOST_AXES - 2], *found[-2:]]
    whole = np.ones(len(runs), dtype=bool)
    for axis in found:
        whole &= np.isfinite(axis["values"])
    kept = tuple({**axis, "values": axis["values"][whole]} for axis in found)
    primary = room.primary
    colour = runs.metrics[primary.key].to_numpy()[whole] if primary is not None and len(runs) else np.zeros(whole.sum())
    drawn = runs.take(np.flatnonzero(whole))
    names = tuple(in_figure(short(str(one))) for one in drawn.info["run_name"])
    return Parallel(kept, colour, tuple(drawn.ids), names, int((~whole).sum()))


def _axis(runs: RunFrame, column: Column) -> dict[str, Any] | None:
    series = runs.column(column.name)
    label = column.key
    values = numbers(series)
    if values is None:
        words = sorted(sorted({str(one) for one in series if one is not None}), key=standing)  # places on the axis
        if not 1 < len(words) <= _MOST_WORDS:
            return None
        place = {word: float(at) for at, word in enumerate(words)}
        values = np.array([math.nan if one is None else place[str(one)] for one in series])
        ticks = {"tickvals": list(range(len(words))), "ticktext": [in_figure(short_value(one)[:14]) for one in words]}
        return {"label": label, "values": values, **ticks}
    finite = values[np.isfinite(values)]
    few = np.unique(finite)
    if len(finite) and finite.min() > 0 and finite.max() / finite.min() >= 50:
        ends = range(math.floor(math.log10(finite.min())), math.ceil(math.log10(finite.max())) + 1)
        ticks = {"tickvals": list(ends), "ticktext": [f"{10.0**one:g}" for one in ends]}
        with np.errstate(invalid="ignore", divide="ignore"):
            return {"label": f"{label} (log)", "values": np.log10(values), **ticks}
    if 1 < len(few) <= 8 and column.kind != "metrics":
        return {"label": label, "values": values, "tickvals": few.tolist(), "ticktext": [f"{one:g}" for one in few]}
    return {"label": label, "values": values}


def parallel_figure(shown: Parallel, t: Tokens, primary: Column | None, slots: Mapping[str, int]) -> go.Figure:
    """One line a run across all axes; the stronger the colour the better the primary metric.

    Plain lines, because Plotly's own parallel coordinates need WebGL. Runs of the tray wear their own colours.
    """
    fig = go.Figure()
    heights = np.array([_scaled(axis["values"], axis) for axis in shown.axes])
    across = np.arange(len(shown.axes))
    steps, level = _levels(shown, t, primary)
    for number, colour in enumerate(steps):
        lines = np.flatnonzero((level == number) & ~np.array([one in slots for one in shown.ids], dtype=bool))
        if len(lines):
            x = np.tile(np.append(across, np.nan), len(lines))
            y = np.column_stack([heights[:, lines].T, np.full(len(lines), np.nan)]).ravel()
            look = {"color": t.context if slots else colour, "width": 1.4 if shown.n_drawn < 100 else 1.0}
            fig.add_scatter(x=x, y=y, mode="lines", line=look, hoverinfo="skip", showlegend=False,
                            opacity=0.45 if slots else max(0.25, min(1.0, 80 / shown.n_drawn)))  # fmt: skip
    for at, run_id in enumerate(shown.ids):
        if run_id in slots:
            slot = slots[run_id]
            fig.add_scatter(
                x=across, y=heights[:, at], mode="lines+markers", name=shown.names[at], showlegend=False,
                line={"color": ink(t, slot), "dash": DASHES[slot % len(DASHES)], "width": 2.6},
                marker={"symbol": MARKERS[slot % len(MARKERS)], "size": 7},
                hovertemplate="%{fullData.name}<extra></extra>",
            )  # fmt: skip
    for number, axis in enumerate(shown.axes):
        fig.add_shape(type="line", x0=number, x1=number, y0=0, y1=1, line={"color": t.line, "width": 1}, layer="below")
        fig.add_annotation(
            x=number, y=1.06 + 0.07 * (number % 2), text=_short(axis["label"]), showarrow=False, yanchor="bottom",
            font={"size": 12, "color": t.ink}, xanchor=_side(number, len(shown.axes)),
        )  # fmt: skip
        for value, text in zip(*_ticks(axis, few=len(shown.axes) > 5), strict=True):
            fig.add_annotation(
                x=number, y=float(_scaled(np.array([value]), axis)[0]), text=text, showarrow=False, bgcolor=t.card,
                font={"size": 11, "color": t.muted}, xanchor="right" if number == len(shown.axes) - 1 else "left",
                xshift=-4 if number == len(shown.axes) - 1 else 4, opacity=0.92,
            )  # fmt: skip
    fig.update_xaxes(visible=False, range=[-0.06, len(shown.axes) - 0.94], fixedrange=True)
    fig.update_yaxes(visible=False, range=[-0.04, 1.24], fixedrange=True)
    return fig.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0}, hovermode="closest")


def _levels(shown: Parallel, t: Tokens, primary: Column | None) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Colours from worst to best, and the place of each run among them by the rank of the primary metric."""
    finite = np.isfinite(shown.colour)
    if primary is None or finite.sum() < 2:
        return [t.context], np.zeros(shown.n_drawn, dtype=np.int64)
    colours = list(t.sequential[3:])
    better = directions.merit(shown.colour, primary.direction or Direction.HIGHER)
    ranks = pd.Series(better).rank(pct=True).fillna(0.0).to_numpy()
    return colours, np.minimum((ranks * len(colours)).astype(np.int64), len(colours) - 1)


def _scaled(values: Floats, axis: Mapping[str, Any]) -> Floats:
    low, high = float(np.nanmin(axis["values"])), float(np.nanmax(axis["values"]))
    return np.asarray((values - low) / ((high - low) or 1.0), dtype=float)


def _ticks(axis: Mapping[str, Any], *, few: bool) -> tuple[list[float], list[str]]:
    low, high = float(np.nanmin(axis["values"])), float(np.nanmax(axis["values"]))
    if "tickvals" in axis:
        kept = [(float(v), str(s)) for v, s in zip(axis["tickvals"], axis["ticktext"], strict=True) if low <= v <= high]
        return [v for v, _ in kept], [s for _, s in kept]
    digits = decimals(axis["values"])
    places = [low + (high - low) * share for share in ((0, 0.5, 1) if few else (0, 0.25, 0.5, 0.75, 1))]
    return places, [fmt.metric(one, max(0, digits - 1)) for one in places]


def _side(number: int, n: int) -> str:
    return "left" if number == 0 else "right" if number == n - 1 else "center"


def _short(text: str) -> str:
    return in_figure(short(text, 18))


def parallel_finding(room: ExperimentRoom) -> str:
    """The best run of the picture and its parameters that vary."""
    primary, runs = room.primary, room.pictured
    if primary is None or not len(runs):
        return "Runs by parameter and result"
    values = runs.metrics[primary.key].to_numpy()
    best = None if primary.direction is None else directions.best(values, primary.direction)
    if best is None or room.n_judged_on > 1:
        return f"{fmt.plural(len(runs), 'run')} by parameter and {short(primary.key, 40)}"
    told = [one for one in room.columns if one.kind == "params" and one.key != room.grouping.key][:2]
    own = [f"{one.key} {short_value(str(runs.column(one.name).to_list()[best]))}" for one in told]
    digits = decimals(values)
    return f"Best {short(primary.key, 40)} {fmt.metric(float(values[best]), digits)}" + (
        f" with {', '.join(own)}" if own else ""
    )


def runs_table(room: ExperimentRoom, more: Sequence[Column] = ()) -> pd.DataFrame:
    """The first runs of a picture with the columns of the table, and `more`."""
    runs = room.pictured.take(np.arange(min(_MOST_ROWS, len(room.pictured))))
    columns = {one.name: one for one in (*more, *room.columns)}
    made: dict[str, list[str]] = {"Run": [str(one) for one in runs.info["run_name"]]}
    for one in columns.values():
        series = runs.column(one.name)
        if one.kind == "metrics":
            digits = decimals(series.to_numpy())
            made[one.key] = [
                fmt.MISSING if runs.state(at, one.key) == "missing" else value_text(runs.metric(at, one.key), digits)
                for at in range(len(runs))
            ]
        else:
            made[one.key] = [fmt.MISSING if value is None else str(value) for value in series]
    return pd.DataFrame(made)


# --- scatter ----------------------------------------------------------------------------------------------------------


def scatter(room: ExperimentRoom, t: Tokens, *, x: Column, y: Column, slots: Mapping[str, int]) -> go.Figure:
    """Matching runs as points (of more than `MOST_DOTS` every second, third, ...), the tray in its colours."""
    runs = room.matching
    across = numbers(runs.column(x.name))
    words = [in_figure(short(fmt.MISSING if one is None else str(one), 24)) for one in runs.column(x.name)]
    xs: Any = across.astype(np.float32) if across is not None else np.array(words, dtype=object)
    ys = runs.column(y.name).to_numpy(dtype=float).astype(np.float32)
    ids = runs.ids
    names = np.array([in_figure(short(str(one))) for one in runs.info["run_name"]], dtype=object)
    chosen = [at for at, one in enumerate(ids) if one in slots]
    rest = np.array([at for at in range(len(ids)) if ids[at] not in slots], dtype=np.int64)
    fig = go.Figure()
    rest = rest[:: -(-len(rest) // MOST_DOTS) or 1]
    along, up = (in_figure(short(one.key, 30)) for one in (x, y))
    hover = f"%{{text}}<br>{along} %{{x}}<br>{up} %{{y:.5~g}}<extra></extra>"

    def draw(points: npt.NDArray[np.int64], **look: Any) -> Any:
        across_of = xs[points] if across is not None else xs[points].tolist()
        text = {"text": names[points].tolist(), "hovertemplate": hover} if len(points) <= _MOST_LABELS else {}
        return {"x": across_of, "y": ys[points], "mode": "markers", **text, **look}

    fig.add_trace(go.Scatter(draw(rest, marker={"color": t.context, "size": 7, "opacity": 0.75}, name="other runs")))
    for at in chosen:
        slot = slots[ids[at]]
        marker = {"color": ink(t, slot), "symbol": MARKERS[slot % len(MARKERS)], "size": 11}
        fig.add_trace(go.Scatter(draw(np.array([at]), marker=marker, name=names[at])))
    fig.update_xaxes(title={"text": in_figure(short(x.key, 40))}, **({"type": "log"} if _wide(across) else {}))
    if across is None:
        places = order(runs.column(x.name), descending=False)
        fig.update_xaxes(categoryorder="array", categoryarray=list(dict.fromkeys(words[at] for at in places)))
    fig.update_yaxes(title={"text": in_figure(short(y.key, 40))})
    return fig.update_layout(
        hovermode="closest", showlegend=bool(chosen), legend={"y": -0.22, "yanchor": "top"},
        margin={"l": 0, "r": 8, "t": 4, "b": 0},
    )  # fmt: skip


def _wide(values: Floats | None) -> bool:
    if values is None:
        return False
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() / finite.min() >= 50)


def scatter_finding(room: ExperimentRoom, x: Column, y: Column) -> str:
    """Whether the two move together, by rank, in words with the number."""
    runs = room.matching
    across, up = numbers(runs.column(x.name)), runs.column(y.name).to_numpy(dtype=float)
    if across is None:
        return f"{short(y.key, 40)} by {short(x.key, 40)}"
    both = np.isfinite(across) & np.isfinite(up)
    if both.sum() < 5 or len(np.unique(across[both])) < 2 or len(np.unique(up[both])) < 2:
        return f"{short(y.key, 40)} by {short(x.key, 40)}"
    rho = float(pd.Series(across[both]).rank().corr(pd.Series(up[both]).rank()))
    said = "moves little with" if abs(rho) < 0.3 else "rises with" if rho > 0 else "falls with"
    told = f"rank correlation {fmt.delta(rho, 2)}, {fmt.plural(int(both.sum()), 'run')}"
    return f"{short(y.key, 40)} {said} {short(x.key, 40)} ({told})"


def lacking(room: ExperimentRoom, x: Column, y: Column) -> int:
    """Matching runs that lack a finite value on either axis, and so have no point."""
    runs = room.matching
    across, up = numbers(runs.column(x.name)), runs.column(y.name).to_numpy(dtype=float)
    has = np.isfinite(up)
    return int((~(has & np.isfinite(across))).sum() if across is not None else (~has).sum())
