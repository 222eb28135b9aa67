"""From what the Monitoring and Registry pages show to the facts of a weekly review: selection, no statistics.

Plain JSON, so that the sha256 of the facts means the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain.audit import Entry, title, who
from mlops_dash.domain.audit_words import sentence
from mlops_dash.domain.monitoring.judging import LONG_DAYS
from mlops_dash.domain.monitoring.readings import SCORE, Estimate, FeatureReading, Reading
from mlops_dash.domain.monitoring.room import AlertView, MonitoringRoom, Performance, Point
from mlops_dash.domain.monitoring.words import task_of
from mlops_dash.domain.registry.gates import Gate, Measure
from mlops_dash.domain.registry.records import RegistryRoom
from mlops_dash.domain.reports.snapshot import WEEK_DAYS, ReportKind, Week
from mlops_dash.domain.tasks import METRICS
from mlops_dash.domain.words import Drift, plainly

CHART_DAYS = 91
CHART_HOURS = 168
MOST_COLUMNS = 8
MOST_EVENTS = 30
FORMAT = 1  # of the facts; another number is another shape


def weekly_facts(
    monitoring: MonitoringRoom, registry: RegistryRoom, week: Week, *, told: Reading | None, entries: Sequence[Entry]
) -> dict[str, Any]:
    """The facts of a weekly review, JSON-able.

    Args:
        monitoring: The Monitoring page's read up to the end of the week.
        registry: The Registry page's read of the same model.
        week: The week.
        told: The latest judged window up to the end of the week whose losses are known.
        entries: The ledger's entries about the model in the week.
    """
    data = monitoring.performance
    inside = [] if data is None else [point for point in data.points if week.holds(point.start)]
    champion = registry.line_of(None if registry.champion is None else registry.champion.id)
    gates = () if champion is None else champion.gates
    return {
        "kind": str(ReportKind.WEEKLY),
        "format": FORMAT,
        "model": model_facts(registry),
        "week": {"start": week.start.isoformat(), "end": week.end.isoformat(), "zone": week.zone},
        **_cadence(monitoring),
        "judged_until": iso(monitoring.until),
        "verdict": {
            "health": str(monitoring.health),
            "headline": monitoring.headline,
            "why": monitoring.why,
            "stale": monitoring.stale,
            "empty": monitoring.empty,
            "next": monitoring.empty_next,
        },
        "version": _version(registry),
        "served": _served(registry, week),
        "rows": {
            "n": sum(point.n for point in inside),
            "labelled": sum(point.n_labelled for point in inside),
            "days": len(inside),
            "ripe_days": sum(point.ripe for point in inside),
        },
        "label_rate": _estimate(monitoring.label_rate),
        "reference": _reference(monitoring),
        "performance": None if data is None else _performance(data),
        "metrics": _metrics(told),
        "inputs": _inputs(monitoring),
        "alerts": [_alert(one) for one in monitoring.alerts if _concerns(one, week)],
        "proposals": _proposals(registry),
        "gates": [gate_facts(gate, registry.label_unit) for gate in gates],
        "happened": _happened(monitoring, entries, week),
        "ledger": [ledger_row(one) for one in entries if week.holds(one.at)],
        "watch": {
            "alpha": monitoring.alpha,
            "restarts": monitoring.restarts,
            "watch_excess": monitoring.watch_excess,
            "drift_excess": monitoring.drift_excess,
            "policy": "" if told is None else str(told.body.get("policy", "")),
        },
    }


def _cadence(monitoring: MonitoringRoom) -> dict[str, Any]:
    """What is judged as one and what rows are taken to belong to; nothing of days, whose words stand elsewhere."""
    if monitoring.judged_by == "day":
        return {}
    return {"cadence": {"window": monitoring.judged_by, "cluster": monitoring.cluster, "basis": monitoring.basis}}


def model_facts(registry: RegistryRoom) -> dict[str, Any]:
    """What a report says of its model."""
    model = registry.model
    return {"name": model.name, "title": model.title, "owner": model.owner, "tier": model.tier}


def ledger_row(one: Entry) -> dict[str, Any]:
    """An entry of the ledger: what it says, and its seal."""
    return {"number": one.number, "at": iso(one.at), "what": title(str(one.action)), "who": who(one.actor),
            "sentence": sentence(one), "why": one.reason, "mac": one.mac}  # fmt: skip


def iso(at: datetime | None) -> str | None:
    """A moment as ISO 8601."""
    return None if at is None else at.isoformat()


def _estimate(one: Estimate | None) -> dict[str, Any] | None:
    return None if one is None else dict(vars(one))


def _version(registry: RegistryRoom) -> dict[str, Any] | None:
    one = registry.champion
    if one is None:
        return None
    return {
        "number": one.version,
        "label": one.label,
        "artifact": one.artifact_digest,
        "data": one.data_digest,
        "recipe": one.recipe,
        "training_start": iso(one.training_start),
        "training_end": iso(one.training_end),
        "since": None if registry.serving is None else iso(registry.serving.since),
    }


def _served(registry: RegistryRoom, week: Week) -> list[dict[str, Any]]:
    return [
        {"label": one.label, "since": iso(one.since), "until": iso(one.until)}
        for one in registry.reigns
        if one.since < week.end and (one.until is None or one.until > week.start)
    ]


def _reference(monitoring: MonitoringRoom) -> dict[str, Any] | None:
    one = monitoring.reference
    if one is None:
        return None
    return {**vars(one), "start": iso(one.start), "end": iso(one.end)}


def _performance(data: Performance) -> dict[str, Any]:
    points = data.points[-(CHART_HOURS if data.window == "hour" else CHART_DAYS) :]
    start, end = points[0].start, points[-1].end
    last = data.last
    known = [
        point
        for point in data.points
        if point.trailing is not None and point.trailing.value is not None
        and last is not None and point.version == last.version  # another version's loss is no "before" of this one
    ]  # fmt: skip
    back = WEEK_DAYS
    if data.window != "day" and known:  # windows of another length: so many as lie within the week before
        back = max(1, sum(one.start >= known[-1].start - timedelta(days=WEEK_DAYS) for one in known[:-1]))
    before = known[-1 - back] if len(known) > back else None
    return {
        "metric": data.metric,
        **({} if plainly("auc", data.positive) == plainly("auc") else {"positive": data.positive}),
        "label": data.label,
        "higher_is_better": data.higher_is_better,
        "trailing_days": data.trailing_days,
        "decimals": data.decimals,
        "unit": data.unit,
        "now": None if last is None else _told(last),
        "week_before": None if before is None else _told(before) | ({} if back == WEEK_DAYS else {"back": back}),
        "reference": data.baseline,
        "bound": data.bound,
        "bound_is_harm": data.bound_is_harm,
        "awaiting_from": iso(data.awaiting_from),
        "points": [_point(point) for point in points],
        "bands": [
            {"version": one.version, "start": iso(max(one.start, start)), "end": iso(one.end)}
            for one in data.bands
            if one.start < end and (one.end is None or one.end > start)
        ],
        "ticks": [
            {"at": iso(one.at), "kind": one.kind, "text": one.text} for one in data.ticks if start <= one.at < end
        ],
    }


def _told(point: Point) -> dict[str, Any]:
    return {**vars(point.trailing), "until": iso(point.end)}


def _point(point: Point) -> list[Any]:
    """Day, rows, labelled rows, the day alone, and the trailing mean with its interval."""
    mean = point.trailing
    known = (None, None, None) if mean is None else (mean.value, mean.low, mean.high)
    return [point.start.isoformat(), point.n, point.n_labelled, point.daily, *known]


def _metrics(told: Reading | None) -> list[dict[str, Any]]:
    if told is None:
        return []
    found = []
    for charted in task_of(told).choices:
        one = told.estimate(charted.key, LONG_DAYS)
        if one is not None:
            source = f"reading {told.body.get('metrics_key', '')}, revision {told.revision}"
            named = {"metric": charted.key, "label": charted.label}
            found.append({**named, **vars(one), "until": told.end.isoformat(), "source": source})
    return found


def _inputs(monitoring: MonitoringRoom) -> dict[str, Any]:
    every = monitoring.features
    shown = [one for one in every if one.flagged]
    shown += [one for one in every if not one.flagged and one.psi is not None][: max(0, MOST_COLUMNS - len(shown))]
    return {
        "start": iso(monitoring.features_start),
        "end": iso(monitoring.features_end),
        "watched": sum(one.name != SCORE for one in every),
        "moved": list(monitoring.moved),
        "beyond": [one.name for one in every if one.flagged],
        "not_computable": sum(one.verdict is Drift.NOT_COMPUTABLE for one in every),
        "unjudged": monitoring.unjudged,
        "columns": [_column(one) for one in shown],
        "odd": list(monitoring.odd),
    }


def _column(one: FeatureReading) -> dict[str, Any]:
    return {**vars(one), "verdict": str(one.verdict)}


def _concerns(one: AlertView, week: Week) -> bool:
    """Whether an alert was open at some time of the week."""
    return one.opened_at < week.end and (one.closed_at is None or one.closed_at >= week.start)


def _alert(one: AlertView) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "severity": one.severity,
        "state": str(one.state),
        "version": one.version,
        "title": one.title,
        "cause": one.cause,
        "opened_at": iso(one.opened_at),
        "closed_at": iso(one.closed_at),
        "owner": who(one.owner),
        "last_answer": one.last_answer,
    }


def _proposals(registry: RegistryRoom) -> list[dict[str, Any]]:
    """The proposals that wait now, whenever they were made: a reader of the review is who may act on them."""
    own = registry.proposal
    known = [*([] if own is None else [own]), *registry.other_proposals]
    found = []
    for one in known:
        line = registry.line_of(one.version_id)
        if not one.is_open(registry.now) or line is None:
            continue
        found.append(
            {
                "version": line.version.label,
                "state": str(one.state),
                "proposer": registry.name_of(one.proposer),
                "since": iso(one.created_at),
                "comment": one.comment,
                "against": line.against,
                "gates": [gate_facts(gate, registry.label_unit) for gate in line.gates],
            }
        )
    return found


def gate_facts(gate: Gate, label_unit: str) -> dict[str, Any]:
    """A gate with its measures; numbers in the unit of the labels say it."""
    return {
        "name": gate.name,
        "state": str(gate.state),
        "required": gate.required,
        "reason": gate.reason,
        "measures": [_measure(one, label_unit) for one in gate.measures],
    }


def _measure(one: Measure, label_unit: str) -> dict[str, Any]:
    unit = METRICS[one.metric].unit_of(label_unit) if one.metric in METRICS else one.unit
    told = {**vars(one), "state": str(one.state), "decimals": one.decimals, "unit": unit}
    if not one.measured_at:
        del told["measured_at"]  # only checks of recipes say it: what was kept before keeps its hash
    return told


def _happened(monitoring: MonitoringRoom, entries: Sequence[Entry], week: Week) -> dict[str, Any]:
    """Decisions from the ledger, alerts that opened or closed, and retrains that ended, in order of time."""
    events = [
        (one.at, {"what": title(str(one.action)), "about": one.object, "who": who(one.actor), "why": one.reason,
                  "entry": one.number})
        for one in entries
        if week.holds(one.at)
    ]  # fmt: skip
    for alert in monitoring.alerts:
        for at, verb in ((alert.opened_at, "Alert opened"), (alert.closed_at, "Alert closed")):
            if at is not None and week.holds(at):
                events.append((at, {"what": verb, "about": alert.title, "who": "monitoring", "why": "", "entry": None}))
    ticks = () if monitoring.performance is None else monitoring.performance.ticks
    events += [
        (one.at, {"what": "Retrain finished", "about": monitoring.model, "who": "worker", "why": "", "entry": None})
        for one in ticks
        if one.kind == "retrain" and week.holds(one.at)
    ]
    ordered = sorted(events, key=lambda event: (event[0], event[1]["entry"] or 0, event[1]["what"]))
    shown = ordered[-MOST_EVENTS:]
    return {
        "events": [{"at": at.isoformat(), **said} for at, said in shown],
        "more": len(ordered) - len(shown),
    }
