"""Read an experiment that is over from its rows: arms, effects, intervals, sample ratio, covariate, clusters.

No database is asked, so the command line can use it on any machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mlops_dash.domain.ab_tests.analysis import KINDS, Analysis, ArmLine, EffectLine, Question, Span, judge_analysis
from mlops_dash.errors import InvalidInput
from mlops_dash.services.ab_tests.units import drawn_whole, in_two_arms, leave_out
from mlops_dash.services.tables import names_of, numbers_of
from mlops_dash.stats.ab import (
    MIN_CUPED,
    ArmValue,
    Effect,
    clustered,
    cuped,
    mean_of,
    permutation_p,
    probability_greater,
    quantile_of,
    ratio_of,
    welch,
)
from mlops_dash.stats.ab_plan import sample_ratio_p
from mlops_dash.stats.arrays import Bools, Floats, as_codes, sums_by
from mlops_dash.stats.families import holm
from mlops_dash.stats.intervals import FEW_CLUSTERS, MIN_CLUSTERS, ratio, t_quantile, wilson
from mlops_dash.stats.moments import Moments
from mlops_dash.stats.sequential_ab import always_valid, units_before_first_look
from mlops_dash.stats.shares import exact_p, newcombe

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
    units: dict[str, int] | None  # randomised units of each arm, when a column names them
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
    planned = _planned(question, rows.names)
    effects = {one: _effect(rows, rows.top, one, control, question) for one in rows.names[1:]}
    if question.covariate:
        rows, reduction, effects = _adjusted(frame, rows, effects, question)
    ps = {one: _p(rows, effect, one, control) for one, effect in effects.items()}
    adjusted = holm(list(ps.values()))
    lines = tuple(
        _line(rows, effect, one, control, question, p=ps[one], adjusted_p=after)
        for (one, effect), after in zip(effects.items(), adjusted, strict=True)
    )
    drawn = _unit_counts(rows)
    srm_p = sample_ratio_p(drawn, planned)
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
        drawn=tuple(drawn),
        planned_shares=planned,
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
    top_name, bottom_name = _metric_columns(frame, question)
    wanted = [question.variant, top_name, bottom_name, question.covariate, question.cluster, question.unit]
    absent = [one for one in wanted if one and one not in frame]
    if absent:
        raise InvalidInput(f"The file has no column {absent[0]!r}.", hint=f"It has {', '.join(map(str, frame))}.")
    warnings: list[str] = []
    frame = _comparable(frame, question, warnings)
    arm = names_of(frame[question.variant])
    names = _ordered(sorted(set(arm)), question.control)
    units = None
    if question.unit:
        units = {one: int(frame[question.unit][arm == one].nunique()) for one in names}
    top, bottom = _numbers(frame, top_name), _numbers(frame, bottom_name)
    known = np.isfinite(top) & np.isfinite(bottom)
    missing = {one: int((~known & (arm == one).to_numpy()).sum()) for one in names}
    kind = _kind(question, top[known], bottom_name)
    column = _cluster_column(frame, question, warnings)
    clusters = names_of(frame[column])[known].reset_index(drop=True) if column else None
    return _Rows(
        kind, names, arm[known].reset_index(drop=True), top[known], bottom[known], clusters, units, missing, warnings
    )


def _metric_columns(frame: pd.DataFrame, question: Question) -> tuple[str, str]:
    """Numerator and denominator; a column with a slash in its name is a column."""
    metric = question.metric
    cuts = [at for at, sign in enumerate(metric) if sign == "/"]
    pairs = [(metric[:at], metric[at + 1 :]) for at in cuts]
    ratios = [(top, bottom) for top, bottom in pairs if top in frame and bottom in frame]
    if metric in frame and not (question.kind == "ratio" and ratios):
        return metric, ""
    return ratios[0] if ratios else pairs[0] if pairs else (metric, "")


def _comparable(frame: pd.DataFrame, question: Question, warnings: list[str]) -> pd.DataFrame:
    """The rows with an arm, of units and clusters that stand in one arm where they were drawn whole."""
    nameless = int(frame[question.variant].isna().sum())
    if nameless:
        warnings.append(f"{nameless:,} rows without a variant are left out.")
        frame = frame[frame[question.variant].notna()]
    for column, what in ((question.unit, "unit"), (question.cluster, "cluster")):
        if not column:
            continue
        if frame[column].isna().any():
            raise InvalidInput(f"Some rows have no {what} in {column!r}.", hint="Fill it, or leave them out.")
        arm, ids = names_of(frame[question.variant]), names_of(frame[column])
        mixed = in_two_arms(ids, arm)
        if len(mixed) and (what == "unit" or drawn_whole(ids, arm)):
            frame = frame[leave_out(ids, mixed, what, warnings)]
    return frame


def _cluster_column(frame: pd.DataFrame, question: Question, warnings: list[str]) -> str:
    """The column within which rows are alike: the cluster, else the unit where it has several rows."""
    if question.cluster or not question.unit or frame[question.unit].is_unique:
        return question.cluster
    warnings.append(f"Several rows of one {question.unit!r}: they count as one cluster.")
    return question.unit


def _planned(question: Question, names: Sequence[str]) -> tuple[float, ...]:
    """The planned share of each arm.

    Raises:
        InvalidInput: the planned arms are not those of the file.
    """
    if not question.shares:
        return (1.0 / len(names),) * len(names)
    odd = sorted(set(names) ^ set(question.shares))
    if odd:
        raise InvalidInput(
            f"The planned shares and the file do not name the same arms: {', '.join(odd)}.",
            hint=f"The file has {', '.join(names)}.",
        )
    return tuple(question.shares[one] for one in names)


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
    return numbers_of(frame[column], column) if column else np.ones(len(frame))


def _kind(question: Question, values: Floats, bottom: str) -> str:
    binary = bool(np.isin(values, (0.0, 1.0)).all())
    kind = question.kind or ("ratio" if bottom else "quantile" if question.q else "proportion" if binary else "mean")
    refusals = (
        (kind not in KINDS, f"The kind {kind!r} is none of {', '.join(KINDS)}."),
        ((kind == "ratio") != bool(bottom), "A ratio, and only a ratio, is named NUM/DEN."),
        ((kind == "quantile") != (question.q is not None), "A quantile, and only a quantile, needs --q."),
        (kind == "proportion" and not binary, "A proportion needs values 0 and 1."),
        (
            kind == "quantile" and bool(question.cluster or question.unit),
            "A quantile with clusters cannot be computed yet.",
        ),
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
    named = _comparable(frame, question, [])
    top_name, _ = _metric_columns(frame, question)
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
    ones = _ones(rows, name, control)
    if ones is not None and _at_the_edge(ones, effect):
        return exact_p(ones, (effect.n_1, effect.n_0))
    without_spread = effect.reason.startswith("different by construction")
    if rows.clusters is None or not _apart(rows) or not (effect.computable or without_spread):
        return effect.p_value
    pair = rows.of(name) | rows.of(control)
    codes, n = as_codes(rows.clusters[pair].astype(str).to_numpy())
    treated = np.zeros(n, dtype=np.bool_)
    treated[codes[rows.of(name)[pair]]] = True
    fewest = int(min(treated.sum(), (~treated).sum()))
    if not (fewest >= MIN_CLUSTERS and (fewest < FEW_CLUSTERS or without_spread)):
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
    method, reason = effect.method, effect.reason
    ones = _ones(rows, name, control)
    if ones is not None and _at_the_edge(ones, effect):
        low, high = newcombe(ones, (effect.n_1, effect.n_0), level=1.0 - question.alpha)
        method, reason = "Newcombe interval, Fisher's exact test: an arm has one value only", ""
    if effect.computable and not math.isfinite(relative[1]):
        rows.warnings.append(f"{name}: no relative effect, the control is not separated from 0.")
    greater = probability_greater(effect, successes=ones)
    return EffectLine(
        arm=name,
        absolute=Span(effect.difference, low, high),
        relative=Span(*relative),
        p_value=p,
        adjusted_p=adjusted_p,
        always_valid=_always(rows, effect, name, control, question),
        probability_better=1.0 - greater if question.lower_is_better else greater,
        method=method,
        reason=reason,
    )


def _ones(rows: _Rows, name: str, control: str) -> tuple[int, int] | None:
    """Ones of two arms of independent units; None where the outcome is no share."""
    if rows.kind != "proportion" or rows.clusters is not None or not np.isin(rows.top, (0.0, 1.0)).all():
        return None
    return int(rows.top[rows.of(name)].sum()), int(rows.top[rows.of(control)].sum())


def _at_the_edge(ones: tuple[int, int], effect: Effect) -> bool:
    """Whether an arm is all 0 or all 1, where a variance of 0 is information and no standard error."""
    n = (effect.n_1, effect.n_0)
    return min(n) > 0 and any(one in (0, size) for one, size in zip(ones, n, strict=True))


def _always(rows: _Rows, effect: Effect, name: str, control: str, question: Question) -> tuple[float, float]:
    one, zero = Moments.of(rows.top[rows.of(name)]), Moments.of(rows.top[rows.of(control)])
    needed = units_before_first_look(one, zero)
    if min(one.n, zero.n) < needed:
        rows.warnings.append(f"{name}: no always-valid interval below {needed:,} units an arm.")
        return math.nan, math.nan
    look = always_valid(effect, planned_units=question.planned or (one.n + zero.n), alpha=question.alpha)
    return look.low, look.high


def _unit_counts(rows: _Rows) -> list[int]:
    """What was drawn: units, else clusters where each lies in one arm, else rows; missing outcomes were drawn too."""
    if rows.units is not None:
        return [rows.units[one] for one in rows.names]
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
