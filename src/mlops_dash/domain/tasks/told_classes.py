"""What are days reduced to whose rows tell the probability of every class? Cells for the AUC, moments for the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from mlops_dash.domain.tasks.summaries import Summary
from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.class_probabilities import (
    auc_ovr_of_tables,
    class_tables_by,
    log_loss_of_moments,
    true_class_losses,
)
from mlops_dash.stats.moments import Moments, moments_by
from mlops_dash.stats.performance import MetricEstimate

EDGES: Final = "probability_edges"  # of the scale: a list a class; references from before kept none
_UNTOLD: Final = "not computable: no labelled row tells the probability of every class"


@dataclass(frozen=True, eq=False)
class ToldCounts:
    """Labelled rows that tell the probability of every class.

    Attributes:
        cells: Of every class int64[cells, 2], rows by cell of its probability and by whether it is the true one.
        losses: Moments of the clipped log-loss of the rows of each true class.
    """

    cells: tuple[Ints, ...]
    losses: tuple[Moments, ...]

    @property
    def n(self) -> int:
        """How many."""
        return sum(of.n for of in self.losses)

    def __add__(self, other: ToldCounts) -> ToldCounts:
        """Both together."""
        cells = tuple(a + b for a, b in zip(self.cells, other.cells, strict=True))
        return ToldCounts(cells, tuple(a + b for a, b in zip(self.losses, other.losses, strict=True)))


@dataclass(frozen=True, eq=False)
class ClassCounts(Summary):
    """Labelled rows of a classifier.

    Attributes:
        table: int64[k, k], rows by true class and answer.
        told: Those that tell the probability of every class; None where the reference has no cells for them.
    """

    table: Ints
    told: ToldCounts | None = None

    @property
    def n(self) -> int:
        """Labelled rows."""
        return int(self.table.sum())

    def __add__(self, other: Summary) -> ClassCounts:
        """Both together."""
        if not isinstance(other, ClassCounts):
            return NotImplemented
        both = None if self.told is None or other.told is None else self.told + other.told
        return ClassCounts(self.table + other.table, both)

    def numbers(self) -> tuple[float, ...]:
        """The moments of the losses of every class."""
        losses = () if self.told is None else self.told.losses
        return tuple(number for of in losses for number in (of.n, of.mean, of.m2, of.m3))

    def counts(self) -> Ints:
        """The table, row by row, then the cells of every class."""
        cells = () if self.told is None else self.told.cells
        return np.concatenate([self.table.ravel(), *(one.ravel() for one in cells)])


def as_kept(probabilities: Floats) -> Floats:
    """The numbers as the log keeps them: of single precision, as they were told."""
    return probabilities.astype("<f4").astype(np.float64)


def nothing_told(scale: Mapping[str, Any]) -> ToldCounts | None:
    """No rows: the neutral element of adding; None where the reference has no cells for them."""
    if EDGES not in scale:
        return None
    cells = tuple(np.zeros((len(cuts) + 1, 2), dtype=np.int64) for cuts in scale[EDGES])
    return ToldCounts(cells, (Moments.empty(),) * len(cells))


def told_by(
    scale: Mapping[str, Any], labels: Ints, p: Floats, groups: Ints, *, n_groups: int, clip: float
) -> list[ToldCounts]:
    """Count complete rows of probabilities, a summary a group; for the loss each row is made to sum to 1.

    Cells are those of the numbers as the log keeps them: votes of trees repeat, and must not fall to either side of a
    cut by their last digit.
    """
    tables = class_tables_by(scale[EDGES], labels, as_kept(p), groups, n_groups=n_groups)
    loss = true_class_losses(labels, p / p.sum(axis=1, keepdims=True), clip=clip)
    of_class = [labels == number for number in range(len(tables))]
    losses = [moments_by(loss[true], groups[true], n_groups=n_groups) for true in of_class]
    return [
        ToldCounts(tuple(table[group] for table in tables), tuple(of[group] for of in losses))
        for group in range(n_groups)
    ]


def usual_losses(labels: Floats, p: Floats, *, clip: float) -> tuple[float | None, ...]:
    """The mean log-loss of the rows of each class, each row made to sum to 1; None of a class without rows.

    Empty where fewer than half of the rows tell all probabilities (NaN = not told): they say nothing of the others.

    >>> usual_losses(np.array([0.0, 0.0]), np.array([[1.0, 0.0], [0.5, 0.5]]), clip=7.0)
    (0.34657..., None)
    >>> usual_losses(np.array([0.0, 1.0, 1.0]), np.array([[0.5, 0.5], [np.nan, 1.0], [np.nan] * 2]), clip=7.0)
    ()
    """
    told = ~np.isnan(p).any(axis=1)
    if not labels.size or 2 * int(told.sum()) < labels.size:
        return ()
    labels, p = labels[told], p[told]
    true = labels.astype(np.int64)
    loss = true_class_losses(true, p / p.sum(axis=1, keepdims=True), clip=clip)
    of_class = moments_by(loss, true, n_groups=p.shape[1])
    return tuple(one.mean if one.n else None for one in of_class)


def measured_of(days: Sequence[ToldCounts], *, n: int, level: float) -> dict[str, MetricEstimate]:
    """Log-loss and AUC of the rows that tell all probabilities, with a word on how many of n they are."""
    told = sum(day.n for day in days)
    if not told:
        nothing = MetricEstimate(np.nan, np.nan, np.nan, 0, 0, "", _UNTOLD)
        return {"log_loss": nothing, "auc_ovr": nothing}
    losses = [sum(day.losses, Moments.empty()) for day in days]
    tables = [np.stack(of_class) for of_class in zip(*(day.cells for day in days), strict=True)]
    measured = {
        "log_loss": log_loss_of_moments(losses, level=level, unit="days"),
        "auc_ovr": auc_ovr_of_tables(tables, level=level, unit="days"),
    }
    if told == n:
        return measured
    some = f"{told:,} of {n:,} labelled rows tell the probability of every class"
    return {key: replace(one, reason=f"{one.reason}; {some}" if one.reason else some) for key, one in measured.items()}


def restored(scale: Mapping[str, Any], numbers: Sequence[float], counts: Ints) -> ToldCounts:
    """The counts whose moments (four numbers a class) and cells these are."""
    losses = tuple(Moments(int(numbers[at]), *numbers[at + 1 : at + 4]) for at in range(0, len(numbers), 4))
    sizes = [2 * (len(cuts) + 1) for cuts in scale[EDGES]]
    cells = np.split(counts, np.cumsum(sizes)[:-1])
    return ToldCounts(tuple(one.reshape(-1, 2) for one in cells), losses)
