"""What live traffic is compared with, and what it is reduced to: references of versions, profiles of hours and days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.calendar import day_of, day_start, zone_of
from mlops_dash.domain.evidence import BINARY, METRICS, Evidence
from mlops_dash.domain.monitoring import MIN_WINDOWS, SHORT_DAYS, WATCHES_OF, Watch, harm_baseline
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.domain.readings import Estimate, estimate_to_row, known
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.ids import digest
from mlops_dash.services.command import Context, record
from mlops_dash.services.performance import LEVEL, WATCHED_OF, measure, units_of
from mlops_dash.stats.arrays import Ints
from mlops_dash.stats.drift import usual_swing
from mlops_dash.stats.sequential import HarmUnit
from mlops_dash.store import monitoring as store
from mlops_dash.store import policies, prediction_log, profiles, references
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.parts import Layout, Part, clip_of, count_rows, empty, layout_of, pack_all, total
from mlops_dash.store.prediction_log import HOUR_US, DirtyHour, from_us, to_us
from mlops_dash.store.references import Reference

NOT_FEATURES = frozenset({"at", "score", "label"})
CHUNK_HOURS = 24 * 14  # rows of two weeks in memory at a time
WRITE_HOURS = 48  # hours in one write transaction: well under 50 ms
OUT_OF_FOLD = "out-of-fold scores, grouped by day; days as clusters"


@dataclass(frozen=True)
class Profiled:
    """What one call of `profile_dirty_hours` did, and how many hours still wait."""

    hours: int
    rows: int
    left: int


class ProfileService:
    """References and profiles."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @record(Permission.SYSTEM)
    def record_reference(self, actor: Actor, version_id: str, rows: pd.DataFrame) -> str:
        """Keep what a version's live traffic is compared with; the same rows again are the same reference.

        Hours that the version answered before are marked, so that they are profiled against this reference.

        Args:
            actor: A process of ours.
            version_id: The version.
            rows: `at` (aware), all features, `score` (out of fold: the row's day was not trained on), `label` (0/1; of
                a regression the number, in the unit of the score).

        Returns:
            The reference's id.

        Raises:
            NotFound: no such version.
            InvalidInput: a column is missing, `at` is naive, or a score or label is missing.
        """
        now = self.context.clock.now()
        checked = _checked_rows(rows)
        with reading(self.context.databases.app) as session:
            version = store.version(session, version_id)
            if version is None:
                raise NotFound(f"No version {version_id}.", hint="Record the version before its reference.")
            policy = policies.active(session, version.model, PolicyKind.MONITORING, now).monitoring
            task = policies.task_of(session, version.model)
        made, measured = build_reference(version, policy, checked, now, task=task)
        with transaction(self.context.databases.app) as session:
            if references.save_reference(session, made):
                subject = f"{version.model} v{version.version}"
                evidence = [_evidence(subject, version, made, name, measured[name], now) for name in WATCHED_OF[task]]
                references.save_evidence(session, evidence)
        with transaction(self.context.databases.log) as session:
            profiles.mark_past_of(session, version.model, version_id, marked_us=to_us(now))
        return made.id

    @record(Permission.SYSTEM)
    def profile_dirty_hours(self, actor: Actor, *, limit: int = 24 * 60) -> Profiled:
        """Count the rows of up to `limit` marked hours per model into profiles of hours and days.

        Only models with a reference; marks of others stay. A mark that is renewed meanwhile stays too.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            by_model = references.references(session)
            zones = {m: policies.active(session, m, PolicyKind.MONITORING, now).monitoring.zone for m in by_model}
        hours = rows = 0
        for model, of_model in sorted(by_model.items()):
            with reading(self.context.databases.log) as session:
                dirty = prediction_log.dirty_hours(session, limit=limit, model=model)
            for chunk in _chunks(dirty):
                rows += self._profile(of_model, chunk, zones[model], to_us(now))
            hours += len(dirty)
        with reading(self.context.databases.log) as session:
            return Profiled(hours, rows, profiles.n_dirty(session, list(by_model)))

    def _profile(self, of_model: Sequence[Reference], dirty: Sequence[DirtyHour], zone: str, now_us: int) -> int:
        """Profile one chunk of hours for every version, roll up their days, and only then forget the marks."""
        rows = 0
        hours = np.asarray([to_us(one.hour) for one in dirty], dtype=np.int64)
        for reference in of_model:
            parts = self._count(reference, dirty, hours)
            rows += sum(part.n for part in parts)
            counted = dict(zip(hours.tolist(), parts, strict=True))
            for first in range(0, len(parts), WRITE_HOURS):
                written = {hour: counted[hour] for hour in hours[first : first + WRITE_HOURS].tolist()}
                with transaction(self.context.databases.log) as session:
                    profiles.save_hours(session, reference.id, reference.version_id, written, computed_at_us=now_us)
            self._roll_up(reference, counted, zone, now_us)
        with transaction(self.context.databases.log) as session:
            prediction_log.clear_dirty(session, dirty)
        return rows

    def _count(self, reference: Reference, dirty: Sequence[DirtyHour], hours: Ints) -> tuple[Part, ...]:
        with reading(self.context.databases.log) as session:
            frame = prediction_log.read_window(
                session,
                reference.version_id,
                dirty[0].hour,
                dirty[-1].hour + timedelta(hours=1),
                roles=profiles.SERIES_ROLES,
            )
        layout = reference.layout
        if frame.empty:
            return tuple(empty(layout) for _ in dirty)
        at = frame["at"].dt.as_unit("us").astype("int64").to_numpy()
        place = np.searchsorted(hours, at - at % HOUR_US)
        wanted = hours[np.minimum(place, hours.size - 1)] == at - at % HOUR_US
        return count_rows(layout, frame[wanted], place[wanted].astype(np.int64), len(dirty))

    def _roll_up(self, reference: Reference, counted: Mapping[int, Part], zone: str, now_us: int) -> None:
        """Sum the hours of every day that holds a counted hour: those just counted, and those stored before."""
        days = sorted({day_of(from_us(hour), zone) for hour in counted})
        starts = {day: to_us(day_start(day, zone)) for day in days}
        ends = {day: to_us(day_start(day + timedelta(days=1), zone)) for day in days}
        with reading(self.context.databases.log) as session:
            stored = profiles.hour_parts(
                session, reference.layout, reference.id, starts[days[0]], ends[days[-1]], known=counted
            )
        hours = sorted(stored.items())
        rolled = {
            starts[day]: total(reference.layout, [part for hour, part in hours if starts[day] <= hour < ends[day]])
            for day in days
        }
        with transaction(self.context.databases.log) as session:
            profiles.save_days(session, reference.id, reference.version_id, rolled, computed_at_us=now_us)


def _chunks(dirty: Sequence[DirtyHour]) -> Iterator[tuple[DirtyHour, ...]]:
    """Marked hours in stretches of at most two weeks, so that a gap of months is not read."""
    held: list[DirtyHour] = []
    for one in dirty:
        if held and one.hour - held[0].hour >= timedelta(hours=CHUNK_HOURS):
            yield tuple(held)
            held = []
        held.append(one)
    if held:
        yield tuple(held)


def _checked_rows(rows: pd.DataFrame) -> pd.DataFrame:
    absent = NOT_FEATURES - set(rows.columns)
    if absent:
        raise InvalidInput(
            f"The reference lacks the columns {', '.join(sorted(absent))}.", hint="Give at, the features, score, label."
        )
    if not isinstance(rows["at"].dtype, pd.DatetimeTZDtype):
        raise InvalidInput("The reference's `at` has no time zone.", hint="Give aware UTC times.")
    bad = int(rows["score"].isna().sum() + rows["label"].isna().sum())
    if bad or rows.empty:
        raise InvalidInput(
            f"{bad} scores or labels of {len(rows)} reference rows are missing.",
            hint="Give labelled, scored rows only.",
        )
    return rows.astype({"label": "float64"}).sort_values("at", kind="stable", ignore_index=True)


def build_reference(
    version: store.Version, policy: MonitoringPolicy, rows: pd.DataFrame, now: datetime, *, task: str = BINARY
) -> tuple[Reference, dict[str, Estimate]]:
    """Make the cells, the reference's own windows and the baseline of out-of-fold rows."""
    features = [name for name in rows.columns if name not in NOT_FEATURES]
    layout, left_out = layout_of(rows, features=features, clip=clip_of(policy.loss_clip), task=task)
    local = rows["at"].dt.tz_convert(zone_of(policy.zone)).dt.date
    days, groups = np.unique(local.to_numpy(), return_inverse=True)
    windows = count_rows(layout, rows, groups.astype(np.int64), len(days))
    prior = float(rows["label"].mean())
    measured = measure(windows, prior=prior)
    baseline = _baseline(policy, layout, windows, prior=prior, measured=measured)
    kinds = {name: cells.kind for name, cells in layout.columns.items()} | left_out
    profile = pack_all(windows)
    content = {
        "version": version.id,
        "cells": layout.to_dict(),
        "baseline": baseline,
        "days": [day.isoformat() for day in days],
        "zone": policy.zone,
        "counts": [digest([int(x) for x in window.counts]) for window in windows],
    }
    made = Reference(
        id=digest(content)[:26],
        version_id=version.id,
        model=version.model,
        start=day_start(days[0], policy.zone),
        end=day_start(days[-1] + timedelta(days=1), policy.zone),
        n_rows=len(rows),
        kinds=kinds,
        cells=layout.to_dict(),
        baseline=baseline,
        profile=profile,
        method=OUT_OF_FOLD,
        created_at=now,
    )
    return made, measured


