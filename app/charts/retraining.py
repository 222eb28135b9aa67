"""Runs on a clock: what ran, what runs, what comes next, one lane a recipe. Facts in, numbers and a figure out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import plotly.graph_objects as go

from app.ui.text import in_figure
from app.ui.theme import Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.jobs import FAILED, FINISHED, Job
from mlops_dash.domain.money import amount, cost_of
from mlops_dash.domain.retraining import Choice, Recipe, Room
from mlops_dash.domain.words import JobState, look

TOP = 54  # px: the legend above the word "now"
LANE = 54  # px: one line of words over one bar
_MIDNIGHT = re.compile(r"T00:00:00(Z|[+-]\d\d:\d\d)$")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_LABEL_CHARS = 54  # what 390 px can hold


@dataclass(frozen=True)
class Bar:
    """One run, past, present or next, as the chart shows it."""

    lane: int
    kind: str  # finished | failed | running | waiting | next
    start: datetime
    end: datetime
    job_id: str  # "" for a next run
    hover: str


@dataclass(frozen=True)
class Lane:
    """One line of the chart: a recipe (or task) of a model, and why it ran last."""

    title: str
    model: str
    cause: str


@dataclass(frozen=True)
class Gantt:
    """Everything the figure draws, in numbers."""

    now: datetime
    start: datetime
    end: datetime
    zone: str
    lanes: tuple[Lane, ...]
    bars: tuple[Bar, ...]

    def n(self, kind: str) -> int:
        """How many bars are of that kind."""
        return sum(bar.kind == kind for bar in self.bars)


def gantt(room: Room, *, ahead: timedelta, zone: str) -> Gantt:
    """Put jobs and next runs on lanes, the lane with the latest activity first."""
    start, end = room.since, room.now + ahead
    lanes: dict[tuple[str, str], Lane] = {}
    for job in room.jobs:
        lanes.setdefault((job.model, job.title), Lane(job.title, job.model, job.cause))
    for slot in room.slots:
        lanes.setdefault((slot.model, slot.title), Lane(slot.title, slot.model, slot.why))
    place = {key: number for number, key in enumerate(lanes)}
    shown = [job for job in room.jobs if _end(job, room.now) >= start]
    bars = [_bar(job, place[job.model, job.title], room.now, zone) for job in shown]
    for slot in room.slots:
        if slot.at <= end:
            named = f"<b>{in_figure(slot.title)}</b> · next"
            why = in_figure(f"schedule {slot.name}: {slot.why}")
            said = f"{named}<br>{when(room.now, slot.at, zone)}<br>{why}"
            bars.append(Bar(place[slot.model, slot.title], "next", slot.at, slot.at, "", said))
    return Gantt(room.now, start, end, zone, tuple(lanes.values()), tuple(bars))


def tab(room: Room, asked: str) -> str:
    """Of which model, and what is going on: what the browser's tab says."""
    failed = f"{room.failed_24h} failed" if room.failed_24h else "nothing runs"
    said = f"{len(room.running)} running" if room.running else failed
    return f"{asked}: {said}" if asked else said


def alt(data: Gantt) -> str:
    """What the chart says, in a sentence."""
    said = [
        f"{data.n(kind)} {word}"
        for kind, word in (("running", "running now"), ("waiting", "waiting"), ("failed", "failed"),
                           ("finished", "finished"), ("next", "planned"))
        if data.n(kind)
    ]  # fmt: skip
    span = fmt.duration(data.now - data.start)
    coming = min((bar.start for bar in data.bars if bar.kind == "next"), default=None)
    after = f"; the next run is {when(data.now, coming, data.zone)}" if coming else "; nothing is planned"
    return f"Runs of the last {span}: {', '.join(said) or 'none'}{after}."


def figure(data: Gantt, t: Tokens) -> go.Figure:
    """Draw the lanes. Bars are at least 6 px wide; failed ones carry a cross, next ones are hollow."""
    fig = go.Figure()
    colours = {"finished": t.context, "failed": t.bad, "running": t.moved, "waiting": t.warn, "next": t.context}
    names = {"finished": "Finished", "failed": "Failed", "running": "Running", "waiting": "Waiting", "next": "Next"}
    for kind, colour in colours.items():
        bars = [bar for bar in data.bars if bar.kind == kind]
        if bars:
            _draw(fig, data, bars, name=names[kind], colour=colour, t=t)
    zone = ZoneInfo(data.zone)
    for number, lane in enumerate(data.lanes):
        fig.add_annotation(
            xref="paper", x=0, xanchor="left", y=number - 0.28, yanchor="middle", showarrow=False, align="left",
            text=_label(lane, t), font={"size": 12}, bgcolor=t.card, borderpad=0,
        )  # fmt: skip
        if number:
            fig.add_hline(y=number - 0.5, line={"color": t.grid, "width": 1})
    fig.add_vline(x=_local(data.now, zone), line={"color": t.ink, "width": 1.4})
    fig.add_annotation(
        x=_local(data.now, zone), yref="paper", y=1, yanchor="bottom", text="now", showarrow=False,
        font={"size": 11, "color": t.ink},
    )  # fmt: skip
    fig.update_xaxes(
        type="date",
        range=[_local(data.start, zone), _local(data.end, zone)],
        showgrid=True,
        nticks=6,
        tickangle=0,
        tickformatstops=TICKS,
    )
    fig.update_yaxes(range=[len(data.lanes) - 0.5, -0.5], visible=False, fixedrange=True)
    fig.update_layout(
        margin={"t": TOP, "l": 0, "r": 4, "b": 0}, barmode="overlay", hovermode="closest",
        legend={"y": 1 + 18 / (LANE * max(1, len(data.lanes))), "yanchor": "bottom", "x": 0, "itemclick": False,
                "itemdoubleclick": False},
    )  # fmt: skip
    return fig


