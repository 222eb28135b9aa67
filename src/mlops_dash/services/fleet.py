"""The whole fleet on one screen, from one read: every number and word is the one that the model's own page shows.

Composes reads of other rooms; their functions say health, headline and stale, so that pages cannot disagree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Entry
from mlops_dash.domain.calendar import day_of
from mlops_dash.domain.fleet import rows as fleet
from mlops_dash.domain.fleet.attention import FailedJob, OpenAlert, OpenProposal, StuckOperation, attention
from mlops_dash.domain.fleet.room import DayVolume, FleetRoom
from mlops_dash.domain.fleet.rows import DECISIONS, TREND_WINDOWS, FleetModel, FleetRow, Traffic
from mlops_dash.domain.monitoring.judging import LONG_DAYS
from mlops_dash.domain.monitoring.past import Takeover, of_model, spans_of
from mlops_dash.domain.monitoring.readings import SCORE, Reading, estimate_from_row
from mlops_dash.domain.monitoring.words import headline_watch
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind, default_policy
from mlops_dash.domain.registry.conditions import Condition
from mlops_dash.domain.tasks import task_named
from mlops_dash.domain.words import Drift, Health, Progress
from mlops_dash.services.access import AccessService
from mlops_dash.services.command import Context, read
from mlops_dash.services.monitoring.room import current_health, lead, patience_of, staleness
from mlops_dash.store import conditions, registry
from mlops_dash.store import fleet as store
from mlops_dash.store.db import Session, reading
from mlops_dash.store.fleet import Window
from mlops_dash.store.monitoring.references import Reference

FAILURES_OF = timedelta(days=7)  # an older failure that nobody repeated is history
SHOWN_DECISIONS = 6


class FleetService:
    """What a lead sees first."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def room(self, actor: Actor) -> FleetRoom:
        """Everything the Overview shows, from a fixed number of statements whatever the number of models."""
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            facts = _read(session, now)
        with reading(self.context.databases.log) as log:
            names = [one.name for one in facts.models]
            traffic = store.traffic(log, names, since=now - timedelta(hours=24), until=now)
        waiting = AccessService(self.context).waiting(actor, reviews=facts.reviews)
        rows = fleet.by_severity([_row(one, facts, traffic[one.name], now) for one in facts.models])
        alerts = [one for one in facts.alerts if one.waits(now)]
        since = [*(one.opened_at for one in alerts), *(one.since for one in facts.proposals)]
        return FleetRoom(
            now=now,
            rows=rows,
            attention=attention(rows, facts.alerts, facts.proposals, facts.operations, facts.jobs, now, facts.reviews),
            snoozed=sum(one.quiet(now) for one in facts.alerts),
            waiting=waiting,
            proposals_open=len(facts.proposals),
            alerts_open=len(alerts),
            oldest_open=min(since, default=None),
            coverage=fleet.ripe_coverage([_readings(facts.days_of(one)) for one in facts.models]),
            volume=_volume(facts),
            decisions=facts.decisions,
            names=facts.names,
        )


@dataclass(frozen=True)
class _Facts:
    """What the app database says, from one snapshot."""

    models: tuple[FleetModel, ...]
    policies: Mapping[str, MonitoringPolicy]
    series: Mapping[str, tuple[Window, ...]]  # by model, of all its versions
    changes: Mapping[str, Sequence[tuple[datetime, str]]]
    bodies: Mapping[str, Mapping[str, Any]]
    trends: Mapping[str, Mapping[str, Sequence[Any]]]
    references: Mapping[str, Reference]
    alerts: tuple[OpenAlert, ...]
    proposals: tuple[OpenProposal, ...]
    operations: tuple[StuckOperation, ...]
    jobs: tuple[FailedJob, ...]
    reviews: tuple[Condition, ...]
    known: store.Known
    decisions: tuple[Entry, ...]
    names: Mapping[str, str]

    def own(self, model: FleetModel) -> tuple[Window, ...]:
        """The windows of the version in service."""
        return tuple(one for one in self.series.get(model.name, ()) if one.reading.version_id == model.version_id)

    def days_of(self, model: FleetModel) -> tuple[Window, ...]:
        """One window a day of the model, of the version that served it."""
        held = {(one.reading.version_id, one.reading.start): one for one in self.series.get(model.name, ())}
        spans = spans_of(self.changes.get(model.name, ()), serving=model.version_id, since=model.since)
        zone = self.policies[model.name].zone
        days = of_model([one.reading for one in held.values()], spans, serving=model.version_id, zone=zone)
        return tuple(held[one.version_id, one.start] for one in days)


