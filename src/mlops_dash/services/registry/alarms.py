"""The registry's own alarms: find the open one of a kind, close it when its cause is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from mlops_dash.domain.words import AlertState
from mlops_dash.store.db import Session
from mlops_dash.store.monitoring.alerts import Alert, alerts, save_alert

ALIAS_ALERT = "alias"
FROZEN_ALERT = "frozen"


def open_alert(session: Session, model: str, kind: str, version: str = "") -> Alert | None:
    """The alert of this kind that is not closed, if there is one."""
    return next(
        (
            one
            for one in alerts(session, model)
            if one.kind == kind and one.version == version and one.closed_at is None
        ),
        None,
    )


def close_alert(session: Session, alert: Alert, now: datetime) -> None:
    """The cause is gone."""
    save_alert(session, replace(alert, state=AlertState.CLOSED, closed_at=now, last_seen_at=now))
