"""From stored readings to what the Monitoring page shows: selection and wording, no statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from mlops_dash.domain import commands
from mlops_dash.domain.cadence import Cadence
from mlops_dash.domain.calendar import day_of, zone_of
from mlops_dash.domain.monitoring.answers import KINDS, waits_sentence
from mlops_dash.domain.monitoring.judging import LONG_DAYS, SHORT_DAYS
from mlops_dash.domain.monitoring.past import Takeover
from mlops_dash.domain.monitoring.readings import FeatureReading, Reading
from mlops_dash.domain.monitoring.room import (
    USUAL_DAYS,
    AlertView,
    Band,
    DriftMap,
    Limits,
    NextAction,
    Performance,
    Point,
    ReferenceFacts,
    Tick,
)
from mlops_dash.domain.monitoring.words import (
    day_words,
    headline_watch,
    most_moved,
    schema_title,
    since_words,
    value_sentence,
)
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import AlertState, Drift, Health, JobState
from mlops_dash.services.monitoring.alerting import SEVERITY
from mlops_dash.store.monitoring.alerts import Alert
from mlops_dash.store.monitoring.readings import Surroundings
from mlops_dash.store.monitoring.references import Reference

RUNNING = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class Material:
    """What the read brought together."""

    version: str
    reference: Reference
    readings: tuple[Reading, ...]  # those shown, in order: one a day, of the version that served it
    own: tuple[Reading, ...]  # those of the version in service, in order
    past: Mapping[str, Reference]  # by id: what the windows of replaced versions were compared with
    names: Mapping[str, str]  # version id -> number
    around: Surroundings
    alerts: tuple[Alert, ...]
    positive: str  # the outcome whose probability a classifier of two classes gives

    @property
    def takeover(self) -> Takeover | None:
        """From which version the one in service took over; None where that is not known."""
        return takeover_of(self.version, self.around, self.names)


def takeover_of(version: str, around: Surroundings, names: Mapping[str, str]) -> Takeover | None:
    """From which version the one in service took over; None where that is not known.

    Args:
        version: The one in service.
        around: Who served when.
        names: Version id -> number.
    """
    before = names.get(around.replaced or "")
    since = around.moves[-1].at if around.moves else None
    return None if before is None or since is None else Takeover(before, version, since)


def speaks_for_itself(own: Sequence[Reading], takeover: Takeover) -> bool:
    """Whether a window of the version that took over is judged with its outcomes."""
    told = last_known(own)
    return told is not None and told.end > takeover.at


def trailing(*, long: bool) -> int:
    """Under which key the estimates of a chart's line are kept."""
    return LONG_DAYS if long else SHORT_DAYS


def lead(told: Reading | None, reference: Reference, takeover: Takeover | None, zone: str) -> str:
    """The sentence that the page begins with: numbers of the version in service, or that there are none since when.

    Args:
        told: The last window of this version whose performance is known, else its last; None without any.
        reference: What this version is compared with.
        takeover: From which version it took over.
        zone: Of the monitor's days.
    """
    numbers = "" if told is None else headline(told, reference)
    if takeover is None or (told is not None and numbers and told.end > takeover.at):
        return numbers
    said = takeover.sentence(zone, known="nothing judged yet" if told is None else "")
    return f"{said} Last known of v{takeover.version}: {numbers}" if numbers else said


def headline(reading: Reading, reference: Reference) -> str:
    """A window's performance in a sentence with numbers."""
    watch = headline_watch(reading)
    alarmed = reading.body["harm"].get(watch.key, {}).get("alarmed")
    if reading.body["broken"] and not (alarmed and watch.harm):
        return f"{schema_title(reading)}."
    if not reference.labelled:
        return unlabelled_sentence(reading, reference)
    said = value_sentence(reading, watch, reference.usual_loss(watch.key))
    since = since_words(reading, watch)
    return f"{said}; {since}." if said and since else f"{said}." if said else ""


def unlabelled_sentence(reading: Reading, reference: Reference) -> str:
    """What is said in place of a performance where no outcome is known: what is watched, and what is not."""
    rows = f"{reading.n:,} {'row' if reading.n == 1 else 'rows'} in the last window"
    if reading.n_labelled:
        step = commands.reference_of_days(reference.model, reading.version, USUAL_DAYS)
        return f"{rows}; labels come now, and its reference has none. Choose one: {step} --replace --reason TEXT"
    return f"{rows}. No outcome is known: drift and volume are watched, the quality of the answers is not."


def last_known(readings: Sequence[Reading]) -> Reading | None:
    """The latest window whose performance is known, so that a sentence about it can be said."""
    return next((one for one in reversed(readings) if one.body["metrics"]), None)


