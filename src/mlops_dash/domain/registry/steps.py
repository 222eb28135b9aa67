"""By which steps a version becomes the one that answers, in the words of whoever serves it."""

from __future__ import annotations

from datetime import datetime

from mlops_dash.domain.registry.live import NONE
from mlops_dash.domain.registry.records import Operation


def steps_of(operation: Operation, *, mark: str, elsewhere: bool) -> tuple[tuple[str, datetime | None], ...]:
    """What has to happen, in order, and when it did; None = not yet.

    Args:
        operation: A promotion, rollback, restore or adoption.
        mark: What marks a live version in MLflow: alias, stage, tag, or none, where nothing is moved.
        elsewhere: Whether others serve the model: nothing is delivered then.
    """
    moments = (operation.decided_at, operation.alias_moved_at, operation.delivered_at, operation.confirmed_at)
    if operation.kind == "elsewhere":  # it answered already when somebody said so
        labels = ("Said", "In the ledger", "", "")
    elif elsewhere:
        labels = ("Decided", "In the ledger", "", "Confirmed by its rows")
    else:
        labels = ("Decided", "" if mark == NONE else f"{mark.capitalize()} moved", "Delivered", "Confirmed serving")
    return tuple((label, moment) for label, moment in zip(labels, moments, strict=True) if label)
