"""How everything looks: colours per mode (read from .streamlit/config.toml), the Plotly templates, the page's CSS.

Colour means status or identity of a series, nothing else. Drift is blue; amber and red are kept for harm.
"""

from __future__ import annotations

import string
import tomllib
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import plotly.io as pio

CONFIG_FILE = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"
MODES = ("light", "dark")
FONT = "Inter, sans-serif"
MONO = "'JetBrains Mono', monospace"

# Colours that Streamlit's theme has no word for. Contrast on the page's background: muted >= 5.5, context >= 3.2,
# selected >= 7.9.
_OWN: dict[str, dict[str, str]] = {
    "light": {
        "muted": "#5B6474",
        "faint": "#98A2B3",
        "grid": "#EEF0F3",
        "selected": "#4338CA",
        "context": "#8590A2",
        "band": "rgba(79,70,229,.13)",
        "shade": "rgba(102,112,133,.12)",
        "card": "#FFFFFF",
        "hover": "#101828",
        "hover_ink": "#FFFFFF",
    },
    "dark": {
        "muted": "#98A2B3",
        "faint": "#667085",
        "grid": "#1B2029",
        "selected": "#B4B6FF",
        "context": "#5B6679",
        "band": "rgba(139,138,251,.18)",
        "shade": "rgba(152,162,179,.13)",
        "card": "#0F1218",
        "hover": "#E8EBF1",
        "hover_ink": "#0C0E13",
    },
}


@dataclass(frozen=True)
class Tokens:
    """The colours of one mode, by what they are for. `*_text` may be read, `*_tint` is a background, the rest marks."""

    mode: str
    page: str
    surface: str
    card: str
    ink: str
    muted: str
    faint: str  # decoration only
    line: str
    grid: str
    primary: str
    selected: str
    context: str  # reference bars, other runs
    band: str  # interval around the first series
    shade: str  # "awaiting labels" and other zones
    hover: str
    hover_ink: str
    good: str
    good_text: str
    good_tint: str
    warn: str
    warn_text: str
    warn_tint: str
    bad: str
    bad_text: str
    bad_tint: str
    moved: str  # inputs moved: never harm by itself
    moved_text: str
    moved_tint: str
    neutral: str
    neutral_text: str
    neutral_tint: str
    violet: str
    violet_text: str
    violet_tint: str
    series: tuple[str, ...]  # order is identity
    sequential: tuple[str, ...]
    diverging: tuple[str, ...]

    def colour(self, name: str) -> str:
        """The mark colour of a theme colour name as `domain.words.Look.colour` gives it."""
        return {
            "green": self.good,
            "orange": self.warn,
            "red": self.bad,
            "blue": self.moved,
            "violet": self.violet,
        }.get(name, self.neutral)


DASHES = ("solid", "dash", "dot", "dashdot", "solid", "dash", "dot")
MARKERS = ("circle", "diamond", "square", "triangle-up", "cross", "star", "circle-open")


@lru_cache(maxsize=1)
def _config() -> dict[str, Any]:
    with CONFIG_FILE.open("rb") as file:
        theme: dict[str, Any] = tomllib.load(file)["theme"]
    return theme


@lru_cache(maxsize=2)
def tokens(mode: str) -> Tokens:
    """The tokens of `light` or `dark`."""
    from_config = _config()[mode]
    named = {
        "page": "backgroundColor",
        "surface": "secondaryBackgroundColor",
        "ink": "textColor",
        "line": "borderColor",
        "primary": "primaryColor",
    }
    for ours, theirs in (
        ("good", "green"),
        ("warn", "orange"),
        ("bad", "red"),
        ("moved", "blue"),
        ("neutral", "gray"),
        ("violet", "violet"),
    ):
        named[ours] = f"{theirs}Color"
        named[f"{ours}_text"] = f"{theirs}TextColor"
        named[f"{ours}_tint"] = f"{theirs}BackgroundColor"
    return Tokens(
        mode=mode,
        **{ours: from_config[theirs] for ours, theirs in named.items()},
        **_OWN[mode],
        series=tuple(from_config["chartCategoricalColors"]),
        sequential=tuple(from_config["chartSequentialColors"]),
        diverging=tuple(from_config["chartDivergingColors"]),
    )


def template_name(mode: str) -> str:
    """The Plotly template of a mode: `desk_light` or `desk_dark`."""
    return f"desk_{mode}"


def _template(t: Tokens) -> go.layout.Template:
    axis: dict[str, Any] = {
        "gridcolor": t.grid,
        "linecolor": t.line,
        "zeroline": False,
        "ticks": "",
        "title": {"font": {"size": 12, "color": t.muted}, "standoff": 8},
        "tickfont": {"size": 11, "color": t.muted},
        "automargin": True,
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 12, "color": t.ink},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(t.series),
            "margin": {"l": 0, "r": 8, "t": 8, "b": 0},
            "xaxis": {**axis, "showgrid": False, "showline": True},
            "yaxis": {**axis, "showgrid": True},
            "hoverlabel": {
                "bgcolor": t.hover,
                "bordercolor": t.hover,
                "font": {"family": FONT, "size": 12, "color": t.hover_ink},
                "align": "left",
            },
            "legend": {
                "orientation": "h",
                "x": 0,
                "y": 1.02,
                "xanchor": "left",
                "yanchor": "bottom",
                "font": {"size": 12, "color": t.muted},
                "bgcolor": "rgba(0,0,0,0)",
                "itemsizing": "constant",
                "title": {"text": ""},
            },
            "colorscale": {"sequential": [[i / 9, c] for i, c in enumerate(t.sequential)]},
            "separators": ".,",
            "dragmode": False,
            "transition": {"duration": 0},
        },
        data={
            "scatter": [{"line": {"width": 2.2}}],
            "bar": [{"marker": {"line": {"width": 0}}}],
            "heatmap": [{"colorbar": {"thickness": 8, "outlinewidth": 0, "tickfont": {"size": 11, "color": t.muted}}}],
        },
    )


def install_templates() -> None:
    """Register `desk_light` and `desk_dark` with Plotly; safe to call again."""
    for mode in MODES:
        pio.templates[template_name(mode)] = _template(tokens(mode))


install_templates()

CHART_CONFIG: dict[str, Any] = {
    "displayModeBar": False,
    "displaylogo": False,
    "responsive": True,
    "scrollZoom": False,
    "doubleClick": "reset+autosize",
}


def css(t: Tokens) -> str:
    """The page's style sheet in this mode."""
    values = {f.name: getattr(t, f.name) for f in fields(t) if isinstance(getattr(t, f.name), str)}
    return string.Template((Path(__file__).parent / "ui.css").read_text(encoding="utf-8")).substitute(values)


def icon_mark(name: str) -> str:
    """An icon of the font inside markup; words beside it say the same."""
    return f"<span class='mi' aria-hidden='true'>{name}</span>"
