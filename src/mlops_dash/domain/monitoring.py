"""How is a monitored window judged? Rules over measured numbers: drift, usual swing, harm, health, when an alert lives.

Measuring is `stats`' work, rows and storage are `store`'s; what a judged window holds is in `readings`,
what the page gets in `monitoring_room`.
Drift alone never goes beyond "inputs moved"; only harm, signs of harm or a broken schema make amber or red.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.readings import Estimate, FeatureReading, known, words_of
from mlops_dash.domain.words import Drift, Health
from mlops_dash.stats.drift import ColumnDrift, UsualSwing, benjamini_hochberg
from mlops_dash.stats.sequential import HarmReference, HarmUnit, harm_alarm, harm_reference

SHORT_DAYS = 7  # trailing windows: a single day is one cluster and has no interval
LONG_DAYS = 28
MIN_WINDOWS = 20  # reference windows (K) below which the usual swing is unknown
FULL_WINDOWS = 28  # reference units below which the harm alarm wants twice the tolerance
SMALL_WINDOW = 300
MISSING_FLOOR = 0.02  # points of missing share beyond the reference's own windows
UNSEEN_FLOOR = 0.02
GONE = 0.99  # a column with fewer values than this is a broken schema
NO_SWING = "day-to-day variation unknown"


def judge_columns(
    policy: MonitoringPolicy, drifts: Sequence[ColumnDrift], swing: UsualSwing
) -> tuple[FeatureReading, ...]:
    """Judge all columns of one window together: effect floor, false-discovery rate, and the reference's own swing."""
    enough = [_too_few(policy, drift) == "" for drift in drifts]
    q = benjamini_hochberg([d.p_value if ok else math.nan for d, ok in zip(drifts, enough, strict=True)])
    limit = swing.ratio_limit(level=policy.rank_level)
    return tuple(_judge(policy, d, float(q[i]), swing, limit) for i, d in enumerate(drifts))


def _judge(policy: MonitoringPolicy, drift: ColumnDrift, q: float, swing: UsualSwing, limit: float) -> FeatureReading:
    ratio, knows_swing = swing.ratio(drift.name, drift.psi), swing.k_windows >= MIN_WINDOWS
    reason = _too_few(policy, drift)
    if reason:
        verdict = Drift.NOT_COMPUTABLE
    elif not (q < policy.alpha and drift.excess >= policy.watch_excess):
        verdict = Drift.STABLE
    elif not knows_swing:
        verdict, reason = Drift.WATCH, NO_SWING
    elif not ratio > limit:
        verdict, reason = Drift.STABLE, f"within its usual swing: {ratio:.1f} times the usual PSI, limit {limit:.1f}"
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
        usual=known(swing.usual_psi.get(drift.name, math.nan)),
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


