"""How often is a window of 30 unchanged columns flagged, nearly constant ones among them? Prints the table of the docs.

    python -m tests.domain.monitoring.calibrate_columns [windows]

The usual swing is switched off (every move is beyond it), so what is measured is the rule of one window alone: effect
floor, false-discovery rate, and the rates of columns with one value.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlops_dash.domain.monitoring.judging import judge_columns
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import Drift
from mlops_dash.stats.cells import CategoryCells, Cells, NumericCells
from mlops_dash.stats.counting import count
from mlops_dash.stats.drift import UsualSwing, column_drift

Generator = np.random.Generator
Draw = Callable[[Generator, int], np.ndarray]
REFERENCES, WINDOWS = (1_000, 10_000), (100, 300, 1_000)
_WORDS = np.array([f"w{number}" for number in range(1_000)])
_RARE = np.array([0.9, 0.05, 0.02, 0.01, *([0.002] * 10)])


def _flag(rate: float) -> Draw:
    return lambda rng, n: (rng.random(n) < rate).astype(float)


def _word(rate: float) -> Draw:
    return lambda rng, n: np.where(rng.random(n) < rate, "other", "usual").astype(object)


def _kept(rate: float) -> Draw:
    return lambda rng, n: np.where(rng.random(n) < rate, 1.0, np.nan)


def _zeros(rng: Generator, n: int) -> np.ndarray:
    return np.where(rng.random(n) < 0.7, 0.0, rng.exponential(size=n))


def _rare(rng: Generator, n: int) -> np.ndarray:
    return _WORDS[rng.choice(len(_RARE), n, p=_RARE / _RARE.sum())].astype(object)


def _many(rng: Generator, n: int) -> np.ndarray:
    return _WORDS[rng.integers(0, 1_000, n)].astype(object)


COLUMNS: dict[str, Draw] = {
    **{f"normal {i}": lambda rng, n: rng.normal(size=n) for i in range(6)},
    **{f"tied {i}": lambda rng, n: np.round(rng.normal(size=n) * 2) for i in range(4)},
    **{f"zero-inflated {i}": _zeros for i in range(3)},
    **{f"rare words {i}": _rare for i in range(3)},
    **{f"1,000 words {i}": _many for i in range(2)},
    **{f"flag {rate}": _flag(rate) for rate in (0.0, 0.0001, 0.0005, 0.001, 0.004, 0.009)},
    **{f"word {rate}": _word(rate) for rate in (0.0, 0.0005, 0.004)},
    **{f"kept {rate}": _kept(rate) for rate in (0.0, 0.001, 0.5)},
}  # fmt: skip


@dataclass(frozen=True)
class Share:
    """Of so many unchanged windows."""

    flagged: float  # any column is watched or drifts
    drifted: float
    by_rate: float  # any column with one value, or a level that rose, is flagged


def measure(n_reference: int, n_current: int, *, windows: int, seed: int) -> Share:
    """Draw a reference and a window of the same kind, again and again, and judge all columns together."""
    rng = np.random.default_rng([seed, n_reference, n_current])
    swing = UsualSwing(28, dict.fromkeys(COLUMNS, 1e-12), (0.0,) * 28)
    flagged = drifted = by_rate = 0
    for _ in range(windows):
        drifts = []
        for name, draw in COLUMNS.items():
            cells = cells_of(name, reference := draw(rng, n_reference))
            drifts.append(column_drift(cells, count(cells, reference), count(cells, draw(rng, n_current))))
        read = judge_columns(MonitoringPolicy(), drifts, swing)
        flagged += any(one.flagged for one in read)
        drifted += any(one.verdict is Drift.DRIFT for one in read)
        by_rate += any(one.flagged and one.psi is None for one in read)
    return Share(flagged / windows, drifted / windows, by_rate / windows)


def cells_of(name: str, reference: np.ndarray) -> Cells:
    """The cells that a reference with this column gets."""
    if reference.dtype != object and np.isnan(reference).all():
        return CategoryCells.empty(name)
    return CategoryCells.of(name, reference) if reference.dtype == object else NumericCells.of(name, reference)


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    print(f"{len(COLUMNS)} columns, {runs} windows a row, share of windows in %: flagged / drift / flagged by a rate")
    for n_reference in REFERENCES:
        for n_current in WINDOWS:
            found = measure(n_reference, n_current, windows=runs, seed=1)
            print(
                f"{n_reference:>7,} {n_current:>6,}   {found.flagged:6.1%} {found.drifted:6.1%} {found.by_rate:6.1%}",
                flush=True,
            )
