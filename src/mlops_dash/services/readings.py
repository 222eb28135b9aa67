"""From day profiles to judged windows: what `evaluate` computes, as functions of their arguments alone.

Windows whose inputs did not change keep what was computed; the sequence through them (hysteresis, harm, health) is
cheap and always computed anew, so that one call over a year and daily calls agree.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from mlops_dash.domain.calendar import day_of, day_start, days_between
from mlops_dash.domain.monitoring import (
    LONG_DAYS,
    SHORT_DAYS,
    WATCHES_OF,
    HarmDay,
    Watch,
    broken_columns,
    harm_baseline,
    harm_course,
    judge_columns,
    judge_health,
    moved,
    oddities,
    too_short,
    window_drift,
)
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.readings import (
    SCORE,
    Estimate,
    Reading,
    estimate_from_row,
    estimate_to_row,
    feature_to_row,
    known,
)
from mlops_dash.domain.words import Drift
from mlops_dash.ids import digest
from mlops_dash.services.performance import measure, trailing_mean, units_of
from mlops_dash.services.profiles import stored_units
from mlops_dash.stats.drift import UsualSwing, column_drift
from mlops_dash.stats.sequential import HarmReference, HarmUnit
from mlops_dash.store.monitoring import Version
from mlops_dash.store.parts import Layout, Part, empty, total, unpack
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
    mark: int  # of the profile's content: equal marks are equal rows and labels
    ripe: bool


@dataclass(frozen=True)
class Course:
    """All judged windows of a version, and its alarms' way through them, by watch."""

    readings: tuple[Reading, ...]
    days: tuple[Day, ...]
    harm: Mapping[str, tuple[HarmDay, ...]]
    references: Mapping[str, HarmReference]


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
        days.append(
            Day(number, day, start, end, part, 0 if profile is None else zlib.crc32(profile.packed), not waiting)
        )
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
    held = {day.number: previous[day.start].body for day in days if day.start in previous}
    units = _units(reference, policy, days)
    drift = _drift_bodies(reference, policy, days, held)
    measured = _metric_bodies(reference, policy, days, units, held)
    normal = {
        watch.key: harm_baseline(policy, watch, stored_units(reference.baseline, watch))
        for watch in WATCHES_OF[reference.layout.task]
    }
    cuts = [_number_at(days, at) for at in restarts]
    harm = {key: harm_course(policy, normal[key], units[key], restarts=cuts) for key in units}
    readings = _readings(version, reference, policy, days, drift, measured, harm, normal)
    return Course(readings, tuple(days), harm, normal)


def _number_at(days: Sequence[Day], at: datetime) -> int:
    return next((day.number for day in days if day.start >= at), len(days))


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
    usual = reference.baseline["missing"]
    found: dict[int, dict[str, Any]] = {}
    for day in days:
        week = days[max(0, day.number + 1 - SHORT_DAYS) : day.number + 1]
        key = digest([RULES, reference.id, policy.digest, [one.mark for one in week]])[:16]
        kept = held.get(day.number, {})
        if kept.get("drift_key") == key:
            found[day.number] = {name: kept[name] for name in _DRIFT_KEYS}
            continue
        window = total(layout, [one.part for one in week])
        drifts = [column_drift(c, past[name], window.histogram(layout, name)) for name, c in layout.columns.items()]
        read = judge_columns(policy, drifts, swing)
        read = read if len(week) == SHORT_DAYS else too_short(read, len(week))
        gone = {name: _missing(day.part, layout, name) for name in layout.features}
        found[day.number] = {
            "drift_key": key,
            "features": [feature_to_row(one) for one in read],
            "flagged": [one.name for one in read if one.flagged],
            "broken": list(broken_columns(policy, gone, usual=usual, n=day.part.n)),
            "odd": list(oddities([one for one in read if one.name != SCORE], usual=usual, expected_unseen=unseen)),
            "drift": str(window_drift(read)),
        }
    return found


_DRIFT_KEYS = ("drift_key", "features", "flagged", "broken", "odd", "drift")
_METRIC_KEYS = ("metrics_key", "day", "metrics")


def _missing(part: Part, layout: Layout, name: str) -> float:
    return part.histogram(layout, name).missing / part.n if part.n else 0.0


def _labelled(days: Sequence[Day]) -> list[Day]:
    return [day for day in days if day.ripe and day.part.n_labelled]


def _units(reference: Reference, policy: MonitoringPolicy, days: Sequence[Day]) -> dict[str, tuple[HarmUnit, ...]]:
    """The units of every watch, numbered by their days."""
    ripe = _labelled(days)
    found = {}
    for watch in WATCHES_OF[reference.layout.task]:
        units = units_of(
            watch,
            [day.part for day in ripe],
            prior=reference.baseline["prior"],
            min_labels=policy.harm_min_unit_labels,
        )
        found[watch.key] = tuple(replace(u, first=ripe[u.first].number, last=ripe[u.last].number) for u in units)
    return found


