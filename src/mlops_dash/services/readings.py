"""From day profiles to judged windows: what `evaluate` computes, as functions of their arguments alone.

Windows whose inputs did not change keep what was computed; the sequence through them (hysteresis, harm, health) is
cheap and always computed anew, so that one call over a year and daily calls agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from mlops_dash.domain.calendar import day_of, day_start, days_between
from mlops_dash.domain.monitoring import (
    LONG_DAYS,
    SHORT_DAYS,
    HarmDay,
    harm_baseline,
    harm_course,
    judge_columns,
    judge_health,
    moved,
    quality_of,
    window_drift,
)
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.readings import (
    SCORE,
    Estimate,
    FeatureReading,
    Reading,
    estimate_from_row,
    estimate_to_row,
    feature_to_row,
    known,
)
from mlops_dash.domain.words import Drift
from mlops_dash.ids import digest
from mlops_dash.services.performance import LABEL_RATE, WATCHED, measure
from mlops_dash.services.profiles import stored_units
from mlops_dash.stats.drift import UsualSwing, column_drift
from mlops_dash.stats.sequential import HarmReference, HarmUnit, base_rate_free_units
from mlops_dash.store.monitoring import Version
from mlops_dash.store.parts import Part, empty, total, unpack
from mlops_dash.store.prediction_log import from_us, to_us
from mlops_dash.store.profiles import DayProfile
from mlops_dash.store.references import Reference

RULES = 1  # grows when a rule in here or in domain.monitoring changes: every window is then judged again
MOST_EMPTY_DAYS = 60


@dataclass(frozen=True)
class Day:
    """One calendar day of a version's series."""

    number: int
    date: date
    start: datetime
    end: datetime
    part: Part
    computed_us: int
    ripe: bool


@dataclass(frozen=True)
class Course:
    """All judged windows of a version, and the harm alarm's way through them."""

    readings: tuple[Reading, ...]
    days: tuple[Day, ...]
    harm: tuple[HarmDay, ...]
    harm_reference: HarmReference


def days_of(
    reference: Reference, stored: Sequence[DayProfile], policy: MonitoringPolicy, *, until: datetime
) -> tuple[Day, ...]:
    """The complete days up to `until`, days without rows included, ripe up to the first that still waits for labels."""
    if not stored:
        return ()
    by_start = {profile.day_us: profile for profile in stored}
    first = day_of(from_us(stored[0].day_us), policy.zone)
    last = min(
        day_of(until, policy.zone) - timedelta(days=1),
        day_of(from_us(stored[-1].day_us), policy.zone) + timedelta(days=MOST_EMPTY_DAYS),
    )
    layout, none = reference.layout, empty(reference.layout)
    days: list[Day] = []
    waiting = False
    for number, day in enumerate(days_between(first, last)):
        start, end = day_start(day, policy.zone), day_start(day + timedelta(days=1), policy.zone)
        profile = by_start.get(to_us(start))
        part = none if profile is None else unpack(layout, profile.packed)
        aged = end + timedelta(hours=policy.label_delay_hours) <= until
        covered = part.n > 0 and part.n_labelled >= policy.ripe_coverage * part.n
        waiting = waiting or not (aged or covered)
        days.append(Day(number, day, start, end, part, 0 if profile is None else profile.computed_at_us, not waiting))
    return tuple(days)


def judge(
    version: Version,
    reference: Reference,
    policy: MonitoringPolicy,
    days: Sequence[Day],
    *,
    restarts: Sequence[datetime],
    previous: Mapping[datetime, Reading],
) -> Course:
    """Judge all days of a version.

    Args:
        version: Whose series this is.
        reference: What it is compared with.
        policy: The rules.
        days: From `days_of`.
        restarts: When people restarted the harm alarm.
        previous: Readings already stored, by start; their numbers are kept where nothing changed.
    """
    harm_reference = harm_baseline(policy, stored_units(reference.baseline))
    held = {day.number: previous[day.start].body for day in days if day.start in previous}
    drift = _drift_bodies(reference, policy, days, held)
    measured = _metric_bodies(reference, policy, days, held)
    long = {number: _long(body) for number, body in measured.items()}
    units = _units(reference, policy, days)
    cuts = [_number_at(days, at) for at in restarts]
    trailing = {n: loss.value for n, loss in long.items() if loss is not None and loss.value is not None}
    harm = harm_course(policy, harm_reference, units, trailing=trailing, restarts=cuts)
    readings = _readings(version, reference, policy, days, drift, measured, long, harm, harm_reference)
    return Course(readings, tuple(days), harm, harm_reference)


def _number_at(days: Sequence[Day], at: datetime) -> int:
    return next((day.number for day in days if day.start >= at), len(days))


def _long(body: Mapping[str, Any]) -> Estimate | None:
    row = body["metrics"].get(str(LONG_DAYS), {}).get(WATCHED[0])
    return None if row is None else estimate_from_row(row, LONG_DAYS)


def swing_of(reference: Reference) -> UsualSwing:
    """The reference's own swing, as measured when it was recorded."""
    kept = reference.baseline["swing"]
    usual = {name: float("nan") if psi is None else psi for name, psi in kept["usual"].items()}
    return UsualSwing(int(kept["k"]), usual, tuple(kept["maxima"]))


