"""How often does a comparison of runs err? Two recipes that are equal in truth, compared under every design.

    mlops-dash bench comparison --data-sets 600

Rows have two blocks of inputs with one law; recipe A sees the first block, recipe B the second. By symmetry they are
equal on average over data sets, though not on one test set, nor trained on one training set. A recipe is ridge
regression on random ReLU features; the seed draws the features. The measure is the Brier score. The verdicts come from
the code that the page uses (`stats.run_comparison`, `domain.run_comparison.conclude`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.comparison import ALPHA, Design, Outcome, conclude
from mlops_dash.stats.arrays import Floats
from mlops_dash.stats.run_comparison import RunDifference, of_resamples, of_rows, of_runs

RUNS: Final = (3, 5, 10)
ROWS: Final = 500  # of a data set: half to train on, half to judge on, but for folds
_INPUTS, _HIDDEN, _RIDGE = 4, 12, 5.0
_FOLDS = 5
_DAYS, _DAY_SD = 20, 1.2
_TRUTH_ROWS, _TRUTH_SEEDS = 4_000, 120
_MARGIN = 0.02


@dataclass(frozen=True)
class Rate:
    """One row of the table: how often a verdict was false.

    Attributes:
        design: What the runs share.
        what: The same in words.
        n_runs: Runs a side (repeats, splits).
        n: Data sets.
        better: Share with "better" or "worse" though equal; what the page prints.
        otherwise: The same share under the reading that the page forbids, None where there is none.
        otherwise_is: What that reading is.
        equal: Share with "practically equal" though the difference is exactly the margin; None where not claimed.
    """

    design: Design
    what: str
    n_runs: int
    n: int
    better: float
    otherwise: float | None
    otherwise_is: str
    equal: float | None

    @property
    def bar(self) -> float:
        """5 % and three Monte-Carlo standard errors."""
        return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / self.n)


def measure(n: int, *, seed: int = 1, tell: Callable[[str], None] = lambda _text: None) -> tuple[Rate, ...]:
    """Simulate every design on `n` data sets each.

    Args:
        n: Data sets a design.
        seed: Of all randomness.
        tell: Told which design is next.
    """
    made: list[Rate] = []
    for design, what, each in _DESIGNS:
        tell(what)
        sizes = (1,) if design is Design.SAME_ROWS else RUNS
        rng = np.random.default_rng([seed, len(made)])
        found: dict[int, list[tuple[RunDifference, RunDifference | None]]] = {size: [] for size in sizes}
        for _ in range(n):
            for size, pair in zip(sizes, each(rng, sizes), strict=True):
                found[size].append(pair)
        made += [_rate(design, what, size, pairs) for size, pairs in found.items()]
    return tuple(made)


def _rate(design: Design, what: str, size: int, pairs: Sequence[tuple[RunDifference, RunDifference | None]]) -> Rate:
    claimed = [_outcome(design, one) in {Outcome.BETTER, Outcome.WORSE} for one, _ in pairs]
    others = [other for _, other in pairs if other is not None]
    otherwise = _share(one.p_value() < ALPHA for one in others) if others else None
    equal = None
    if design is not Design.SEEDS:
        shifted = [replace(one, value=one.value + _MARGIN) for one, _ in pairs]
        equal = _share(_outcome(design, one, _MARGIN) is Outcome.EQUAL for one in shifted)
    return Rate(design, what, size, len(pairs), _share(claimed), otherwise, _OTHERWISE.get(what, ""), equal)


def _share(hits: Iterator[bool] | Sequence[bool]) -> float:
    return float(np.mean(list(hits)))


def _outcome(design: Design, one: RunDifference, margin: float = 0.0) -> Outcome:
    return conclude(
        design, "yes", one, direction=Direction.LOWER, margin=margin, p_adjusted=one.p_value(),
        equal_p_adjusted=one.equal_p(margin),
    )  # fmt: skip


# --- data and recipes -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rows:
    x: Floats  # rows x (2 blocks of inputs)
    y: Floats
    day: Floats

    def take(self, at: Floats | slice) -> _Rows:
        return _Rows(self.x[at], self.y[at], self.day[at])


def _drawn(rng: np.random.Generator, n: int, *, days: int = 0) -> _Rows:
    x = rng.standard_normal((n, 2 * _INPUTS))
    day = np.repeat(np.arange(max(days, 1)), -(-n // max(days, 1)))[:n].astype(float)
    sway = rng.standard_normal(max(days, 1))[day.astype(int)] * (_DAY_SD if days else 0.0)
    first, second = (_signal(x[:, part]) for part in (slice(0, _INPUTS), slice(_INPUTS, None)))
    chance = 1 / (1 + np.exp(-((1 + sway) * first + (1 - sway) * second)))
    return _Rows(x, (rng.random(n) < chance).astype(float), day)


def _signal(z: Floats) -> Floats:
    return np.asarray(0.7 * z[:, 0] + 0.7 * z[:, 1] * z[:, 2], dtype=np.float64)


def _scores(rng: np.random.Generator, train: _Rows, test: _Rows, block: int, seeds: int) -> Floats:
    """Scores of `seeds` models of one recipe, float[seeds, rows of test]."""
    part = slice(0, _INPUTS) if block == 0 else slice(_INPUTS, None)
    weights = rng.standard_normal((_INPUTS, seeds * _HIDDEN))
    shift = rng.standard_normal(seeds * _HIDDEN)
    made = np.empty((seeds, len(test.y)))
    for seed in range(seeds):  # one at a time stays in the processor's cache
        own = slice(seed * _HIDDEN, (seed + 1) * _HIDDEN)
        inside, outside = (np.maximum(rows.x[:, part] @ weights[:, own] + shift[own], 0.0) for rows in (train, test))
        fitted = np.linalg.solve(inside.T @ inside + _RIDGE * np.eye(_HIDDEN), inside.T @ (train.y - 0.5))
        np.clip(0.5 + outside @ fitted, 0.0, 1.0, out=made[seed])
    return made


def _briers(scores: Floats, rows: _Rows) -> Floats:
    return np.asarray(((scores - rows.y) ** 2).mean(axis=1), dtype=np.float64)


def _both(rng: np.random.Generator, train: _Rows, test: _Rows, seeds: int) -> tuple[Floats, Floats]:
    return _scores(rng, train, test, 0, seeds), _scores(rng, train, test, 1, seeds)


# --- designs ----------------------------------------------------------------------------------------------------------

_Pairs = list[tuple[RunDifference, RunDifference | None]]


def _keys(n: int) -> list[str | None]:
    return [str(one) for one in range(n)]


def _one_model(rng: np.random.Generator, days: int) -> _Pairs:
    """One model a side; in truth as far apart as on many more rows. With days: those against independent rows."""
    train, test = _drawn(rng, ROWS // 2), _drawn(rng, ROWS // 2, days=days)
    many = _drawn(rng, 20_000, days=days * 80)
    both = _drawn_together(test, many)
    a, b = _both(rng, train, both, 1)
    n = len(test.y)
    truth = float((_briers(a[:, n:], many) - _briers(b[:, n:], many))[0])
    made = [
        of_rows("brier", test.y, a[:, :n], b[:, :n], clusters, keys_a=["0"], keys_b=["0"], models_only=True)
        for clusters in ((test.day, None) if days else (None,))
    ]
    moved = [replace(one, value=one.value - truth) for one in made]
    return [(moved[0], moved[1] if days else None)]


def _same_rows(rng: np.random.Generator, _sizes: Sequence[int]) -> _Pairs:
    return _one_model(rng, 0)


def _by_day(rng: np.random.Generator, _sizes: Sequence[int]) -> _Pairs:
    return _one_model(rng, _DAYS)


def _drawn_together(first: _Rows, second: _Rows) -> _Rows:
    return _Rows(
        np.vstack([first.x, second.x]), np.concatenate([first.y, second.y]), np.concatenate([first.day, second.day])
    )  # fmt: skip


def _seeds_rows(rng: np.random.Generator, sizes: Sequence[int]) -> _Pairs:
    """Seeds on one split with rows; the truth is of this training set: many more seeds and rows."""
    train, test, many = _drawn(rng, ROWS // 2), _drawn(rng, ROWS // 2), _drawn(rng, _TRUTH_ROWS)
    a, b = _both(rng, train, test, max(sizes))
    far = _both(rng, train, many, _TRUTH_SEEDS)
    truth = float(_briers(far[0], many).mean() - _briers(far[1], many).mean())
    made: _Pairs = []
    for size in sizes:
        one = of_rows("brier", test.y, a[:size], b[:size], None, keys_a=_keys(size), keys_b=_keys(size),
                      models_only=False)  # fmt: skip
        made.append((replace(one, value=one.value - truth), None))
    return made


def _seeds(rng: np.random.Generator, sizes: Sequence[int]) -> _Pairs:
    """The same with run metrics only; the truth is that the recipes are equal."""
    train, test = _drawn(rng, ROWS // 2), _drawn(rng, ROWS // 2)
    a, b = (_briers(one, test) for one in _both(rng, train, test, max(sizes)))
    made = [of_runs(a[:size], b[:size], _keys(size), _keys(size)) for size in sizes]
    return [(one, one) for one in made]


def _folds(rng: np.random.Generator, sizes: Sequence[int]) -> _Pairs:
    """Repeats of 5-fold cross-validation of one data set."""
    rows = _drawn(rng, ROWS)
    parts = []
    for _ in range(max(sizes)):
        dealt = rng.permutation(ROWS) % _FOLDS
        parts += [(np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)) for fold in range(_FOLDS)]
    return _resampled(rng, rows, parts, [size * _FOLDS for size in sizes], 1 / (_FOLDS - 1))


def _resplits(rng: np.random.Generator, sizes: Sequence[int]) -> _Pairs:
    """Random splits of one data set, a fifth to judge on."""
    rows = _drawn(rng, ROWS)
    orders = [rng.permutation(ROWS) for _ in range(max(sizes))]
    return _resampled(rng, rows, [(one[ROWS // 5 :], one[: ROWS // 5]) for one in orders], sizes, 0.25)


def _resampled(
    rng: np.random.Generator, rows: _Rows, parts: Sequence[tuple[object, object]], counts: Sequence[int], share: float
) -> _Pairs:
    values = np.array(
        [
            [float(_briers(one, test)[0]) for one in _both(rng, train, test, 1)]
            for train, test in ((rows.take(a), rows.take(b)) for a, b in parts)  # type: ignore[arg-type]
        ]
    )
    made: _Pairs = []
    for n in counts:
        a, b = values[:n, 0], values[:n, 1]
        made.append((of_resamples(a, b, test_over_train=share), of_runs(a, b, _keys(n), _keys(n))))
    return made


def _fresh(rng: np.random.Generator, sizes: Sequence[int], *, paired: bool = True) -> _Pairs:
    """New training and test rows in every run; both recipes on the same ones, or each on its own."""
    values = []
    for _ in range(max(sizes)):
        sets = [(_drawn(rng, ROWS // 2), _drawn(rng, ROWS // 2)) for _ in range(1 if paired else 2)]
        values.append(
            [float(_briers(_scores(rng, *sets[at % len(sets)], at, 1), sets[at % len(sets)][1])[0]) for at in (0, 1)]
        )
    a, b = np.array(values).T
    return [(of_runs(a[:n], b[:n], _keys(n), _keys(n) if paired else [None] * n), None) for n in sizes]


def _welch(rng: np.random.Generator, sizes: Sequence[int]) -> _Pairs:
    return _fresh(rng, sizes, paired=False)


_BY_DAY, _ON_ROWS, _SEEDS = "same test rows in 20 days", "same test rows, independent", "seeds, run metrics only"
_OF_FOLDS, _OF_SPLITS = "repeats of 5-fold cross-validation", "random resplits"
_OTHERWISE: Final = {
    _BY_DAY: "rows taken as independent", _SEEDS: "read as better", _OF_FOLDS: "plain paired t",
    _OF_SPLITS: "plain paired t",
}  # fmt: skip
_DESIGNS: Final[tuple[tuple[Design, str, Callable[[np.random.Generator, Sequence[int]], _Pairs]], ...]] = (
    (Design.SAME_ROWS, _ON_ROWS, _same_rows),
    (Design.SAME_ROWS, _BY_DAY, _by_day),
    (Design.SEEDS_ROWS, "seeds on one split, rows kept", _seeds_rows),
    (Design.SEEDS, _SEEDS, _seeds),
    (Design.FOLDS, _OF_FOLDS, _folds),
    (Design.RESPLITS, _OF_SPLITS, _resplits),
    (Design.FRESH, "fresh data in every run, paired", _fresh),
    (Design.FRESH, "fresh data in every run, unpaired", _welch),
)  # fmt: skip


# --- as text ----------------------------------------------------------------------------------------------------------


def lines(found: Sequence[Rate]) -> str:
    """The table as Markdown."""
    n = found[0].n if found else 0
    head = [
        f"{n:,} data sets a design; the bar of a share is {100 * found[0].bar:.1f} % (5 % and 3 Monte-Carlo errors).",
        "",
        "| what the runs share | runs a side | false better or worse, % | read otherwise, % | false equal, % |",
        "|---|---|---|---|---|",
    ]
    rows = []
    for one in found:
        other = "—" if one.otherwise is None else f"{100 * one.otherwise:.1f} ({one.otherwise_is})"
        equal = "—" if one.equal is None else f"{100 * one.equal:.1f}"
        rows.append(f"| {one.what} | {one.n_runs} | {100 * one.better:.1f} | {other} | {equal} |")
    return "\n".join([*head, *rows])
