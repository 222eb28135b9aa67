"""What the charts of the Monitoring page share: local times, short numbers, wrapped sentences, names of columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from app.ui.text import in_figure
from mlops_dash.domain import format as fmt
from mlops_dash.domain.cadence import has_length, is_moment
from mlops_dash.domain.words import Drift

MOVED = (Drift.WATCH, Drift.DRIFT)


def local(t: datetime, zone: str) -> datetime:
    """The wall clock of a zone, without its zone, as Plotly draws it."""
    return t.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def middle(t: datetime, zone: str, window: str = "day") -> str:
    """The middle of the day, or the hour, that begins at `t`."""
    if window == "hour":
        return f"{local(t, zone) + timedelta(minutes=30):%Y-%m-%d %H:%M}"
    if not has_length(window):  # it begins with its first row
        return f"{local(t, zone):%Y-%m-%d %H:%M}"
    return f"{local(t, zone) + timedelta(hours=12):%Y-%m-%d %H}"  # half the bytes of a whole instant


def begin(t: datetime, zone: str, window: str = "day") -> str:
    """When a window begins, as people read it: a day, of an hour the moment."""
    return fmt.instant(t, zone) if is_moment(window) else fmt.day(t, zone)


def short(values: Sequence[float | None]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """As 32-bit floats (missing = NaN): a chart needs seven digits, and the browser gets a quarter of the bytes."""
    return np.array(values, dtype=np.float32)


def wrap(text: str, width: int = 60) -> str:
    """A sentence in lines for a hover box, without markup of its own."""
    words, lines = text.split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += f" {word}"
    return "<br>".join(in_figure(line.strip()) for line in lines)
