"""A model that answers with the probability of label 1: its metrics, losses, summaries and words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.monitoring.readings import Estimate
from mlops_dash.domain.tasks.kept_rows import KeptRows
from mlops_dash.domain.tasks.summaries import Summary, only
from mlops_dash.domain.tasks.task import Charted, Metric, ModelTask, Standards, Watch
from mlops_dash.domain.tasks.worth import Reliability, ScoreBand
from mlops_dash.errors import BrokenModel
from mlops_dash.stats.arrays import ArrayLike, Bools, Floats, Ints
from mlops_dash.stats.cells import Cells, NumericCells
from mlops_dash.stats.intervals import ratio
from mlops_dash.stats.label_free import LabelFree, TwoClasses
from mlops_dash.stats.losses import log_losses, squared_errors
from mlops_dash.stats.moments import Moments, moments_by
from mlops_dash.stats.performance import (
    MetricEstimate,
    auc_from_tables,
    base_rate_free_estimate,
    base_rate_free_from_moments,
    classification_metrics,
    cluster_estimate,
)
from mlops_dash.stats.ranking import auc_of_table
from mlops_dash.stats.reliability import bands, discrimination
from mlops_dash.stats.sequential import HarmUnit, base_rate_free_units, loss_units
from mlops_dash.stats.summaries import score_edges, score_tables_by

MIN_CLASS = 5  # a day with fewer rows of a class has no AUC of its own
_THRESHOLD = 0.5  # classification_metrics wants one; none of the paired metrics depends on it

# Raw losses follow the base rate, so they only warn. The two harm losses do not: ranking within the day, and the
# class-wise log-loss at the reference's base rate. They share alpha, so that the promise holds for both together.
RANKING = Watch("day_auc", "ROC AUC within the day", higher=True, harm=True, in_points=True)
BASE_RATE_FREE = Watch("base_rate_free_loss", "Base-rate-free log-loss", higher=False, harm=True)
RAW_LOSS = Watch("log_loss", "Log-loss", higher=False, harm=False)


@dataclass(frozen=True, eq=False)
class ClassSummary(Summary):
    """Labelled rows of a classifier.

    Attributes:
        table: int64[cells, 2], rows by score cell and label.
        losses: Moments of the clipped log-loss of label-0 rows and of label-1 rows.
        squared: Sum of squared errors (Brier).
    """

    table: Ints
    losses: tuple[Moments, Moments]
    squared: float

    @property
    def n(self) -> int:
        """Labelled rows."""
        return int(self.table.sum())

    @property
    def positives(self) -> int:
        """Rows with label 1."""
        return int(self.table[:, 1].sum())

    def __add__(self, other: Summary) -> ClassSummary:
        """Both together."""
        if not isinstance(other, ClassSummary):
            return NotImplemented
        zero, one = (mine + others for mine, others in zip(self.losses, other.losses, strict=True))
        return ClassSummary(self.table + other.table, (zero, one), self.squared + other.squared)

    def numbers(self) -> tuple[float, ...]:
        """The squared errors, then the moments of both classes."""
        return (self.squared, *(number for of in self.losses for number in (of.n, of.mean, of.m2, of.m3)))

    def counts(self) -> Ints:
        """The table, row by row."""
        return self.table.ravel()


class Binary(ModelTask):
    """A probability of label 1."""

    name = "binary"
    title = "Classification with two classes"
    metrics = (
        Metric("auc", "ROC AUC", Direction.HIGHER),
        Metric("pr_auc", "PR AUC", Direction.HIGHER),
        Metric("accuracy", "Accuracy", Direction.HIGHER),
        Metric("precision", "Precision", Direction.HIGHER),
        Metric("recall", "Recall", Direction.HIGHER),
        Metric("f1", "F1", Direction.HIGHER),
        Metric("brier", "Brier score", Direction.LOWER),
        Metric("log_loss", "Log-loss", Direction.LOWER),
        Metric("base_rate_free_loss", "Base-rate-free log-loss", Direction.LOWER, at_base_rate=True),
        Metric("calibration_error", "Calibration error", Direction.LOWER),
    )
    paired = ("auc", "base_rate_free_loss", "brier", "log_loss")
    of_reference = ("base_rate_free_loss", "auc", "brier", "log_loss")
    watches = (RANKING, BASE_RATE_FREE, RAW_LOSS)
    charted = (
        Charted("day_auc", "ROC AUC within the day", higher=True),
        Charted("base_rate_free_loss", "Base-rate-free log-loss"),
        Charted("log_loss", "Log-loss"),
        Charted("brier", "Brier score"),
        Charted("auc", "ROC AUC, days pooled", higher=True),
        Charted("label_rate", "Label rate", is_share=True),
    )
    label_metric = "label_rate"
    standards = Standards("base_rate_free_loss", "brier", 0.002, floor_metric="auc", floor=0.60, watched="auc")
    kept_rows = KeptRows("binary", ("auc", "log_loss", "brier", "accuracy"), decides=True, has_threshold=True)
    policy_name = "default"
    has_base_rate = True
    has_reliability = True
    cost_shares = ", at the reference's share of yes"
    ab_losses = ("base_rate_free_loss", "log_loss", "brier")
    row_loss = "Brier score"
    slice_caution = "a part whose outcomes lie nearer to half and half has a higher Brier score by nature"

    def score_column(self, classes: Sequence[Any], positive_label: str) -> int | None:
        """The column of the positive class."""
        words = {positive_label, f"{positive_label}.0"} | ({"True"} if positive_label == "1" else set())
        column = next((number for number, known in enumerate(classes) if str(known) in words), None)
        if column is None:
            raise BrokenModel(
                f"The model knows the classes {', '.join(map(str, classes))}, "
                f"not the positive label {positive_label!r}.",
                hint="Set the model's positive label to one of its classes.",
            )
        return column

    def why_no_label(self, value: float) -> str:
        """Labels are 0 or 1.

        >>> Binary().why_no_label(1.0), Binary().why_no_label(0.5)
        ('', 'the label of this model is 0 or 1')
        """
        return "" if value in (0.0, 1.0) else "the label of this model is 0 or 1"

    def why_no_score(self, value: float) -> str:
        """Scores are probabilities: of 37.5 the log-loss would be negative.

        >>> Binary().why_no_score(1.0), Binary().why_no_score(37.5)
        ('', 'the score of this model is a probability: 0 to 1')
        """
        return "" if 0.0 <= value <= 1.0 else "the score of this model is a probability: 0 to 1"

    def scale_of(
        self, scores: Floats, labels: Floats, probabilities: Floats | None = None, *, clip: float
    ) -> dict[str, Any]:
        """The inner cuts of the score x label table."""
        return {"edges": list(score_edges(scores))}

    def empty(self, scale: Mapping[str, Any]) -> ClassSummary:
        """No rows."""
        none = Moments.empty()
        return ClassSummary(np.zeros((len(scale["edges"]) + 1, 2), dtype=np.int64), (none, none), 0.0)

    def count(
        self, scale: Mapping[str, Any], labels: Floats, scores: Floats, groups: Ints, *, n_groups: int, clip: float,
        probabilities: Floats | None = None,
    ) -> tuple[ClassSummary, ...]:  # fmt: skip
        """Count rows by score cell and label, and sum their losses by class."""
        tables = score_tables_by(tuple(scale["edges"]), labels, scores, groups, n_groups=n_groups)
        positive = labels == 1.0
        loss = log_losses(positive, scores, clip=clip)
        zero, one = (moments_by(loss[of], groups[of], n_groups=n_groups) for of in (~positive, positive))
        squared = np.bincount(groups, weights=squared_errors(positive, scores), minlength=n_groups)
        return tuple(ClassSummary(tables[i], (zero[i], one[i]), float(squared[i])) for i in range(n_groups))

    def restore(self, scale: Mapping[str, Any], numbers: Sequence[float], counts: Ints) -> ClassSummary:
        """The summary whose numbers and counts these are."""
        zero, one = (Moments(int(n), mean, m2, m3) for n, mean, m2, m3 in (numbers[1:5], numbers[5:9]))
        return ClassSummary(counts.reshape(len(scale["edges"]) + 1, 2), (zero, one), numbers[0])

    def measure(self, days: Sequence[Summary], *, prior: float, level: float) -> dict[str, MetricEstimate]:
        """Estimate base-rate-free loss, AUC of the days pooled, Brier score, log-loss and label rate."""
        every = only(ClassSummary, days)
        kept = [day for day in every if day.n]
        n = sum(day.n for day in kept)
        labelled = np.asarray([day.n for day in kept], dtype=np.float64)
        zero, one = _losses(kept)
        cells = every[0].table.shape[0] if every else 1
        tables = np.stack([day.table for day in kept]) if kept else np.zeros((0, cells, 2), dtype=np.int64)
        shares = {
            "brier": [day.squared for day in kept],
            "log_loss": [a.sum + b.sum for a, b in zip(zero, one, strict=True)],
            "label_rate": [day.positives for day in kept],
        }
        measured = {
            "base_rate_free_loss": base_rate_free_from_moments(one, zero, prior=prior, level=level, unit="days"),
            "auc": auc_from_tables(tables, level=level, unit="days"),
        }
        for name, values in shares.items():
            sums = np.column_stack([np.asarray(values, dtype=np.float64), labelled])
            measured[name] = cluster_estimate(sums, _mean, n=n, level=level, unit="days")
        return measured

    def units(self, watch: Watch, days: Sequence[Summary], *, prior: float, min_labels: int) -> tuple[HarmUnit, ...]:
        """Days for the ranking; for the losses as many days as give enough labels."""
        every = only(ClassSummary, days)
        if watch is RANKING:
            return tuple(_ranking_units(every))
        zero, one = _losses(every)
        if watch is BASE_RATE_FREE:
            return base_rate_free_units(one, zero, prior=prior, min_labels=min_labels)
        return loss_units([a + b for a, b in zip(zero, one, strict=True)], min_labels=min_labels)

    def measure_rows(
        self, labels: Floats, scores: Floats, days: ArrayLike, *, prior: float, level: float
    ) -> dict[str, MetricEstimate]:
        """Estimate all metrics of rows, the base-rate-free loss at this base rate."""
        measured = classification_metrics(labels, scores, threshold=_THRESHOLD, level=level, clusters=days)
        free = base_rate_free_estimate(labels, scores, prior=prior, level=level, clusters=days)
        return {**measured, "base_rate_free_loss": free}

    def label_free(
        self, scale: Mapping[str, Any], past: Sequence[Summary], cells: Cells, *, prior: float, clip: float
    ) -> LabelFree | None:
        """From how often label 1 came in each cell of the score."""
        cuts = np.asarray(scale["edges"], dtype=np.float64)
        days = only(ClassSummary, past)
        if not isinstance(cells, NumericCells) or cuts.size < 2 or not days:
            return None
        first, last = 2 * cuts[0] - cuts[1], 2 * cuts[-1] - cuts[-2]  # as wide as their neighbours
        borders = np.clip(np.r_[first, cuts, last], 0.0, 1.0)
        score = (borders[:-1] + borders[1:]) / 2
        counted = np.searchsorted(np.asarray(cells.edges[1:-1]), score, side="left")
        table = np.asarray(sum(day.table for day in days), dtype=np.int64)
        return TwoClasses(table, score, counted.astype(np.int64), prior, clip)

    def group_rates(self, labels: Floats, scores: Floats) -> tuple[tuple[str, Floats, Bools], ...]:
        """How many are answered with yes (a probability of at least .5), of all rows and of those that are."""
        yes = np.asarray(scores >= _THRESHOLD, dtype=np.float64)
        every = np.ones(len(scores), dtype=np.bool_)
        return ("share answered with yes", yes, every), ("share of yes that is found", yes, labels == 1.0)

    def row_losses(self, labels: Floats, scores: Floats) -> Floats:
        """The squared distance of the probability from what came."""
        return np.asarray((scores - labels) ** 2, dtype=np.float64)

    def reliability_of(self, scale: Mapping[str, Any], days: Sequence[Summary], *, level: float) -> Reliability | None:
        """Bands of the score beside the share of label 1, Gini and Kolmogorov-Smirnov."""
        kept = [day.table for day in only(ClassSummary, days) if day.n]
        if not kept:
            return None
        tables = np.stack(kept)
        apart = discrimination(tables, level=level)
        return Reliability(
            tuple(
                ScoreBand(one.low, one.high, Estimate.of(one.share), one.side)
                for one in bands(tables, scale["edges"], level=level)
            ),
            Estimate.of(apart.gini),
            Estimate.of(apart.ks),
        )

    def label_sentence(self, over: Callable[[str], Estimate | None], *, usual: float, unit: str) -> str:
        """The label rate beside the reference's, in words."""
        rate = over(self.label_metric)
        if rate is None or rate.value is None:
            return ""
        return (
            f"{rate.value:.1%} of outcomes are yes over the last {rate.n_days} ripe days, {usual:.1%} in the reference."
        )


def _losses(days: Sequence[ClassSummary]) -> tuple[list[Moments], list[Moments]]:
    return [day.losses[0] for day in days], [day.losses[1] for day in days]


def _mean(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])


def _ranking_units(days: Sequence[ClassSummary]) -> Iterator[HarmUnit]:
    """1 - AUC of each day: the share of its (positive, negative) pairs that are ranked wrongly."""
    for place, day in enumerate(days):
        n = int(day.table.sum(axis=0).min())
        if n >= MIN_CLASS:
            auc = float(auc_of_table(day.table))
            yield HarmUnit(place, place, 1.0 - auc, float(n), auc * (1.0 - auc))