def staleness(readings: Sequence[Reading], now: datetime, policy: MonitoringPolicy) -> str:
    """Why what is shown is old; empty when it is not: a batch a week is not old between two batches."""
    with_rows = [one for one in readings if one.n]
    if not with_rows:
        return "No predictions in this window."
    last, cadence = with_rows[-1], policy.cadence
    day = day_of(last.start, policy.zone)
    since = day_words(last.start.astimezone(zone_of(policy.zone)).isoformat() if cadence.is_hourly else day)
    return "" if now - last.end <= patience_of(with_rows, cadence) else f"No predictions since {since}."


def patience_of(readings: Sequence[Reading], cadence: Cadence) -> timedelta:
    """How long after its end a window is the last one without being old, as its judgement says."""
    kept = next((one.body["patience_hours"] for one in reversed(readings) if "patience_hours" in one.body), None)
    return cadence.patience if kept is None else timedelta(hours=float(kept))


def current_health(reading: Reading, stale: str) -> Health:
    """The health word now: what was fine is not known once nothing comes in."""
    if stale and reading.health in (Health.OK, Health.INPUTS_MOVED):
        return Health.NOT_KNOWN
    return reading.health


def performance(material: Material, metric: str, cadence: Cadence, *, long: bool) -> Performance:
    """One metric over time."""
    days = trailing(long=long)
    task = material.reference.layout.task
    charted = next(one for one in task.choices if one.key == metric)
    watch = next((one for one in task.followed if one.key == metric), None)
    limits = _limits(material, metric)
    points = tuple(_point(one, metric, days) for one in material.readings)
    shown = {one.start for one in material.readings if one.version_id == material.reference.version_id}
    silent = tuple(_point(one, metric, days) for one in material.own if one.start not in shown)
    drawn = [point for point in points if point.trailing is not None and point.trailing.value is not None]
    start, end = points[0].start, points[-1].end
    last = drawn[-1] if drawn else points[-1]
    baseline, bound = next(
        ((one.baseline, one.bound) for one in reversed(limits) if one.start <= last.start < one.end),
        _compared(material.reference, metric),
    )
    return Performance(
        metric=metric,
        label=charted.label,
        higher_is_better=charted.higher,
        trailing_days=cadence.long if long else cadence.short,
        window=cadence.name,
        points=points,
        limits=limits,
        baseline=baseline,
        bound=bound,
        bound_is_harm=watch in task.harm_watches,
        awaiting_from=None if not drawn or drawn[-1].end >= end else drawn[-1].end,
        bands=_bands(material, start, end),
        ticks=_ticks(material, start, end),
        choices=task.choices,
        decimals=charted.decimals,
        unit=str(material.readings[-1].body.get("unit", "")),
        silent=silent,
        positive=material.positive,
    )


def _point(reading: Reading, metric: str, days: int) -> Point:
    return Point(
        start=reading.start,
        end=reading.end,
        version=reading.version,
        n=reading.n,
        n_labelled=reading.n_labelled,
        ripe=reading.ripe,
        daily=reading.body["day"].get(metric),
        trailing=reading.estimate(metric, days),
        health=reading.health,
    )


def _limits(material: Material, metric: str) -> tuple[Limits, ...]:
    """What each stretch of windows of one version was compared with."""
    found = []
    for version_id, group in groupby(material.readings, key=lambda one: one.version_id):
        stretch = list(group)
        live = version_id == material.reference.version_id
        reference = material.reference if live else material.past.get(str(stretch[-1].body.get("reference")))
        if reference is None or reference.layout.task is not material.reference.layout.task:
            continue
        baseline, bound = _compared(reference, metric)
        found.append(Limits(stretch[0].version, stretch[0].start, stretch[-1].end, baseline, bound))
    return tuple(found)


def _compared(reference: Reference, metric: str) -> tuple[float | None, float | None]:
    """A metric in the reference, and the bound of its alarm."""
    watch = next((one for one in reference.layout.task.followed if one.key == metric), None)
    bound = None if watch is None else reference.baseline["watches"][metric]["bound"]
    return _baseline(reference, metric), None if watch is None or bound is None else watch.shown(bound)


def _baseline(reference: Reference, metric: str) -> float | None:
    task = reference.layout.task
    if metric == task.label_metric:
        return reference.prior
    watch = next((one for one in task.followed if one.key == metric), None)
    if watch is not None:
        mean = reference.usual_loss(metric)
        return None if mean is None else watch.shown(mean)
    value: float | None = reference.baseline["metrics"].get(metric, (None,))[0]
    return value


