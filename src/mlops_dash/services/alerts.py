"""Alerts of monitors: opened, updated and closed by what the windows say; answered by people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.monitoring import LONG_DAYS, Episode, episodes
from mlops_dash.domain.monitoring_words import harm_cause, harm_title, inputs_cause, inputs_title, schema_title
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.readings import Reading, known
from mlops_dash.domain.words import AlertState
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.ids import digest
from mlops_dash.services.command import Context, Unit, command
from mlops_dash.services.performance import LEVEL, WATCHED
from mlops_dash.services.profiles import code_version
from mlops_dash.services.readings import Course
from mlops_dash.store import alerts as store
from mlops_dash.store import monitoring, references
from mlops_dash.store.alerts import Alert
from mlops_dash.store.monitoring import Version
from mlops_dash.store.references import Reference

HARM, INPUTS, SCHEMA = "harm", "inputs", "schema"
OURS = (HARM, INPUTS, SCHEMA)
SEVERITY = {HARM: "critical", INPUTS: "notice", SCHEMA: "warning"}
LONGEST_SNOOZE = timedelta(days=90)
_SAME_DAYS = timedelta(days=3)  # a late label may move the first day of a stretch by so much


class AlertService:
    """What people do with alerts."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.ALERT_ANSWER, Action.ALERT_ACKNOWLEDGED)
    def acknowledge(self, unit: Unit, actor: Actor, alert_id: str, reason: str) -> None:
        """Say that somebody has it: the actor becomes the alert's owner. Audited.

        Raises:
            NotFound: no such alert.
            Conflict: it is closed.
            InvalidInput: the reason is empty.
        """
        alert = _answerable(unit, alert_id, reason)
        if alert.state is AlertState.ACKNOWLEDGED and alert.owner == actor.id:
            return unit.nothing_changed()
        changed = replace(alert, state=AlertState.ACKNOWLEDGED, owner=actor.id, snoozed_until=None)
        return _answer(unit, alert, changed, reason)

    @command(Permission.ALERT_ANSWER, Action.ALERT_SNOOZED)
    def snooze(self, unit: Unit, actor: Actor, alert_id: str, until: datetime, reason: str) -> None:
        """Be quiet about an alert until a time; it opens again by itself if it still holds. Audited.

        Raises:
            NotFound: no such alert.
            Conflict: it is closed.
            InvalidInput: the reason is empty, or the time is past or more than 90 days away.
        """
        alert = _answerable(unit, alert_id, reason)
        if not unit.now < until <= unit.now + LONGEST_SNOOZE:
            raise InvalidInput(
                f"An alert cannot be snoozed until {until:%Y-%m-%d %H:%M}.", hint="Choose a time in the next 90 days."
            )
        return _answer(unit, alert, replace(alert, state=AlertState.SNOOZED, snoozed_until=until), reason)

    @command(Permission.ALERT_ANSWER, Action.ALERT_CLOSED)
    def close(self, unit: Unit, actor: Actor, alert_id: str, reason: str) -> None:
        """Close an alert for good: the same stretch does not open it again, the next one does. Audited.

        Raises:
            NotFound: no such alert.
            Conflict: it is closed.
            InvalidInput: the reason is empty.
        """
        alert = _answerable(unit, alert_id, reason)
        _answer(unit, alert, replace(alert, state=AlertState.CLOSED, closed_at=unit.now), reason)

    @command(Permission.MONITOR_EDIT, Action.ALARM_RESTARTED)
    def restart_alarm(self, unit: Unit, actor: Actor, model: str, reason: str) -> None:
        """Begin the champion's harm alarm anew from now: spends another alpha, closes its alert. Audited.

        Raises:
            NotFound: nothing is served.
            InvalidInput: the reason is empty.
        """
        _require_reason(reason)
        version = monitoring.champion(unit.session, model)
        if version is None:
            raise NotFound(f"No version of {model} is served.", hint="Promote a version first.")
        before = len(monitoring.restarts(unit.session, version.id))
        monitoring.add_restart(unit.session, version.id, unit.now)
        for alert in store.alerts(unit.session, model):
            if alert.kind == HARM and alert.version == version.version and alert.state is not AlertState.CLOSED:
                closed = replace(alert, state=AlertState.CLOSED, closed_at=unit.now)
                store.save_alert(unit.session, _said(closed, unit.actor.id, f"alarm restarted: {reason}", unit.now))
        unit.audit(
            f"{model} v{version.version}",
            model=model,
            before={"restarts": before},
            after={"restarts": before + 1, "from": unit.now.isoformat()},
            reason=reason,
        )


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("A reason is missing.", hint="Say why in a few words: it goes into the ledger.")


