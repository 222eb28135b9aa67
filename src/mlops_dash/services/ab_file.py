"""Read an experiment that is over from its table: arms, effects, intervals, sample ratio, covariate, clusters.

Everything is computed from sums (`sums`), so that ten million rows are one pass. No database is asked, so the command
line can use it on any machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlops_dash.domain.ab_tests.analysis import KINDS, Analysis, ArmLine, EffectLine, Question, Span, judge_analysis
from mlops_dash.errors import InvalidInput
from mlops_dash.stats.ab import (
    ArmValue,
    Effect,
    clustered,
    permutation_p,
    probability_greater,
    quantile_of,
    welch,
)
from mlops_dash.stats.ab_plan import sample_ratio_p
from mlops_dash.stats.families import holm
from mlops_dash.stats.intervals import FEW_CLUSTERS, MIN_CLUSTERS, ratio, t_quantile, wilson
from mlops_dash.stats.moments import Moments
from mlops_dash.stats.pair_sums import MIN_CUPED, Adjustment, PairSums
from mlops_dash.stats.sequential_ab import BALANCED, always_valid, units_before_first_look
from mlops_dash.stats.shares import exact_p, newcombe
from mlops_dash.store.unit_tables.source import Source, open_file, open_frame
from mlops_dash.store.unit_tables.sums import (
    Clusters,
    Columns,
    MetricSums,
    Units,
    outcomes,
    sums_of,
    third_moment,
    units_of,
)

if TYPE_CHECKING:
    import pandas as pd

_USUAL_CONTROLS = ("control", "0", "a", "false", "baseline")
_PERMUTATIONS = 10_000


@dataclass(frozen=True)
class _Read:
    """What the table holds of one question, the control first in every tuple."""

    units: Units
    columns: Columns
    kind: str
    names: tuple[str, ...]
    pairs: tuple[PairSums, ...]
    missing: tuple[int, ...]
    clusters: Clusters | None
    adjustment: Adjustment | None = None
    values: dict[int, ArmValue] = field(default_factory=dict)  # of quantiles, by arm
    warnings: list[str] = field(default_factory=list)

    @property
    def apart(self) -> bool:
        """Whether every cluster lies in one arm."""
        return self.clusters is not None and int(self.clusters.held.sum(axis=0).max(initial=0)) == 1


def analyse(frame: pd.DataFrame, question: Question) -> Analysis:
    """Compare every arm of a table in memory with its control, at one look; see `analyse_file`.

    Args:
        frame: One row a unit (of a cluster-randomised experiment: one row a unit within its cluster).
        question: Which columns, which kind.
    """
    with open_frame(frame) as source:
        return _answers(source, [question])[0]


def analyse_file(path: Path, questions: Sequence[Question]) -> list[Analysis]:
    """Compare every arm of a file with its control, at one look, for several outcomes in one pass.

    Args:
        path: Parquet, CSV or TSV, one row a unit.
        questions: They differ in metric, kind, q and covariate only.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it cannot be read, a column is missing or not of numbers, there are not two arms, or the kind
            cannot be.
    """
    with open_file(path) as source:
        return _answers(source, questions)


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


# --- from the table to sums -------------------------------------------------------------------------------------------


def _answers(source: Source, questions: Sequence[Question]) -> list[Analysis]:
    asked = [_columns(source, question) for question in questions]
    first = questions[0]
    for name in (first.variant, first.cluster, first.unit, *(name for one in asked for name in (one.top, one.second))):
        if name and name not in source:
            raise InvalidInput(f"The file has no column {name!r}.", hint=f"It has {', '.join(source.types)}.")
    units = units_of(source, first.variant, unit=first.unit, cluster=first.cluster)
    order = _order(units, first.control)
    found = sums_of(units, asked)
    return [
        _answer(_read(units, columns, sums, order, question), question)
        for columns, sums, question in zip(asked, found, questions, strict=True)
    ]


def _columns(source: Source, question: Question) -> Columns:
    """Numerator, denominator and covariate; a column with a slash in its name is a column."""
    metric = question.metric
    cuts = [at for at, sign in enumerate(metric) if sign == "/"]
    pairs = [(metric[:at], metric[at + 1 :]) for at in cuts]
    ratios = [(top, bottom) for top, bottom in pairs if top in source and bottom in source]
    if metric in source and not (question.kind == "ratio" and ratios):
        top, bottom = metric, ""
    else:
        top, bottom = ratios[0] if ratios else pairs[0] if pairs else (metric, "")
    if bottom and question.covariate:
        raise InvalidInput("A covariate cannot adjust a ratio.", hint="See mlops-dash ab --help.")
    return Columns(top, bottom, question.covariate)


def _order(units: Units, control: str) -> list[int]:
    """Places of the arms, the control first, the others by name."""
    names = units.arms
    if control and control not in names:
        raise InvalidInput(f"No arm is called {control!r}.", hint=f"Arms: {', '.join(names)}.")
    first = control or next((one for one in names if one.lower() in _USUAL_CONTROLS), names[0])
    return [names.index(first), *(at for at, one in enumerate(names) if one != first)]


def _read(units: Units, columns: Columns, sums: MetricSums, order: list[int], question: Question) -> _Read:
    kind = _kind(question, binary=sums.binary, bottom=columns.bottom)
    clusters = sums.clusters
    return _Read(
        units=replace(units, raw=tuple(units.raw[at] for at in order),
                      drawn=None if units.drawn is None else tuple(units.drawn[at] for at in order)),
        columns=columns,
        kind=kind,
        names=tuple(units.arms[at] for at in order),
        pairs=tuple(sums.pairs[at] for at in order),
        missing=tuple(sums.missing[at] for at in order),
        clusters=None if clusters is None else clusters.ordered(order),
        warnings=list(units.warnings),
    )  # fmt: skip


def _answer(rows: _Read, question: Question) -> Analysis:
    reduction = None
    planned = _planned(question, rows.names)
    effects = {at: _effect(rows, at, question) for at in range(1, len(rows.names))}
    if question.covariate:
        rows, reduction, effects = _adjusted(rows, effects, question)
    ps = {at: _p(rows, effect, at) for at, effect in effects.items()}
    adjusted = holm(list(ps.values()))
    lines = tuple(
        _line(rows, effect, at, question, p=ps[at], adjusted_p=after)
        for (at, effect), after in zip(effects.items(), adjusted, strict=True)
    )
    drawn = _unit_counts(rows)
    srm_p = sample_ratio_p(drawn, planned)
    verdict, reason = judge_analysis(lines, srm_p=srm_p, alpha=question.alpha, lower_is_better=question.lower_is_better)
    return Analysis(
        question=question,
        kind=rows.kind,
        control=rows.names[0],
        arms=tuple(_arm(rows, at, question) for at in range(len(rows.names))),
        effects=lines,
        verdict=str(verdict),
        reason=reason,
        srm_p=srm_p,
        drawn=tuple(drawn),
        planned_shares=planned,
        variance_reduction=reduction,
        clusters=None if rows.clusters is None else rows.clusters.top.shape[1],
        warnings=tuple(rows.warnings),
    )


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


def _kind(question: Question, *, binary: bool, bottom: str) -> str:
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


# --- from sums to effects ---------------------------------------------------------------------------------------------


def _value(rows: _Read, at: int, question: Question) -> ArmValue:
    if rows.kind == "ratio":
        return rows.pairs[at].ratio_of()
    if rows.kind == "quantile" and question.q is not None:
        if at not in rows.values:
            rows.values[at] = quantile_of(outcomes(rows.units, rows.columns, rows.units.raw[at]), question.q)
        return rows.values[at]
    return rows.pairs[at].mean_of()


def _effect(rows: _Read, at: int, question: Question) -> Effect:
    """One arm against the control."""
    if rows.clusters is None:
        return welch(_value(rows, at, question), _value(rows, 0, question))
    sums = np.stack([rows.clusters.top, rows.clusters.bottom], axis=-1)
    return clustered(
        lambda s: ratio(s[..., 0], s[..., 1]), sums[at], sums[0], n_1=rows.pairs[at].n, n_0=rows.pairs[0].n
    )


def _adjusted(
    rows: _Read, plain: dict[int, Effect], question: Question
) -> tuple[_Read, float | None, dict[int, Effect]]:
    """The outcomes without what the covariate explains; the variance of the effects that this saves."""
    smallest = min(arm.n for arm in rows.pairs)
    if smallest < MIN_CUPED:
        rows.warnings.append(f"No covariate: {smallest} units in an arm, at least {MIN_CUPED} are needed.")
        return rows, None, plain
    fit = Adjustment.of(rows.pairs)
    if fit.missing:
        rows.warnings.append(f"{fit.missing:.1%} of the units lack the covariate; they count with its mean.")
    clusters = rows.clusters
    if clusters is not None:
        away = clusters.second - fit.centre * clusters.pairs
        clusters = replace(clusters, top=clusters.top - fit.theta * away)
    after = replace(rows, pairs=tuple(fit.adjusted(arm) for arm in rows.pairs), clusters=clusters, adjustment=fit)
    effects = {at: _effect(after, at, question) for at in plain}
    saved = [1.0 - (effects[at].se / plain[at].se) ** 2 for at in plain if plain[at].computable]
    return after, float(np.mean(saved)) if saved else None, effects


def _p(rows: _Read, effect: Effect, at: int) -> float:
    """Two-sided p; with few clusters, each in one arm, by relabelling them."""
    ones = _ones(rows, at)
    if ones is not None and _at_the_edge(ones, effect):
        return exact_p(ones, (effect.n_1, effect.n_0))
    without_spread = effect.reason.startswith("different by construction")
    clusters = rows.clusters
    if clusters is None or not rows.apart or not (effect.computable or without_spread):
        return effect.p_value
    held = clusters.held
    pair = held[at] | held[0]
    treated = held[at][pair]
    fewest = int(min(treated.sum(), (~treated).sum()))
    if not (fewest >= MIN_CLUSTERS and (fewest < FEW_CLUSTERS or without_spread)):
        return effect.p_value
    values, weights = (clusters.top[at] + clusters.top[0])[pair], (clusters.bottom[at] + clusters.bottom[0])[pair]
    rows.warnings.append(f"{fewest} clusters in an arm: p by relabelling the clusters.")
    return permutation_p(values, weights, treated, draws=_PERMUTATIONS, rng=np.random.default_rng(1))


def _line(rows: _Read, effect: Effect, at: int, question: Question, *, p: float, adjusted_p: float) -> EffectLine:
    name = rows.names[at]
    low, high = effect.interval(question.alpha)
    factor = t_quantile(1.0 - question.alpha, effect.df) if effect.computable else math.nan
    relative = effect.relative(factor) if effect.computable else (math.nan,) * 3
    method, reason = effect.method, effect.reason
    ones = _ones(rows, at)
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
        always_valid=_always(rows, effect, at, question),
        probability_better=1.0 - greater if question.lower_is_better else greater,
        method=method,
        reason=reason,
    )


def _ones(rows: _Read, at: int) -> tuple[int, int] | None:
    """Ones of an arm and the control, of independent units; None where the outcome is no share."""
    if rows.kind != "proportion" or rows.clusters is not None or rows.adjustment is not None:
        return None
    arm, control = rows.pairs[at], rows.pairs[0]
    return round(arm.n * arm.mean) if arm.n else 0, round(control.n * control.mean) if control.n else 0


def _at_the_edge(ones: tuple[int, int], effect: Effect) -> bool:
    """Whether an arm is all 0 or all 1, where a variance of 0 is information and no standard error."""
    n = (effect.n_1, effect.n_0)
    return min(n) > 0 and any(one in (0, size) for one, size in zip(ones, n, strict=True))


def _always(rows: _Read, effect: Effect, at: int, question: Question) -> tuple[float, float]:
    one, zero = rows.pairs[at].n, rows.pairs[0].n
    cubes = min(one, zero) < BALANCED * (one + zero)  # only then the skew is asked for
    needed = units_before_first_look(_moments(rows, at, cubes=cubes), _moments(rows, 0, cubes=cubes))
    if min(one, zero) < needed:
        rows.warnings.append(f"{rows.names[at]}: no always-valid interval below {needed:,} units an arm.")
        return math.nan, math.nan
    look = always_valid(effect, planned_units=question.planned or (one + zero), alpha=question.alpha)
    return look.low, look.high


def _moments(rows: _Read, at: int, *, cubes: bool) -> Moments:
    arm = rows.pairs[at]
    if not arm.n:
        return Moments.empty()
    if not cubes:
        return Moments(arm.n, arm.mean, arm.yy, math.nan)
    theta, second = (0.0, 0.0) if rows.adjustment is None else (rows.adjustment.theta, rows.adjustment.centre)
    m3 = third_moment(rows.units, rows.columns, rows.units.raw[at], centre=arm.mean, theta=theta, second=second)
    return Moments(arm.n, arm.mean, arm.yy, m3)


def _unit_counts(rows: _Read) -> list[int]:
    """What was drawn: units, else clusters where each lies in one arm, else rows; missing outcomes were drawn too."""
    if rows.units.drawn is not None:
        return list(rows.units.drawn)
    if rows.clusters is not None and rows.apart:
        return [int(one) for one in rows.clusters.held.sum(axis=1)]
    return [arm.n + gone for arm, gone in zip(rows.pairs, rows.missing, strict=True)]


def _arm(rows: _Read, at: int, question: Question) -> ArmLine:
    found = _value(rows, at, question)
    if rows.kind == "proportion" and rows.adjustment is None:
        low, high = wilson(float(round(found.n * found.value)), found.n, level=1.0 - question.alpha)
    elif math.isfinite(found.variance) and found.n > 1:
        half = t_quantile(1.0 - question.alpha, found.n - 1) * math.sqrt(found.variance)
        low, high = found.value - half, found.value + half
    else:
        low, high = math.nan, math.nan
    return ArmLine(rows.names[at], found.n, rows.missing[at], found.value, found.sd, low, high)
