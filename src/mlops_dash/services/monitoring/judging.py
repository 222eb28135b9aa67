"""Is what is served still good? From day profiles to judged windows: `evaluate`, and what it computes.

Windows whose inputs did not change keep what was computed; the sequence through them (hysteresis, harm, health) is
cheap and always computed anew, so that one call over a year and daily calls agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.cadence import MIN_WINDOWS, Cadence
from mlops_dash.domain.monitoring.judging import (
    LONG_DAYS,
    HarmDay,
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
from mlops_dash.domain.monitoring.readings import (
    COST,
    SCORE,
    Estimate,
    Reading,
    estimate_from_row,
    feature_to_row,
    unjudged,
)
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.domain.words import Drift, Health
from mlops_dash.errors import NotFound
from mlops_dash.ids import digest
from mlops_dash.services.command import Context, record
from mlops_dash.services.monitoring import alerting
from mlops_dash.services.monitoring.answering import Answering
from mlops_dash.services.monitoring.course import Course, Day, Kept, harm_body, kept_of
from mlops_dash.services.monitoring.days import days_of, next_look
from mlops_dash.services.monitoring.estimating import Warner, estimated_bodies
from mlops_dash.services.monitoring.grouping import WindowGroups, window_groups
from mlops_dash.services.monitoring.referencing import recut, stored_units, swing_of
from mlops_dash.services.monitoring.window_metrics import RULES, metric_bodies, units_of_windows
from mlops_dash.stats.drift import column_drift
from mlops_dash.stats.sequential import HarmReference
from mlops_dash.store import policies
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring import profiles, references
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring.parts import Layout, Part, total
from mlops_dash.store.monitoring.readings import Version
from mlops_dash.store.monitoring.references import Reference

RECUT_PATIENCE = timedelta(seconds=10)
WRITE_READINGS = 40  # readings in one write transaction: under 50 ms


@dataclass(frozen=True)
class Evaluated:
    """What one evaluation did."""

    model: str
    version: str  # "" when nothing is served
    windows: int
    changed: int
    opened: tuple[str, ...]  # alert ids
    closed: tuple[str, ...]
    health: Health
    reason: str = ""  # why nothing could be judged
    again_at: datetime | None = None  # when a day ends or a window ripens, so that it must be judged again


class Judging:
    """The verb; what it computes are the functions below, of their arguments alone."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.answering = Answering(context)

    @record(Permission.SYSTEM)
    def evaluate(self, actor: Actor, model: str, *, until: datetime | None = None) -> Evaluated:
        """Judge the champion's series up to `until` (default: now): readings, harm alarm, health, alerts.

        Idempotent: windows whose rows and labels did not change are not judged again, and nothing is written twice.

        Raises:
            NotFound: no such model.
        """
        now = until or self.context.clock.now()
        with reading(self.context.databases.app) as session:
            if model not in store.model_names(session):
                raise NotFound(f"No model {model}.", hint="Add it first.")
            version = store.champion(session, model)
            if version is None:
                return _nothing(model, "", "nothing is served")
            reference = references.reference(session, version.id)
            if reference is None:
                return _nothing(model, version.version, f"v{version.version} has no reference yet")
            policy = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
            kept = kept_of(session, version, currency=self.context.settings.currency)
        with reading(self.context.databases.log) as session:
            zone = profiles.zone_of(session, reference.id)
            if zone is not None and zone != policy.zone:
                why = f"its days are being cut anew, for the zone {policy.zone}"
                return _nothing(model, version.version, why, again_at=now + RECUT_PATIENCE)
            stored = profiles.pieces(session, reference.id, policy.cadence.pieces)
        recorded, reference = reference, recut(reference, policy)
        if reference is None:
            why = f"its reference was kept by other windows; push it again to be judged by the {policy.cadence.name}"
            return _nothing(model, version.version, why)
        if reference is not recorded:
            with transaction(self.context.databases.app) as session:
                references.save_baseline(session, reference)
        days = days_of(reference, stored, policy, until=now)
        course = judge(version, reference, policy, days, kept, groups=window_groups(self.context.databases, reference))
        changed = self._save(version, course, now) + self._finish_replaced(model, policy, now)
        with transaction(self.context.databases.app) as session:
            synced = alerting.sync(session, version, reference, policy, course, now=now)
        closed = (*synced.closed, *self.answering.settle(actor, version, policy, course))
        health = course.readings[-1].health if course.readings else Health.NOT_KNOWN
        return Evaluated(
            model, version.version, len(course.readings), changed, synced.opened, closed, health,
            "" if course.readings else "no complete window yet", next_look(course.days, stored, policy, now),
        )  # fmt: skip

    def _save(self, version: Version, course: Course, now: datetime) -> int:
        with transaction(self.context.databases.app) as session:
            store.drop_readings_besides(session, version.id, course.readings)
        changed = 0
        for first in range(0, len(course.readings), WRITE_READINGS):
            with transaction(self.context.databases.app) as session:
                part = course.readings[first : first + WRITE_READINGS]
                changed += store.save_readings(session, part, now=now)
        return changed

    def _finish_replaced(self, model: str, policy: MonitoringPolicy, now: datetime) -> int:
        """Judge the last days of the replaced version until they are ripe: its history belongs to the model."""
        with reading(self.context.databases.app) as session:
            left = store.unfinished(session, model, _least(policy.cadence))
            reference = None if left is None else references.reference(session, left[0].id)
            if left is None or reference is None:
                return 0
            version, until = left
            kept = kept_of(session, version, currency=self.context.settings.currency)
        with reading(self.context.databases.log) as session:
            reference = recut(reference, policy)
            if reference is None or (profiles.zone_of(session, reference.id) or policy.zone) != policy.zone:
                return 0
            stored = profiles.pieces(session, reference.id, policy.cadence.pieces)
        days = [day for day in days_of(reference, stored, policy, until=now) if day.start < until]
        course = judge(version, reference, policy, days, kept, groups=window_groups(self.context.databases, reference))
        return self._save(version, course, now)


