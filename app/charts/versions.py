"""A metric across the versions of a model: each with its interval, beside the champion's value and the limit."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from app.ui.text import in_figure
from app.ui.theme import Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.evidence import sample_words
from mlops_dash.domain.registry.dossier import MetricPoint, MetricSeries
from mlops_dash.domain.tasks import METRICS

HEIGHT = 240


def figure(series: MetricSeries, t: Tokens, *, selected: str, label_unit: str = "") -> go.Figure:
    """Value and interval of each version, oldest first; the champion's level runs across, the limit is dotted.

    Args:
        selected: The id of the version that the page is about.
    """
    metric, known = METRICS[series.metric], [one for one in series.points if one.value is not None]
    fig = go.Figure()
    champion = series.champion
    if champion is not None:
        fig.add_hline(y=champion.value, line={"color": t.good, "width": 1.5, "dash": "dash"})
    if series.limit is not None:
        fig.add_hline(y=series.limit, line={"color": t.context, "width": 1.5, "dash": "dot"})
    for one in known:
        colour = t.good if one.is_champion else t.ink if one.version_id == selected else t.context
        fig.add_scatter(
            x=[in_figure(one.label)], y=[one.value], mode="markers", showlegend=False,
            marker={"size": 12 if one.version_id == selected else 9, "color": colour,
                    "symbol": "diamond" if one.is_champion else "circle"},
            error_y=_bars(one, colour), hovertemplate=f"{in_figure(_said(one, label_unit, series))}<extra></extra>",
        )  # fmt: skip
    labels = [in_figure(one.label) for one in series.points]
    fig.update_xaxes(type="category", categoryorder="array", categoryarray=labels, range=[-0.5, len(labels) - 0.5])
    fig.update_yaxes(title={"text": in_figure(metric.named(label_unit))}, tickformat=f".{metric.decimals}f")
    return fig.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8}, hovermode="closest")


def alt(series: MetricSeries, *, label_unit: str = "") -> str:
    """What the chart says: best known version, the champion, and who was never measured."""
    metric = METRICS[series.metric]
    known = [one for one in series.points if one.value is not None]
    if not known:
        return f"{metric.label} is not known for any version."
    said = f"{metric.label} of {fmt.plural(len(known), 'version')}"
    if series.higher_is_better is not None:
        best = sorted(known, key=lambda one: one.value or 0.0, reverse=series.higher_is_better)[0]
        said += f", best {best.label} at {_value(best, series, label_unit)}"
    champion = series.champion
    if champion is not None:
        said += f"; champion {champion.label} at {_value(champion, series, label_unit)}"
    missing = [one.label for one in series.points if one.value is None]
    return said + (f"; not known of {', '.join(missing)}." if missing else ".")


def caveat(series: MetricSeries) -> str:
    """How far the values can be compared."""
    if series.same_rows:
        return "Each version alone, on as many rows of the same window."
    return "Each version alone, on rows of its own window: only the paired comparison on the same rows decides."


def table(series: MetricSeries, zone: str, *, label_unit: str = "") -> pd.DataFrame:
    """The numbers behind the chart, newest version first."""
    rows: Sequence[MetricPoint] = list(reversed(series.points))
    decimals = METRICS[series.metric].decimals
    return pd.DataFrame(
        {
            "Version": [one.label + (" (champion)" if one.is_champion else "") for one in rows],
            METRICS[series.metric].named(label_unit): [fmt.metric(one.value, decimals) for one in rows],
            "Interval": [fmt.interval(one.low, one.high, decimals, signed=False) for one in rows],
            "Sample": [sample_words(one.n, one.n_clusters, one.clusters) if one.n else fmt.MISSING for one in rows],
            "Window": [fmt.period(one.window_start, one.window_end, zone) for one in rows],
            "Method": [one.method or fmt.MISSING for one in rows],
            "Note": [one.reason or fmt.MISSING for one in rows],
        }
    )


def _bars(one: MetricPoint, colour: str) -> dict[str, object]:
    if one.value is None or one.low is None or one.high is None:
        return {}
    return {"type": "data", "symmetric": False, "array": [one.high - one.value], "color": colour, "thickness": 2,
            "arrayminus": [one.value - one.low], "width": 6}  # fmt: skip


def _value(one: MetricPoint, series: MetricSeries, label_unit: str) -> str:
    decimals = METRICS[series.metric].decimals
    unit = METRICS[series.metric].unit_of(label_unit)
    interval = fmt.interval(one.low, one.high, decimals, signed=False)
    said = fmt.metric(one.value, decimals) + (f" {unit}" if unit else "")
    return said if interval == fmt.MISSING else f"{said} {interval}"


def _said(one: MetricPoint, label_unit: str, series: MetricSeries) -> str:
    sample = sample_words(one.n, one.n_clusters, one.clusters) if one.n else "sample not known"
    return f"{one.label}: {_value(one, series, label_unit)}, {sample}"