def _drift_bodies(
    reference: Reference, policy: MonitoringPolicy, days: Sequence[Day], held: Mapping[int, Mapping[str, Any]]
) -> dict[int, dict[str, Any]]:
    layout, swing = reference.layout, swing_of(reference)
    whole = total(layout, reference.windows)
    past = {name: whole.histogram(layout, name) for name in layout.columns}
    unseen = {name: cells.unseen_expected for name, cells in layout.columns.items()}
    found: dict[int, dict[str, Any]] = {}
    for day in days:
        key = digest([RULES, reference.id, policy.digest, day.computed_us, day.part.n])[:16]
        kept = held.get(day.number, {})
        if kept.get("drift_key") == key:
            found[day.number] = {
                name: kept[name] for name in ("drift_key", "features", "flagged", "broken", "odd", "drift")
            }
            continue
        drifts = [column_drift(c, past[name], day.part.histogram(layout, name)) for name, c in layout.columns.items()]
        read = judge_columns(policy, drifts, swing)
        broken, odd = quality_of(
            policy,
            [one for one in read if one.name != SCORE],
            usual_missing=reference.baseline["missing"],
            expected_unseen=unseen,
            n=day.part.n,
        )
        found[day.number] = {
            "drift_key": key,
            "features": [feature_to_row(one) for one in read],
            "flagged": [one.name for one in read if one.flagged],
            "broken": list(broken),
            "odd": list(odd),
            "drift": str(window_drift(_enough(policy, read))),
        }
    return found


def _enough(policy: MonitoringPolicy, read: Sequence[FeatureReading]) -> list[FeatureReading]:
    return [one for one in read if one.n >= policy.min_rows]


def _metric_bodies(
    reference: Reference, policy: MonitoringPolicy, days: Sequence[Day], held: Mapping[int, Mapping[str, Any]]
) -> dict[int, dict[str, Any]]:
    """Metrics of each ripe, labelled day: its own values, and estimates over the trailing ripe days."""
    ripe = [day for day in days if day.ripe and day.part.n_labelled]
    place = {day.number: i for i, day in enumerate(ripe)}
    prior = reference.baseline["prior"]
    found: dict[int, dict[str, Any]] = {}
    for day in days:
        i = place.get(day.number)
        if i is None:
            found[day.number] = {"metrics_key": "", "day": {}, "metrics": {}}
            continue
        back = ripe[max(0, i + 1 - LONG_DAYS) : i + 1]
        key = digest([RULES, reference.id, policy.digest, [[one.number, one.computed_us] for one in back]])[:16]
        kept = held.get(day.number, {})
        if kept.get("metrics_key") == key:
            found[day.number] = {name: kept[name] for name in ("metrics_key", "day", "metrics")}
            continue
        parts = [one.part for one in back]
        alone = measure(parts[-1:], prior=prior)
        found[day.number] = {
            "metrics_key": key,
            "day": {name: estimate.value for name, estimate in alone.items()},
            "metrics": {
                str(span): {name: estimate_to_row(e) for name, e in measure(parts[-span:], prior=prior).items()}
                for span in (SHORT_DAYS, LONG_DAYS)
            },
        }
    return found


def _units(reference: Reference, policy: MonitoringPolicy, days: Sequence[Day]) -> tuple[HarmUnit, ...]:
    ripe = [day for day in days if day.ripe and day.part.n_labelled]
    units = base_rate_free_units(
        [day.part.losses[1] for day in ripe],
        [day.part.losses[0] for day in ripe],
        prior=reference.baseline["prior"],
        min_labels=policy.harm_min_unit_labels,
    )
    return tuple(replace(unit, first=ripe[unit.first].number, last=ripe[unit.last].number) for unit in units)


def _readings(
    version: Version,
    reference: Reference,
    policy: MonitoringPolicy,
    days: Sequence[Day],
    drift: Mapping[int, Mapping[str, Any]],
    measured: Mapping[int, Mapping[str, Any]],
    long: Mapping[int, Estimate | None],
    harm: Sequence[HarmDay],
    harm_reference: HarmReference,
) -> tuple[Reading, ...]:
    harm_at = {one.last: one for one in harm}
    flags: list[list[str]] = []
    now: HarmDay | None = None
    loss: Estimate | None = None
    found = []
    for day in days:
        body = {**drift[day.number], **measured[day.number]}
        now, loss = harm_at.get(day.number, now), long[day.number] or loss
        if body["drift"] != str(Drift.NOT_COMPUTABLE):
            flags.append(body["flagged"])
        inputs = moved(policy, flags)
        verdict = judge_health(
            harm=now,
            no_harm_reason=harm_reference.reason,
            trailing=loss,
            reference=harm_reference,
            inputs_moved=inputs,
            broken=body["broken"],
        )
        body |= {
            "reference": reference.id,
            "policy": policy.digest,
            "moved": list(inputs),
            "why": verdict.why,
            "harm": None if now is None else _harm_body(now, days, known(harm_reference.bound)),
            "label_rate": body["day"].get(LABEL_RATE),
        }
        found.append(
            Reading(
                model=version.model,
                version=version.version,
                version_id=version.id,
                start=day.start,
                end=day.end,
                n=day.part.n,
                n_labelled=day.part.n_labelled,
                ripe=day.ripe,
                drift=Drift(body["drift"]),
                health=verdict.health,
                body=body,
            )
        )
    return tuple(found)


def _harm_body(harm: HarmDay, days: Sequence[Day], bound: float | None) -> dict[str, Any]:
    return {
        "through": days[harm.last].date.isoformat(),
        "mean": known(harm.mean),
        "level": known(harm.level),
        "alarmed": harm.alarmed,
        "since": None if harm.since is None else days[harm.since].date.isoformat(),
        "alarm": None if harm.alarm is None else days[harm.alarm].date.isoformat(),
        "restarts": harm.restarts,
        "bound": bound,
    }
