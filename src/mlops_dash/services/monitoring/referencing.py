"""What is live traffic compared with? References of versions: their cells, their own windows, their baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash import __version__
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.cadence import DAY_CLUSTERS, GROUP, MIN_WINDOWS, plural_of
from mlops_dash.domain.calendar import day_of, day_start
from mlops_dash.domain.class_probabilities import probability_columns, require_probabilities
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.monitoring.judging import NO_LABELS, harm_baseline
from mlops_dash.domain.monitoring.readings import Estimate, estimate_to_row, known
from mlops_dash.domain.monitoring.room import OUT_OF_FOLD
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.domain.schema import EARLIEST, LARGEST, LATEST, in_range
from mlops_dash.domain.tasks import METRICS
from mlops_dash.domain.tasks.task import ModelTask, Watch
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.ids import digest
from mlops_dash.services.command import Context, record
from mlops_dash.services.monitoring.grouping import Alike, alike_of
from mlops_dash.services.monitoring.measuring import LEVEL, by_day, clusters_of, measure, units_of
from mlops_dash.services.monitoring.reference_pieces import RefPiece, cut_by, pieces_of, window_numbers, windows_of
from mlops_dash.services.monitoring.signing import Signing
from mlops_dash.stats.arrays import Ints, as_floats
from mlops_dash.stats.drift import UsualSwing, usual_swing
from mlops_dash.stats.sequential import HarmUnit
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import policies
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring import profiles, references
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring.parts import Layout, Part, clip_of, count_rows, layout_of, pack_all, total
from mlops_dash.store.monitoring.references import Reference
from mlops_dash.store.prediction_log import to_us

NOT_FEATURES = frozenset({"at", "score", "label"})  # beside the probabilities of classes
_HOUR, _DAY_HOURS = timedelta(hours=1), 24


class Referencing:
    """References of versions."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @record(Permission.MODEL_EDIT)
    def record_reference(self, actor: Actor, version_id: str, rows: pd.DataFrame, *, method: str = OUT_OF_FOLD) -> str:
        """Keep what a version's live traffic is compared with; the same rows again are the same reference.

        Hours that the version answered before are marked, so that they are profiled against this reference.

        Args:
            actor: A process of ours, a scientist or above.
            version_id: The version.
            rows: `at` (aware), all features, `score` (out of fold: the row's day was not trained on), `label` (0/1; of
                a regression the number, in the unit of the score; no such column where no outcome is known), and of
                several classes `probability:CLASS` of each, where it is known.
            method: How the rows were scored: out of fold, or as they were served.

        Returns:
            The reference's id.

        Raises:
            NotFound: no such version.
            InvalidInput: a column is missing, `at` is naive, or a score or label is missing or none of the task's.
        """
        now = self.context.clock.now()
        inputs = Signing(self.context).keep_inputs(actor, version_id)
        with reading(self.context.databases.app) as session:
            version = store.version(session, version_id)
            if version is None:
                raise NotFound(f"No version {version_id}.", hint="Record the version before its reference.")
            policy = policies.active(session, version.model, PolicyKind.MONITORING, now).monitoring
            task, cluster = policies.task_of(session, version.model), policies.cluster_of(session, version.model)
        made, measured = build_reference(
            version, task, policy, checked_rows(rows, task), now, method=method, cluster=cluster, inputs=inputs
        )
        with transaction(self.context.databases.app) as session:
            if references.save_reference(session, made):
                subject = f"{version.model} v{version.version}"
                evidence_store.put(session, evidence_of(subject, version, made, measured, task, now))
        with transaction(self.context.databases.log) as session:
            profiles.mark_past_of(session, version.model, version_id, marked_us=to_us(now))
        return made.id


def checked_rows(rows: pd.DataFrame, task: ModelTask) -> pd.DataFrame:
    """The rows of a reference in the order of time; without a column of labels none of them has one.

    Raises:
        InvalidInput: a column is missing, `at` is naive, or a score or label is missing or none of the task's.
    """
    labelled = "label" in rows.columns
    absent = NOT_FEATURES - {"label"} - set(rows.columns)
    if absent:
        raise InvalidInput(
            f"The reference lacks the columns {', '.join(sorted(absent))}.",
            hint="Give at, the features, score, and the label where it is known.",
        )
    if not isinstance(rows["at"].dtype, pd.DatetimeTZDtype):
        raise InvalidInput("The reference's `at` has no time zone.", hint="Give aware UTC times.")
    bad = int(rows["score"].isna().sum() + (rows["label"].isna().sum() if labelled else 0))
    if bad or rows.empty:
        raise InvalidInput(
            f"{bad} scores or labels of {len(rows)} reference rows are missing.",
            hint="Give labelled, scored rows only.",
        )
    judged = (("score", task.why_no_score), ("label", task.why_no_label))
    for column, why_not in judged if labelled else judged[:1]:
        values = as_floats(rows[column], name=f"The reference's {column}s").tolist()
        unfit = next((one for one in values if not in_range(one) or why_not(one)), None)
        if unfit is not None:
            reason = why_not(unfit) if in_range(unfit) else f"it is beyond {LARGEST:g}"
            raise InvalidInput(f"The {column} {unfit!r} of a reference row cannot be counted: {reason}.")
    require_probabilities(rows, task.facts.get("classes", ()))
    if not ((rows["at"] >= EARLIEST) & (rows["at"] < LATEST)).all():
        raise InvalidInput(f"A reference row lies outside {EARLIEST:%Y} to {LATEST:%Y}.", hint="Look at its `at`.")
    rows = rows if labelled else rows.assign(label=np.nan)
    return rows.astype({"label": "float64"}).sort_values("at", kind="stable", ignore_index=True)


