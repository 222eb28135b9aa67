"""Charts of a report as inline SVG: facts in, the same bytes out each time, colours that follow the scheme.

matplotlib draws with the house's light colours; each is then made a CSS variable. Text stays text. A chart is drawn
twice, wide and narrow, because a scaled-down picture cannot be read on a phone.
"""

from __future__ import annotations

import html
import io
import math
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from mlops_dash.domain import format as fmt
from mlops_dash.domain.calendar import zone_of
from mlops_dash.domain.reports.snapshot import number
from mlops_dash.rendering.tokens import LIGHT, with_variables

WIDE, NARROW = WIDTHS = (720, 340)  # CSS pixels
_ONE_AT_A_TIME = threading.Lock()  # matplotlib's settings are one global of the process
_MARKS = {"alert": ("v", "bad-text"), "retrain": ("D", "context"), "promote": ("^", "series"), "rollback": ("<", "ink")}
_OTHER_MARK = ("o", "context")
_FONT = 11.0
_DAY = 86_400.0
_LENGTHS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 28.0}  # days; a month is at least so long


@dataclass(frozen=True)
class Picture:
    """A drawing as PNG, for files that hold no SVG.

    Attributes:
        png: The bytes.
        width: In CSS pixels; the PNG has 2.5 times as many.
        height: In CSS pixels.
        names: People's names beside it, which the reader's own fonts write: text, and how far down its middle is, from
            0 at the top to 1. They end where `names_end` of the width is.
        names_end: From 0 to 1.
    """

    png: bytes
    width: int
    height: int
    names: tuple[tuple[str, float], ...] = ()
    names_end: float = 0.0


def picture(kind: str, *shown: Any) -> Picture:
    """A chart as PNG, on white, at the wide size: the same arguments as the function of that name."""
    names: tuple[tuple[str, float], ...] = ()
    with _settings(f"{kind}-picture"):
        if kind == "performance":
            data, week, window = shown
            figure = _performance({**data, "unit": _in_font(data["unit"])}, week, window, WIDE)
        elif kind == "differences":
            looks, measure = shown
            figure = _differences(looks, int(measure["decimals"]), WIDE)
        else:
            columns = [one for one in shown[0] if one["psi"] is not None][::-1]
            figure = _inputs(columns, WIDE)
            (axes,) = figure.axes
            names = _names_of(axes, [one["name"] for one in columns])
            axes.set_yticklabels([])
        held = io.BytesIO()
        figure.savefig(held, format="png", dpi=180, facecolor="white", metadata={"Software": None})
        end = figure.axes[0].get_position().x0 if names else 0.0
        width, height = (round(72 * inches) for inches in figure.get_size_inches())
    return Picture(held.getvalue(), width, height, names, end)


