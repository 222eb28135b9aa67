"""The sentences of a comparison of runs: the verdict, what would make it firmer, by which method; and its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlops_dash.domain.experiments.comparison import (
    ALPHA,
    CLAIMS,
    Design,
    Outcome,
)
from mlops_dash.stats.run_comparison import RunDifference


def sentence(
    outcome: Outcome, design: Design, a: str, b: str, metric: str, found: RunDifference, margin: float, *, digits: int,
    comparable: str,
) -> str:  # fmt: skip
    """What the page may print about a pair."""
    value, (low, high) = signed(found.value, digits), found.interval(0.95)
    span = f"{metric} {value} [{signed(low, digits)}, {signed(high, digits)}]"
    if outcome in {Outcome.BETTER, Outcome.WORSE}:
        return f"{a} is {outcome.value} than {b}: {span}. The claim is about {CLAIMS[design].about}."
    weak = design is Design.SEEDS
    if outcome is Outcome.EQUAL:
        low, high = found.interval(0.90)
        where = " on this test set" if weak else ""
        return (
            f"{a} and {b} are practically equal{where}: {metric} {value}, 90 % interval [{signed(low, digits)}, "
            f"{signed(high, digits)}] inside ±{plain(margin)}."
        )
    if outcome is Outcome.DIFFERS:
        if weak:
            why = "Repeats on one split know nothing of other rows, so this never says better."
            return f"{a} differs from {b} on this test set beyond seed noise: {span}. {why}"
        if comparable != "yes":
            return f"{a} differs from {b}: {span}. Whether they may be compared is not recorded, so it is not better."
        return f"{a} differs from {b}: {span}. Which way {metric} is better was not said."
    if comparable == "no":
        return f"{a} and {b} were not tested: they were not judged alike."
    if not found.computable:
        gap = f"{metric} {value}, " if math.isfinite(found.value) else ""
        return f"{a} against {b}: {gap}{found.reason or 'no finite value on a side'}."
    beyond = "seed noise" if weak else "chance"
    return f"{a} against {b} cannot be told from {beyond}: {span}."


def need(design: Design, found: RunDifference, margin: float, *, unit: str, n_tests: int = 1) -> str:
    """How many runs or rows would do, if the difference stays as it is; 80 % power, at the level of `n_tests` pairs."""
    if not found.computable:
        return ""
    size = abs(found.value)
    goals = [(size, ALPHA / 2 / max(n_tests, 1), "to tell a difference of this size")]
    if margin > 0:
        goals.append((margin - size, ALPHA / max(n_tests, 1), "to show that it is practically equal"))
    told = []
    for distance, tail, what in goals:
        runs = found.runs_needed(distance, tail=tail)
        if runs is not None:
            noun = {Design.FOLDS: "folds", Design.RESPLITS: "splits"}.get(design, "runs")
            told.append((runs / max(found.n_runs, 1), f"about {runs:,} {noun} a side instead of {found.n_runs} {what}"))
            continue
        units = found.units_needed(distance, tail=tail) if found.n_clusters else None
        if units is not None:
            told.append((units / found.n_clusters, f"about {units:,} {unit} instead of {found.n_clusters:,} {what}"))
    if told:
        return f"If it stays at {signed(found.value, 4)}, it takes {min(told)[1]} (80 % power)."
    return "No number of further runs alone would tell them apart; other or more data would be needed."


def method(design: Design, found: RunDifference, *, key: str, unit: str, n_tests: int) -> str:
    """The test in words: one hover away from every number."""
    many = f"; Holm over {n_tests} pairs" if n_tests > 1 else ""
    if not found.computable:
        return "not tested"
    df = f"t with {found.df:.0f} degrees of freedom"
    if design in {Design.SAME_ROWS, Design.SEEDS_ROWS}:
        alike = f"in {found.n_clusters} days, each left out once" if unit == "days" else "taken as independent"
        rows = f"paired on {found.n_rows:,} rows {alike}"
        if design is Design.SAME_ROWS:
            return f"{rows}; {df}{many}"
        seeds = f"matched by {key or 'seed'}" if found.n_pairs else "not matched"
        return f"mean over {found.n_runs} runs a side ({seeds}), {rows}, plus the spread over runs; {df}{many}"
    if design in {Design.FOLDS, Design.RESPLITS}:
        return f"{found.n_runs} splits, Nadeau-Bengio standard error; {df}{many}"
    how = f"paired t over {found.n_pairs} {'evaluation sets' if design is Design.FRESH else f'equal values of {key}'}"
    return f"{how if found.n_pairs else 'Welch t'}; {df}{many}"


def signed(value: float, digits: int) -> str:
    """A difference with its sign.

    >>> signed(-.01234, 3), signed(0.0, 3)
    ('−0.012', '0.000')
    """
    if not math.isfinite(value):
        return "—"
    text = f"{value:+.{digits}f}"
    return (text[1:] if float(text) == 0 else text).replace("-", "−")


def plain(value: float) -> str:
    """A margin as it was written.

    >>> plain(.005), plain(0)
    ('0.005', '0')
    """
    return f"{value:.6g}"


def digits_of(errors: Sequence[float]) -> int:
    """Decimals of a difference: two significant digits of its (smallest) standard error.

    >>> digits_of([.0123, .5]), digits_of([12.0]), digits_of([])
    (3, 0, 3)
    """
    finite = [one for one in errors if math.isfinite(one) and one > 0]
    return min(6, max(0, 1 - math.floor(math.log10(min(finite))))) if finite else 3
