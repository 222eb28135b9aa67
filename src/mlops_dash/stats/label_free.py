"""How good are answers whose labels have not come? Estimated from the answers alone, and from how often such came true.

Confidence-based estimation (CBPE): the reference says how often each kind of answer is right, the window says how many
there are of each kind. It rests on that relation being the same: it cannot see that the relation changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.ranking import auc_of_table

DRAWS: Final = 200
LEAST_ROWS, LEAST_OF_CLASS = 1_000, 100  # labelled reference rows for a calibration
LEVEL: Final = 0.95
Interval = tuple[float, float, float]  # value, low, high


@dataclass(frozen=True, eq=False)
class TwoClasses:
    """Estimates of a model that answers with a probability.

    Attributes:
        table: int64[cells, 2], labelled reference rows by fine cell of the score and label.
        score: float[cells], a score that stands for each fine cell.
        counted: int64[cells], the cell that windows count such a score into.
        prior: Share of label 1 in the reference.
        clip: Largest log-loss of a row.
    """

    table: Ints
    score: Floats
    counted: Ints
    prior: float
    clip: float
    main = "auc"

    @property
    def reason(self) -> str:
        """Why nothing can be estimated; "" when it can."""
        of_class = self.table.sum(axis=0)
        if int(of_class.sum()) < LEAST_ROWS or int(of_class.min()) < LEAST_OF_CLASS:
            return (
                f"the reference has {int(of_class.sum()):,} labelled rows, {int(of_class.min()):,} of the rarer class; "
                f"{LEAST_ROWS:,} and {LEAST_OF_CLASS} are needed to calibrate its scores"
            )
        return ""

    @cached_property
    def share(self) -> Floats:
        """float[cells]: how often label 1 comes in each cell, never falling with the score (isotonic regression)."""
        return _isotonic(self.table)

    @cached_property
    def drawn(self) -> Floats:
        """float[DRAWS, cells]: the same on resampled reference rows."""
        rng = np.random.default_rng(int(self.table.sum()))
        flat = self.table.ravel().astype(np.float64)
        tables = rng.multinomial(int(flat.sum()), flat / flat.sum(), size=DRAWS).reshape(DRAWS, -1, 2)
        return np.stack([_isotonic(one) for one in tables])

    def estimate(self, counts: Ints, *, seed: int) -> Mapping[str, Interval]:
        """Metrics of a window, by key, each with an interval of label noise and calibration; empty without rows.

        Args:
            counts: int64[k], rows of the window in each cell that windows count scores into.
            seed: Of the draws.

        >>> cells, table = np.arange(4), np.array([[900, 100], [700, 300], [300, 700], [100, 900]])
        >>> of = TwoClasses(table, (cells + .5) / 4, cells, .5, 4.6)
        >>> value, low, high = of.estimate(np.array([100, 100, 100, 100]), seed=1)["label_rate"]
        >>> value, bool(low < .5 < high), bool(high - low < .15)
        (0.5, True, True)
        """
        n = int(counts.sum())
        if not n or self.reason:
            return {}
        rng = np.random.default_rng(seed)
        held = self.table.sum(axis=1).astype(np.float64)
        rows = np.zeros(held.size)
        drawn = np.zeros((DRAWS, held.size), dtype=np.int64)
        for cell in np.flatnonzero(counts).tolist():
            inside = self._inside(cell)
            within = held[inside] / held[inside].sum() if held[inside].sum() else np.full(inside.size, 1 / inside.size)
            rows[inside] = counts[cell] * within
            drawn[:, inside] = rng.multinomial(int(counts[cell]), within, size=DRAWS)
        came = rng.binomial(drawn, self.drawn)
        value = self._metrics(rows, rows * self.share)
        return _intervals(value, self._metrics(drawn.astype(np.float64), came.astype(np.float64)))

    def _inside(self, cell: int) -> Ints:
        """The fine cells of a counted one; of one that no reference row fell into the nearest."""
        inside = np.flatnonzero(self.counted == cell)
        return inside if inside.size else np.array([int(np.abs(self.counted - cell).argmin())])

    def _metrics(self, rows: Floats, ones: Floats) -> dict[str, Floats]:
        zeros, p, n = rows - ones, self.score, rows.sum(axis=-1)
        of_one = np.minimum(-np.log(np.maximum(p, math.exp(-self.clip))), self.clip)
        of_zero = np.minimum(-np.log(np.maximum(1.0 - p, math.exp(-self.clip))), self.clip)
        lost_one, lost_zero = (ones * of_one).sum(axis=-1), (zeros * of_zero).sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            free = self.prior * lost_one / ones.sum(axis=-1) + (1.0 - self.prior) * lost_zero / zeros.sum(axis=-1)
        return {
            "auc": auc_of_table(np.stack([zeros, ones], axis=-1)),
            "base_rate_free_loss": free,
            "log_loss": (lost_one + lost_zero) / n,
            "brier": (ones * (1.0 - p) ** 2 + zeros * p**2).sum(axis=-1) / n,
            "label_rate": ones.sum(axis=-1) / n,
        }


@dataclass(frozen=True, eq=False)
class ManyClasses:
    """Estimates of a model that answers with one of several classes: how often each answer came true.

    Attributes:
        table: int64[k, k], labelled reference rows by true class and answer.
        answers: Of each cell that windows count answers into, the numbers of its classes.
        largest: The class whose share is said of the labels.
    """

    table: Ints
    answers: Sequence[Sequence[int]]
    largest: int
    main = "accuracy"

    @property
    def reason(self) -> str:
        """Why nothing can be estimated; "" when it can."""
        n = int(self.table.sum())
        return "" if n >= LEAST_ROWS else f"the reference has {n:,} labelled rows; {LEAST_ROWS:,} are needed"

    @cached_property
    def drawn(self) -> Floats:
        """float[DRAWS, k, k]: the table of resampled reference rows."""
        rng = np.random.default_rng(int(self.table.sum()))
        flat = self.table.ravel().astype(np.float64)
        made = rng.multinomial(int(flat.sum()), flat / flat.sum(), size=DRAWS)
        return made.reshape(DRAWS, *self.table.shape).astype(np.float64)

    def estimate(self, counts: Ints, *, seed: int) -> Mapping[str, Interval]:
        """Metrics of a window, by key; empty without rows, or where it gives answers that the reference never gave.

        Args:
            counts: int64[cells], rows of the window by cell of the answer.
            seed: Of the draws.

        >>> of = ManyClasses(np.array([[900, 100], [100, 900]]), [[0], [1]], 0)
        >>> value, low, high = of.estimate(np.array([100, 100]), seed=1)["accuracy"]
        >>> round(value, 3), bool(low < .9 < high)
        (0.9, True)
        """
        if not int(counts.sum()) or self.reason:
            return {}
        rng = np.random.default_rng(seed)
        expected, drawn = np.zeros(self.table.shape), np.zeros(self.drawn.shape)
        for cell in np.flatnonzero(counts).tolist():
            chosen = list(self.answers[cell]) if cell < len(self.answers) else []
            held = self.table[:, chosen].astype(np.float64)
            if not held.sum():
                return {}
            expected[:, chosen] += counts[cell] * held / held.sum()
            for at in range(DRAWS):
                one = self.drawn[at][:, chosen]
                one = one if one.sum() else held
                drawn[at][:, chosen] += rng.multinomial(int(counts[cell]), (one / one.sum()).ravel()).reshape(one.shape)
        return _intervals(self._metrics(expected), self._metrics(drawn))

    def _metrics(self, tables: Floats) -> dict[str, Floats]:
        n = tables.sum(axis=(-2, -1))
        right = np.diagonal(tables, axis1=-2, axis2=-1)
        accuracy = right.sum(axis=-1) / n
        return {
            "accuracy": accuracy,
            "error_rate": 1.0 - accuracy,
            "largest_share": tables[..., self.largest, :].sum(axis=-1) / n,
        }


LabelFree = TwoClasses | ManyClasses


def _isotonic(table: Ints) -> Floats:
    from sklearn.isotonic import isotonic_regression

    rows = table.sum(axis=1).astype(np.float64)
    known = rows > 0
    share = np.interp(
        np.arange(rows.size), np.flatnonzero(known),
        np.asarray(isotonic_regression(table[known, 1] / rows[known], sample_weight=rows[known], y_min=0.0, y_max=1.0)),
    )  # fmt: skip
    return np.asarray(share, dtype=np.float64)


def _intervals(values: Mapping[str, Floats], drawn: Mapping[str, Floats]) -> dict[str, Interval]:
    """Of each metric that is defined its value and the middle 95 % of the draws around it."""
    found = {}
    for key, value in values.items():
        known = drawn[key][np.isfinite(drawn[key])]
        if not math.isfinite(float(value)) or known.size < DRAWS // 2:
            continue
        low, high = np.quantile(known, [(1.0 - LEVEL) / 2, (1.0 + LEVEL) / 2])
        found[key] = (float(value), float(low), float(high))
    return found