def _read(session: Session, now: datetime) -> _Facts:
    models = store.models(session)
    own = store.monitoring_policies(session, now)
    series = store.series(session, before=now)
    live = {one.name: one.version_id for one in models}
    judged = [[one for one in series[name] if one.reading.version_id == live[name]] for name in series]
    spoken = {one.id for windows in judged if windows for one in _spoken_of(windows)}
    drawn = [one.id for windows in judged for one in windows[-TREND_WINDOWS:]]
    return _Facts(
        models=models,
        policies={
            one.name: (
                own.get(one.name)
                or default_policy(one.name, PolicyKind.MONITORING, task_named(one.task), window=one.cadence)
            ).monitoring
            for one in models
        },
        series=series,
        changes=store.changes(session),
        bodies=store.bodies(session, spoken),
        trends=store.trailing(session, drawn, LONG_DAYS),
        references=store.references(session),
        alerts=store.open_alerts(session),
        proposals=store.open_proposals(session, now),
        operations=store.stuck_operations(session),
        jobs=store.failed_jobs(session, since=now - FAILURES_OF),
        reviews=conditions.due(session, now),
        known=store.known(session),
        decisions=fleet.told_once(store.decisions(session, DECISIONS, limit=2 * SHOWN_DECISIONS))[:SHOWN_DECISIONS],
        names={one: name for one, name, _ in registry.people(session)},
    )


def _spoken_of(windows: Sequence[Window]) -> tuple[Window, ...]:
    """The windows whose bodies are needed: the last, the last with a known loss, the last that was judged for drift."""
    wanted = (windows[-1], _last(windows, _is_known), _last(windows, _is_judged))
    return tuple(one for one in wanted if one is not None)


def _is_known(one: Reading) -> bool:
    return one.ripe and one.n_labelled > 0  # only such a window has metrics


def _is_judged(one: Reading) -> bool:
    return one.n > 0 and one.drift is not Drift.NOT_COMPUTABLE


def _last(windows: Sequence[Window], fits: Any) -> Window | None:
    return next((one for one in reversed(windows) if fits(one.reading)), None)


def _readings(windows: Sequence[Window]) -> list[Reading]:
    return [one.reading for one in windows]


# --- one row ----------------------------------------------------------------------------------------------------------


def _row(model: FleetModel, facts: _Facts, traffic: Traffic, now: datetime) -> FleetRow:
    windows, reference = facts.own(model), facts.references.get(model.version_id)
    days = _readings(facts.days_of(model))
    reached = _reached(model, facts, traffic, judged=bool(windows))
    step = fleet.next_step(reached, model.version, elsewhere=model.elsewhere)
    policy = facts.policies[model.name]
    seen = traffic.last_at is not None
    row = FleetRow(
        model=model.name,
        title=model.title,
        version=model.version,
        health=Health.NOT_KNOWN,
        why=_why_nothing(model, reference, windows),
        zone=policy.zone,
        last_day=traffic.last_day if seen else None,
        last_at=traffic.last_at,
        last_label_at=traffic.last_label_at,
        deployed_at=model.since,
        reached=reached,
        next_step=step,
        usual_day=fleet.usual_volume(days),
        added_at=model.added_at,
        window=policy.cadence.name,
        labelled=reference is None or reference.labelled,
        referenced=reference is not None,
        elsewhere=model.elsewhere,
    )
    if reference is None or not days:
        return row
    taken = Takeover(model.replaced, model.version, model.since) if model.replaced and model.since else None
    if windows and days[-1].version_id == windows[-1].reading.version_id:
        days = [*days[:-1], replace(days[-1], body=facts.bodies[windows[-1].id])]
    row = replace(row, stale=staleness(days, now, policy), headline=lead(None, reference, taken, policy.zone))
    if not windows and row.headline:
        row = replace(row, why=Takeover.first(policy.cadence.name))
    return row if not windows else _judged(row, facts, windows, reference, policy, now, takeover=taken)


