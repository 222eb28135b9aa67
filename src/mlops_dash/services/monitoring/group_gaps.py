"""Gaps between the groups that an owner named, measured on the labelled rows that parts are measured on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from mlops_dash import __version__
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.monitoring.fairness import KIND, Fairness, Gap, Was, fairness_of, widest_first
from mlops_dash.domain.monitoring.readings import known
from mlops_dash.services.monitoring.live_rows import Ground, LiveRows, Members, members_of, named
from mlops_dash.stats.arrays import Bools, Floats
from mlops_dash.stats.drift import benjamini_hochberg
from mlops_dash.stats.group_gaps import GroupGap, group_gap
from mlops_dash.stats.slices import MIN_ROWS
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import registry
from mlops_dash.store.db import Session
from mlops_dash.store.monitoring.readings import Version
from mlops_dash.store.monitoring.references import Reference

_LEVEL = 0.95
_Measure = tuple[str, bool, Floats, Bools]  # words, whether it is a share, values, which rows count


def fairness_in(session: Session, version: Version, reference: Reference) -> Fairness:
    """What is known of the gaps of a version, of the columns that its owner names now and that are not hidden."""
    model = registry.model(session, version.model)
    groups = [name for name in model.groups if name not in model.do_not_log]
    kept = evidence_store.about(session, [f"{version.model} v{version.version}"], kinds=[KIND])
    found = fairness_of(kept, reference.id, groups=groups)
    if model.groups and not groups:
        return replace(found, reason="the columns of its groups are never stored")
    return found


def measured_gaps(ground: Ground, read_in: Sequence[LiveRows], now: datetime) -> Evidence:
    """Every measure of every group beside the largest group of its column, and the same in earlier windows.

    Args:
        ground: What is served.
        read_in: Labelled rows, the latest window first.
        now: When it is measured.
    """
    rows = read_in[0]
    columns, notes = named(ground, ground.model.groups, rows.frame)
    found: list[Gap] = []
    p: list[float] = []
    for column in columns:
        members = members_of(ground, column, rows.frame)
        sizes = [int(of(rows.frame).sum()) for _, of in members]
        if len(members) < 2:
            notes.append(f"{column} has one value in these rows, so there is no other group")
            continue
        base = members[int(np.argmax(sizes))]
        for one in members:
            if one is not base:
                made, of_each = _gaps(ground, column, one, base, read_in)
                found += made
                p += of_each
    q = benjamini_hochberg(p) if p else np.empty(0)
    points, share = ground.policy.harm_tolerance_auc, ground.policy.harm_tolerance_share
    usual = share * float(rows.losses.mean()) if len(rows.losses) else 0.0
    judged = [
        replace(one, q=known(float(of))).judged(
            alpha=1 - _LEVEL, tolerance=points if one.is_share else usual, floor=MIN_ROWS
        )
        for one, of in zip(found, q, strict=True)
    ]
    best = widest_first(judged)
    first = next((one for one in best if one.gap is not None), None)
    reason = "" if columns else "; ".join(notes)
    return Evidence(
        kind=KIND, subject=ground.subject, comparator="the largest group",
        metric="" if first is None else first.measure, direction="nearer_to_zero_is_better",
        value=None if first is None else first.gap, low=None if first is None else first.low,
        high=None if first is None else first.high, level=_LEVEL, n=len(rows.losses), n_clusters=rows.n_clusters,
        method="difference of two ratios, jackknife over clusters, Benjamini-Hochberg over all gaps",
        bound="labelled rows only; a gap says nothing of why it is there", window_start=rows.start,
        window_end=rows.end,
        digests={"reference": ground.reference.id, "model": ground.version.artifact_digest}, code_version=__version__,
        computed_at=now, state="not_computable" if reason else "ok", reason=reason,
        details={"unit": ground.policy.label_unit, "gaps": [one.as_json() for one in best], "notes": notes,
                 "clusters": f"{rows.n_clusters} {rows.unit}"},
    )  # fmt: skip


def _measures(ground: Ground, rows: LiveRows) -> list[_Measure]:
    """The loss of a row, then the shares of its task."""
    task = ground.reference.layout.task
    labels, scores = (rows.frame[name].to_numpy(dtype=np.float64) for name in ("label", "score"))
    every = np.ones(len(rows.losses), dtype=np.bool_)
    shares = [(words, True, values, counts) for words, values, counts in task.group_rates(labels, scores)]
    return [(task.row_loss, task.in_words, rows.losses, every), *shares]


def _gaps(
    ground: Ground, column: str, group: tuple[str, Members], base: tuple[str, Members], read_in: Sequence[LiveRows]
) -> tuple[list[Gap], list[float]]:
    """All gaps of one group, and the p-value of each."""
    windows = [[_one(rows, measure, column, group[1], base[1]) for measure in _measures(ground, rows)]
               for rows in read_in]  # fmt: skip
    found, p = [], []
    for place, (words, is_share, _, _) in enumerate(_measures(ground, read_in[0])):
        now = windows[0][place]
        few = min(now.own.n, now.base.n) < MIN_ROWS
        made = Gap(column, words, is_share, group[0], base[0], now.own.n, now.base.n)
        if not few:
            sure = now.gap.computable
            made = replace(
                made, value=known(now.own.value), base_value=known(now.base.value),
                gap=known(now.gap.value) if sure else None, low=known(now.gap.low), high=known(now.gap.high),
                reason=now.gap.reason,
            )  # fmt: skip
        before = tuple(_was(rows, one[place]) for rows, one in list(zip(read_in, windows, strict=True))[:0:-1])
        found.append(replace(made, before=before))
        p.append(math.nan if few else now.p_value)
    return found, p


def _one(rows: LiveRows, measure: _Measure, column: str, group: Members, base: Members) -> GroupGap:
    none = np.zeros(len(rows.losses), dtype=np.bool_)
    own, other = (of(rows.frame) if column in rows.frame else none for of in (group, base))
    _, _, values, counts = measure
    return group_gap(values, counts, own, other, rows.codes, rows.n_clusters, level=_LEVEL, unit=rows.unit)


def _was(rows: LiveRows, one: GroupGap) -> Was:
    span = (rows.start.isoformat(), rows.end.isoformat())
    if min(one.own.n, one.base.n) < MIN_ROWS:
        return Was(*span, None, None, None, one.own.n)
    return Was(*span, known(one.gap.value), known(one.gap.low), known(one.gap.high), one.own.n)
