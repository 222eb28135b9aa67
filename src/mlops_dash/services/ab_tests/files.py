"""Read an experiment that is over from its rows: arms, effects, intervals, sample ratio, covariate, clusters.

No database is asked, so the command line can use it on any machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mlops_dash.domain.ab_analysis import KINDS, Analysis, ArmLine, EffectLine, Question, Span, judge_analysis
from mlops_dash.errors import InvalidInput
from mlops_dash.stats.ab import (
    MIN_CUPED,
    ArmValue,
    Effect,
    clustered,
    cuped,
    holm,
    mean_of,
    permutation_p,
    probability_greater,
    quantile_of,
    ratio_of,
    sample_ratio_p,
    welch,
)
from mlops_dash.stats.arrays import Bools, Floats, as_codes, sums_by
from mlops_dash.stats.intervals import FEW_CLUSTERS, MIN_CLUSTERS, ratio, t_quantile, wilson
from mlops_dash.stats.moments import Moments
from mlops_dash.stats.sequential_ab import always_valid, units_before_first_look

_USUAL_CONTROLS = ("control", "0", "a", "false", "baseline")
_PERMUTATIONS = 10_000


@dataclass(frozen=True)
class _Rows:
    """What the file holds of the question: one entry a row with a known arm and outcome."""

    kind: str
    names: tuple[str, ...]  # arms, the control first
    arm: pd.Series  # name of each row's arm
    top: Floats  # outcome, or numerator
    bottom: Floats  # 1, or denominator
    clusters: pd.Series | None
    missing: dict[str, int]
    warnings: list[str]

    def of(self, name: str) -> Bools:
        """Rows of one arm."""
        return (self.arm == name).to_numpy(dtype=np.bool_)


def analyse(frame: pd.DataFrame, question: Question) -> Analysis:
    """Compare every arm of a file with its control, at one look.

    Args:
        frame: One row a unit (of a cluster-randomised experiment: one row a unit within its cluster).
        question: Which columns, which kind.

    Raises:
        InvalidInput: a column is missing or not of numbers, there are not two arms, or the kind cannot be.
    """
    rows, reduction = _rows(frame, question), None
    control = rows.names[0]
    effects = {one: _effect(rows, rows.top, one, control, question) for one in rows.names[1:]}
    if question.covariate:
        rows, reduction, effects = _adjusted(frame, rows, effects, question)
    ps = {one: _p(rows, effect, one, control) for one, effect in effects.items()}
    adjusted = holm(list(ps.values()))
    lines = tuple(
        _line(rows, effect, one, control, question, p=ps[one], adjusted_p=after)
        for (one, effect), after in zip(effects.items(), adjusted, strict=True)
    )
    srm_p = sample_ratio_p(_unit_counts(rows), [1.0] * len(rows.names))
    verdict, reason = judge_analysis(lines, srm_p=srm_p, alpha=question.alpha, lower_is_better=question.lower_is_better)
    return Analysis(
        question=question,
        kind=rows.kind,
        control=control,
        arms=tuple(_arm(rows, one, question) for one in rows.names),
        effects=lines,
        verdict=str(verdict),
        reason=reason,
        srm_p=srm_p,
        variance_reduction=reduction,
        clusters=None if rows.clusters is None else int(rows.clusters.nunique()),
        warnings=tuple(rows.warnings),
    )


def stratified(strata: Sequence[Analysis], *, alpha: float) -> Span:
    """The difference pooled over strata, each weighted by its units: what the arms' unequal mix cannot bend.

    Args:
        strata: One analysis with one effect each.
        alpha: Interval at 1 - alpha.
    """
    sizes = np.array([sum(arm.n for arm in one.arms) for one in strata], dtype=np.float64)
    weights = sizes / sizes.sum()
    value = np.array([one.effects[0].absolute.value for one in strata])
    se = np.array([
        (one.effects[0].absolute.high - one.effects[0].absolute.low) / (2.0 * t_quantile(1.0 - alpha, 1e9))
        for one in strata
    ])  # fmt: skip
    mean = float((weights * value).sum())
    half = t_quantile(1.0 - alpha, 1e9) * float(np.sqrt(((weights * se) ** 2).sum()))
    return Span(mean, mean - half, mean + half)


# --- from the file to numbers -----------------------------------------------------------------------------------------


def _rows(frame: pd.DataFrame, question: Question) -> _Rows:
    top_name, _, bottom_name = question.metric.partition("/")
    wanted = [question.variant, top_name, bottom_name, question.covariate, question.cluster]
    absent = [one for one in wanted if one and one not in frame]
    if absent:
        raise InvalidInput(f"The file has no column {absent[0]!r}.", hint=f"It has {', '.join(map(str, frame))}.")
    warnings: list[str] = []
    nameless = int(frame[question.variant].isna().sum())
    if nameless:
        warnings.append(f"{nameless:,} rows without a variant are left out.")
        frame = frame[frame[question.variant].notna()]
    arm = frame[question.variant].map(_name)
    names = _ordered(sorted(set(arm)), question.control)
    top, bottom = _numbers(frame, top_name), _numbers(frame, bottom_name)
    known = np.isfinite(top) & np.isfinite(bottom)
    missing = {one: int((~known & (arm == one).to_numpy()).sum()) for one in names}
    kind = _kind(question, top[known], bottom_name)
    if question.cluster and frame[question.cluster].isna().any():
        raise InvalidInput(f"Some rows have no cluster in {question.cluster!r}.", hint="Fill it, or leave them out.")
    clusters = frame[question.cluster][known].reset_index(drop=True) if question.cluster else None
    return _Rows(kind, names, arm[known].reset_index(drop=True), top[known], bottom[known], clusters, missing, warnings)


def _name(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _ordered(names: list[str], control: str) -> tuple[str, ...]:
    if len(names) < 2:
        raise InvalidInput(f"There is {len(names)} arm; two are needed.", hint="Check the column of --variant.")
    if len(names) > 20:
        raise InvalidInput(f"There are {len(names)} arms; the most is 20.", hint="Check the column of --variant.")
    if control and control not in names:
        raise InvalidInput(f"No arm is called {control!r}.", hint=f"Arms: {', '.join(names)}.")
    usual = next((one for one in names if one.lower() in _USUAL_CONTROLS), names[0])
    first = control or usual
    return (first, *(one for one in names if one != first))


def _numbers(frame: pd.DataFrame, column: str) -> Floats:
    if not column:
        return np.ones(len(frame))
    try:
        values = frame[column].astype(float).to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"The column {column!r} is not of numbers: {error}.") from error
    if np.isinf(values).any():
        raise InvalidInput(f"The column {column!r} holds infinities.", hint="Leave those rows out.")
    return values


def _kind(question: Question, values: Floats, bottom: str) -> str:
    binary = bool(np.isin(values, (0.0, 1.0)).all())
    kind = question.kind or ("ratio" if bottom else "quantile" if question.q else "proportion" if binary else "mean")
    refusals = (
        (kind not in KINDS, f"The kind {kind!r} is none of {', '.join(KINDS)}."),
        ((kind == "ratio") != bool(bottom), "A ratio, and only a ratio, is named NUM/DEN."),
        ((kind == "quantile") != (question.q is not None), "A quantile, and only a quantile, needs --q."),
        (kind == "proportion" and not binary, "A proportion needs values 0 and 1."),
        (kind == "quantile" and bool(question.cluster), "A quantile with clusters cannot be computed yet."),
        (kind in {"quantile", "ratio"} and bool(question.covariate), f"A covariate cannot adjust a {kind}."),
        (not 0 < question.alpha < 1, f"Alpha {question.alpha} is not between 0 and 1."),
        (question.q is not None and not 0 < question.q < 1, f"q {question.q} is not between 0 and 1."),
    )
    for broken, message in refusals:
        if broken:
            raise InvalidInput(message, hint="See mlops-dash ab --help.")
    return kind


# --- from numbers to effects ------------------------------------------------------------------------------------------


def _value(rows: _Rows, top: Floats, mask: Bools, question: Question) -> ArmValue:
    if rows.kind == "ratio":
        return ratio_of(top[mask], rows.bottom[mask])
    if rows.kind == "quantile" and question.q is not None:
        return quantile_of(top[mask], question.q)
    return mean_of(top[mask])


def _effect(rows: _Rows, top: Floats, name: str, control: str, question: Question) -> Effect:
    one, zero = rows.of(name), rows.of(control)
    if rows.clusters is None:
        return welch(_value(rows, top, one, question), _value(rows, top, zero, question))
    codes, n = as_codes(rows.clusters.astype(str).to_numpy())
    arms = [
        np.column_stack([sums_by(top * mask, codes, n), sums_by(rows.bottom * mask, codes, n)]) for mask in (one, zero)
    ]
    return clustered(lambda s: ratio(s[..., 0], s[..., 1]), arms[0], arms[1], n_1=int(one.sum()), n_0=int(zero.sum()))


def _adjusted(
    frame: pd.DataFrame, rows: _Rows, plain: dict[str, Effect], question: Question
) -> tuple[_Rows, float | None, dict[str, Effect]]:
    """The outcomes without what the covariate explains; the variance of the effects that this saves."""
    smallest = min(int(rows.of(one).sum()) for one in rows.names)
    if smallest < MIN_CUPED:
        rows.warnings.append(f"No covariate: {smallest} units in an arm, at least {MIN_CUPED} are needed.")
        return rows, None, plain
    named = frame[frame[question.variant].notna()]
    top_name, _, _ = question.metric.partition("/")
    x = _numbers(named, question.covariate)[np.isfinite(_numbers(named, top_name))]
    y, absent = cuped(rows.top, x)
    if absent:
        rows.warnings.append(f"{absent:.1%} of the units lack the covariate; they count with its mean.")
    control = rows.names[0]
    adjusted = {one: _effect(rows, y, one, control, question) for one in plain}
    saved = [1.0 - (adjusted[one].se / plain[one].se) ** 2 for one in plain if plain[one].computable]
    return replace(rows, top=y), float(np.mean(saved)) if saved else None, adjusted


def _apart(rows: _Rows) -> bool:
    """Whether every cluster lies in one arm."""
    return rows.clusters is not None and int(rows.arm.groupby(rows.clusters).nunique().max()) == 1


def _p(rows: _Rows, effect: Effect, name: str, control: str) -> float:
    """Two-sided p; with few clusters, each in one arm, by relabelling them."""
    if rows.clusters is None or not effect.computable or not _apart(rows):
        return effect.p_value
    pair = rows.of(name) | rows.of(control)
    codes, n = as_codes(rows.clusters[pair].astype(str).to_numpy())
    treated = np.zeros(n, dtype=np.bool_)
    treated[codes[rows.of(name)[pair]]] = True
    fewest = int(min(treated.sum(), (~treated).sum()))
    if not MIN_CLUSTERS <= fewest < FEW_CLUSTERS:
        return effect.p_value
    values, weights = sums_by(rows.top[pair], codes, n), sums_by(rows.bottom[pair], codes, n)
    rows.warnings.append(f"{fewest} clusters in an arm: p by relabelling the clusters.")
    return permutation_p(values, weights, treated, draws=_PERMUTATIONS, rng=np.random.default_rng(1))


def _line(
    rows: _Rows, effect: Effect, name: str, control: str, question: Question, *, p: float, adjusted_p: float
) -> EffectLine:
    low, high = effect.interval(question.alpha)
    factor = t_quantile(1.0 - question.alpha, effect.df) if effect.computable else math.nan
    relative = effect.relative(factor) if effect.computable else (math.nan,) * 3
    reason = effect.reason
    if effect.computable and not math.isfinite(relative[1]):
        rows.warnings.append(f"{name}: no relative effect, the control is not separated from 0.")
    ones = None
    if rows.kind == "proportion" and rows.clusters is None and not question.covariate:
        ones = (int(rows.top[rows.of(name)].sum()), int(rows.top[rows.of(control)].sum()))
    greater = probability_greater(effect, successes=ones)
    return EffectLine(
        arm=name,
        absolute=Span(effect.difference, low, high),
        relative=Span(*relative),
        p_value=p,
        adjusted_p=adjusted_p,
        always_valid=_always(rows, effect, name, control, question),
        probability_better=1.0 - greater if question.lower_is_better else greater,
        method=effect.method,
        reason=reason,
    )


def _always(rows: _Rows, effect: Effect, name: str, control: str, question: Question) -> tuple[float, float]:
    one, zero = Moments.of(rows.top[rows.of(name)]), Moments.of(rows.top[rows.of(control)])
    needed = units_before_first_look(one, zero)
    if min(one.n, zero.n) < needed:
        rows.warnings.append(f"{name}: no always-valid interval below {needed:,} units an arm.")
        return math.nan, math.nan
    look = always_valid(effect, planned_units=question.planned or (one.n + zero.n), alpha=question.alpha)
    return look.low, look.high


def _unit_counts(rows: _Rows) -> list[int]:
    """What was drawn: rows, or clusters where each lies in one arm; missing outcomes were drawn too."""
    if rows.clusters is not None and _apart(rows):
        return [int(rows.clusters[rows.of(one)].nunique()) for one in rows.names]
    return [int(rows.of(one).sum()) + rows.missing[one] for one in rows.names]


def _arm(rows: _Rows, name: str, question: Question) -> ArmLine:
    mask = rows.of(name)
    found = _value(rows, rows.top, mask, question)
    if rows.kind == "proportion" and not question.covariate:
        low, high = wilson(float(rows.top[mask].sum()), found.n, level=1.0 - question.alpha)
    elif math.isfinite(found.variance) and found.n > 1:
        half = t_quantile(1.0 - question.alpha, found.n - 1) * math.sqrt(found.variance)
        low, high = found.value - half, found.value + half
    else:
        low, high = math.nan, math.nan
    return ArmLine(name, found.n, rows.missing[name], found.value, found.sd, low, high)
