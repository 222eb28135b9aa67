"""Have the columns of one table moved from those of another? The verdict on two bare files, without days or a model.

Rows are taken as independent, since two files say nothing of days: that caveat stands in every answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_dash.domain.monitoring.findings import Finding, Signal, findings_of
from mlops_dash.domain.monitoring.judging import GONE, MISSING_FLOOR, UNSEEN_FLOOR, judge_columns
from mlops_dash.domain.monitoring.readings import known
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import Drift
from mlops_dash.stats.constants import Others
from mlops_dash.stats.drift import ColumnDrift, benjamini_hochberg

INDEPENDENT = "Day-to-day variation is unknown: rows are taken as independent."
FEW_REFERENCE = 5  # more current rows than so many times the reference's: the reference is the limit
KINDS = {"numeric": "numeric", "category": "categorical"}
_MOST_NAMED = 5


@dataclass(frozen=True)
class Column:
    """A column of both tables.

    Attributes:
        kind: "numeric" or "category".
        drift: What was measured; None where nothing could be.
        words: How many current cells are no number in a column of numbers; they count as missing.
        became: What the current column holds where the reference's holds something else, in words; "" else.
        reason: Why nothing could be measured.
    """

    name: str
    kind: str
    drift: ColumnDrift | None
    words: int = 0
    example: str = ""
    reason: str = ""
    became: str = ""


@dataclass(frozen=True)
class ColumnVerdict:
    """The word on a column, and why."""

    column: Column
    verdict: Drift
    q: float | None
    reason: str
    findings: tuple[Finding, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """One entry of `features`; a number that cannot be computed is null."""
        drift = self.column.drift
        numbers: dict[str, float | None] = dict.fromkeys(_NUMBERS)
        if drift is not None:
            read = {key: getattr(drift, name) for key, name in _NUMBERS.items()}
            numbers = {key: None if value is None else known(value) for key, value in read.items()}
        return {
            "name": self.column.name,
            "kind": KINDS.get(self.column.kind, self.column.kind),
            **numbers,
            "q_value": self.q,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "findings": [str(one.signal) for one in self.findings],
        }


_NUMBERS = {
    "psi": "psi", "excess": "excess", "psi_low": "psi_low", "psi_high": "psi_high", "noise_floor": "noise_floor",
    "js": "js", "ks": "ks", "wasserstein": "wasserstein", "p_value": "p_value",
    "missing_reference": "missing_reference", "missing_current": "missing_current", "unseen": "unseen",
    "out_of_range": "out_of_range",
}  # fmt: skip


@dataclass(frozen=True)
class TwoTables:
    """The verdict on two tables.

    Attributes:
        verdict: "stable", "watch", "drift" or "not_enough_rows".
        reason: One sentence.
        absent: Columns of the reference that the current table does not have.
        new: Columns that only the current table has.
        notes: Caveats.
    """

    verdict: str
    reason: str
    n_reference: int
    n_current: int
    features: tuple[ColumnVerdict, ...]
    absent: tuple[str, ...]
    new: tuple[str, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The public shape of `mlops-dash drift --json`."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "n_reference": self.n_reference,
            "n_current": self.n_current,
            "features": [feature.as_json() for feature in self.features],
            "missing_columns": list(self.absent),
            "new_columns": list(self.new),
            "notes": list(self.notes),
        }


def judge_tables(
    columns: Sequence[Column], *, n_reference: int, n_current: int, new: Sequence[str], policy: MonitoringPolicy
) -> TwoTables:
    """Judge the columns of a reference in the table that follows it.

    Args:
        columns: Every column of the reference; one that the current table lacks has a reason and no drift.
        n_reference: Rows of the reference.
        n_current: Rows of the current table.
        new: Columns that only the current table has.
        policy: Minima, floors and the share of false discoveries.
    """
    measured = [column for column in columns if column.drift is not None]
    drifts = [column.drift for column in measured if column.drift is not None]
    enough = n_reference >= policy.min_reference_rows and n_current >= policy.min_rows
    read = dict(zip((column.name for column in measured), judge_columns(policy, drifts, None), strict=True))
    missing_q = _q_of_missing(measured, n_reference, n_current)
    features: list[ColumnVerdict] = []
    absent = tuple(column.name for column in columns if column.drift is None and column.reason == ABSENT)
    for column in columns:
        reading = read.get(column.name)
        if reading is None or column.drift is None:
            verdict = Drift.DRIFT if column.reason == ABSENT and enough else Drift.NOT_COMPUTABLE
            features.append(ColumnVerdict(column, verdict, None, column.reason))
            continue
        verdict, reason = reading.verdict, reading.reason
        if enough:
            verdict, reason = _with_gaps(column.drift, verdict, reason, missing_q[column.name], policy)
        types = _of_types(column, n_current)
        reason = "; ".join(one for one in (types, reason) if one)
        found = findings_of(
            reading, column.drift, usual_missing=column.drift.missing_reference, min_rows=policy.min_rows
        )
        if types and (column.became or column.words >= MISSING_FLOOR * n_current):
            found = (Finding(Signal.TYPE, column.name, types), *found)
            verdict = verdict if verdict is Drift.DRIFT or not enough else Drift.WATCH
        features.append(ColumnVerdict(column, verdict, reading.q, reason, found if enough else ()))
    word, reason = _whole(features, enough=enough, n_reference=n_reference, n_current=n_current, policy=policy)
    notes = [INDEPENDENT]
    if n_current > FEW_REFERENCE * n_reference:
        notes.append(f"The reference is the limit: it has {n_reference:,} rows, the other file {n_current:,}.")
    return TwoTables(word, reason, n_reference, n_current, tuple(features), absent, tuple(new), tuple(notes))


def _of_types(column: Column, n_current: int) -> str:
    """That values are of another type than in the reference; "" when they are not."""
    if column.became:
        return f"the column holds {column.became}"
    if not column.words:
        return ""
    return f"{column.words:,} of {n_current:,} are no number, such as {column.example!r}"


ABSENT = "the current file has no such column"


def _q_of_missing(columns: Sequence[Column], n_reference: int, n_current: int) -> Mapping[str, float]:
    """The q-value of a changed share of missing values, among all columns."""
    p = []
    for column in columns:
        shares = (column.drift.missing_reference, column.drift.missing_current) if column.drift else (0.0, 0.0)
        old, new = (round(share * n) for share, n in zip(shares, (n_reference, n_current), strict=True))
        p.append(Others("", old, n_reference, new, n_current).p_value)
    q = benjamini_hochberg(np.asarray(p)).tolist()
    return {column.name: value for column, value in zip(columns, q, strict=True)}


def _with_gaps(
    drift: ColumnDrift, verdict: Drift, reason: str, q: float, policy: MonitoringPolicy
) -> tuple[Drift, str]:
    """The verdict with what missing and unseen values add to it: they never make a score by themselves."""
    before, now = drift.missing_reference, drift.missing_current
    if now >= GONE > before:
        return Drift.DRIFT, f"no values any more: {now:.1%} missing, {before:.1%} in the reference"
    said = []
    if now >= before + MISSING_FLOOR and q < policy.alpha:
        said.append(f"{now:.1%} missing, {before:.1%} in the reference")
    if drift.unseen >= drift.unseen_expected + UNSEEN_FLOOR:
        said.append(f"{drift.unseen:.1%} of values never seen in the reference, {drift.unseen_expected:.1%} expected")
    if not said:
        return verdict, reason
    louder = verdict if verdict is Drift.DRIFT else Drift.WATCH
    return louder, "; ".join([*said, reason] if reason else said)


def _whole(
    features: Sequence[ColumnVerdict], *, enough: bool, n_reference: int, n_current: int, policy: MonitoringPolicy
) -> tuple[str, str]:
    if not enough:
        least, least_now = policy.min_reference_rows, policy.min_rows
        return "not_enough_rows", (
            f"Not enough rows: {n_reference:,} of at least {least:,} in the reference, "
            f"{n_current:,} of at least {least_now:,} in the current file."
        )
    of: dict[Drift, list[str]] = {word: [] for word in Drift}
    for feature in features:
        of[feature.verdict].append(feature.column.name)
    unjudged = _said("not judged", of[Drift.NOT_COMPUTABLE], len(features))
    for word, verb in ((Drift.DRIFT, "drifted"), (Drift.WATCH, "moved")):
        if of[word]:
            return str(word), " ".join(filter(None, (_said(verb, of[word], len(features)), unjudged)))
    if len(of[Drift.NOT_COMPUTABLE]) == len(features):
        return "not_enough_rows", f"No column could be judged. {unjudged}"
    stable = f"{len(of[Drift.STABLE])} of {len(features)} columns are stable."
    return "stable", f"{stable} {unjudged}".rstrip()


def _said(verb: str, names: Sequence[str], of: int) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{len(names)} of {of} columns {verb}: {', '.join(names[:_MOST_NAMED])}{more}."
