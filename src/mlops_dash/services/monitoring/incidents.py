"""What was done about each alert of a model, and whether it helped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.monitoring.incidents import Deed, Incident
from mlops_dash.services.command import Context, read
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import alerts as alert_store
from mlops_dash.store.monitoring import incidents as store
from mlops_dash.store.monitoring.alerts import Alert
from mlops_dash.store.monitoring.incidents import Answered

_ANSWERED: Final = {"acknowledged": "acknowledged it", "snoozed": "silenced it for a while", "closed": "closed it"}
_JOB: Final = {
    "queued": "waits", "running": "is running", "succeeded": "made v{version}", "failed": "failed",
    "timed_out": "took too long", "cancelled": "was cancelled",
}  # fmt: skip


class Incidents:
    """The reads."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def incidents(self, actor: Actor, model: str, *, limit: int = 12) -> tuple[Incident, ...]:
        """Alerts of a model, those that are not closed first, each with what was done about it.

        Args:
            actor: Who asks.
            model: The model's name; one that nobody watches has none.
            limit: How many at most.
        """
        with reading(self.context.databases.app) as session:
            alerts = alert_store.alerts(session, model, limit=limit)
            answers = store.answers_of(session, model, [one.id for one in alerts])
        by_alert: dict[str, list[Answered]] = {}
        for answer in answers:
            by_alert.setdefault(answer.alert_id, []).append(answer)
        return tuple(_incident(one, by_alert.get(one.id, ())) for one in alerts)


def _incident(alert: Alert, answers: Any) -> Incident:
    deeds = [_said(one, alert.body) for one in alert.body.get("answers") or []]
    for answer in answers:
        deeds += _KINDS[answer.kind](alert.model, answer) if answer.kind in _KINDS else []
    deeds.sort(key=lambda one: one.at)
    return Incident(
        alert.id, alert.title, str(alert.state), alert.version, alert.opened_at, alert.closed_at, tuple(deeds)
    )


def _said(answer: Mapping[str, Any], body: Mapping[str, Any]) -> Deed:
    """What a person or the rule said to it; only the rule knows whether the version that took over helped."""
    who, state, reason = str(answer["who"]), str(answer["state"]), str(answer["reason"]).rstrip(".")
    at = datetime.fromisoformat(str(answer["at"]))
    if who.startswith("user:"):
        return Deed(at, _name(who), f"{_ANSWERED.get(state, state)}: {reason}")
    confirmed, refuted = state == "closed" and "superseded" in body, state == "open" and "refuted" in body
    return Deed(at, "", reason, helped=confirmed if confirmed or refuted else None)


def _job(model: str, one: Answered) -> list[Deed]:
    why = f": {one.reason.rstrip('.')}" if one.state in ("failed", "timed_out") and one.reason else ""
    what = _JOB.get(one.state, one.state).format(version=one.version)
    said = [Deed(one.at, _name(one.who), f"started a run of {one.name}", "retraining", {"model": model})]
    return [*said, Deed(one.ended_at, "", f"the run {what}{why}")] if one.ended_at is not None else said


def _proposal(model: str, one: Answered) -> list[Deed]:
    page = {"model": model, "version": one.version}
    said = [Deed(one.at, _name(one.who), f"proposed v{one.version}", "registry", page)]
    if one.ended_at is not None and one.state not in ("promoted", "promoting"):
        said.append(Deed(one.ended_at, "", f"the proposal was {one.state}: {one.reason}".rstrip(": .")))
    return said


def _promotion(model: str, one: Answered) -> list[Deed]:
    verb = "promoted" if one.kind == "promote" else "rolled back to"
    why = f": {one.reason.rstrip('.')}" if one.reason else ""
    page = {"model": model, "version": one.version}
    said = [Deed(one.at, _name(one.who), f"{verb} v{one.version}{why}", "registry", page)]
    if one.state == "failed":
        said.append(Deed(one.ended_at or one.at, "", "it failed"))
    return said


def _name(who: str) -> str:
    return who.removeprefix("user:")


_KINDS: Final[Mapping[str, Callable[[str, Answered], list[Deed]]]] = {
    "job": _job, "proposal": _proposal, "promote": _promotion, "rollback": _promotion,
}  # fmt: skip
