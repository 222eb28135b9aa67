"""Alerts of monitors: opened, updated and closed by what the windows say; answered by people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mlops_dash import __version__
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.monitoring.causes import Importance
from mlops_dash.domain.monitoring.judging import LONG_DAYS, Episode, episodes
from mlops_dash.domain.monitoring.readings import Reading, known
from mlops_dash.domain.monitoring.words import (
    alarm_cause,
    alarm_title,
    headline_watch,
    inputs_cause,
    inputs_title,
    schema_title,
    task_of,
    worse_sentence,
)
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import AlertState, Drift
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.ids import digest
from mlops_dash.services.command import Context, Unit, command
from mlops_dash.services.monitoring.course import Course
from mlops_dash.services.monitoring.explaining import importance_in
from mlops_dash.services.monitoring.measuring import LEVEL
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store.db import Session
from mlops_dash.store.monitoring import alerts as store
from mlops_dash.store.monitoring import readings as monitoring
from mlops_dash.store.monitoring.alerts import Alert
from mlops_dash.store.monitoring.readings import Version
from mlops_dash.store.monitoring.references import Reference

HARM, LABEL_SHIFT, INPUTS, SCHEMA = "harm", "label_shift", "inputs", "schema"
OURS = (HARM, LABEL_SHIFT, INPUTS, SCHEMA)
SEVERITY = {HARM: "critical", LABEL_SHIFT: "warning", INPUTS: "notice", SCHEMA: "warning"}
LONGEST_SNOOZE = timedelta(days=90)
_SAME_DAYS = timedelta(days=3)  # a late label may move the first day of a stretch by so much


class Alerting:
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
    writer = _Writer(session, version, reference, policy, course, now, importance_in(session, version, reference))
    every = [one for one in store.alerts(session, version.model, limit=1_000) if one.kind in OURS]
    for kind in OURS:
        of_kind = [one for one in every if one.version == version.version and one.kind == kind]
        matched: set[str] = set()
        for episode in episodes_of(kind, policy, course):
            alert = _match(of_kind, episode, matched)
            if alert is None:
                opened.append(writer.open(episode))
                continue
            matched.add(alert.id)
            if alert.state is AlertState.CLOSED and alert.body.get("superseded") and episode.over is None:
                body = {name: value for name, value in alert.body.items() if name != "superseded"}
                alert = replace(alert, state=AlertState.OPEN, closed_at=None, body=body)
            if alert.state is not AlertState.CLOSED and writer.update(alert, episode):
                closed.append(alert.id)
        for one in of_kind:
            if one.id not in matched and one.state is not AlertState.CLOSED:
                writer.close(one, "late labels changed the picture", now)
                closed.append(one.id)
    return Synced(tuple(opened), tuple(closed))


def episodes_of(kind: str, policy: MonitoringPolicy, course: Course) -> tuple[Episode, ...]:
    """The stretches of windows that are one alert of this kind each."""
    if kind in (HARM, LABEL_SHIFT):
        ripe = [one for one in course.readings if one.ripe and one.n_labelled]
        return episodes(kind, [(one.start, _is_on(kind, one)) for one in ripe], quiet=1)
    if kind == SCHEMA:
        return episodes(kind, [(one.start, bool(one.body["broken"])) for one in course.readings if one.n], quiet=1)
    judged = [one for one in course.readings if one.n and one.drift is not Drift.NOT_COMPUTABLE]
    return episodes(kind, [(one.start, bool(one.body["moved"])) for one in judged], quiet=policy.hysteresis_of)


def _is_on(kind: str, reading: Reading) -> bool:
    """Whether harm, or a shift of labels, is alarmed in a window; where there is harm, a shift has nothing to add."""
    task, harm = task_of(reading), reading.body["harm"]
    harmed, shifted = (
        any(harm.get(watch.key, {}).get("alarmed") for watch in watches)
        for watches in (task.harm_watches, task.shift_watches)
    )
    return harmed if kind == HARM else shifted and not harmed


def _match(alerts: Sequence[Alert], episode: Episode, matched: set[str]) -> Alert | None:
    """The alert of this stretch: begun on about the same day, or inside it."""
    for one in alerts:
        first = datetime.fromisoformat(one.body["first"])
        if one.id not in matched and episode.first - _SAME_DAYS <= first <= episode.last:
            return one
    return None


@dataclass(frozen=True)
class _Writer:
    """Writes the alerts of one version in one transaction."""

    session: Session
    version: Version
    reference: Reference
    policy: MonitoringPolicy
    course: Course
    now: datetime
    importance: Importance

    def open(self, episode: Episode) -> str:
        first = self._reading_at(episode.first)
        opened_at = min(self.now, self._known_at(episode.kind, first))
        is_alarm = episode.kind in (HARM, LABEL_SHIFT)
        alert = Alert(
            id=digest([self.version.model, self.version.id, episode.kind, episode.first.isoformat()])[:26],
            model=self.version.model,
            version=self.version.version,
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
            evidence_ids=evidence_store.put(self.session, [self._evidence(first, opened_at)]) if is_alarm else (),
            body={"first": episode.first.isoformat()},
        )
        self.update(alert, episode)
        return alert.id

    def update(self, alert: Alert, episode: Episode) -> bool:
        """Say what is true now; close when the stretch is over. Gives whether it was closed."""
        latest = self._reading_at(episode.last)
        told = latest if episode.over is None else self._worst(episode)
        title, cause = self._words(episode.kind, told, self._stretch(episode))
        state, until = alert.state, alert.snoozed_until
        if state is AlertState.SNOOZED and until is not None and until <= self.now:
            state, until = AlertState.OPEN, None
        updated = replace(
            alert,
            title=title,
            cause=cause,
            state=state,
            snoozed_until=until,
            last_seen_at=max(alert.opened_at, min(self.now, latest.end)),
            body={**alert.body, "last": episode.last.isoformat()},
        )
        if episode.over is not None:
            over = self._reading_at(episode.over)
            at = max(alert.opened_at, min(self.now, self._known_at(episode.kind, over)))
            self.close(updated, "over: within its bounds again, or harm took its place", at)
            return True
        store.save_alert(self.session, updated)
        return False

    def close(self, alert: Alert, why: str, at: datetime) -> None:
        closed = replace(alert, state=AlertState.CLOSED, closed_at=at)
        store.save_alert(self.session, _said(closed, "system:worker", why, at))

    def _reading_at(self, start: datetime) -> Reading:
        return next(one for one in self.course.readings if one.start == start)

    def _known_at(self, kind: str, reading: Reading) -> datetime:
        """When it could be known: at the end of the window, for alarms when its labels are ripe."""
        ripens = timedelta(hours=self.policy.label_delay_hours if kind in (HARM, LABEL_SHIFT) else 0)
        return reading.end + ripens

    def _worst(self, episode: Episode) -> Reading:
        """What a stretch that is over is remembered by: its worst window."""
        inside = [one for one in self.course.readings if episode.first <= one.start <= episode.last]

        def loss(reading: Reading) -> float:
            watch = headline_watch(reading)
            mean = reading.estimate(watch.key, LONG_DAYS)
            shown = 0.0 if mean is None or mean.value is None else mean.value
            return -shown if watch.higher else shown

        return max(inside, key=loss)

    def _stretch(self, episode: Episode) -> list[Reading]:
        """The windows of a stretch; for harm from the day on which it began to be worse."""
        first = episode.first
        if episode.kind == HARM:
            latest = self._reading_at(episode.last)
            since = latest.body["harm"][headline_watch(latest).key]["since"]
            first = next((day.start for day in self.course.days if day.said == since), first)
        return [one for one in self.course.readings if first <= one.start <= episode.last]

    def _from(self, reading: Reading) -> datetime:
        """Where the long span begins that ends with a window."""
        cadence = self.policy.cadence
        if not cadence.is_batch:
            return reading.end - timedelta(days=round(cadence.long * cadence.usual))
        ripe = [one.start for one in self.course.readings if one.ripe and one.start <= reading.start]
        return ripe[-cadence.long :][0] if ripe else reading.start

    def _dates(self) -> dict[datetime, str]:
        return {day.start: day.said for day in self.course.days}

    def _words(self, kind: str, reading: Reading, stretch: Sequence[Reading]) -> tuple[str, str]:
        if kind in (HARM, LABEL_SHIFT):
            watch = headline_watch(reading) if kind == HARM else task_of(reading).shift_watches[0]
            mean = known(self.course.references[watch.key].mean)
            prior = self.reference.prior or 0.0  # an alarm has a loss, so its reference has labels
            worse = worse_sentence(stretch[-1], self.reference.baseline["metrics"])
            cause = alarm_cause(
                stretch, watch, prior, self._dates(), worse=worse, importance=self.importance
            )  # fmt: skip
            return alarm_title(reading, watch, mean), cause
        if kind == INPUTS:
            return inputs_title(stretch), inputs_cause(stretch, self._dates())
        return schema_title(reading), "The columns arrive without values; the model answers as if they were missing."

    def _evidence(self, reading: Reading, at: datetime) -> Evidence:
        watch, cadence = headline_watch(reading), self.policy.cadence
        normal = self.course.references[watch.key]
        mean = reading.estimate(watch.key, LONG_DAYS)
        ok = mean is not None and mean.value is not None
        return Evidence(
            kind="harm",
            subject=f"{self.version.model} v{self.version.version}",
            comparator="reference",
            metric=watch.key,
            direction="higher_is_better" if watch.higher else "lower_is_better",
            value=mean.value if mean else None,
            low=mean.low if mean else None,
            high=mean.high if mean else None,
            level=LEVEL,
            n=mean.n if mean else 0,
            n_clusters=mean.n_days if mean else 0,
            method=f"harm alarm by the {cadence.name}, alpha {normal.alpha:g}; mean of {cadence.long} ripe windows",
            bound=f"rests on near-normal means of a {cadence.name}, on the reference's variance and on the tolerance",
            window_start=self._from(reading),
            window_end=reading.end,
            digests={"reference": self.reference.id, "model": self.version.artifact_digest},
            code_version=__version__,
            computed_at=at,
            state="ok" if ok else "not_computable",
            reason="" if ok else "no ripe labels",
            details={
                **reading.body["harm"][watch.key],
                "reference_mean": known(watch.shown(normal.mean)),
                "bound": known(watch.shown(normal.bound)),
                "tolerance": known(normal.tolerance),
            },
        )
