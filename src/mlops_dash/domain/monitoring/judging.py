"""How is a monitored window judged? Rules over measured numbers: drift, usual swing, harm, health, when an alert lives.

Measuring is `stats`' work, rows and storage are `store`'s; what a judged window holds is in `readings`,
what the page gets in `monitoring_room`.
Drift alone never goes beyond "inputs moved"; only harm, signs of harm or a broken schema make amber or red.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from mlops_dash.domain.cadence import MIN_WINDOWS, Cadence, plural_of
from mlops_dash.domain.monitoring.rates import INTERVAL, judge_rate, p_of_rate
from mlops_dash.domain.monitoring.readings import Estimate, FeatureReading, inputs_said, known, words_of
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.tasks.task import ModelTask, Watch
from mlops_dash.domain.words import Drift, Health
from mlops_dash.stats.drift import ColumnDrift, UsualSwing, benjamini_hochberg
from mlops_dash.stats.intervals import ratio
from mlops_dash.stats.performance import cluster_estimate
from mlops_dash.stats.sequential import HarmReference, HarmUnit, harm_alarm, harm_reference

SHORT_DAYS = 7  # names of the short and the long span of windows in stored readings; other cadences have others
LONG_DAYS = 28
USUAL_TIMES = 4.0  # with fewer: a column must move so many times its usual swing to be watched (the rank rule's price)
SMALL_WINDOW = 300
MISSING_FLOOR = 0.02  # points of missing share beyond the reference's own windows
UNSEEN_FLOOR = 0.02
NO_LABELS = "the reference has no labels, so nothing says how good the answers are"
GONE = 0.99  # a column with fewer values than this is a broken schema


def judge_columns(
    policy: MonitoringPolicy, drifts: Sequence[ColumnDrift], swing: UsualSwing | None
) -> tuple[FeatureReading, ...]:
    """Judge all columns of one window together: effect floor, false-discovery rate, and the reference's own swing.

    Without a swing (two bare files) rows are taken as independent; whoever shows the verdicts says so.
    """
    enough = [_too_few(policy, drift) == "" for drift in drifts]
    q = benjamini_hochberg([d.p_value if ok else p_of_rate(policy, d) for d, ok in zip(drifts, enough, strict=True)])
    limit = math.nan if swing is None else swing.ratio_limit(level=policy.rank_level)
    return tuple(_judge(policy, d, float(q[i]), swing, limit) for i, d in enumerate(drifts))


def _judge(
    policy: MonitoringPolicy, drift: ColumnDrift, q: float, swing: UsualSwing | None, limit: float
) -> FeatureReading:
    ratio, usual, windows = math.nan, math.nan, 0
    if swing is not None:
        ratio, windows = swing.ratio(drift.name, drift.psi), swing.k_windows
        usual = swing.usual_psi.get(drift.name, math.nan)
    knows_swing = windows >= MIN_WINDOWS
    reason, rate = _too_few(policy, drift), judge_rate(policy, drift, q)
    if rate is not None and (reason or rate[0] is Drift.DRIFT):
        verdict, reason = rate
    elif reason:
        verdict = Drift.NOT_COMPUTABLE
    elif not (q < policy.alpha and drift.excess >= policy.watch_excess):
        verdict = Drift.STABLE
    elif swing is None:
        verdict = Drift.DRIFT if drift.excess >= policy.drift_excess else Drift.WATCH
    elif not knows_swing and math.isnan(ratio):
        verdict, reason = Drift.WATCH, policy.cadence.unknown_swing(windows)
    elif not ratio > (limit if knows_swing else USUAL_TIMES):
        needed = limit if knows_swing else USUAL_TIMES
        verdict, reason = Drift.STABLE, f"within its usual swing: {ratio:.1f} times the usual PSI, limit {needed:.1f}"
    elif not knows_swing:
        verdict, reason = Drift.WATCH, f"usual swing roughly known: {windows} reference weeks"
    else:
        verdict = Drift.DRIFT if drift.excess >= policy.drift_excess else Drift.WATCH
    if not reason and drift.n_current < SMALL_WINDOW:
        reason = f"small window: {drift.n_current} rows"
    return FeatureReading(
        name=drift.name,
        kind=drift.kind,
        verdict=verdict,
        psi=known(drift.psi),
        excess=known(drift.excess),
        low=known(drift.psi_low),
        high=known(drift.psi_high),
        usual=known(usual),
        ratio=known(ratio),
        q=known(q),
        missing_reference=known(drift.missing_reference),
        missing=known(drift.missing_current),
        unseen=known(drift.unseen),
        out_of_range=known(drift.out_of_range),
        n=drift.n_current,
        reason=reason,
    )


def _too_few(policy: MonitoringPolicy, drift: ColumnDrift) -> str:
    if drift.reason:
        return drift.reason
    if drift.n_current < policy.min_rows:
        return f"not enough rows: {drift.n_current}, at least {policy.min_rows}"
    if drift.n_reference < policy.min_reference_rows:
        return f"not enough reference rows: {drift.n_reference}, at least {policy.min_reference_rows}"
    return ""


def broken_columns(
    policy: MonitoringPolicy, missing: Mapping[str, float], *, usual: Mapping[str, float], n: int
) -> tuple[str, ...]:
    """Columns of a day that arrive without values although the reference has them: they make the model "at risk"."""
    if n < policy.min_rows:
        return ()
    return tuple(name for name, share in missing.items() if share >= GONE and usual.get(name, 0.0) < GONE)


def oddities(
    readings: Iterable[FeatureReading], *, usual: Mapping[str, float], expected_unseen: Mapping[str, float]
) -> tuple[str, ...]:
    """Say in sentences what is odd about missing and unseen values of a window.

    Args:
        readings: Columns of the window.
        usual: Highest missing share of the reference's own windows, by column.
        expected_unseen: Share of unseen levels expected without change, by column.
    """
    odd: list[str] = []
    for reading in readings:
        most, missing = usual.get(reading.name, 0.0), reading.missing or 0.0
        if missing >= most + MISSING_FLOOR:
            odd.append(f"{reading.name}: {missing:.1%} missing, at most {most:.1%} in a reference week")
        unseen, expected = reading.unseen or 0.0, expected_unseen.get(reading.name, 0.0)
        if unseen >= expected + UNSEEN_FLOOR:
            odd.append(f"{reading.name}: {unseen:.1%} of values never seen in the reference, {expected:.1%} expected")
    return tuple(odd)


def too_short(readings: Sequence[FeatureReading], windows: int, cadence: Cadence) -> tuple[FeatureReading, ...]:
    """The columns of a week, or a day of hours, that is not whole yet: part of a season says nothing about drift."""
    reason = f"{windows} of {cadence.short} {plural_of(cadence.name)} so far"
    return tuple(replace(one, verdict=Drift.NOT_COMPUTABLE, reason=reason) for one in readings)


def window_drift(readings: Iterable[FeatureReading]) -> Drift:
    """The word of a whole window: that of its most moved column; "stable" only where every column could be judged."""
    verdicts = {reading.verdict for reading in readings}
    for word in (Drift.DRIFT, Drift.WATCH):
        if word in verdicts:
            return word
    if Drift.NOT_COMPUTABLE not in verdicts and verdicts:
        return Drift.STABLE
    return Drift.PARTLY_STABLE if Drift.STABLE in verdicts else Drift.NOT_COMPUTABLE


def moved(policy: MonitoringPolicy, recent: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Columns flagged in enough of the last windows (hysteresis), sorted.

    Args:
        policy: `hysteresis_need` of `hysteresis_of`.
        recent: Flagged columns of the windows up to now, latest last, without overlap.

    >>> moved(MonitoringPolicy(), [["temp"], [], ["temp", "dest"]])
    ('temp',)
    """
    last = recent[-policy.hysteresis_of :]
    names = {name for window in last for name in window}
    return tuple(sorted(n for n in names if sum(n in window for window in last) >= policy.hysteresis_need))


