"""What the charts of the Monitoring page share: local times, short numbers, wrapped sentences, names of columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from app.ui.text import in_figure
from mlops_dash.domain.words import Drift

MOVED = (Drift.WATCH, Drift.DRIFT)


def local(t: datetime, zone: str) -> datetime:
    """The wall clock of a zone, without its zone, as Plotly draws it."""
    return t.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def noon(t: datetime, zone: str) -> str:
    """The middle of the day that begins at `t`."""
    return f"{local(t, zone) + timedelta(hours=12):%Y-%m-%d %H}"  # half the bytes of a whole instant


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