def _answerable(unit: Unit, alert_id: str, reason: str) -> Alert:
    _require_reason(reason)
    alert = store.alert(unit.session, alert_id)
    if alert is None:
        raise NotFound(f"No alert {alert_id}.", hint="Reload the page.")
    if alert.state is AlertState.CLOSED:
        raise Conflict("This alert is closed already.", hint="Reload the page to see who closed it.")
    return alert


def _answer(unit: Unit, before: Alert, after: Alert, reason: str) -> None:
    store.save_alert(unit.session, _said(after, unit.actor.id, reason, unit.now))
    unit.audit(
        f"alert {after.kind} of {after.model} v{after.version}",
        model=after.model,
        before={"state": str(before.state), "owner": before.owner},
        after={
            "state": str(after.state),
            "owner": after.owner,
            "snoozed_until": after.snoozed_until.isoformat() if after.snoozed_until else None,
            "alert": after.id,
        },
        reason=reason,
        evidence_ids=after.evidence_ids,
    )


def _said(alert: Alert, who: str, reason: str, at: datetime) -> Alert:
    answers = [
        *alert.body.get("answers", []),
        {"who": who, "state": str(alert.state), "reason": reason, "at": at.isoformat()},
    ]
    return replace(alert, body={**alert.body, "answers": answers})


# What the windows say


@dataclass(frozen=True)
class Synced:
    """Which alerts a run opened and closed."""

    opened: tuple[str, ...]
    closed: tuple[str, ...]


def sync(
    session: Session, version: Version, reference: Reference, policy: MonitoringPolicy, course: Course, *, now: datetime
) -> Synced:
    """Bring the stored alerts of a version in line with its judged windows; what people said is kept.

    Every stretch of windows is one alert with an id that follows from its first day, so that the same windows always
    give the same alerts, in one call over a year or in daily ones.
    """
    opened: list[str] = []
    closed: list[str] = []
    every = [one for one in store.alerts(session, version.model, limit=1_000) if one.kind in OURS]
    for one in every:
        if one.version != version.version and one.state is not AlertState.CLOSED:
            _close(session, one, f"v{version.version} serves now", now)
            closed.append(one.id)
    held = [one for one in every if one.version == version.version]
    for kind in OURS:
        stretches = _episodes(kind, policy, course)
        of_kind = [one for one in held if one.kind == kind]
        matched: set[str] = set()
        for episode in stretches:
            known_alert = _match(of_kind, episode, matched)
            if known_alert is None:
                alert = _open(session, version, reference, policy, course, episode, now)
                opened.append(alert.id)
            else:
                matched.add(known_alert.id)
                if known_alert.state is not AlertState.CLOSED and _update(session, known_alert, course, episode, now):
                    closed.append(known_alert.id)
        for one in of_kind:
            if one.id not in matched and one.state is not AlertState.CLOSED:
                _close(session, one, "late labels changed the picture", now)
                closed.append(one.id)
    return Synced(tuple(opened), tuple(closed))


def _episodes(kind: str, policy: MonitoringPolicy, course: Course) -> tuple[Episode, ...]:
    starts = {day.number: day.start for day in course.days}
    if kind == HARM:
        return episodes(HARM, [(starts[one.last], one.alarmed) for one in course.harm], quiet=1)
    if kind == SCHEMA:
        return episodes(SCHEMA, [(one.start, bool(one.body["broken"])) for one in course.readings if one.n], quiet=1)
    judged = [one for one in course.readings if one.n >= policy.min_rows]
    return episodes(INPUTS, [(one.start, bool(one.body["moved"])) for one in judged], quiet=policy.hysteresis_of)


def _match(alerts: Sequence[Alert], episode: Episode, matched: set[str]) -> Alert | None:
    """The alert of this stretch: begun on about the same day, or inside it."""
    for one in alerts:
        first = datetime.fromisoformat(one.body["first"])
        if one.id not in matched and episode.first - _SAME_DAYS <= first <= episode.last:
            return one
    return None