def _bands(material: Material, start: datetime, end: datetime) -> tuple[Band, ...]:
    spans, first = material.around.spans, material.readings[0]
    found = [Band(material.names.get(one.version_id, "?"), one.start, one.end) for one in spans]
    if spans and first.start < spans[0].start:  # who served before the first known change is known by its windows
        found.insert(0, Band(first.version, first.start, spans[0].start))
    return tuple(one for one in found if one.start < end and (one.end is None or one.end > start))


def _ticks(material: Material, start: datetime, end: datetime) -> tuple[Tick, ...]:
    alerts = [
        Tick(one.opened_at, "alert", one.title) for one in material.alerts if one.severity in ("critical", "warning")
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


def drift_map(readings: Sequence[Reading], cadence: Cadence, *, long: bool) -> DriftMap:
    """Excess PSI of every column: each day the week that ends there, each hour the day; without overlap where long.

    Every window is compared with the reference of its own version.
    """
    step = cadence.short if long else 1
    shown = list(readings)[::-1][::step][::-1]
    features = [{one.name: one for one in reading.features()} for reading in shown]
    peak: dict[str, float] = {}
    for of_window in features:
        for name, one in of_window.items():
            peak[name] = max(peak.get(name, 0.0), one.excess or 0.0)
    columns = tuple(sorted(peak, key=lambda name: (-peak[name], name)))
    cells = [[of_window.get(name) for of_window in features] for name in columns]
    return DriftMap(
        step_days=round(step * cadence.usual, 2),
        starts=tuple(span_start(one, cadence) for one in shown),
        ends=tuple(one.end for one in shown),
        columns=columns,
        excess=tuple(tuple(_excess(one) for one in row) for row in cells),
        verdicts=tuple(tuple(Drift.NOT_COMPUTABLE if one is None else one.verdict for one in row) for row in cells),
        took_over=tuple(
            (after.start, after.version) for before, after in pairwise(shown) if before.version_id != after.version_id
        ),
        window=cadence.name,
    )


def span_start(reading: Reading, cadence: Cadence) -> datetime:
    """Where the span begins whose drift a reading tells: of a day the week that ends there, of an hour the day."""
    return reading.start if cadence.short == 1 else reading.end - timedelta(days=cadence.short * cadence.usual)


def _excess(reading: FeatureReading | None) -> float | None:
    """What the map shows: nothing where the window could not be judged, and never less than 0."""
    if reading is None or reading.excess is None or str(reading.verdict) == "not_computable":
        return None
    return max(0.0, reading.excess)


def ranked(reading: Reading) -> tuple[FeatureReading, ...]:
    """The columns of a window: those that moved without a PSI, then by excess PSI, then what could not be judged."""
    every = reading.features()
    without = [one for one in every if one.excess is None]
    loud, quiet = ([one for one in without if one.flagged is flagged] for flagged in (True, False))
    return (*loud, *most_moved(every), *quiet)


def alert_views(alerts: Sequence[Alert], serving: str, *, most: int = 12) -> tuple[AlertView, ...]:
    """Alerts as the page lists them: not closed first, critical before warning before notice.

    Args:
        alerts: Of all versions of a model.
        serving: The version in service; open alerts of others wait for its verdict.
        most: How many at most.
    """
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
            waits=_waits(one, serving),
            feedback=str(one.body.get("feedback", "")),
        )
        for one in ranked_alerts[:most]
    )


def _waits(alert: Alert, serving: str) -> str:
    if alert.state is AlertState.CLOSED or alert.version == serving or alert.kind not in KINDS:
        return ""
    return waits_sentence(alert.kind, serving, refuted="refuted" in alert.body)


def _answer(alert: Alert) -> str:
    answers = alert.body.get("answers") or []
    return f"{answers[-1]['who'].removeprefix('user:')}: {answers[-1]['reason']}" if answers else ""


def next_action(health: Health, material: Material) -> NextAction:
    """The next best action from the state of things, not from the health word alone."""
    alert = next(
        (
            one
            for one in alert_views(material.alerts, material.version)
            if one.state is not AlertState.CLOSED and one.severity != "notice" and not one.waits
        ),
        None,
    )
    alert_id = None if alert is None else alert.id
    if any(one.state in RUNNING for one in material.around.retrains):
        return NextAction("follow", "Follow the retrain", "retraining", {"model": material.reference.model}, alert_id)
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
        n_days=reference.n_days,
        n_weeks=int(reference.baseline["swing"]["k"]),
        method=reference.method,
        label_rate=reference.prior,
        labelled=reference.labelled,
    )