def harm_baseline(policy: MonitoringPolicy, task: ModelTask, watch: Watch, units: Sequence[HarmUnit]) -> HarmReference:
    """What is a normal loss, from reference units; with few units the tolerance is doubled.

    With few weeks or months their rows are taken as independent, and the tolerance is the size an effect must have.
    """
    mean = sum(unit.mean for unit in units) / len(units) if units else 0.0
    tolerance = policy.harm_tolerance_auc if watch.in_points else policy.harm_tolerance_share * mean
    tolerance *= 1 if len(units) >= policy.cadence.full else 2
    return harm_reference(
        units, tolerance=tolerance, alpha=task.alpha_of(watch, policy.alpha), of_rows=not policy.cadence.is_daily
    )


@dataclass(frozen=True)
class HarmDay:
    """Where the harm alarm stands after one unit.

    Attributes:
        first: Number of the unit's first day.
        last: Number of its last day.
        mean: Mean loss of the unit.
        level: Evidence as a share of the alarm's threshold (capped at 1,000).
        alarmed: Whether an alarm is on.
        since: Day on which it became worse, "worse since about"; None without an alarm.
        alarm: Day of the alarm; None without one.
        restarts: How often the sequence began again before this unit.
    """

    first: int
    last: int
    mean: float
    level: float
    alarmed: bool
    since: int | None
    alarm: int | None
    restarts: int