def build_reference(
    version: store.Version, task: ModelTask, policy: MonitoringPolicy, rows: pd.DataFrame, now: datetime,
    *, method: str, cluster: str = "", inputs: Sequence[str] = (),
) -> tuple[Reference, dict[str, Estimate]]:  # fmt: skip
    """Make the cells, the reference's own windows and the baseline of its rows.

    `cluster` names what rows belong to: a column beside the inputs, unless it is one of the version's `inputs`.
    """
    batch, cluster = policy.cadence.column, cluster if cluster in rows else ""
    others = {*NOT_FEATURES, *probability_columns(rows), batch, *({cluster} - set(inputs))}
    features = [name for name in rows.columns if name not in others]
    if not features:
        raise InvalidInput("No column is left as an input.", hint="Keep the columns that the model was given.")
    layout, left_out = layout_of(rows, features=features, clip=clip_of(policy.loss_clip), task=task)
    pieces, groups = pieces_of(rows, policy)
    parts = count_rows(layout, rows, groups, len(pieces))
    labels = rows["label"].to_numpy(dtype=np.float64)
    prior = None if np.isnan(labels).all() else task.prior_of(labels)
    alike = None
    if cluster and prior is not None and len({piece.day for piece in pieces}) < DAY_CLUSTERS:
        alike = alike_of(layout, rows, cluster, window_numbers(policy.cadence, pieces)[groups], prior=prior)
    baseline, measured = baseline_of(policy, layout, pieces, parts, prior=prior, alike=alike)
    if cluster:
        baseline["cluster"] = cluster
    kinds: dict[str, str] = {name: cells.kind for name, cells in layout.columns.items()} | left_out
    if batch:
        kinds[batch] = "names the batch"
    if cluster and cluster not in features:  # of an input its kind says which values are ones
        kinds[cluster] = "names what rows belong to"
    profile = pack_all(parts)
    cut = cut_by(policy, pieces)
    content: dict[str, Any] = {
        "version": version.id,
        "cells": layout.to_dict(),
        "baseline": baseline,
        "days": cut["days"],
        "zone": policy.zone,
        "counts": [digest([int(x) for x in part.counts]) for part in parts],
        **({"window": policy.window} if policy.cadence.rows else {}),
        **{name: cut[name] for name in ("begins", "batches") if name in cut},
    }
    made = Reference(
        id=digest(content)[:26],
        version_id=version.id,
        model=version.model,
        start=day_start(pieces[0].day, policy.zone),
        end=_end(rows, policy),
        n_rows=len(rows),
        kinds=kinds,
        cells=layout.to_dict(),
        baseline=baseline | cut,
        profile=profile,
        method=method,
        created_at=now,
    )
    return made, measured


def _end(rows: pd.DataFrame, policy: MonitoringPolicy) -> datetime:
    """After the last day; of batches after the last row, as the next one may begin on the same day."""
    last: datetime = rows["at"].iloc[-1].to_pydatetime()
    if policy.cadence.is_batch:
        return last + timedelta(microseconds=1)
    return day_start(day_of(last, policy.zone) + timedelta(days=1), policy.zone)


