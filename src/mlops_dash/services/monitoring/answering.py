"""Alerts of replaced versions: closed by rule when the new version's own days confirm it, back when they do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.monitoring.answers import KINDS, Answer, outcome
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import AlertState
from mlops_dash.services.command import Context, Unit, command
from mlops_dash.services.monitoring.course import Course
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import alerts as store
from mlops_dash.store.monitoring import readings as monitoring
from mlops_dash.store.monitoring.alerts import Alert
from mlops_dash.store.monitoring.readings import Version

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Answering:
    """Decisions of the rule; each is in the ledger."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def settle(self, actor: Actor, version: Version, policy: MonitoringPolicy, course: Course) -> tuple[str, ...]:
        """Ask the judged windows of the version in service about the alerts of those it replaced. Gives what closed."""
        with reading(self.context.databases.app) as session:
            waiting = [one for one in store.alerts(session, version.model, limit=1_000) if _waits(one, version)]
            since = monitoring.serving_since(session, version.model) if waiting else None
        closed = []
        for alert in waiting:
            found = outcome(alert.kind, course.readings, since=since or _EVER, policy=policy)
            if found.answer is Answer.CONFIRMED:
                self._confirm(actor, alert.id, version, found.why)
                closed.append(alert.id)
            elif found.answer is Answer.REFUTED and alert.body.get("refuted") != version.id:
                self._reopen(actor, alert.id, version, found.why)
        return tuple(closed)

    @command(Permission.SYSTEM, Action.ALERT_CONFIRMED)
    def _confirm(self, unit: Unit, actor: Actor, alert_id: str, version: Version, why: str) -> None:
        """Close an alert that the new version's days confirm to be over."""
        alert = store.alert(unit.session, alert_id)
        if alert is None or alert.state is AlertState.CLOSED:
            return unit.nothing_changed()
        after = replace(alert, state=AlertState.CLOSED, closed_at=unit.now, body={**alert.body, "superseded": True})
        return _tell(unit, alert, after, version, why)

    @command(Permission.SYSTEM, Action.ALERT_REOPENED)
    def _reopen(self, unit: Unit, actor: Actor, alert_id: str, version: Version, why: str) -> None:
        """Say that the promotion did not help: nobody's acknowledgement or silence covers that."""
        alert = store.alert(unit.session, alert_id)
        if alert is None or alert.state is AlertState.CLOSED:
            return unit.nothing_changed()
        body = {**alert.body, "refuted": version.id}
        after = replace(alert, state=AlertState.OPEN, owner="", snoozed_until=None, body=body)
        return _tell(unit, alert, after, version, why)


def _waits(alert: Alert, version: Version) -> bool:
    return alert.kind in KINDS and alert.version != version.version and alert.state is not AlertState.CLOSED


def _tell(unit: Unit, before: Alert, after: Alert, version: Version, why: str) -> None:
    said = {"who": unit.actor.id, "state": str(after.state), "reason": why, "at": unit.now.isoformat()}
    answers = [*after.body.get("answers", []), said]
    store.save_alert(unit.session, replace(after, body={**after.body, "answers": answers}))
    unit.audit(
        f"alert {after.kind} of {after.model} v{after.version}",
        model=after.model,
        before={"state": str(before.state), "owner": before.owner},
        after={"state": str(after.state), "by_days_of": f"v{version.version}", "alert": after.id},
        reason=why,
        evidence_ids=after.evidence_ids,
    )