def harm_course(
    policy: MonitoringPolicy,
    reference: HarmReference,
    units: Sequence[HarmUnit],
    *,
    restarts: Sequence[int] = (),
) -> tuple[HarmDay, ...]:
    """Follow the harm alarm over all ripe units, through its restarts.

    A person restarts it on a day; it restarts itself when an alarm is over: the mean of the last units (28 days) lies
    below the bound with its whole interval (a bound inside the interval is "cannot tell", never green), in
    `hysteresis_need` of `hysteresis_of` units after the alarm. Each restart spends another alpha, and is counted.

    Args:
        policy: Hysteresis.
        reference: From `harm_baseline`.
        units: Ripe units in order.
        restarts: Days on which a person restarted the alarm.
    """
    if not reference.computable:
        return ()
    course: list[HarmDay] = []
    means = [unit.mean for unit in units]
    back = [means[max(0, i + 1 - policy.cadence.long) : i + 1] for i in range(len(units))]
    below = {unit.last: _high(held) < reference.bound for unit, held in zip(units, back, strict=True)}
    cuts = sorted({_first_at(units, day) for day in restarts} - {0, len(units)})
    for start, end in zip([0, *cuts], [*cuts, len(units)], strict=True):
        part = list(units[start:end])
        begun = course[-1].restarts + 1 if course else 0
        while part:
            days, over = _until_over(policy, reference, part, below, begun)
            course.extend(days)
            part, begun = part[over:], begun + 1
    return tuple(course)


def _high(means: Sequence[float]) -> float:
    """Upper end of the interval of a mean over units; infinite where none can be made."""
    sums = np.column_stack([means, np.ones(len(means))])
    found = cluster_estimate(sums, lambda s: ratio(s[..., 0], s[..., 1]), n=len(means), level=INTERVAL, unit="days")
    return found.high if found.computable else math.inf


def _first_at(units: Sequence[HarmUnit], day: int) -> int:
    return next((i for i, unit in enumerate(units) if unit.first >= day), len(units))


def _until_over(
    policy: MonitoringPolicy,
    reference: HarmReference,
    units: Sequence[HarmUnit],
    below: Mapping[int, bool],
    restarts: int,
) -> tuple[list[HarmDay], int]:
    state = harm_alarm(reference, units)
    alarm = state.alarm_index
    end = len(units) if alarm is None else _recovery(policy, [below[unit.last] for unit in units], alarm)
    since = None if state.since_index is None else units[state.since_index].first
    days = [
        HarmDay(
            first=unit.first,
            last=unit.last,
            mean=unit.mean,
            level=min(1_000.0, state.series[i] / state.threshold),
            alarmed=alarm is not None and i >= alarm,
            since=since if alarm is not None and i >= alarm else None,
            alarm=units[alarm].last if alarm is not None and i >= alarm else None,
            restarts=restarts,
        )
        for i, unit in enumerate(units[:end])
    ]
    return days, end


def _recovery(policy: MonitoringPolicy, below: Sequence[bool], alarm: int) -> int:
    """First unit that is no longer in alarm, or how many units there are."""
    for i in range(alarm + policy.hysteresis_of, len(below)):
        if sum(below[i - policy.hysteresis_of + 1 : i + 1]) >= policy.hysteresis_need:
            return i
    return len(below)


@dataclass(frozen=True)
class HealthJudgement:
    """A health word and why."""

    health: Health
    why: str