def _names_of(axes: Axes, names: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Each column's name with how far down the picture its bar is."""
    box, (bottom, top) = axes.get_position(), axes.get_ylim()
    return tuple(
        (_name(name), 1 - (box.y0 + (place - bottom) / (top - bottom) * box.height)) for place, name in enumerate(names)
    )


def _in_font(text: str) -> str:
    """The text where the drawing's own font can write all of it, else "": it stands in the sentences too."""
    font = get_font(findfont("DejaVu Sans"))
    return text if all(font.get_char_index(ord(sign)) for sign in text) else ""


def performance(data: Mapping[str, Any], week: Mapping[str, Any], window: str, *, width: int, alt: str) -> str:
    """One metric over the last quarter: windows as dots, the trailing mean with its interval, reference, bound, rows.

    Args:
        data: The facts `performance`.
        week: The week that is reviewed.
        window: What is judged as one: "day", "hour", "batch"; a dot and a bar stand in its middle.
        width: In CSS pixels.
        alt: What the drawing says, for those who cannot see it.
    """
    with _settings(f"performance-{width}"):
        return _inline(_performance(data, week, window, width), alt, width)


def _performance(data: Mapping[str, Any], week: Mapping[str, Any], window: str, width: int) -> Figure:
    points = data["points"]
    origin = datetime.fromisoformat(points[0][0])
    days = [_days(origin, point[0]) for point in points]
    step = _step(days, window)
    middles, last = [day + step / 2 for day in days], days[-1] + step
    figure = _figure(width, 300 if width == WIDE else 280)
    grid = figure.add_gridspec(2, 1, height_ratios=[5, 1], hspace=0.08)
    axes, strip = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    figure.subplots_adjust(left=46 / width, right=1 - 84 / width, top=0.91, bottom=0.09)
    _zones(axes, strip, data, week, origin, last)
    _mean(axes, points, middles)
    _limits(axes, data, last)
    _events(axes, data, origin, last)
    strip.bar(middles, [point[1] for point in points], width=0.8 * step, color=LIGHT["line"])
    strip.bar(middles, [point[2] for point in points], width=0.8 * step, color=LIGHT["context"])
    for one in (axes, strip):
        one.set_xlim(days[0], last)
        _plain(one)
    axes.set_xticks([])
    _day_ticks(strip, points, days, week["zone"], most=7 if width == WIDE else 3)
    most = max((point[1] for point in points), default=0)
    strip.set_yticks([0, most] if most else [0], ["0", fmt.whole(most)] if most else ["0"])
    return figure


def inputs(columns: Sequence[Mapping[str, Any]], *, width: int, alt: str) -> str:
    """PSI of the columns that moved farthest with its interval, and a tick where each usually is."""
    with _settings(f"inputs-{width}"):
        return _inline(_inputs([one for one in columns if one["psi"] is not None][::-1], width), alt, width)


def _inputs(shown: Sequence[Mapping[str, Any]], width: int) -> Figure:
    figure = _figure(width, 34 + 26 * len(shown))
    axes = figure.add_subplot()
    longest = max(len(_name(one["name"])) for one in shown)
    left = min(0.42 * width, 14 + 6.6 * longest)
    figure.subplots_adjust(left=left / width, right=1 - 118 / width, top=0.98, bottom=24 / (34 + 26 * len(shown)))
    for place, one in enumerate(shown):
        moved = one["verdict"] in ("watch", "drift")
        axes.barh(place, one["psi"], height=0.56, color=LIGHT["moved-mark" if moved else "context"])
        if one["low"] is not None and one["high"] is not None:
            axes.plot([one["low"], one["high"]], [place, place], color=LIGHT["ink"], linewidth=1.4)
        if one["usual"] is not None:
            axes.plot([one["usual"]] * 2, [place - 0.38, place + 0.38], color=LIGHT["ink"], linewidth=1.6)
        said = fmt.metric(one["psi"], 2) + (f" · {fmt.metric(one['ratio'], 1)} × usual" if one["ratio"] else "")
        axes.annotate(said, (1, place), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                      va="center", color=LIGHT["ink" if moved else "muted"], fontsize=_FONT,
                      annotation_clip=False)  # fmt: skip
    ends = [value for one in shown for value in (one["psi"], one["high"], one["usual"]) if value is not None]
    axes.set_xlim(0, max(ends) * 1.02 or 1.0)
    axes.set_yticks(range(len(shown)), [_cut(_name(one["name"]), int((left - 14) / 6.6)) for one in shown])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.locator_params(axis="x", nbins=4)
    _plain(axes)
    return figure


def differences(looks: Sequence[Mapping[str, Any]], measure: Mapping[str, Any], *, width: int, alt: str) -> str:
    """A difference after each ripe day with its interval, and the line of no difference."""
    with _settings(f"differences-{width}"):
        return _inline(_differences(looks, int(measure["decimals"]), width), alt, width)


def _differences(looks: Sequence[Mapping[str, Any]], decimals: int, width: int) -> Figure:
    figure = _figure(width, 220)
    axes = figure.add_subplot()
    figure.subplots_adjust(left=58 / width, right=1 - 16 / width, top=0.95, bottom=0.13)
    at = list(range(len(looks)))
    value, low, high = (
        [math.nan if one[key] is None else one[key] for one in looks] for key in ("value", "low", "high")
    )
    axes.fill_between(at, low, high, color=LIGHT["band"], linewidth=0, zorder=1)
    axes.axhline(0.0, color=LIGHT["muted"], linewidth=1.3, linestyle="dashed", zorder=2)
    axes.plot(at, value, color=LIGHT["series"], linewidth=2.2, zorder=3)
    step = max(1, math.ceil(len(looks) / (7 if width == WIDE else 3)))
    days = [datetime.fromisoformat(str(one["day"])) for one in looks]
    axes.set_xticks(at[::step], [f"{one.day} {one:%b}" for one in days[::step]])
    axes.locator_params(axis="y", nbins=5)
    axes.yaxis.set_major_formatter(lambda y, _: fmt.delta(y, decimals))
    _plain(axes)
    return figure


def _name(name: str) -> str:
    return "model score" if name == "(score)" else name


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _figure(width: int, height: int) -> Figure:
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    FigureCanvasSVG(figure)
    return figure


def _days(origin: datetime, at: str) -> float:
    return (datetime.fromisoformat(at) - origin).total_seconds() / _DAY


def _step(days: Sequence[float], window: str) -> float:
    """How long a window is, in days; batches have no length of their own: the shortest time between two, at most a day.

    >>> _step([0.0, 0.5], "day"), _step([0.0, 7.0], "week"), _step([0.0, 0.25, 3.0], "batch"), _step([0.0], "batch")
    (1.0, 7.0, 0.25, 1.0)
    """
    if window in _LENGTHS:
        return _LENGTHS[window]
    return min([1.0, *(after - before for before, after in pairwise(days) if after > before)])


def _zones(
    axes: Axes, strip: Axes, data: Mapping[str, Any], week: Mapping[str, Any], origin: datetime, last: float
) -> None:
    """The reviewed week and the days whose labels are awaited, as shades with a word."""
    start, end = max(0.0, _days(origin, week["start"])), min(last, _days(origin, week["end"]))
    for one in (axes, strip):
        one.axvspan(start, end, color=LIGHT["surface"], linewidth=0, zorder=0)
        if data["awaiting_from"] is not None:
            one.axvspan(_days(origin, data["awaiting_from"]), last, color=LIGHT["neutral-tint"], linewidth=0, zorder=0)
    axes.annotate("the week", ((start + end) / 2, 0), (0, 5), xycoords=("data", "axes fraction"),
                  textcoords="offset points", ha="center", color=LIGHT["muted"], fontsize=_FONT)  # fmt: skip


def _mean(axes: Axes, points: Sequence[Sequence[Any]], at: Sequence[float]) -> None:
    daily, value, low, high = ([math.nan if point[i] is None else point[i] for point in points] for i in (3, 4, 5, 6))
    axes.fill_between(at, low, high, color=LIGHT["band"], linewidth=0, zorder=1)
    axes.plot(at, daily, linestyle="none", marker="o", markersize=2.6, color=LIGHT["context"], zorder=2)
    axes.plot(at, value, color=LIGHT["series"], linewidth=2.2, zorder=3)


def _limits(axes: Axes, data: Mapping[str, Any], last: float) -> None:
    word, colour = ("harm bound", "bad-text") if data["bound_is_harm"] else ("bound", "warn-text")
    known = [(data["reference"], "reference", "muted", "dashed"), (data["bound"], word, colour, "dotted")]
    shown = [one for one in known if one[0] is not None]
    upper = max((one[0] for one in shown), default=0.0)
    for y, said, name, dash in shown:
        axes.axhline(y, color=LIGHT[name], linewidth=1.3, linestyle=dash, zorder=2)
        text = f"{said}\n{number(y, data)}"
        axes.annotate(text, (last, y), (6, 2 if y == upper else -2), textcoords="offset points", color=LIGHT[name],
                      va="bottom" if y == upper else "top", fontsize=_FONT, annotation_clip=False)  # fmt: skip


def _events(axes: Axes, data: Mapping[str, Any], origin: datetime, last: float) -> None:
    """Which version served, and marks of alerts, retrains and promotions, above the line."""
    above = axes.get_xaxis_transform()
    for band in data["bands"]:
        start = max(0.0, _days(origin, band["start"]))
        if start > 0:
            axes.axvline(start, color=LIGHT["line"], linewidth=1.2, zorder=1)
        axes.annotate(f"v{band['version']}", (start, 1), (3, -3), xycoords=("data", "axes fraction"),
                      textcoords="offset points", va="top", color=LIGHT["muted"], fontsize=_FONT)  # fmt: skip
    for tick in data["ticks"]:
        mark, colour = _MARKS.get(tick["kind"], _OTHER_MARK)
        at = min(last, max(0.0, _days(origin, tick["at"])))
        axes.plot([at], [1.055], marker=mark, markersize=6, color=LIGHT[colour], transform=above, clip_on=False)


def _day_ticks(axes: Axes, points: Sequence[Sequence[Any]], days: Sequence[float], zone: str, *, most: int) -> None:
    step = max(1, math.ceil(len(points) / most))
    chosen = range(0, len(points), step)
    local = [datetime.fromisoformat(points[i][0]).astimezone(zone_of(zone)) for i in chosen]
    names = [f"{one.day} {one:%b}" for one in local]
    if len(set(names)) < len(names):  # several of one day: only the hour tells them apart
        names = [f"{name} {one:%H:%M}" for name, one in zip(names, local, strict=True)]
    axes.set_xticks([days[i] for i in chosen], names)


def _plain(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LIGHT["line"])
    axes.tick_params(length=0, labelsize=_FONT, labelcolor=LIGHT["muted"], pad=5)


@contextmanager
def _settings(salt: str) -> Iterator[None]:
    """Text stays text and "$" a sign, ids follow from the drawing, and nothing of the user's settings is read."""
    with _ONE_AT_A_TIME, rc_context():
        rcdefaults()
        rcParams["svg.fonttype"] = "none"
        rcParams["svg.hashsalt"] = salt
        rcParams["text.parse_math"] = False
        yield


def _inline(figure: Figure, alt: str, width: int) -> str:
    """The drawing as an element of a page: no header, no address, only the ids that it uses itself."""
    held = io.StringIO()
    figure.savefig(held, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    drawing = held.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'\sxmlns(:\w+)?="[^"]*"|\sversion="1.1"', "", drawing)
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', drawing))
    drawing = re.sub(r'\sid="([^"]*)"', lambda found: found[0] if found[1] in used else "", drawing)
    drawing = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", drawing, flags=re.DOTALL)
    size = re.search(r'viewBox="([^"]*)"', drawing)
    if size is None:
        raise ValueError("matplotlib wrote a drawing without viewBox")
    head = f'<svg class="{"wide" if width == WIDE else "narrow"}" role="img" aria-label="{html.escape(alt)}" '
    drawing = re.sub(r"<svg[^>]*>", lambda _: f'{head}viewBox="{size[1]}">', drawing, count=1)
    return with_variables(re.sub(r"\n\s*", "\n", drawing).strip())
