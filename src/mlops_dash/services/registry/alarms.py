"""The registry's own alarms: find the open one of a kind, close it when its cause is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from mlops_dash.domain.registry.records import Version
from mlops_dash.domain.registry.rollouts import Rollout, failed
from mlops_dash.domain.words import AlertState
from mlops_dash.store.db import Session
from mlops_dash.store.monitoring.alerts import Alert, alerts, save_alert

ALIAS_ALERT = "alias"
FROZEN_ALERT = "frozen"
ROLLOUT_ALERT = "rollout"


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


def tell_halted(session: Session, alert_id: str, one: Rollout, version: Version, *, reason: str, now: datetime) -> None:
    """Open the alert that a roll-out stopped by its rule: a warning where a guard failed, else a notice."""
    answer_halted(session, one.model, now)  # an earlier one of the same version
    made = Alert(
        id=alert_id,
        model=one.model,
        version=version.version,
        kind=ROLLOUT_ALERT,
        severity="warning" if failed(one.guards) else "notice",
        state=AlertState.OPEN,
        title=f"The roll-out of {version.subject} was stopped by its rule",
        cause=f"In stage {one.stage + 1} of {len(one.stages)}, {one.now.said()}: {reason} The champion answers all "
        "rows again.",
        opened_at=now,
        last_seen_at=now,
        closed_at=None,
        owner="",
        snoozed_until=None,
        evidence_ids=(),
        body={"rollout": one.id, "guards": [guard.as_json() for guard in one.guards]},
    )
    save_alert(session, made)


def halted_alert(session: Session, model: str) -> Alert | None:
    """The alert that a roll-out of the model stopped by its rule, while nobody closed it."""
    return next((one for one in alerts(session, model) if one.kind == ROLLOUT_ALERT and one.closed_at is None), None)


def answer_halted(session: Session, model: str, now: datetime) -> None:
    """Close the alerts of stopped roll-outs: another version is rolled out, or became champion."""
    for one in alerts(session, model):
        if one.kind == ROLLOUT_ALERT and one.closed_at is None:
            close_alert(session, one, now)


def close_alert(session: Session, alert: Alert, now: datetime) -> None:
    """The cause is gone."""
    save_alert(session, replace(alert, state=AlertState.CLOSED, closed_at=now, last_seen_at=now))