def judge_health(
    task: ModelTask,
    *,
    harm: Mapping[str, HarmDay],
    trailing: Mapping[str, Estimate],
    references: Mapping[str, HarmReference],
    inputs_moved: Sequence[str],
    broken: Sequence[str],
    unjudged: str = "",
    labelled: bool = True,
    calm: str = "within their usual swing",
) -> HealthJudgement:
    """Put harm, signs of harm, a broken schema, shifted labels and moved inputs into one word.

    Unknown is never green: without a ripe unit of a harm watch nothing is known about harm. Where the reference itself
    has no labels, the word is about inputs, scores and schema alone, says so, and is never OK.

    Args:
        task: Of the model: which watches mean harm.
        harm: Where each watch's alarm stands, by key; absent before its first ripe unit.
        trailing: Shown value of each watch over the last ripe days.
        references: What is normal, by key.
        inputs_moved: Columns that moved, after hysteresis.
        broken: Columns that arrive without values.
        unjudged: Which columns could not be judged, from `unjudged`; "" when all could.
        labelled: Whether the reference has labels.
        calm: How inputs stand that did not move: their usual swing is not known of every reference.
    """
    ripe = any(watch.key in harm for watch in task.harm_watches)
    on = [watch for watch in task.followed if watch.key in harm and harm[watch.key].alarmed]
    if any(watch.harm for watch in on):
        return HealthJudgement(Health.HARMED, f"the harm alarm of {words_of([w.label for w in on if w.harm])} is on")
    if broken:
        return HealthJudgement(Health.AT_RISK, f"{words_of(broken)}: no values any more")
    warned = [watch.label for watch in task.harm_watches if _warned(watch, trailing, references)]
    if warned:
        return HealthJudgement(Health.AT_RISK, f"{words_of(warned)} beyond its bound, the alarm is not sure yet")
    if on:
        why = "the raw loss is above its bound; the base-rate-free losses raise no alarm"
        return HealthJudgement(Health.AT_RISK, why)
    if inputs_moved and not labelled:
        return HealthJudgement(Health.INPUTS_MOVED, f"{words_of(inputs_moved)} moved; {NO_LABELS}")
    if inputs_moved:
        but = f"; {unjudged}" if unjudged else ""
        so_far = "without harm so far" if ripe else "and no ripe labels yet to tell whether that harms"
        return HealthJudgement(Health.INPUTS_MOVED, f"{words_of(inputs_moved)} moved, {so_far}{but}")
    if not labelled:
        return HealthJudgement(Health.NOT_KNOWN, f"{inputs_said(unjudged, calm)}; {NO_LABELS}")
    if not ripe:
        return HealthJudgement(Health.NOT_KNOWN, "no ripe labels yet")
    return HealthJudgement(Health.OK, f"no harm, and {inputs_said(unjudged, calm)}")


def _warned(watch: Watch, trailing: Mapping[str, Estimate], references: Mapping[str, HarmReference]) -> bool:
    """Whether the trailing value is beyond the bound, and worse than the reference by its whole interval."""
    estimate, reference = trailing.get(watch.key), references.get(watch.key)
    if estimate is None or estimate.value is None or estimate.low is None or estimate.high is None:
        return False
    if reference is None or not reference.computable:
        return False
    if watch.higher:
        return estimate.value < 1.0 - reference.bound and estimate.high < 1.0 - reference.mean
    return estimate.value > reference.bound and estimate.low > reference.mean


@dataclass(frozen=True)
class Episode:
    """One life of an alert: opened at a window, last seen at one, and over at one (None: still on)."""

    kind: str
    first: datetime
    last: datetime
    over: datetime | None


def episodes(kind: str, windows: Sequence[tuple[datetime, bool]], *, quiet: int) -> tuple[Episode, ...]:
    """Find the stretches in which something was on; a stretch ends after `quiet` windows in a row without it.

    >>> day = lambda d: datetime(2013, 1, d)
    >>> found = episodes("inputs", [(day(1), True), (day(2), False), (day(3), True), (day(4), False)], quiet=2)
    >>> [(one.first.day, one.last.day, one.over) for one in found]
    [(1, 3, None)]
    """
    found: list[Episode] = []
    first = last = None
    silent = 0
    for start, on in windows:
        if on:
            first, last, silent = first or start, start, 0
        elif first is not None and last is not None:
            silent += 1
            if silent >= quiet:
                found.append(Episode(kind, first, last, start))
                first = last = None
    if first is not None and last is not None:
        found.append(Episode(kind, first, last, None))
    return tuple(found)