def quality_of(
    policy: MonitoringPolicy,
    readings: Sequence[FeatureReading],
    *,
    usual_missing: Mapping[str, float],
    expected_unseen: Mapping[str, float],
    n: int,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Say in sentences what is odd about missing and unseen values.

    Args:
        policy: Minima.
        readings: Columns of one window.
        usual_missing: Highest missing share of the reference's own windows, by column.
        expected_unseen: Share of unseen levels expected without change, by column.
        n: Rows of the window.

    Returns:
        Broken columns (they make the model "at risk"), and sentences about odd ones.
    """
    broken: list[str] = []
    odd: list[str] = []
    if n < policy.min_rows:
        return (), ()
    for reading in readings:
        usual = usual_missing.get(reading.name, 0.0)
        missing = reading.missing or 0.0
        if missing >= GONE and usual < GONE:
            broken.append(reading.name)
        elif missing >= usual + MISSING_FLOOR:
            odd.append(f"{reading.name}: {missing:.1%} missing, at most {usual:.1%} on a reference day")
        unseen, expected = reading.unseen or 0.0, expected_unseen.get(reading.name, 0.0)
        if unseen >= expected + UNSEEN_FLOOR:
            odd.append(f"{reading.name}: {unseen:.1%} of values never seen in the reference, {expected:.1%} expected")
    return tuple(broken), tuple(odd)


def window_drift(readings: Iterable[FeatureReading]) -> Drift:
    """The word of a whole window: that of its most moved column."""
    verdicts = {reading.verdict for reading in readings}
    for word in (Drift.DRIFT, Drift.WATCH, Drift.STABLE):
        if word in verdicts:
            return word
    return Drift.NOT_COMPUTABLE


def moved(policy: MonitoringPolicy, recent: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Columns flagged in enough of the last windows (hysteresis), sorted.

    Args:
        policy: `hysteresis_need` of `hysteresis_of`.
        recent: Flagged columns of the windows up to now, latest last.

    >>> moved(MonitoringPolicy(), [["temp"], [], ["temp", "dest"]])
    ('temp',)
    """
    last = recent[-policy.hysteresis_of :]
    names = {name for window in last for name in window}
    return tuple(sorted(n for n in names if sum(n in window for window in last) >= policy.hysteresis_need))


def harm_baseline(policy: MonitoringPolicy, units: Sequence[HarmUnit]) -> HarmReference:
    """What is a normal loss, from reference units; with few units the tolerance is doubled."""
    mean = sum(unit.mean for unit in units) / len(units) if units else 0.0
    share = policy.harm_tolerance_share if len(units) >= FULL_WINDOWS else max(0.10, policy.harm_tolerance_share)
    return harm_reference(units, tolerance=share * mean, alpha=policy.alpha)


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
    trailing: Mapping[int, float],
    restarts: Sequence[int] = (),
) -> tuple[HarmDay, ...]:
    """Follow the harm alarm over all ripe units, through its restarts.

    A person restarts it on a day; it restarts itself when an alarm is over: the trailing loss lies below the bound in
    `hysteresis_need` of `hysteresis_of` units after the alarm. Each restart spends another alpha, and is counted.

    Args:
        policy: Hysteresis.
        reference: From `harm_baseline`.
        units: Ripe units in order.
        trailing: Trailing mean loss by number of the unit's last day.
        restarts: Days on which a person restarted the alarm.
    """
    if not reference.computable:
        return ()
    course: list[HarmDay] = []
    cuts = sorted({_first_at(units, day) for day in restarts} - {0, len(units)})
    for start, end in zip([0, *cuts], [*cuts, len(units)], strict=True):
        part = list(units[start:end])
        begun = course[-1].restarts + 1 if course else 0
        while part:
            days, over = _until_over(policy, reference, part, trailing, begun)
            course.extend(days)
            part, begun = part[over:], begun + 1
    return tuple(course)


def _first_at(units: Sequence[HarmUnit], day: int) -> int:
    return next((i for i, unit in enumerate(units) if unit.first >= day), len(units))


def _until_over(
    policy: MonitoringPolicy,
    reference: HarmReference,
    units: Sequence[HarmUnit],
    trailing: Mapping[int, float],
    restarts: int,
) -> tuple[list[HarmDay], int]:
    state = harm_alarm(reference, units)
    alarm = state.alarm_index
    end = len(units) if alarm is None else _recovery(policy, reference.bound, units, trailing, alarm)
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


def _recovery(
    policy: MonitoringPolicy, bound: float, units: Sequence[HarmUnit], trailing: Mapping[int, float], alarm: int
) -> int:
    """First unit that is no longer in alarm, or how many units there are."""
    below = [trailing.get(unit.last, math.inf) < bound for unit in units]
    for i in range(alarm + policy.hysteresis_of, len(units)):
        if sum(below[i - policy.hysteresis_of + 1 : i + 1]) >= policy.hysteresis_need:
            return i
    return len(units)


@dataclass(frozen=True)
class HealthJudgement:
    """A health word and why."""

    health: Health
    why: str


def judge_health(
    *,
    harm: HarmDay | None,
    no_harm_reason: str,
    trailing: Estimate | None,
    reference: HarmReference,
    inputs_moved: Sequence[str],
    broken: Sequence[str],
) -> HealthJudgement:
    """Put harm, signs of harm, a broken schema and moved inputs into one word. Unknown is never green."""
    if harm is not None and harm.alarmed:
        return HealthJudgement(Health.HARMED, "the harm alarm is on")
    if broken:
        return HealthJudgement(Health.AT_RISK, f"{words_of(broken)}: no values any more")
    if _warned(trailing, reference):
        return HealthJudgement(Health.AT_RISK, "the loss is above its bound, the alarm is not sure yet")
    if inputs_moved:
        return HealthJudgement(Health.INPUTS_MOVED, f"{words_of(inputs_moved)} moved, without harm so far")
    if harm is None:
        return HealthJudgement(Health.NOT_KNOWN, no_harm_reason or "no ripe labels yet")
    return HealthJudgement(Health.OK, "no harm, and inputs within their usual swing")


def _warned(trailing: Estimate | None, reference: HarmReference) -> bool:
    """Whether the trailing loss is beyond the bound by its value and above the reference by its whole interval."""
    if trailing is None or trailing.value is None or trailing.low is None or not reference.computable:
        return False
    return trailing.value > reference.bound and trailing.low > reference.mean


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
