"""The published field experiment: replies by arm, the readings of their difference; data -> figure."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from app.charts.ab_tests.figures import Branch
from app.ui.theme import Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.ab_tests.analysis import Analysis, FieldExperiment, Span


def replies_figure(found: FieldExperiment, t: Tokens) -> go.Figure:
    """Share of replies by arm, for all and for each stratum, with intervals."""
    groups = _groups(found)
    fig = go.Figure()
    for arm, (name, colour, symbol) in enumerate(
        (("own district", t.series[0], "circle"), ("another district", t.series[1], "diamond"))
    ):
        shown = [analysis.arms[arm] for _, analysis in groups]
        y = [number + (-0.13, 0.13)[arm] for number in range(len(groups))]
        said = [f"{fmt.percent(one.mean)} of {fmt.whole(one.n)}, {name}" for one in shown]
        fig.add_scatter(
            x=[one.mean for one in shown], y=y, mode="markers", name=name, text=said,
            hovertemplate="%{text}<extra></extra>",
            marker={"size": 10, "color": colour, "symbol": symbol},
            error_x={"type": "data", "symmetric": False, "array": [one.high - one.mean for one in shown],
                     "arrayminus": [one.mean - one.low for one in shown], "thickness": 2, "width": 0, "color": colour},
        )  # fmt: skip
    ticks = [f"<b>{name}</b><br><span style='color:{t.muted}'>{_sizes(one)}</span>" for name, one in groups]
    fig.update_yaxes(tickvals=list(range(len(groups))), ticktext=ticks, range=[len(groups) - 0.5, -0.5], showgrid=False,
                     tickfont={"size": 12, "color": t.ink})  # fmt: skip
    fig.update_xaxes(tickformat=".0%", range=[0, 0.7], title={"text": "replied"}, showgrid=True)
    return fig.update_layout(hovermode="closest", margin={"l": 0, "r": 8, "t": 30, "b": 30})


def _groups(found: FieldExperiment) -> list[tuple[str, Analysis]]:
    whole = [("All legislators", found.whole)] if found.whole is not None else []
    return [*whole, *((f"{name[:1].upper()}{name[1:]}", one) for name, one in found.strata)]


def _sizes(one: Analysis) -> str:
    return f"{fmt.percent(one.arms[0].mean)} and {fmt.percent(one.arms[1].mean)}"


def replies_table(found: FieldExperiment) -> pd.DataFrame:
    """The numbers behind the dots."""
    rows = [(name, arm, one) for name, one in _groups(found) for arm in one.arms]
    return pd.DataFrame(
        {
            "Legislators": [name for name, _, _ in rows],
            "Sender": [found.arms[arm.name] for _, arm, _ in rows],
            "E-mails": [fmt.whole(arm.n) for _, arm, _ in rows],
            "Replied": [fmt.percent(arm.mean) for _, arm, _ in rows],
            "95 % interval": [f"{fmt.percent(arm.low)} to {fmt.percent(arm.high)}" for _, arm, _ in rows],
        }
    )


def effects(found: FieldExperiment) -> tuple[Branch, ...]:
    """The readings of one question: plain, with a covariate, stratified, and in each stratum."""
    rows: list[tuple[str, Span]] = []
    if found.whole is not None and found.adjusted is not None and found.pooled is not None:
        rows = [
            ("All, as they are", found.whole.effects[0].absolute),
            ("All, with a covariate", found.adjusted.effects[0].absolute),
            ("All, stratified", found.pooled),
        ]
    rows += [(f"{name[:1].upper()}{name[1:]} legislators", one.effects[0].absolute) for name, one in found.strata]
    return tuple(Branch(name, points(one), one.value, one.low, one.high, None, None) for name, one in rows)


def points(one: Span) -> str:
    """A difference in percentage points with its interval."""
    return f"{fmt.points(one.value)} {fmt.interval(one.low * 100, one.high * 100, 1)}"


def replies_alt(found: FieldExperiment) -> str:
    """What both charts say."""
    said = [f"{name}: {_sizes(one)}, {points(one.effects[0].absolute)}" for name, one in _groups(found)]
    return f"Replies, {' against '.join(found.arms.values())}. " + "; ".join(said)


def effects_table(rows: Sequence[Branch]) -> pd.DataFrame:
    """The numbers behind the forest of the published experiment."""
    return pd.DataFrame({"Reading": [one.name for one in rows], "Difference": [one.text for one in rows]})


def headline(found: FieldExperiment) -> str:
    """The finding in a sentence."""
    if found.whole is None:
        return found.title
    own, other = found.whole.arms[0], found.whole.arms[1]
    return (
        f"Senders from another district got {fmt.percent(other.mean)} replies, from the own district "
        f"{fmt.percent(own.mean)}: {points(found.whole.effects[0].absolute)}"
    )


def strata_words(found: FieldExperiment) -> str:
    """What the strata say, and that nobody decides anything here."""
    said = [f"{name} legislators {fmt.points(one.effects[0].absolute.value)}" for name, one in found.strata]
    return f"By stratum: {'; '.join(said)}. Read once at its fixed end; there is nothing to decide." if said else ""
