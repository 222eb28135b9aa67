"""Which class is taken for which: the confusion table of a model that answers with classes."""

from __future__ import annotations

from app.ui import widgets
from mlops_dash.domain import format as fmt
from mlops_dash.domain.cadence import is_moment, plural_of
from mlops_dash.domain.monitoring.room import MonitoringRoom


def over(room: MonitoringRoom) -> str:
    """Over which windows the answers were counted."""
    by = room.judged_by if is_moment(room.judged_by) else "day"
    return fmt.plural(room.confusion_days, f"ripe {by}", f"ripe {plural_of(by)}")


def table(room: MonitoringRoom) -> None:
    """A card with one row a true class; nothing for a model without classes, or without ripe labels."""
    found = room.confusion
    if found is None:
        return
    sub = f"Labelled rows of the last {over(room)}, by true class and answer; the diagonal is right."
    with widgets.card("confusion", "Which class is taken for which", sub):
        widgets.matrix("True class", found.words, found.counts, label="Rows by true class and answer")