def _metric_bodies(
    reference: Reference,
    policy: MonitoringPolicy,
    days: Sequence[Day],
    units: Mapping[str, Sequence[HarmUnit]],
    held: Mapping[int, Mapping[str, Any]],
) -> dict[int, dict[str, Any]]:
    """Metrics of each ripe, labelled day: its own values, and estimates over the trailing ripe days."""
    ripe, watches = _labelled(days), WATCHES_OF[reference.layout.task]
    place = {day.number: i for i, day in enumerate(ripe)}
    found: dict[int, dict[str, Any]] = {}
    for day in days:
        i = place.get(day.number)
        if i is None:
            found[day.number] = {"metrics_key": "", "day": {}, "metrics": {}}
            continue
        back = ripe[max(0, i + 1 - LONG_DAYS) : i + 1]
        past = {watch: [u for u in units[watch.key] if u.last <= day.number][-LONG_DAYS:] for watch in watches}
        spans = [[unit.first, unit.last] for held_units in past.values() for unit in held_units]
        marks = [one.mark for one in back]
        key = digest([RULES, reference.id, policy.digest, marks, spans])[:16]
        kept = held.get(day.number, {})
        if kept.get("metrics_key") == key:
            found[day.number] = {name: kept[name] for name in _METRIC_KEYS}
            continue
        found[day.number] = {"metrics_key": key, **_measured(reference, [one.part for one in back], past, day.number)}
    return found


def _measured(
    reference: Reference, parts: Sequence[Part], past: Mapping[Watch, Sequence[HarmUnit]], number: int
) -> dict[str, Any]:
    prior = reference.baseline["prior"]
    alone = {name: estimate.value for name, estimate in measure(parts[-1:], prior=prior).items()}
    for watch, units in past.items():
        own = [unit for unit in units if unit.last == number]
        alone[watch.key] = known(watch.shown(own[0].mean)) if own else None
    metrics = {}
    for span in (SHORT_DAYS, LONG_DAYS):
        pooled = measure(parts[-span:], prior=prior)
        means = {watch.key: trailing_mean(watch, units[-span:]) for watch, units in past.items()}
        metrics[str(span)] = {name: estimate_to_row(estimate) for name, estimate in {**pooled, **means}.items()}
    return {"day": alone, "metrics": metrics}


def _readings(
    version: Version,
    reference: Reference,
    policy: MonitoringPolicy,
    days: Sequence[Day],
    drift: Mapping[int, Mapping[str, Any]],
    measured: Mapping[int, Mapping[str, Any]],
    harm: Mapping[str, Sequence[HarmDay]],
    normal: Mapping[str, HarmReference],
) -> tuple[Reading, ...]:
    harm_at = {(key, one.last): one for key, course in harm.items() for one in course}
    now: dict[str, HarmDay] = {}
    trailing: dict[str, Estimate] = {}
    flags: list[list[str] | None] = []
    found = []
    for day in days:
        body = {**drift[day.number], **measured[day.number]}
        now |= {key: harm_at[key, day.number] for key in harm if (key, day.number) in harm_at}
        rows = body["metrics"].get(str(LONG_DAYS), {})
        trailing |= {key: estimate_from_row(rows[key], LONG_DAYS) for key in harm if key in rows}
        flags.append(body["flagged"] if body["drift"] != str(Drift.NOT_COMPUTABLE) else None)
        # The windows of hysteresis do not overlap: this week, the one before, and the one before that.
        inputs = moved(policy, [names for names in flags[::-1][::SHORT_DAYS][: policy.hysteresis_of][::-1] if names])
        verdict = judge_health(
            harm=now, trailing=trailing, references=normal, inputs_moved=inputs, broken=body["broken"]
        )
        body |= {
            "reference": reference.id,
            "policy": policy.digest,
            "task": reference.layout.task,
            "unit": policy.label_unit,
            "moved": list(inputs),
            "why": verdict.why,
            "harm": {key: _harm_body(one, days) for key, one in now.items()},
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


def _harm_body(harm: HarmDay, days: Sequence[Day]) -> dict[str, Any]:
    return {
        "through": days[harm.last].date.isoformat(),
        "level": known(harm.level),
        "alarmed": harm.alarmed,
        "since": None if harm.since is None else days[harm.since].date.isoformat(),
        "alarm": None if harm.alarm is None else days[harm.alarm].date.isoformat(),
        "restarts": harm.restarts,
    }