# Below a day's step the hour with its day at midnight; else the day alone: short enough for a phone.
TICKS = [
    {"dtickrange": [None, 86_399_999], "value": "%H:%M\n%-d %b"},
    {"dtickrange": [86_400_000, None], "value": "%-d %b"},
]


def height(data: Gantt) -> int:
    """How high the figure must be for its lanes, in px."""
    return TOP + 40 + LANE * max(1, len(data.lanes))


def table(data: Gantt, jobs: Sequence[Job], currency: str) -> pd.DataFrame:
    """The same runs as rows, newest first, next ones on top; a cost only where its price was known."""
    by_id = {job.id: job for job in jobs}
    ordered = sorted(data.bars, key=lambda bar: bar.start, reverse=True)
    rows = []
    for bar in ordered:
        job, lane = by_id.get(bar.job_id), data.lanes[bar.lane]
        rows.append(
            {
                "Run": lane.title,
                "Model": lane.model or fmt.MISSING,
                "State": look(job.state).label if job else "Next",
                "When": when(data.now, bar.start, data.zone),
                "Took": took(job, data.now) if job else fmt.MISSING,
                "Cost": cost(job, data.now, currency) if job else fmt.MISSING,
                "Cause": job.cause if job else lane.cause,
            }
        )
    return pd.DataFrame(rows, columns=["Run", "Model", "State", "When", "Took", "Cost", "Cause"])


def when(now: datetime, t: datetime | None, zone: str) -> str:
    """A moment near now as people say it: `today 12:00, in 2 h`, `Mon 6 Jan 06:00, 5 d ago`."""
    if t is None:
        return fmt.MISSING
    local, here = t.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone))
    days = (local.date() - here.date()).days
    named = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(days)
    date = named or f"{local:%a} {local.day} {local:%b}" + ("" if local.year == here.year else f" {local.year}")
    return f"{date} {local:%H:%M}, {fmt.ago(now, t) if t <= now else fmt.until(now, t)}"


def took(job: Job, now: datetime) -> str:
    """How long a job ran, or has been running."""
    if job.started_at is None:
        return fmt.MISSING
    return fmt.duration((job.finished_at or now) - job.started_at)


def cost(job: Job, now: datetime, currency: str) -> str:
    """What a job cost so far; missing where nobody knows, or it has not begun."""
    paid = cost_of(job, now)
    return fmt.MISSING if paid is None else amount(paid, currency)


def paid(job: Job, now: datetime, currency: str) -> str:
    """The same behind other words; nothing where nobody knows."""
    said = cost(job, now, currency)
    return "" if said == fmt.MISSING else f" · {said}"


def choice(one: Choice) -> str:
    """A recipe where one is chosen: what it trains on, what it is judged on, how long it took."""
    if one.start is None or one.end is None:
        return f"{one.recipe}: its parameters cannot be read"
    said = f"{one.recipe}: trains on {fmt.period(one.start, one.end, one.zone)}"
    rows = "" if one.judged else ", leaves no later rows to compare on"
    took = "has not run yet" if one.took_seconds is None else f"took {fmt.duration(one.took_seconds)}"
    return f"{said}{rows}; {took}"


def name(job: Job, now: datetime, zone: str) -> str:
    """One run in one line, for a list."""
    return f"{job.title} · {look(job.state).label.lower()} · {when(now, job.started_at or job.due_at, zone)}"


def _end(job: Job, now: datetime) -> datetime:
    return job.finished_at or now


def _bar(job: Job, lane: int, now: datetime, zone: str) -> Bar:
    begun = job.started_at or (job.finished_at if job.finished else job.starts_at) or job.due_at
    kind = "failed" if job.state in FAILED else "finished" if job.state in FINISHED else str(job.state)
    kind = "waiting" if job.state is JobState.QUEUED else kind
    said = [
        f"<b>{in_figure(job.title)}</b> · {look(job.state).label.lower()}",
        when(now, begun, zone),
        in_figure(job.cause),
    ]
    if job.started_at is not None:
        said[1] += f" · {took(job, now)}"
    if job.error:
        said.append(in_figure(_short(job.error, 90)))
    return Bar(lane, kind, begun, max(begun, _end(job, now) if job.started_at else begun), job.id, "<br>".join(said))