def _open(
    session: Session,
    version: Version,
    reference: Reference,
    policy: MonitoringPolicy,
    course: Course,
    episode: Episode,
    now: datetime,
) -> Alert:
    first = _reading_at(course, episode.first)
    opened_at = min(now, _seen_at(policy, episode.kind, first))
    evidence = _harm_evidence(version, reference, policy, first, opened_at) if episode.kind == HARM else None
    alert = Alert(
        id=digest([version.model, version.id, episode.kind, episode.first.isoformat()])[:26],
        model=version.model,
        version=version.version,
        kind=episode.kind,
        severity=SEVERITY[episode.kind],
        state=AlertState.OPEN,
        title="",
        cause="",
        opened_at=opened_at,
        last_seen_at=opened_at,
        closed_at=None,
        owner="",
        snoozed_until=None,
        evidence_ids=references.save_evidence(session, [evidence]) if evidence else (),
        body={"first": episode.first.isoformat()},
    )
    _update(session, alert, course, episode, now)
    return alert


def _update(session: Session, alert: Alert, course: Course, episode: Episode, now: datetime) -> bool:
    """Say what is true now; close when the stretch is over. Gives whether it was closed."""
    latest = _reading_at(course, episode.last)
    title, cause = _words(episode.kind, latest, course)
    state, until = alert.state, alert.snoozed_until
    if state is AlertState.SNOOZED and until is not None and until <= now:
        state, until = AlertState.OPEN, None
    updated = replace(
        alert,
        title=title,
        cause=cause,
        state=state,
        snoozed_until=until,
        last_seen_at=max(alert.opened_at, min(now, latest.end)),
        body={**alert.body, "last": episode.last.isoformat()},
    )
    if episode.over is not None:
        over = min(now, max(_reading_at(course, episode.over).end, alert.opened_at))
        _close(session, updated, "over: back within its bounds", over)
        return True
    if updated != alert:
        store.save_alert(session, updated)
    return False


def _close(session: Session, alert: Alert, why: str, at: datetime) -> None:
    closed = replace(alert, state=AlertState.CLOSED, closed_at=at)
    store.save_alert(session, _said(closed, "system:worker", why, at))


def _reading_at(course: Course, start: datetime) -> Reading:
    return next(one for one in course.readings if one.start == start)


def _seen_at(policy: MonitoringPolicy, kind: str, reading: Reading) -> datetime:
    """When it could be known: at the end of the window, for harm when its labels are ripe."""
    return reading.end + (timedelta(hours=policy.label_delay_hours) if kind == HARM else timedelta(0))


def _words(kind: str, reading: Reading, course: Course) -> tuple[str, str]:
    if kind == HARM:
        mean = course.harm_reference.mean
        return harm_title(reading, mean), harm_cause(reading)
    if kind == INPUTS:
        return inputs_title(reading), inputs_cause(reading)
    return schema_title(reading), "The column arrives without values; the model answers as if they were missing."


def _harm_evidence(
    version: Version, reference: Reference, policy: MonitoringPolicy, reading: Reading, at: datetime
) -> Evidence:
    loss = reading.estimate(WATCHED[0], LONG_DAYS)
    harm: dict[str, Any] = dict(reading.body["harm"])
    return Evidence(
        kind="harm",
        subject=f"{version.model} v{version.version}",
        comparator="reference",
        metric=WATCHED[0],
        direction="lower_is_better",
        value=None if loss is None else loss.value,
        low=None if loss is None else loss.low,
        high=None if loss is None else loss.high,
        level=LEVEL,
        n=0 if loss is None else loss.n,
        n_clusters=0 if loss is None else loss.n_days,
        method=f"harm alarm over daily units, alpha {policy.alpha:g}; mean of the last {LONG_DAYS} ripe days",
        bound=f"bound {harm['bound']}: reference mean and tolerance; rests on near-normal daily means",
        window_start=reading.end - timedelta(days=LONG_DAYS),
        window_end=reading.end,
        digests={"reference": reference.id, "model": version.artifact_digest},
        code_version=code_version(),
        computed_at=at,
        state="ok" if loss is not None and loss.value is not None else "not_computable",
        details={**harm, "reference_mean": known(reference.baseline["metrics"][WATCHED[0]][0])},
    )