def _baseline(
    policy: MonitoringPolicy, layout: Layout, windows: Sequence[Part], *, prior: float, measured: dict[str, Estimate]
) -> dict[str, Any]:
    spans = [total(layout, windows[i : i + SHORT_DAYS]) for i in range(len(windows) - SHORT_DAYS + 1)]
    weeks = spans[(len(windows) % SHORT_DAYS) :: SHORT_DAYS]
    # Whole weeks that do not overlap, when there are enough for the rank rule; else all stretches of seven days, which
    # tell the usual swing as well as these rows can, and K says how few weeks they are.
    swing = usual_swing(layout.columns, _counts(layout, weeks if len(weeks) >= MIN_WINDOWS else spans))
    return {
        "prior": prior,  # the mean label: of a classifier the share of label 1
        "clip": layout.clip,
        "metrics": {name: estimate_to_row(estimate) for name, estimate in measured.items()},
        "watches": {watch.key: _watch_baseline(policy, watch, windows, prior) for watch in WATCHES_OF[layout.task]},
        "swing": {
            "k": len(weeks),
            "usual": {name: known(psi) for name, psi in swing.usual_psi.items()},
            "maxima": list(swing.maxima) if len(weeks) >= MIN_WINDOWS else [],
        },
        "missing": {
            name: max((w.histogram(layout, name).missing / w.n for w in spans if w.n), default=0.0)
            for name in layout.columns
        },
    }