def _least(cadence: Cadence) -> timedelta:
    """How long a window is at least; of weeks and months a day, as the last one may end early, of batches a moment."""
    return timedelta(0) if cadence.is_batch else timedelta(days=min(1.0, cadence.usual))


def _nothing(model: str, version: str, reason: str, *, again_at: datetime | None = None) -> Evaluated:
    return Evaluated(model, version, 0, 0, (), (), Health.NOT_KNOWN, reason, again_at)


def judge(
    version: Version,
    reference: Reference,
    policy: MonitoringPolicy,
    days: Sequence[Day],
    kept: Kept,
    *,
    groups: WindowGroups | None = None,
) -> Course:
    """Judge all days of a version.

    Args:
        version: Whose series this is.
        reference: What it is compared with.
        policy: The rules.
        days: From `days_of`.
        kept: What is stored of the series.
        groups: The rows of windows by what they belong to, where that is what intervals go by.
    """
    task = reference.layout.task
    held = {day.number: kept.previous[day.start].body for day in days if day.start in kept.previous}
    units = units_of_windows(reference, policy, days)
    drift = _drift_bodies(reference, policy, days, held)
    measured = metric_bodies(reference, policy, days, units, held, groups)
    normal = {
        watch.key: harm_baseline(policy, task, watch, stored_units(reference.baseline, watch))
        for watch in task.followed
    }
    cuts = [_number_at(days, at) for at in kept.restarts]
    harm = {key: harm_course(policy, normal[key], units[key], restarts=cuts) for key in units}
    estimated = estimated_bodies(reference, policy, days, held)
    bodies = {day.number: {**drift[day.number], **measured[day.number], **estimated[day.number]} for day in days}
    readings = _readings(version, reference, policy, days, bodies, harm, normal, kept)
    return Course(readings, tuple(days), harm, normal)


def _number_at(days: Sequence[Day], at: datetime) -> int:
    return next((day.number for day in days if day.start >= at), len(days))