def baseline_of(
    policy: MonitoringPolicy, layout: Layout, pieces: Sequence[RefPiece], parts: Sequence[Part],
    *, prior: float | None, alike: Alike | None = None,
) -> tuple[dict[str, Any], dict[str, Estimate]]:  # fmt: skip
    """What is normal: the reference's own windows in the policy's cadence, and what its labels say."""
    cadence = policy.cadence
    windows = windows_of(cadence, layout, pieces, parts)
    days = by_day([(piece.day.isoformat(), part) for piece, part in zip(pieces, parts, strict=True)])
    clusters, unit = clusters_of(cadence, days, windows, n_days=len(days))
    if alike is not None:
        clusters, unit = alike.groups, GROUP
    measured = {} if prior is None else measure(layout.task, clusters, prior=prior, unit=unit)
    spans = [total(layout, windows[i : i + cadence.short]) for i in range(len(windows) - cadence.short + 1)]
    apart = [one for one in spans[(len(windows) % cadence.short) :: cadence.short] if one.n]
    # Whole spans that do not overlap, when there are enough for the rank rule; else all stretches of seven days, which
    # tell the usual swing as well as these rows can, and K says how few weeks they are. Of few other windows: nothing.
    few = spans if cadence.is_daily else []
    swing = usual_swing(layout.columns, _counts(layout, apart if len(apart) >= MIN_WINDOWS else few))
    design = {} if alike is None else dict(alike.design)
    watches = {
        watch.key: _watch_baseline(policy, layout.task, watch, windows, prior, design.get(watch.key, 1.0))
        for watch in layout.task.followed
    }
    return {
        **({"labelled": False} if prior is None else {}),
        "prior": prior,  # of two classes the share of label 1, of several that of the largest, else the mean label
        "clip": layout.clip,
        "metrics": {name: estimate_to_row(estimate) for name, estimate in measured.items()},
        "watches": watches,
        **({"design": design} if design else {}),
        "swing": {
            "k": len(apart),
            "usual": {name: known(psi) for name, psi in swing.usual_psi.items()},
            "maxima": list(swing.maxima) if len(apart) >= MIN_WINDOWS else [],
        },
        "missing": {
            name: max((w.histogram(layout, name).missing / w.n for w in spans if w.n), default=0.0)
            for name in layout.columns
        },
    }, measured


def recut(reference: Reference, policy: MonitoringPolicy) -> Reference | None:
    """The same reference with its windows in the policy's cadence; None where what it was kept by cannot be that.

    Hours can be put together to days, weeks and months, never the other way round, and batches to nothing else. Its
    cells stay, so that nothing has to be profiled again.
    """
    if reference.baseline.get("window", "day") == policy.window:
        return reference
    dates = [date.fromisoformat(day) for day in reference.baseline.get("days", ())]
    begins: Sequence[datetime | None] = reference.begins or [None] * len(dates)
    named = reference.cadence.is_batch or policy.cadence.is_batch
    cannot = named or (policy.cadence.is_hourly and not reference.begins)
    if len(dates) != len(reference.windows) or cannot:
        return None
    pieces = [RefPiece(day, begin) for day, begin in zip(dates, begins, strict=True)]
    alike = Alike((), reference.baseline.get("design", {})) if reference.is_grouped else None
    baseline, _ = baseline_of(policy, reference.layout, pieces, reference.windows, prior=reference.prior, alike=alike)
    stays = ("cluster", *(["metrics"] if alike else []))  # its rows by what they belong to are not kept
    kept = {name: reference.baseline[name] for name in stays if name in reference.baseline}
    return replace(reference, baseline=baseline | kept | cut_by(policy, pieces))


def swing_of(reference: Reference) -> UsualSwing:
    """The reference's own swing, as measured when it was recorded."""
    kept = reference.baseline["swing"]
    usual = {name: float("nan") if psi is None else psi for name, psi in kept["usual"].items()}
    return UsualSwing(int(kept["k"]), usual, tuple(kept["maxima"]))


def _counts(layout: Layout, parts: Sequence[Part]) -> dict[str, Ints]:
    return {name: np.stack([part.counts[place] for part in parts]) for name, place in layout.slices.items() if parts}


def _watch_baseline(
    policy: MonitoringPolicy, task: ModelTask, watch: Watch, windows: Sequence[Part], prior: float | None, alike: float
) -> dict[str, Any]:
    units = (
        () if prior is None
        else units_of(task, watch, windows, prior=prior, min_labels=policy.harm_min_unit_labels)
    )  # fmt: skip
    units = tuple(replace(unit, variance=alike * unit.variance) for unit in units)
    normal = harm_baseline(policy, task, watch, units)
    return {
        "units": [[unit.first, unit.last, unit.mean, unit.n, unit.variance] for unit in units],
        "mean": known(normal.mean),
        "bound": known(normal.bound),
        "reason": NO_LABELS if prior is None else normal.reason,
    }


def stored_units(baseline: Mapping[str, Any], watch: Watch) -> tuple[HarmUnit, ...]:
    """The reference units of a watch that `_baseline` wrote."""
    rows = baseline["watches"][watch.key]["units"]
    return tuple(HarmUnit(int(first), int(last), *rest) for first, last, *rest in rows)


def evidence_of(
    subject: str,
    version: store.Version,
    reference: Reference,
    measured: Mapping[str, Estimate],
    task: ModelTask,
    now: datetime,
) -> list[Evidence]:
    """What a reference says of its version, as evidence."""
    told = [one.key for one in task.of_probabilities if one.key in measured and measured[one.key].value is not None]
    names = [name for name in task.of_reference if name in measured] + told  # none without labels
    return [_evidence(subject, version, reference, name, measured[name], now) for name in names]


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
        bound=reference.method,
        window_start=reference.start,
        window_end=reference.end,
        digests={"reference": reference.id, "model": version.artifact_digest, "data": version.data_digest},
        code_version=__version__,
        computed_at=now,
        state="ok" if found.value is not None else "not_computable",
        reason=found.reason,
        details={"clusters": plural_of(GROUP)} if reference.is_grouped else {},
    )
