"""In which parts of the rows the version is worse: the owner's own parts and found ones, worst first, over time."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from app.parts.monitoring import fairness
from app.ui import dialogs, widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.monitoring.room import MonitoringRoom
from mlops_dash.domain.monitoring.slices import Before, Slice, Slices

_MOST = 8  # shown; the table has all of them


def card(frame: Frame, room: MonitoringRoom) -> None:
    """The parts, or why nobody knows, and gaps between groups below; nothing for a model without labels."""
    found = room.slices
    if found is None:
        return

    def controls() -> None:
        if found.parts:
            widgets.as_table(table(found, room.zone, found.parts), key="slices")
        why_not = frame.why_not(Permission.JOB_RUN) or ("A worker is measuring them." if found.asked else "")
        if widgets.action_button("Measure parts…", key="slices-ask", icon_name="splitscreen", why_not=why_not):
            _ask(frame, room)

    with widgets.card("slices", "Parts of the rows", found.sentence, controls):
        if found.parts:
            widgets.table(short(found, found.parts[:_MOST]))
        if len(found.parts) > _MOST:
            widgets.note(f"{len(found.parts) - _MOST} more in the table.")
        for one in found.notes:
            widgets.note(f"{one[0].upper()}{one[1:]}.")
        if found.start is not None:
            widgets.note(basis(found, room.zone))
    fairness.card(room)


def basis(found: Slices, zone: str) -> str:
    """What the numbers rest on."""
    return (
        f"Labelled rows of {fmt.period(found.start, found.end, zone)}: {found.n:,} rows, {found.clusters}; 95 % "
        "intervals over those. Found parts were searched on one half of them and are judged on the other. "
        "A part is worse when "
        "that is sure over all parts that were tried, and by more than the tolerance "
        f"({found.said(found.tolerance)})."
    )


def short(found: Slices, parts: tuple[Slice, ...]) -> pd.DataFrame:
    """What fits a screen: part, its loss beside that of other rows, and before."""
    return pd.DataFrame(
        {
            "Part": [one.title for one in parts],
            "Named by": ["found" if one.found else "the owner" for one in parts],
            "Is": [_word(one) for one in parts],
            found.loss.capitalize(): [fmt.MISSING if one.value is None else found.said(one.value) for one in parts],
            "More than others, 95 %": [_more(found, one) for one in parts],
            "Before": [" → ".join(_was(found, was) for was in one.before) or fmt.MISSING for one in parts],
            "Rows": [f"{one.n:,}" for one in parts],
        }
    )


def table(found: Slices, zone: str, parts: tuple[Slice, ...]) -> pd.DataFrame:
    """Everything that is known of every part."""
    shown = short(found, parts)
    shown["95 %"] = [_interval(found, one.low, one.high) for one in parts]
    shown["Others"] = [fmt.MISSING if one.rest is None else found.said(one.rest) for one in parts]
    shown["q"] = [fmt.p_value(one.q) for one in parts]
    if any(one.lean is not None for one in parts):
        shown["Answers above labels by"] = [
            fmt.MISSING
            if one.lean is None
            else f"{found.said(one.lean)} {_interval(found, one.lean_low, one.lean_high)}"
            for one in parts
        ]
    shown["Earlier windows"] = [
        "; ".join(f"{_span(was, zone)}: {_was(found, was)} ({was.n:,} rows)" for was in one.before) or fmt.MISSING
        for one in parts
    ]
    return shown


def _word(one: Slice) -> str:
    return f"{one.state}: {one.reason}" if one.more is None and one.reason else str(one.state)


def _more(found: Slices, one: Slice) -> str:
    if one.more is None:
        return fmt.MISSING
    sign = "+" if one.more > 0 else ""
    return f"{sign}{found.said(one.more)} {_interval(found, one.more_low, one.more_high)}"


def _was(found: Slices, was: Before) -> str:
    return "too few" if was.value is None else found.said(was.value)


def _span(was: Before, zone: str) -> str:
    return fmt.period(datetime.fromisoformat(was.start), datetime.fromisoformat(was.end), zone)


def _interval(found: Slices, low: float | None, high: float | None) -> str:
    return fmt.interval(low, high, 2 if found.unit else 3)


def _ask(frame: Frame, room: MonitoringRoom) -> None:
    def act(reason: str) -> str:
        job_id = frame.services.monitoring.ask_slices(frame.actor, room.model, reason)
        return f"Asked as job {fmt.short(job_id)}; the parts stand here when a worker has measured them."

    dialogs.confirm(
        key=f"slices-{room.model}", title=f"Look for parts of the rows in which {room.model} is worse",
        icon="splitscreen", button="Measure", act=act,
        consequence="A worker reads labelled rows of the latest ripe windows. It holds every value of the columns that "
        "the owner named against the other rows, and looks for parts by itself. Nothing that serves or alerts changes.",
        placeholder="What do you want to find out? This goes into the ledger.",
    )  # fmt: skip
