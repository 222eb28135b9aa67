"""What a model would have been, retrained never, each time or on alarm: one point a window with its interval."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import plotly.graph_objects as go

from app.ui.theme import DASHES, MARKERS, Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.hindsight import Hindsight, Lived, Reading, Way

NAMES = {Way.NEVER: "Never", Way.EACH: "Each time", Way.ALARM: "On alarm"}
HEIGHT = 300
_BESIDE = 0.03  # of a window: intervals of one window stand side by side


def figure(found: Hindsight, metric: str, zone: str, t: Tokens) -> go.Figure:
    """One line a way; a gap where a window has no number."""
    fig = go.Figure()
    for slot, one in enumerate(found.ways):
        xs = [
            (cut.at + (cut.end - cut.at) * (0.5 + _BESIDE * (slot - 1))).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
            for cut in found.cuts
        ]
        known = [reading if reading.value is not None else Reading(None) for reading in one.readings]
        up = [(r.high - r.value) if r.high is not None and r.value is not None else None for r in known]
        down = [(r.value - r.low) if r.low is not None and r.value is not None else None for r in known]
        fig.add_scatter(
            x=xs, y=[r.value for r in known], name=NAMES[one.way], mode="lines+markers", connectgaps=False,
            line={"color": t.series[slot], "dash": DASHES[slot]},
            marker={"color": t.series[slot], "symbol": MARKERS[slot], "size": 8},
            error_y={"type": "data", "array": up, "arrayminus": down, "symmetric": False, "thickness": 1.2, "width": 3},
            customdata=[[f"v{version}", r.n] for version, r in zip(one.versions, known, strict=True)],
            hovertemplate="%{y:.4~g}, %{customdata[0]}, n=%{customdata[1]:,}",
        )  # fmt: skip
    first, last = found.cuts[0].at, found.cuts[-1].end
    fig.update_xaxes(type="date", range=[first - timedelta(hours=12), last], tickformat="%-d %b %Y", nticks=6)
    fig.update_yaxes(title={"text": metric}, nticks=5)
    fig.update_layout(hovermode="x unified", margin={"t": 34, "r": 12})
    return fig


def table(found: Hindsight, zone: str) -> pd.DataFrame:
    """One row a way and window, the whole of each way last."""
    rows = []
    for one in found.ways:
        for cut, version, reading in zip(found.cuts, one.versions, one.readings, strict=True):
            window = f"{fmt.day(cut.at, zone)} to {fmt.day(cut.end, zone)}"
            rows.append(_row(one, window, f"v{version}" if version else fmt.MISSING, reading))
        rows.append(_row(one, "all", f"{fmt.plural(one.trainings, 'training')}", one.whole))
    return pd.DataFrame(rows)


def alt(found: Hindsight) -> str:
    """What the chart says, in a sentence."""
    ways = "; ".join(f"{NAMES[one.way].lower()} {_number(one.whole)}" for one in found.ways)
    return f"{found.sentence} Over all windows: {ways}."


def gain(one: Lived) -> str:
    """What a way is better than never by, in words; "" for never itself."""
    if one.gain is None:
        return ""
    return f"{NAMES[one.way]}: {fmt.plural(one.trainings, 'training')}, better than never by {_number(one.gain)}"


def _row(one: Lived, window: str, version: str, reading: Reading) -> dict[str, str]:
    known = reading.value is not None
    return {
        "Retrained": NAMES[one.way], "Window": window, "Version": version,
        "Value": _plain(reading.value) if known else reading.reason,
        "95 % interval": _interval(reading), "Rows": fmt.whole(reading.n), "Days": fmt.whole(reading.n_clusters),
    }  # fmt: skip


def _number(one: Reading) -> str:
    if one.value is None:
        return f"not computable ({one.reason})"
    return f"{_plain(one.value)} {_interval(one)}" if one.low is not None else _plain(one.value)


def _interval(one: Reading) -> str:
    return fmt.MISSING if one.low is None or one.high is None else f"[{_plain(one.low)}, {_plain(one.high)}]"


def _plain(value: float | None) -> str:
    return fmt.MISSING if value is None else f"{value:.4g}".replace("-", "−")
