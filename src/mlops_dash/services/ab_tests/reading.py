"""What the ripe days of a test say: sums by day and arm in, the reading of today and of every day before out.

Days are the clusters: each holds rows of both arms, so the difference is made anew without each day. Nothing of an
outcome leaves this module while the test is blind.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from mlops_dash.domain.ab_tests.analysis import finite
from mlops_dash.domain.ab_tests.assigning import DAY, draw
from mlops_dash.domain.ab_tests.readings import MISMATCH_LOG_E, ArmCount, Look, Measured, Reading
from mlops_dash.domain.ab_tests.rules import ALWAYS_VALID, ABTest, Design
from mlops_dash.domain.tasks import METRICS
from mlops_dash.services.ab_tests.beside import belief_in, lasting_of
from mlops_dash.stats.ab import Effect, Sums, base_rate_free, clustered
from mlops_dash.stats.arrays import Bools, Floats, Ints, sums_by
from mlops_dash.stats.comparison import paired_difference
from mlops_dash.stats.intervals import ratio, t_quantile
from mlops_dash.stats.losses import log_losses, squared_errors
from mlops_dash.stats.moments import Moments
from mlops_dash.stats.sequential_ab import always_valid, one_sided, sample_ratio_log_e, units_before_first_look


@dataclass(frozen=True)
class _Arms:
    """Sums [loss | y=1, n_1, loss | y=0, n_0] of each ripe day, float[days, 4], by metric and arm."""

    days: tuple[date, ...]
    challenger: dict[str, Floats]
    control: dict[str, Floats]


def read_test(test: ABTest, rows: pd.DataFrame, paired: pd.DataFrame, *, now: datetime, over: bool) -> Reading:
    """The reading of a test now.

    Args:
        test: The test; it has started.
        rows: Columns `prediction_id`, `at`, `score`, `label`, `challenger`: every row answered in its window.
        paired: Columns `at`, `score_a` (challenger), `score_b` (control), `label`: rows that both scored.
        now: Which days are ripe.
        over: Whether this is the last reading.
    """
    design = test.design
    rows = rows.assign(day=days_of(rows["at"], design.zone))
    rows = rows.assign(drawn=_drawn(rows, design))
    ripe = rows[rows["day"].isin(_ripe_days(rows, design, now))]
    known = ripe[ripe["label"].notna()]
    treated = known["drawn"].to_numpy(dtype=np.bool_)
    arms = _sums(known, treated, design)
    needed, blind = _first_look(design, known, treated, len(arms.days), over=over)
    counts = [_count((rows, ripe, known), design, challenger=one) for one in (True, False)]
    effects = {metric: _effect(arms, metric, design, len(arms.days)) for metric in design.metrics}
    log_e = sample_ratio_log_e(_assigned(rows, design), [design.share, 1.0 - design.share])
    if log_e >= MISMATCH_LOG_E:
        blind = "The effects are hidden: the arms were not filled as planned."
    elif not blind and not effects[design.outcome].computable:
        blind = f"No look yet: {effects[design.outcome].reason}."
    primary, guardrails = _now(design, effects)
    both = None if blind else _paired(paired, design, set(arms.days))
    return Reading(
        challenger=counts[0],
        control=counts[1],
        days=len(arms.days),
        mismatch_log_e=log_e,
        units_needed=needed,
        blind=blind,
        primary=hidden(primary, blind) if blind else primary,
        guardrails=tuple(hidden(one, blind) if blind else one for one in guardrails),
        looks=() if blind else _looks(arms, design, needed),
        paired=None if both is None else both[0],
        paired_rows=0 if both is None else both[1],
        last_day=arms.days[-1] if arms.days else None,
        method=_method(design, effects[design.outcome]),
        digest=_digest(known),
        notes=_notes(rows),
        belief=None if blind else belief_in(effects[design.outcome], design),
        lasting=None if blind else lasting_of(
            len(arms.days), lambda first, end: _effect(arms, design.outcome, design, end, first=first), design
        ),
    )  # fmt: skip


# --- rows to sums -----------------------------------------------------------------------------------------------------


def days_of(at: pd.Series, zone: str) -> pd.Series:
    """The local day of each instant."""
    return pd.Series([one.date() for one in at.dt.tz_convert(ZoneInfo(zone))], index=at.index, dtype=object)


def _drawn(rows: pd.DataFrame, design: Design) -> Bools:
    """Whether each row was drawn to the challenger, whoever answered: a challenger that fails keeps its hard rows."""
    names = rows["day"].astype(str) if design.unit == DAY else rows["prediction_id"].astype(str)
    units = names.tolist()
    drawn = {one: draw(design.key, one) < design.share for one in set(units)}
    return np.array([drawn[one] for one in units], dtype=np.bool_)


def _notes(rows: pd.DataFrame) -> tuple[str, ...]:
    crossed = int((rows["challenger"].astype(np.bool_) != rows["drawn"]).sum())
    said = f"{crossed:,} rows were answered by the other arm; they count in the arm that was drawn."
    return (said,) if crossed else ()


def _ripe_days(rows: pd.DataFrame, design: Design, now: datetime) -> set[date]:
    """Days that are over and old enough, or over and labelled enough; a day is taken whole or not at all."""
    if rows.empty:
        return set()
    old = now - timedelta(hours=design.label_delay_hours)
    shares = pd.DataFrame({"day": rows["day"], "known": rows["label"].notna()}).groupby("day")["known"].mean()
    by_day: dict[date, float] = dict(zip(shares.index.tolist(), shares.tolist(), strict=True))
    local = ZoneInfo(design.zone)
    ends = {day: datetime(day.year, day.month, day.day, tzinfo=local) + timedelta(days=1) for day in by_day}
    return {
        day for day, share in by_day.items() if ends[day] <= old or (ends[day] <= now and share >= design.ripe_coverage)
    }


def _sums(known: pd.DataFrame, treated: Bools, design: Design) -> _Arms:
    names, codes = np.unique(known["day"].to_numpy(dtype=object), return_inverse=True) if len(known) else ([], [])
    days = tuple(names)
    groups: Ints = np.asarray(codes, dtype=np.int64)
    made = _Arms(days, {}, {})
    for metric in design.metrics:
        columns = parts_of(known, metric).T
        for arm, mask in ((made.challenger, treated), (made.control, ~treated)):
            arm[metric] = np.column_stack([sums_by(one * mask, groups, len(days)) for one in columns])
    return made


def parts_of(known: pd.DataFrame, metric: str) -> Floats:
    """[loss | y=1, is 1, loss | y=0, is 0] of each labelled row, float[rows, 4]."""
    label = known["label"].to_numpy() == 1.0
    score = known["score"].to_numpy(dtype=np.float64)
    loss = squared_errors(label, score) if metric == "brier" else log_losses(label, score)
    return np.column_stack([loss * label, label, loss * ~label, ~label]).astype(np.float64)


def statistic_of(metric: str, design: Design) -> Sums:
    """How the sums of `parts_of` become the outcome."""
    if metric == "base_rate_free_loss":
        return base_rate_free(design.prior)
    return lambda s: ratio(s[..., 0] + s[..., 2], s[..., 1] + s[..., 3])


def _effect(arms: _Arms, metric: str, design: Design, days: int, *, first: int = 0) -> Effect:
    challenger, control = arms.challenger[metric][first:days], arms.control[metric][first:days]
    n_1, n_0 = _units(challenger, design), _units(control, design)
    return clustered(statistic_of(metric, design), challenger, control, n_1=n_1, n_0=n_0)


def _units(sums: Floats, design: Design) -> int:
    rows = sums[:, 1] + sums[:, 3]
    return int(np.count_nonzero(rows)) if design.unit == DAY else int(rows.sum())


def _assigned(rows: pd.DataFrame, design: Design) -> list[int]:
    """Units answered by challenger and control, labelled or not."""
    if design.unit == DAY:
        return [int(rows["day"][rows["drawn"] == one].nunique()) for one in (True, False)]
    challenger = rows["challenger"].to_numpy(dtype=np.bool_)
    return [int(challenger.sum()), int((~challenger).sum())]


def _count(frames: Sequence[pd.DataFrame], design: Design, *, challenger: bool) -> ArmCount:
    """Units in each of: all rows that it answered, those of ripe days drawn to it, those with a label."""
    by = ("drawn" if design.unit == DAY else "challenger", "drawn", "drawn")
    own = [frame[frame[column] == challenger] for frame, column in zip(frames, by, strict=True)]
    sizes = [int(frame["day"].nunique()) if design.unit == DAY else len(frame) for frame in own]
    return ArmCount(*sizes)


# --- sums to what is said ---------------------------------------------------------------------------------------------


def _first_look(design: Design, known: pd.DataFrame, treated: Bools, days: int, *, over: bool) -> tuple[int, str]:
    """Units an arm needs before the first look, and why there is none yet."""
    if design.reading != ALWAYS_VALID and not over:
        return design.min_units, "One look at the end was chosen at design; nothing is shown before."
    needed, sizes = design.min_units, [known["day"][mask].nunique() for mask in (treated, ~treated)]
    if design.unit != DAY:
        needed, sizes = _rows_needed(design, known, treated), [int(treated.sum()), int((~treated).sum())]
    if min(sizes) < needed:
        return needed, f"No look yet: {min(sizes):,} of {needed:,} ripe units in the smaller arm."
    if days < design.min_days:
        return needed, f"No look yet: {days} of {design.min_days} ripe days."
    return needed, ""


def _rows_needed(design: Design, known: pd.DataFrame, treated: Bools) -> int:
    label = known["label"].to_numpy() == 1.0
    score = known["score"].to_numpy(dtype=np.float64)
    loss = squared_errors(label, score) if design.outcome == "brier" else log_losses(label, score)
    return max(design.min_units, units_before_first_look(Moments.of(loss[treated]), Moments.of(loss[~treated])))


def _now(design: Design, effects: dict[str, Effect]) -> tuple[Measured, tuple[Measured, ...]]:
    primary = effects[design.outcome]
    low, high, reach = interval(primary, design, design.alpha)
    first = measured(design.outcome, primary, low, high, relative=relative(primary, reach))
    held = tuple(
        measured(one.metric, effects[one.metric], *bounds(effects[one.metric], design), margin=one.margin)
        for one in design.guardrails
    )
    return first, held


def interval(effect: Effect, design: Design, alpha: float) -> tuple[float, float, float]:
    """Low, high and how many standard errors they lie away, at this look; NaN where it cannot be computed."""
    if not effect.computable:
        return math.nan, math.nan, math.nan
    if design.reading == ALWAYS_VALID:
        look = always_valid(effect, planned_units=design.planned_units, alpha=alpha)
        return look.low, look.high, look.factor
    return (*effect.interval(alpha), t_quantile(1.0 - alpha, effect.df))


def bounds(effect: Effect, design: Design) -> tuple[float, float]:
    """One-sided bounds, each at alpha."""
    if design.reading == ALWAYS_VALID:
        return one_sided(effect, planned_units=design.planned_units, alpha=design.alpha)
    return effect.interval(2.0 * design.alpha)


def measured(
    metric: str,
    effect: Effect,
    low: float,
    high: float,
    *,
    relative: tuple[float, float, float] | None = None,
    margin: float | None = None,
) -> Measured:
    """An effect as pages and evidence carry it: what is not computable is None."""
    return Measured(
        metric=metric,
        challenger=finite(effect.value_1),
        control=finite(effect.value_0),
        value=finite(effect.difference),
        low=finite(low),
        high=finite(high),
        relative=relative,
        margin=margin,
        reason=effect.reason,
    )


def relative(effect: Effect, reach: float) -> tuple[float, float, float] | None:
    """The relative effect with its interval; None where the control is not told from 0."""
    value, low, high = effect.relative(reach) if effect.computable else (math.nan,) * 3
    return (value, low, high) if math.isfinite(low) and math.isfinite(high) else None


def hidden(one: Measured, why: str) -> Measured:
    """The same without any outcome."""
    return Measured(one.metric, None, None, None, None, None, margin=one.margin, reason=why)


def _looks(arms: _Arms, design: Design, needed: int) -> tuple[Look, ...]:
    """The reading of every day from the first look on; p is the smallest so far."""
    if design.reading != ALWAYS_VALID:
        return ()
    found: list[Look] = []
    smallest = 1.0
    for number, day in enumerate(arms.days, start=1):
        effect = _effect(arms, design.outcome, design, number)
        if min(effect.n_1, effect.n_0) < needed or number < design.min_days or not effect.computable:
            continue
        look = always_valid(effect, planned_units=design.planned_units, alpha=design.alpha)
        smallest = min(smallest, look.p)
        found.append(Look(day, effect.n_1, effect.n_0, effect.difference, look.low, look.high, smallest))
    return tuple(found)


def _paired(rows: pd.DataFrame, design: Design, days: set[date]) -> tuple[Measured, int] | None:
    """Both versions on the very same rows: one look, clusters are days."""
    if rows.empty:
        return None
    rows = rows.assign(day=days_of(rows["at"], design.zone))
    rows = rows[rows["day"].isin(days) & rows["label"].notna()]
    found = paired_difference(
        rows["label"].to_numpy(),
        rows["score_a"].to_numpy(),
        rows["score_b"].to_numpy(),
        rows["day"].astype(str).to_numpy(),
        metric=design.outcome,
        direction=str(METRICS[design.outcome].direction),
        level=1.0 - design.alpha,
        prior=design.prior if design.outcome == "base_rate_free_loss" else None,
    )
    # `paired_difference` says improvement; all three outcomes are losses, so challenger minus control is its negative.
    value, low, high = (finite(-one + 0.0) for one in (found.value, found.high, found.low))
    return Measured(
        design.outcome, finite(found.value_a), finite(found.value_b), value, low, high, reason=found.reason
    ), found.n


def _method(design: Design, effect: Effect) -> str:
    how = "always-valid interval" if design.reading == ALWAYS_VALID else "t interval, one look"
    return f"{how}; {effect.method or 'no standard error'}".replace("clusters", "days")


def _digest(known: pd.DataFrame) -> str:
    made = hashlib.sha256("\n".join(known["prediction_id"]).encode())
    for column in ("score", "label", "drawn"):
        made.update(np.ascontiguousarray(known[column].to_numpy(dtype=np.float64)).tobytes())
    return made.hexdigest()


def losses_of(label: Sequence[float], score: Sequence[float], outcome: str, prior: float) -> Floats:
    """Units of an outcome whose mean is the outcome: row losses, for the base-rate-free loss its linearised ones."""
    p, known = np.asarray(score, dtype=np.float64), np.asarray(label, dtype=np.float64)
    if outcome == "mae":
        return np.asarray(np.abs(p - known), dtype=np.float64)
    if outcome == "accuracy":
        return np.asarray(p == known, dtype=np.float64)
    y = known == 1.0
    if outcome == "brier":
        return squared_errors(y, p)
    loss = log_losses(y, p)
    if outcome == "log_loss" or not 0 < y.sum() < y.size:
        return loss
    late = float(y.mean())
    own = prior / late * y * (loss - loss[y].mean()) + (1.0 - prior) / (1.0 - late) * ~y * (loss - loss[~y].mean())
    return np.asarray(own, dtype=np.float64)
