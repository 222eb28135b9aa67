"""From stored readings to what the Monitoring page shows: selection and wording, no statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops_dash.domain.calendar import day_of
from mlops_dash.domain.evidence import REGRESSION
from mlops_dash.domain.monitoring import HARM_WATCHES, LONG_DAYS, SHORT_DAYS, WATCHES
from mlops_dash.domain.monitoring_room import (
    HIGHER_IS_BETTER,
    METRIC_LABELS,
    METRICS_OF,
    AlertView,
    Band,
    DriftMap,
    FeatureDetail,
    NextAction,
    Performance,
    Point,
    ReferenceFacts,
    Tick,
)
from mlops_dash.domain.monitoring_words import (
    LABEL_MEAN,
    LABEL_RATE,
    day_words,
    headline_watch,
    most_moved,
    schema_title,
    since_words,
    value_sentence,
)
from mlops_dash.domain.readings import FeatureReading, Reading
from mlops_dash.domain.words import AlertState, Health, JobState
from mlops_dash.services.alerts import SEVERITY
from mlops_dash.store.alerts import Alert
from mlops_dash.store.monitoring import Surroundings
from mlops_dash.store.parts import Part, total
from mlops_dash.store.references import Reference

LONG_VIEW = 90  # days above which the line is the long trailing mean and the map goes by weeks
STALE_AFTER = timedelta(days=3)
RUNNING = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class Material:
    """What the read brought together."""

    version: str
    reference: Reference
    readings: tuple[Reading, ...]  # those shown, in order
    names: dict[str, str]  # version id -> number
    around: Surroundings
    alerts: tuple[Alert, ...]


def headline(reading: Reading, reference: Reference) -> str:
    """The sentence with numbers that the page begins with."""
    watch = headline_watch(reading)
    alarmed = reading.body["harm"].get(watch.key, {}).get("alarmed")
    if reading.body["broken"] and not (alarmed and watch.harm):
        return f"{schema_title(reading)}."
    said = value_sentence(reading, watch, reference.baseline["watches"][watch.key]["mean"])
    since = since_words(reading, watch)
    return f"{said}; {since}." if said and since else f"{said}." if said else ""


def last_known(readings: Sequence[Reading]) -> Reading | None:
    """The latest window whose performance is known, so that a sentence about it can be said."""
    return next((one for one in reversed(readings) if one.body["metrics"]), None)


def staleness(readings: Sequence[Reading], now: datetime, zone: str) -> str:
    """Why what is shown is old; empty when it is not."""
    with_rows = [one for one in readings if one.n]
    if not with_rows:
        return "No predictions in this window."
    last = with_rows[-1]
    return "" if now - last.end <= STALE_AFTER else f"No predictions since {day_words(day_of(last.start, zone))}."


def current_health(reading: Reading, stale: str) -> Health:
    """The health word now: what was fine is not known once nothing comes in."""
    if stale and reading.health in (Health.OK, Health.INPUTS_MOVED):
        return Health.NOT_KNOWN
    return reading.health


def performance(material: Material, metric: str, *, long: bool) -> Performance:
    """One metric over time."""
    days = LONG_DAYS if long else SHORT_DAYS
    watch = next((one for one in WATCHES if one.key == metric), None)
    baseline, bound = _baseline(material.reference, metric), None
    if watch is not None:
        kept = material.reference.baseline["watches"][metric]
        bound = None if kept["bound"] is None else watch.shown(kept["bound"])
    points = tuple(
        Point(
            start=one.start,
            end=one.end,
            version=one.version,
            n=one.n,
            n_labelled=one.n_labelled,
            ripe=one.ripe,
            daily=one.body["day"].get(metric),
            trailing=one.estimate(metric, days),
            health=one.health,
        )
        for one in material.readings
    )
    drawn = [point for point in points if point.trailing is not None and point.trailing.value is not None]
    start, end = points[0].start, points[-1].end
    return Performance(
        metric=metric,
        label=METRIC_LABELS[metric],
        higher_is_better=metric in HIGHER_IS_BETTER,
        trailing_days=days,
        points=points,
        baseline=baseline,
        bound=bound,
        bound_is_harm=watch in HARM_WATCHES,
        awaiting_from=None if not drawn or drawn[-1].end >= end else drawn[-1].end,
        bands=_bands(material, start, end),
        ticks=_ticks(material, start, end),
        choices=METRICS_OF[material.reference.layout.task],
        decimals=2 if material.reference.layout.task == REGRESSION else 3,
        unit=str(material.readings[-1].body.get("unit", "")),
    )


def _baseline(reference: Reference, metric: str) -> float | None:
    if metric in (LABEL_RATE, LABEL_MEAN):
        return float(reference.baseline["prior"])
    watch = next((one for one in WATCHES if one.key == metric), None)
    if watch is not None:
        mean = reference.baseline["watches"][metric]["mean"]
        return None if mean is None else watch.shown(mean)
    value: float | None = reference.baseline["metrics"][metric][0]
    return value


def _bands(material: Material, start: datetime, end: datetime) -> tuple[Band, ...]:
    moves = material.around.moves
    found = []
    for i, move in enumerate(moves):
        until = moves[i + 1].at if i + 1 < len(moves) else None
        if move.at < end and (until is None or until > start):
            found.append(Band(material.names.get(move.to_version_id, "?"), move.at, until))
    if not moves and material.around.serving_since is not None:
        found.append(Band(material.version, material.around.serving_since, None))
    return tuple(found)


def _ticks(material: Material, start: datetime, end: datetime) -> tuple[Tick, ...]:
    alerts = [
        Tick(one.opened_at, "alert", one.title)
        for one in material.alerts
        if one.severity in ("critical", "warning") and one.version == material.version
    ]
    retrains = [
        Tick(one.at, "retrain", "Retrain") for one in material.around.retrains if one.state is JobState.SUCCEEDED
    ]
    moves = []
    for move in material.around.moves:
        kind, said = ("rollback", "Rolled back to") if move.kind == "rollback" else ("promote", "Promoted")
        moves.append(Tick(move.at, kind, f"{said} v{material.names.get(move.to_version_id, '?')}"))
    inside = [tick for tick in alerts + retrains + moves if start <= tick.at <= end + timedelta(days=2)]
    return tuple(sorted(inside, key=lambda tick: tick.at))


def drift_map(readings: Sequence[Reading], *, long: bool) -> DriftMap:
    """Excess PSI of every column: each day the week that ends there; in a long view every seventh day."""
    step = SHORT_DAYS if long else 1
    shown = list(readings)[::-1][::step][::-1]
    features = [{one.name: one for one in reading.features()} for reading in shown]
    peak: dict[str, float] = {}
    for of_window in features:
        for name, one in of_window.items():
            peak[name] = max(peak.get(name, 0.0), one.excess or 0.0)
    columns = tuple(sorted(peak, key=lambda name: (-peak[name], name)))
    cells = [[of_window.get(name) for of_window in features] for name in columns]
    return DriftMap(
        step_days=step,
        starts=tuple(one.end - timedelta(days=SHORT_DAYS) for one in shown),
        ends=tuple(one.end for one in shown),
        columns=columns,
        excess=tuple(tuple(_excess(one) for one in row) for row in cells),
        verdicts=tuple(tuple(one.verdict for one in row if one is not None) for row in cells),
    )


def _excess(reading: FeatureReading | None) -> float | None:
    """What the map shows: nothing where the window could not be judged, and never less than 0."""
    if reading is None or reading.excess is None or str(reading.verdict) == "not_computable":
        return None
    return max(0.0, reading.excess)


def ranked(reading: Reading) -> tuple[FeatureReading, ...]:
    """The columns of a window by excess PSI, those that could not be computed last."""
    every = reading.features()
    known = most_moved(every)
    return (*known, *(one for one in every if one.excess is None))


def detail(reference: Reference, reading: FeatureReading, week: Sequence[Part]) -> FeatureDetail:
    """Shares by cell, reference beside live."""
    layout = reference.layout
    past = total(layout, reference.windows).histogram(layout, reading.name)
    live = total(layout, week).histogram(layout, reading.name)
    return FeatureDetail(
        reading=reading,
        labels=layout.columns[reading.name].labels,
        reference=tuple(float(c) / max(1, past.present) for c in past.counts),
        live=tuple(float(c) / max(1, live.present) for c in live.counts),
        n_reference=past.n,
        n_live=live.n,
    )


def alert_views(alerts: Sequence[Alert], *, most: int = 12) -> tuple[AlertView, ...]:
    """Alerts as the page lists them: not closed first, critical before warning before notice."""
    order = {severity: i for i, severity in enumerate(dict.fromkeys(SEVERITY.values()))}
    ranked_alerts = sorted(
        alerts,
        key=lambda one: (
            one.state is AlertState.CLOSED,
            0 if one.state is AlertState.CLOSED else order.get(one.severity, 9),
            -one.opened_at.timestamp(),
        ),
    )
    return tuple(
        AlertView(
            id=one.id,
            kind=one.kind,
            severity=one.severity,
            state=one.state,
            version=one.version,
            title=one.title,
            cause=one.cause,
            opened_at=one.opened_at,
            last_seen_at=one.last_seen_at,
            closed_at=one.closed_at,
            owner=one.owner,
            snoozed_until=one.snoozed_until,
            last_answer=_answer(one),
        )
        for one in ranked_alerts[:most]
    )


def _answer(alert: Alert) -> str:
    answers = alert.body.get("answers") or []
    return f"{answers[-1]['who'].removeprefix('user:')}: {answers[-1]['reason']}" if answers else ""


def next_action(health: Health, material: Material) -> NextAction:
    """The next best action from the state of things, not from the health word alone."""
    alert = next(
        (
            one
            for one in alert_views(material.alerts)
            if one.state is not AlertState.CLOSED and one.severity != "notice"
        ),
        None,
    )
    alert_id = None if alert is None else alert.id
    if any(one.state in RUNNING for one in material.around.retrains):
        return NextAction("follow", "Follow the retrain", "retraining", {}, alert_id)
    if material.around.waiting is not None:
        version = material.names.get(material.around.waiting, "")
        parameters = {"model": material.reference.model, "version": version}
        return NextAction("review", f"Review v{version}", "registry", parameters, alert_id)
    if health in (Health.HARMED, Health.AT_RISK) and material.around.recipes:
        return NextAction("retrain", "Start retrain", "", {}, alert_id)
    return NextAction("none", alert_id=alert_id)


def reference_facts(reference: Reference) -> ReferenceFacts:
    """What live traffic is compared with, in short."""
    return ReferenceFacts(
        start=reference.start,
        end=reference.end,
        n_rows=reference.n_rows,
        n_days=len(reference.windows),
        n_weeks=int(reference.baseline["swing"]["k"]),
        method=reference.method,
        label_rate=float(reference.baseline["prior"]),
    )
