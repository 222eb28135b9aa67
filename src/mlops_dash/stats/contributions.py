"""What does each column add to the answer of one row? Exact where answers add up column by column, else Shapley values.

A column adds what the answer changes by when the row's value takes the place of a reference row's. Parts of a row and
the answers to the reference rows always add up to the row's own answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from mlops_dash.stats.arrays import Bools, Floats, Ints

MOST_ASKED: Final = 60_000  # rows that a model is asked about one row
FEWEST: Final = 20  # reference rows, however many columns there are
_TOLERANCE: Final = 1e-6  # of the spread of the answers: single precision is additive too
_SEED: Final = 20_130_101
# Which reference row (int[m]), and of which columns the row's own value stands in it (bool[m, columns]) -> answers [m].
Ask = Callable[[Ints, Bools], Floats]


@dataclass(frozen=True, slots=True)
class Contributions:
    """What the columns add, one line a reference row.

    Attributes:
        parts: float64[reference rows, columns]; each line adds up to `answer` less `base` of that line.
        base: Answers to the reference rows, float64[reference rows].
        answer: The answer to the row.
        exact: Whether the answers add up column by column, so that no order of the columns was drawn.
    """

    parts: Floats
    base: Floats
    answer: float
    exact: bool

    def of(self, columns: Ints, *, level: float = 0.95) -> tuple[float, float, float]:
        """What some columns add together: mean over the reference rows, and its interval (NaN where it is exact).

        The interval is Student's over the reference rows: what drawing them and the orders can do.

        Args:
            columns: Their places.
            level: Coverage.

        >>> made = Contributions(np.array([[1.0, 2.0], [3.0, 2.0]]), np.zeros(2), 4.0, True)
        >>> made.of(np.array([0, 1]))
        (4.0, nan, nan)
        """
        each = self.parts[:, columns].sum(axis=1)
        value, n = float(each.mean()), each.size
        if self.exact or n < 2:
            return value, float("nan"), float("nan")
        far = float(stats.t.ppf(0.5 + level / 2, n - 1) * each.std(ddof=1) / np.sqrt(n))
        return value, value - far, value + far


def additive(ask: Ask, reference: int, columns: int) -> Contributions | None:
    """What each column adds where answers add up; None where they do not.

    Tried and not assumed: of every reference row the columns are exchanged one by one, and a drawn half of them at
    once must change the answer by the sum of the single changes, as all of them must.

    Args:
        ask: Answers to mixtures of the row and a reference row.
        reference: How many reference rows there are, at least one.
        columns: How many columns.

    >>> row, others = np.array([2.0, 5.0]), np.array([[0.0, 1.0], [1.0, 1.0]])
    >>> linear = lambda which, own: np.where(own, row, others[which]) @ np.array([10.0, 1.0])
    >>> made = additive(linear, 2, 2)
    >>> made.of(np.array([0]))[0], made.of(np.array([1]))[0], made.base.mean(), made.answer
    (15.0, 4.0, 6.0, 25.0)
    >>> additive(lambda which, own: np.where(own, row, others[which]).prod(axis=1), 2, 2) is None
    True
    """
    n = min(reference, max(FEWEST, MOST_ASKED // (columns + 3)))
    which = np.arange(n)
    base, answer = _ends(ask, n, columns)
    if not (np.isfinite(base).all() and np.isfinite(answer)):
        return None
    parts = np.empty((n, columns))
    for column in range(columns):
        own = np.zeros((n, columns), dtype=bool)
        own[:, column] = True
        parts[:, column] = ask(which, own) - base
    drawn = np.random.default_rng(_SEED).random((n, columns)) < 0.5
    some = ask(which, drawn) - base
    if not (np.isfinite(parts).all() and np.isfinite(some).all()):
        return None
    near = _TOLERANCE * max(float(np.abs(parts).max(initial=0.0)), float(np.abs(answer - base).max()), 1e-12)
    whole = np.abs(parts.sum(axis=1) - (answer - base)).max()
    half = np.abs((parts * drawn).sum(axis=1) - some).max()
    return Contributions(parts, base, answer, True) if max(whole, half) <= near * columns else None


def shapley(ask: Ask, reference: int, columns: int) -> Contributions:
    """Shapley values by drawn orders of the columns, each order walked forth and back with a reference row of its own.

    Castro, Gomez & Tejada (2009), Polynomial calculation of the Shapley value based on sampling; an order and its
    reverse are drawn together (Mitchell et al., 2022, Sampling Permutations for Shapley Value Estimation). The same
    input gives the same numbers.

    Args:
        ask: Answers to mixtures of the row and a reference row; of those it knows, `reference` at the most are used.
        reference: How many reference rows there are, at least one.
        columns: How many columns.

    >>> row, others = np.array([2.0, 3.0]), np.zeros((30, 2))
    >>> made = shapley(lambda which, own: np.where(own, row, others[which]).prod(axis=1), 30, 2)
    >>> made.of(np.array([0]))[0], made.of(np.array([1]))[0], made.answer  # 2 * 3 is shared by halves
    (3.0, 3.0, 6.0)
    """
    n = min(reference, max(FEWEST, MOST_ASKED // max(1, 2 * columns)))
    rng, which = np.random.default_rng(_SEED), np.arange(n)
    base, answer = _ends(ask, n, columns)
    orders = rng.permuted(np.tile(np.arange(columns), (n, 1)), axis=1)
    parts = np.zeros((n, columns))
    for walk in (orders, orders[:, ::-1]):
        before, own = base, np.zeros((n, columns), dtype=bool)
        for step in range(columns):
            own[which, walk[:, step]] = True
            after = ask(which, own) if step < columns - 1 else np.full(n, answer)
            parts[which, walk[:, step]] += (after - before) / 2
            before = after
    return Contributions(parts, base, answer, False)


def _ends(ask: Ask, n: int, columns: int) -> tuple[Floats, float]:
    """Answers to reference rows as they are, and to the row as it is."""
    base = ask(np.arange(n), np.zeros((n, columns), dtype=bool))
    return base, float(ask(np.zeros(1, dtype=np.int64), np.ones((1, columns), dtype=bool))[0])