def _drift_bodies(
    reference: Reference, policy: MonitoringPolicy, days: Sequence[Day], held: Mapping[int, Mapping[str, Any]]
) -> dict[int, dict[str, Any]]:
    layout, swing, cadence = reference.layout, swing_of(reference), policy.cadence
    whole = total(layout, reference.windows)
    past = {name: whole.histogram(layout, name) for name in layout.columns}
    unseen = {name: cells.unseen_expected for name, cells in layout.columns.items()}
    usual = reference.baseline["missing"]
    found: dict[int, dict[str, Any]] = {}
    for day in days:
        week = days[max(0, day.number + 1 - cadence.short) : day.number + 1]
        key = digest([RULES, reference.id, policy.digest, [one.mark for one in week]])[:16]
        kept = held.get(day.number, {})
        if kept.get("drift_key") == key:
            found[day.number] = {name: kept[name] for name in _DRIFT_KEYS}
            continue
        window = total(layout, [one.part for one in week])
        drifts = [column_drift(c, past[name], window.histogram(layout, name)) for name, c in layout.columns.items()]
        read = judge_columns(policy, drifts, swing)
        read = read if len(week) == cadence.short else too_short(read, len(week), cadence)
        gone = {name: _missing(day.part, layout, name) for name in layout.features}
        found[day.number] = {
            "drift_key": key,
            "features": [feature_to_row(one) for one in read],
            "flagged": [one.name for one in read if one.flagged],
            "broken": list(broken_columns(policy, gone, usual=usual, n=day.part.n)),
            "odd": list(oddities([one for one in read if one.name != SCORE], usual=usual, expected_unseen=unseen)),
            "drift": str(window_drift(read)),
            "unjudged": unjudged(read),
        }
    return found


_DRIFT_KEYS = ("drift_key", "features", "flagged", "broken", "odd", "drift", "unjudged")


def _missing(part: Part, layout: Layout, name: str) -> float:
    return part.histogram(layout, name).missing / part.n if part.n else 0.0


def _readings(
    version: Version,
    reference: Reference,
    policy: MonitoringPolicy,
    days: Sequence[Day],
    bodies: Mapping[int, Mapping[str, Any]],
    harm: Mapping[str, Sequence[HarmDay]],
    normal: Mapping[str, HarmReference],
    stored: Kept,
) -> tuple[Reading, ...]:
    task = reference.layout.task
    harm_at = {(key, one.last): one for key, course in harm.items() for one in course}
    now: dict[str, HarmDay] = {}
    trailing: dict[str, Estimate] = {}
    flags: list[list[str] | None] = []
    found = []
    cadence, patience = (
        policy.cadence,
        policy.cadence.patience_of(reference.begins, [day.start for day in days if day.part.n]),
    )
    unit = cadence.cluster(reference.n_days, reference.cluster if reference.is_grouped else "")
    warner = Warner(policy, normal)
    swings = cadence.is_daily or swing_of(reference).k_windows >= MIN_WINDOWS
    calm = "within their usual swing" if swings else "within the noise floor of few windows"
    for day in days:
        body = dict(bodies[day.number])
        now |= {key: harm_at[key, day.number] for key in harm if (key, day.number) in harm_at}
        rows = body["metrics"].get(str(LONG_DAYS), {})
        trailing |= {key: estimate_from_row(rows[key], LONG_DAYS) for key in harm if key in rows}
        flags.append(body["flagged"] if body["drift"] != str(Drift.NOT_COMPUTABLE) else None)
        # The windows of hysteresis do not overlap: this week (or month), the one before, and the one before that.
        apart = flags[::-1][:: cadence.short]
        inputs = moved(policy, [names for names in apart[: policy.hysteresis_of][::-1] if names])
        verdict = judge_health(
            task, harm=now, trailing=trailing, references=normal, inputs_moved=inputs, broken=body["broken"],
            unjudged=body["unjudged"], labelled=reference.labelled, calm=calm,
        )  # fmt: skip
        verdict = warner.judged(verdict, day, body)
        body |= {
            "reference": reference.id,
            "policy": policy.digest,
            "task": task.name,
            **task.facts,
            "unit": policy.label_unit,
            **({"currency": stored.currency, "cost_shares": task.cost_shares} if COST in rows else {}),
            **({"positive": stored.positive} if stored.positive else {}),
            "window": cadence.name,
            "cluster": unit,
            **({} if cadence.pieces == "day" else {"patience_hours": patience / timedelta(hours=1)}),
            "moved": list(inputs),
            "why": verdict.why,
            "harm": {key: harm_body(one, days) for key, one in now.items()},
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
                kind=f"{cadence.name}:{day.batch}" if day.batch else cadence.name,
            )
        )
    return tuple(found)
