"""The columns of one window as the page shows them: all scores, what happened to each, and one in detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from mlops_dash.domain.cadence import MIN_WINDOWS
from mlops_dash.domain.monitoring.findings import Finding, Signal, findings_of_window, in_order
from mlops_dash.domain.monitoring.judging import LONG_DAYS, USUAL_TIMES
from mlops_dash.domain.monitoring.readings import FeatureReading, Reading
from mlops_dash.domain.monitoring.room import AsideGroup, FeatureDetail, MonitoringRoom
from mlops_dash.domain.monitoring.words import LABEL_SHIFT, label_sentence, task_of
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.schema import NO_NUMBER
from mlops_dash.services.monitoring.referencing import swing_of
from mlops_dash.stats.drift import ColumnDrift, column_drift
from mlops_dash.store.monitoring.parts import Part, total
from mlops_dash.store.monitoring.references import Reference


def scores_of(reference: Reference, week: Sequence[Part]) -> dict[str, ColumnDrift]:
    """Every score of every column over these windows together, against the reference."""
    layout = reference.layout
    whole, live = total(layout, reference.windows), total(layout, week)
    return {
        name: column_drift(cells, whole.histogram(layout, name), live.histogram(layout, name))
        for name, cells in layout.columns.items()
    }


def happened(
    reference: Reference,
    policy: MonitoringPolicy,
    readings: Sequence[FeatureReading],
    scores: Mapping[str, ColumnDrift],
    told: Reading,
    broken: Sequence[str],
) -> tuple[Finding, ...]:
    """What happened to the columns and to the labels of a window.

    Args:
        reference: What it is compared with.
        policy: The rules.
        readings: Its columns as they were judged.
        scores: The same columns as `scores_of` measures them.
        told: The last window whose labels are known.
        broken: Columns that arrive without values since the last day, whatever the week says.
    """
    usual = reference.baseline["missing"]
    found = findings_of_window(readings, scores, usual_missing=usual, min_rows=policy.min_rows)
    found = tuple(
        replace(one, signal=Signal.EMPTY) if one.signal is Signal.MISSING and one.column in broken else one
        for one in found
    )
    shifted = "" if reference.prior is None else label_drift(told, reference.prior)
    return in_order((*found, *([Finding(Signal.LABELS, "", shifted)] if shifted else [])))


def label_drift(told: Reading, prior: float) -> str:
    """That the labels themselves are others than in the reference, for sure and by a tenth; "" else."""
    rate = told.estimate(task_of(told).label_metric, LONG_DAYS)
    if rate is None or rate.value is None or rate.low is None or rate.high is None:
        return ""
    sure = not rate.low <= prior <= rate.high
    return label_sentence(told, prior) if sure and abs(rate.value - prior) >= LABEL_SHIFT * abs(prior) else ""


def with_types(room: MonitoringRoom, groups: Sequence[AsideGroup]) -> MonitoringRoom:
    """The room with the columns whose values are of another type than the reference's, as rows set aside tell."""
    since = room.features_start
    changed = [
        Finding(Signal.TYPE, one.column, f"{one.rows:,} {'row' if one.rows == 1 else 'rows'} set aside: {one.reason}")
        for one in groups
        if one.reason == NO_NUMBER and since is not None and one.last_at >= since
    ]
    return replace(room, findings=in_order((*room.findings, *changed))) if changed else room


def detail_of(
    reference: Reference, policy: MonitoringPolicy, ranked: Sequence[FeatureReading], feature: str,
    week: Sequence[Part], scores: Mapping[str, ColumnDrift], day: datetime,
) -> FeatureDetail | None:  # fmt: skip
    """`detail` of the column called `feature`, else of the one that moved most; None where no column was judged."""
    chosen = next((one for one in ranked if one.name == feature), ranked[0] if ranked else None)
    return None if chosen is None else detail(reference, policy, chosen, week, scores.get(chosen.name), day)


def detail(
    reference: Reference,
    policy: MonitoringPolicy,
    reading: FeatureReading,
    week: Sequence[Part],
    score: ColumnDrift | None,
    day: datetime,
) -> FeatureDetail:
    """Shares by cell, reference beside live, with every score and the limit of the swing.

    Args:
        reference: What it is compared with.
        policy: The rules.
        reading: The column as it was judged.
        week: The windows that are shown.
        score: The column as `scores_of` measures it.
        day: When they end.
    """
    layout, swing = reference.layout, swing_of(reference)
    past = total(layout, reference.windows).histogram(layout, reading.name)
    live = total(layout, week).histogram(layout, reading.name)
    return FeatureDetail(
        reading=reading,
        labels=layout.columns[reading.name].labels,
        reference=tuple(float(c) / max(1, past.present) for c in past.counts),
        live=tuple(float(c) / max(1, live.present) for c in live.counts),
        n_reference=past.n,
        n_live=live.n,
        score=score,
        times_limit=swing.ratio_limit(level=policy.rank_level) if swing.k_windows >= MIN_WINDOWS else USUAL_TIMES,
        until=day,
    )