def _draw(fig: go.Figure, data: Gantt, bars: Sequence[Bar], *, name: str, colour: str, t: Tokens) -> None:
    zone, kind = ZoneInfo(data.zone), bars[0].kind
    lanes = [bar.lane + 0.16 for bar in bars]
    middle = [_local(bar.start + (bar.end - bar.start) / 2, zone) for bar in bars]
    custom = [[bar.job_id] for bar in bars]
    hover = {"hovertext": [bar.hover for bar in bars], "hovertemplate": "%{hovertext}<extra></extra>",
             "customdata": custom}  # fmt: skip
    if kind in {"next", "waiting"}:
        marker = {"symbol": "square-open", "size": 11, "color": colour, "line": {"width": 1.8, "color": colour}}
        fig.add_scatter(x=middle, y=lanes, mode="markers", marker=marker, name=name, **hover)
        return
    fig.add_bar(
        x=[(bar.end - bar.start).total_seconds() * 1000 for bar in bars],
        base=[_local(bar.start, zone) for bar in bars], y=lanes, width=0.36, orientation="h",
        marker={"color": colour, "cornerradius": 3}, showlegend=False, **hover,
    )  # fmt: skip
    # However short a run is and however far out one looks, it is 7 px wide.
    pin = {"symbol": "line-ns", "size": 13, "color": colour, "line": {"width": 7, "color": colour}}
    fig.add_scatter(x=middle, y=lanes, mode="markers", marker=pin, showlegend=False, **hover)
    sign = {"symbol": "x" if kind == "failed" else "square", "size": 9 if kind != "failed" else 7}
    fig.add_scatter(
        x=middle if kind == "failed" else [None], y=lanes if kind == "failed" else [None], mode="markers", name=name,
        marker={**sign, "color": t.page if kind == "failed" else colour}, showlegend=kind != "failed", hoverinfo="skip",
    )  # fmt: skip
    if kind == "failed":
        mark = {"symbol": "x", "size": 9, "color": colour}
        fig.add_scatter(x=[None], y=[None], mode="markers", name=name, marker=mark, hoverinfo="skip")


def _label(lane: Lane, t: Tokens) -> str:
    rest = " · ".join(part for part in (lane.model, lane.cause) if part)
    short = _short(rest, _LABEL_CHARS - len(lane.title))
    return f"<b>{in_figure(_short(lane.title, 30))}</b>  <span style='color:{t.muted}'>{in_figure(short)}</span>"


def _short(text: str, length: int) -> str:
    clean = text.replace("<", "‹").replace(">", "›").replace("\n", " ")
    return clean if len(clean) <= length else clean[: max(1, length - 1)].rstrip() + "…"


def _local(t: datetime, zone: ZoneInfo) -> datetime:
    return t.astimezone(zone).replace(tzinfo=None)


def log_lines(text: str, *, least: str, zone: str) -> list[str]:
    """A job's log for reading: local time of day, level, message; `least` WARN or ERROR drops what is below.

    A line without a level (a library's print, a traceback) belongs to the line before it.
    """
    order = {"DEBUG": 0, "INFO": 1, "WARN": 2, "WARNING": 2, "ERROR": 3, "CRITICAL": 3}
    floor, level, found = order.get(least, 0), 1, []
    for line in text.splitlines():
        stamp, _, said = line.partition(" ")
        word = said.partition(" ")[0]
        level = order.get(word, level)
        if level < floor:
            continue
        if _STAMP.fullmatch(stamp) is None:
            found.append(line)
            continue
        at = datetime.fromisoformat(stamp).astimezone(ZoneInfo(zone)).strftime("%H:%M:%S")
        found.append(f"{at} {word:<5} {said.partition(' ')[2]}" if word in order else f"{at}       {said}")
    return found


def parameters(recipe: Recipe) -> str:
    """A recipe's parameters in one line: `train_start 2013-01-01, holdout_days 92, seed 1, max_iter 80`."""
    flat: dict[str, object] = {}
    for key, value in recipe.parameters.items():
        flat.update(value if isinstance(value, dict) else {key: value})
    return ", ".join(f"{key} {_MIDNIGHT.sub('', str(value))}" for key, value in flat.items()) or "defaults"


def limits(recipe: Recipe) -> str:
    """What ends a run of this recipe, and what looks at its version: `at most 15 min, 4.0 GiB, 2 attempts, 1 check`."""
    tries = fmt.plural(recipe.max_attempts, "attempt")
    checks = f", {fmt.plural(len(recipe.checks), 'check')}" if recipe.checks else ""
    return f"at most {fmt.duration(recipe.timeout_seconds)}, {recipe.memory_mib / 1024:.1f} GiB, {tries}{checks}"