def _counts(layout: Layout, parts: Sequence[Part]) -> dict[str, Ints]:
    return {name: np.stack([part.counts[place] for part in parts]) for name, place in layout.slices.items() if parts}


def _watch_baseline(policy: MonitoringPolicy, watch: Watch, windows: Sequence[Part], prior: float) -> dict[str, Any]:
    units = units_of(watch, windows, prior=prior, min_labels=policy.harm_min_unit_labels)
    normal = harm_baseline(policy, watch, units)
    return {
        "units": [[unit.first, unit.last, unit.mean, unit.n, unit.variance] for unit in units],
        "mean": known(normal.mean),
        "bound": known(normal.bound),
        "reason": normal.reason,
    }


def stored_units(baseline: Mapping[str, Any], watch: Watch) -> tuple[HarmUnit, ...]:
    """The reference units of a watch that `_baseline` wrote."""
    rows = baseline["watches"][watch.key]["units"]
    return tuple(HarmUnit(int(first), int(last), *rest) for first, last, *rest in rows)


def _evidence(
    subject: str, version: store.Version, reference: Reference, metric: str, found: Estimate, now: datetime
) -> Evidence:
    return Evidence(
        kind="metric",
        subject=subject,
        comparator="",
        metric=metric,
        direction=str(METRICS[metric].direction),
        value=found.value,
        low=found.low,
        high=found.high,
        level=LEVEL,
        n=found.n,
        n_clusters=found.n_days,
        method=found.method,
        bound=OUT_OF_FOLD,
        window_start=reference.start,
        window_end=reference.end,
        digests={"reference": reference.id, "model": version.artifact_digest, "data": version.data_digest},
        code_version=code_version(),
        computed_at=now,
        state="ok" if found.value is not None else "not_computable",
        reason=found.reason,
    )


def code_version() -> str:
    """Which version of this program computed a number."""
    try:
        return installed_version("mlops-dash")
    except PackageNotFoundError:
        return "checkout"