def _reached(model: FleetModel, facts: _Facts, traffic: Traffic, *, judged: bool) -> tuple[Progress, ...]:
    has = {
        Progress.REGISTERED: model.name in facts.known.registered,
        Progress.EVIDENCE: model.name in facts.known.with_evidence,
        Progress.PREDICTIONS: traffic.last_at is not None or judged,
        Progress.LABELS: traffic.last_label_at is not None,
        Progress.GATED: model.by_promotion,
    }
    return tuple(step for step in Progress if has[step])


def _why_nothing(model: FleetModel, reference: Reference | None, windows: Sequence[Window]) -> str:
    if not model.version:
        return "nothing is served yet"
    if reference is None:
        return f"v{model.version} has no reference"
    return "" if windows else "no complete day of traffic yet"


def _judged(
    row: FleetRow,
    facts: _Facts,
    windows: Sequence[Window],
    reference: Reference,
    policy: MonitoringPolicy,
    now: datetime,
    *,
    takeover: Takeover | None,
) -> FleetRow:
    """The same row with what its windows say, in the words and numbers of Monitoring."""
    readings = _readings(windows)
    latest = _whole(windows[-1], facts)
    known, judged = _last(windows, _is_known), _last(windows, _is_judged)
    told = latest if known is None else _whole(known, facts)
    health = current_health(latest, row.stale)
    watch = headline_watch(told)
    mean = reference.usual_loss(watch.key)
    inputs = () if judged is None else tuple(one.name for one in _whole(judged, facts).features() if one.name != SCORE)
    return replace(
        row,
        health=health,
        why=str(latest.body["why"]),
        headline=lead(told, reference, takeover, policy.zone),
        as_of=latest.end,
        metric=watch.key,
        metric_label=watch.label,
        decimals=watch.decimals,
        unit=str(told.body.get("unit", "")),
        higher_is_better=watch.higher,
        estimate=told.estimate(watch.key, LONG_DAYS),
        known_at=None if known is None else told.end,
        current=health is not Health.NOT_KNOWN
        and fleet.is_current(told.end, policy, now, patience=patience_of([latest], policy.cadence)),
        baseline=None if mean is None else watch.shown(mean),
        trend=tuple(_value(facts.trends.get(one.id, {}).get(watch.key)) for one in windows[-TREND_WINDOWS:]),
        moved=tuple(name for name in latest.body["moved"] if name != SCORE),
        n_inputs=len(inputs) or None,
        late=fleet.late_labels(readings, policy, now),
    )


def _whole(window: Window, facts: _Facts) -> Reading:
    return replace(window.reading, body=facts.bodies[window.id])


def _value(stored: Sequence[Any] | None) -> float | None:
    return None if stored is None else estimate_from_row(stored, LONG_DAYS).value


def _volume(facts: _Facts) -> tuple[DayVolume, ...]:
    """Rows and labels of the last days, all models together, by the day of each model's own zone."""
    rows: Counter[date] = Counter()
    labelled: Counter[date] = Counter()
    for model in facts.models:
        for one in _readings(facts.days_of(model)):
            day = day_of(one.start, facts.policies[model.name].zone)
            rows[day] += one.n
            labelled[day] += one.n_labelled
    return tuple(DayVolume(day, rows[day], labelled[day]) for day in sorted(rows)[-TREND_WINDOWS:])
