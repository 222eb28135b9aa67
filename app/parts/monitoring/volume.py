"""In place of the performance of a model without outcomes: how many rows came, and what nobody knows."""

from __future__ import annotations

from app.charts.monitoring import volume
from app.ui import widgets
from app.ui.context import Frame
from mlops_dash.domain.monitoring.room import MonitoringRoom


def card(frame: Frame, room: MonitoringRoom) -> None:
    """Draw the rows of every window shown; nothing where the reference has labels."""
    if room.reference is None or room.reference.labelled or not room.volume:
        return

    def controls() -> None:
        widgets.as_table(volume.volume_table(room.volume, room.zone, room.judged_by), key="volume")

    sub = "No outcome is known, so nothing here says how good the answers are. Send labels, then choose a reference."
    with widgets.card("volume", "Predictions by window", sub, controls):
        widgets.chart(volume.volume_figure(room.volume, room.zone, frame.tokens, room.judged_by), key="volume",
                      alt=volume.volume_alt(room.volume, room.zone, room.judged_by), height=260)  # fmt: skip
