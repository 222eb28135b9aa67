"""A model that answers with one of several classes, which are words: its metrics, losses, summaries and sentences.

In the log an answer and a label are the class's number in the model's ordered list; everywhere else they are the word.
Log-loss and AUC need the probability of every class: they are of the rows that came with them, and say of how many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mlops_dash.domain.class_probabilities import why_not_sent
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.format import percent
from mlops_dash.domain.monitoring.readings import Estimate
from mlops_dash.domain.tasks.class_names import as_word, why_not_names
from mlops_dash.domain.tasks.kept_rows import CLASS_ROWS
from mlops_dash.domain.tasks.summaries import Summary, only
from mlops_dash.domain.tasks.task import Charted, Metric, ModelTask, Standards, Watch
from mlops_dash.domain.tasks.told_classes import (
    EDGES,
    ClassCounts,
    as_kept,
    measured_of,
    nothing_told,
    restored,
    told_by,
    usual_losses,
)
from mlops_dash.domain.tasks.worth import Confusion
from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import ArrayLike, Bools, Floats, Ints, as_codes
from mlops_dash.stats.cells import CategoryCells, Cells
from mlops_dash.stats.class_probabilities import (
    class_edges,
    class_loss_units,
    probability_metrics,
)
from mlops_dash.stats.classes import (
    accuracy_of,
    class_units,
    confusion_by,
    error_units,
    macro_f1_of,
    recall_of,
    share_of,
    shares_and_recalls,
    surely_lower,
)
from mlops_dash.stats.label_free import LabelFree, ManyClasses
from mlops_dash.stats.moments import Moments
from mlops_dash.stats.performance import MetricEstimate
from mlops_dash.stats.sequential import HarmUnit

_RECALL = "recall:"  # begins the key of a class's own metric
NO_LOSS = "the log-loss needs a reference whose rows tell the probability of every class"
_LEVEL = 0.95  # of the intervals that sentences compare

# The raw error rate follows the shares of the classes, so it only warns. The two harm losses do not; they share alpha,
# so that the promise holds for both together. The log-loss sees a model whose probabilities went wrong while the most
# probable class stayed right as often; it is followed where the reference tells the probability of every class.
AT_SHARES = Watch("weighted_recall", "Recall at the reference's shares", higher=True, harm=True, in_points=True)
_ONLY_TOLD = "The answered classes raise no alarm: the probabilities beside them got worse."
LOSS_AT_SHARES = Watch(
    "weighted_log_loss", "Log-loss at the reference's shares", higher=False, harm=True, alone=_ONLY_TOLD
)
RAW_ERROR = Watch("error_rate", "Error rate", higher=False, harm=False, in_points=True)


@dataclass(frozen=True)
class MultiClass(ModelTask):
    """One of several classes.

    Attributes:
        names: The model's classes in their order; empty while no model is meant.
        shares: Share of each class in the labels of a reference; empty without one.
        recalls: How often the reference's answers were right, by class; empty without one.
        losses: The mean log-loss of the reference's rows by class, None of a class whose rows tell no probabilities;
            empty where no labelled row does, and of references from before it was kept.
    """

    names: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    recalls: tuple[float, ...] = ()
    losses: tuple[float | None, ...] = ()

    name = "multiclass"
    title = "Classification with several classes"
    metrics = (
        Metric("accuracy", "Accuracy", Direction.HIGHER),
        Metric("macro_f1", "Macro F1", Direction.HIGHER),
    )
    paired = ("accuracy", "macro_f1")
    of_probabilities = (
        Metric("log_loss", "Log-loss", Direction.LOWER),
        Metric("auc_ovr", "ROC AUC, each class against the rest", Direction.HIGHER),
    )
    of_reference = ("accuracy", "macro_f1")
    watches = (AT_SHARES, LOSS_AT_SHARES, RAW_ERROR)
    charted = (
        Charted("weighted_recall", "Recall at the reference's shares", higher=True),
        Charted("accuracy", "Accuracy, days pooled", higher=True),
        Charted("macro_f1", "Macro F1, days pooled", higher=True),
        Charted("error_rate", "Error rate"),
        Charted("weighted_log_loss", "Log-loss at the reference's shares"),
        Charted("log_loss", "Log-loss"),
        Charted("auc_ovr", "ROC AUC, each class against the rest, days pooled", higher=True),
        Charted("largest_share", "Share of the reference's largest class", is_share=True),
    )
    label_metric = "largest_share"
    # What accuracy is good depends on the classes: the first version waits for a written floor.
    standards = Standards("accuracy", "macro_f1", 0.01, floor_metric="", floor=0.0, watched="accuracy")
    kept_rows = CLASS_ROWS
    policy_name = "default-multiclass"
    has_base_rate = False
    ab_losses = ("accuracy",)
    own_metrics = _RECALL
    in_words = True
    row_loss = "error rate"

    # --- what is known of one model ---
    def of(self, facts: Mapping[str, Any]) -> MultiClass:
        """With the classes of a model, and what its reference said of them."""
        held = (tuple(facts.get(key) or ()) for key in ("classes", "shares", "recalls", "class_losses"))
        return MultiClass(*held)

    @property
    def facts(self) -> dict[str, Any]:
        """The classes, and what the reference said of them."""
        known = {"classes": list(self.names), "shares": list(self.shares), "recalls": list(self.recalls)}
        return {**known, "class_losses": list(self.losses)} if self.losses else known

    @property
    def followed(self) -> tuple[Watch, ...]:
        """The log-loss only where the reference says what it was."""
        return tuple(watch for watch in self.watches if self.losses or watch is not LOSS_AT_SHARES)

    @property
    def not_followed(self) -> str:
        """Answers that are a class alone have no log-loss."""
        return "" if self.losses else f"Harm is judged by the answered class alone: {NO_LOSS}."

    def why_incomplete(self) -> str:
        """A model needs its classes.

        >>> MultiClass(("cat", "dog")).why_incomplete(), MultiClass(("cat", "cat")).why_incomplete()
        ('', "the class 'cat' is named twice")
        """
        return why_not_names(self.names)

    def label_free(
        self, scale: Mapping[str, Any], past: Sequence[Summary], cells: Cells, *, prior: float, clip: float
    ) -> LabelFree | None:
        """From how often each answer came true."""
        days = only(ClassCounts, past)
        if not isinstance(cells, CategoryCells) or not days:
            return None
        known = [[self.names.index(level)] for level in cells.levels if level in self.names]
        rest = [number for number, name in enumerate(self.names) if name not in cells.levels]
        table = np.asarray(sum(day.table for day in days), dtype=np.int64)
        return ManyClasses(table, [*known, rest], self._largest)

    def group_rates(self, labels: Floats, scores: Floats) -> tuple[tuple[str, Floats, Bools], ...]:
        """Of each class how many are answered with it, of all rows and of those that are it."""
        every, found = np.ones(len(scores), dtype=np.bool_), list[tuple[str, Floats, Bools]]()
        for number, name in enumerate(self.names):
            said = np.asarray(scores == number, dtype=np.float64)
            found += [(f"share answered with {name}", said, every),
                      (f"share of {name} that is found", said, labels == number)]  # fmt: skip
        return tuple(found)

    def row_losses(self, labels: Floats, scores: Floats) -> Floats:
        """1 where another class was answered."""
        return np.asarray(labels != scores, dtype=np.float64)

    # --- answers and labels ---
    def score_column(self, classes: Sequence[Any], positive_label: str) -> int | None:
        """None: the answer is a class, not the column of one."""
        return None

    def why_not_sent(self, value: Any) -> str:
        """Only the model's own classes are known; a new one is never taken for another.

        >>> MultiClass(("cat", "7")).why_not_sent("dog"), MultiClass(("cat", "7")).why_not_sent(7)
        ("is none of this model's classes: cat, 7", '')
        """
        return "" if as_word(value) in self._numbers else f"is none of this model's classes: {', '.join(self.names)}"

    def number_of(self, value: Any) -> float:
        """The class's number; -1 for a word that is no class."""
        return float(self._numbers.get(as_word(value), -1))

    def word_of(self, number: float) -> float | str:
        """The class of a number."""
        return number if self.why_no_label(number) else self.names[int(number)]

    def why_not_scores(self, sent: Any) -> str:
        """Every class has its probability, no other word has one, and they sum to 1."""
        return why_not_sent(sent, self.names)

    def scores_in_order(self, sent: Mapping[str, float]) -> list[float]:
        """In the order of the names.

        >>> MultiClass(("cat", "dog")).scores_in_order({"dog": 0.75, "cat": 0.25})
        [0.25, 0.75]
        """
        return [float(sent[name]) for name in self.names]

    def split(self, answers: Floats) -> tuple[Floats, Floats | None]:
        """The most probable class, the first of equal ones; NaN where a probability is missing."""
        if answers.ndim == 1:
            return answers, None
        said = np.nan_to_num(answers, nan=-1.0).argmax(axis=1).astype(np.float64)
        return np.where(np.isnan(answers).any(axis=1), np.nan, said), answers

    def words_of(self, scores: Floats) -> npt.NDArray[Any]:
        """The classes that were answered; None where there is none."""
        known = np.array([*self.names, None], dtype=object)
        fit = np.isfinite(scores) & (scores >= 0) & (scores < len(self.names))
        return known[np.where(fit, np.nan_to_num(scores), len(self.names)).astype(np.int64)]

    def why_no_label(self, value: float) -> str:
        """Labels are numbers of classes.

        >>> MultiClass(("cat", "dog")).why_no_label(1.0), MultiClass(("cat", "dog")).why_no_label(2.0)
        ('', "the label is none of this model's classes: cat, dog")
        """
        known = value in range(len(self.names))
        return "" if known else f"the label is none of this model's classes: {', '.join(self.names)}"

    def why_no_score(self, value: float) -> str:
        """Answers are numbers of classes."""
        known = value in range(len(self.names))
        return "" if known else f"the answer is none of this model's classes: {', '.join(self.names)}"

    # --- counting ---
    def scale_of(
        self, scores: Floats, labels: Floats, probabilities: Floats | None = None, *, clip: float
    ) -> dict[str, Any]:
        """The classes, their shares, how often each was told right, its log-loss, and the cells of probabilities."""
        known = ~np.isnan(labels) & ~np.isnan(scores)
        nowhere = np.zeros(int(known.sum()), dtype=np.int64)
        table = confusion_by(labels[known], scores[known], nowhere, n_classes=len(self.names), n_groups=1)[0]
        shares, recalls = shares_and_recalls(table)
        p = np.full((labels.size, len(self.names)), np.nan) if probabilities is None else probabilities
        told = ~np.isnan(p).any(axis=1)
        edges = class_edges(as_kept(p[told]), len(self.names))
        losses = usual_losses(labels[known], p[known], clip=clip)
        return {**MultiClass(self.names, shares, recalls, losses).facts, EDGES: [list(cuts) for cuts in edges]}

    def prior_of(self, labels: Floats) -> float:
        """The share of the largest class."""
        counted = np.bincount(labels.astype(np.int64), minlength=len(self.names))
        return float(counted.max() / labels.size)

    def empty(self, scale: Mapping[str, Any]) -> ClassCounts:
        """No rows."""
        k = len(scale["classes"])
        return ClassCounts(np.zeros((k, k), dtype=np.int64), nothing_told(scale))

    def count(
        self, scale: Mapping[str, Any], labels: Floats, scores: Floats, groups: Ints, *, n_groups: int, clip: float,
        probabilities: Floats | None = None,
    ) -> tuple[ClassCounts, ...]:  # fmt: skip
        """Count rows by true class and answer; those that tell all probabilities also by these."""
        tables = confusion_by(labels, scores, groups, n_classes=len(scale["classes"]), n_groups=n_groups)
        known = None if probabilities is None else ~np.isnan(probabilities).any(axis=1)
        if probabilities is None or known is None or EDGES not in scale or not known.any():
            nothing = nothing_told(scale)
            return tuple(ClassCounts(table, nothing) for table in tables)
        told = told_by(
            scale, labels[known].astype(np.int64), probabilities[known], groups[known], n_groups=n_groups, clip=clip
        )
        return tuple(ClassCounts(table, of) for table, of in zip(tables, told, strict=True))

    def restore(self, scale: Mapping[str, Any], numbers: Sequence[float], counts: Ints) -> ClassCounts:
        """The summary whose counts these are."""
        k = len(scale["classes"])
        table = counts[: k * k].reshape(k, k)
        if EDGES not in scale:
            return ClassCounts(table)
        return ClassCounts(table, restored(scale, numbers, counts[k * k :]))

    # --- measuring ---
    def measure(self, days: Sequence[Summary], *, prior: float, level: float) -> dict[str, MetricEstimate]:
        """Estimate accuracy, macro F1, the recall of every class and the share of the largest.

        Log-loss and AUC as well, of the rows that tell the probability of every class, where the reference has cells
        for these.
        """
        kept = [day for day in only(ClassCounts, days) if day.n]
        tables = self._tables(kept)
        measured = {
            "accuracy": accuracy_of(tables, level=level),
            "macro_f1": macro_f1_of(tables, level=level),
            self.label_metric: share_of(tables, self._largest, level=level),
        }
        recalls = {key: recall_of(tables, number, level=level) for number, key in enumerate(self._keys)}
        told = [day.told for day in kept if day.told is not None]
        if len(told) < len(kept):
            return {**measured, **recalls}
        return {**measured, **recalls, **measured_of(told, n=int(tables.sum()), level=level)}

    def units(self, watch: Watch, days: Sequence[Summary], *, prior: float, min_labels: int) -> tuple[HarmUnit, ...]:
        """As many days as give enough labels; at the reference's shares, enough of every class that is not rare."""
        counted = only(ClassCounts, days)
        if watch is LOSS_AT_SHARES:
            nothing = (Moments.empty(),) * len(self.names)
            told = [nothing if day.told is None else day.told.losses for day in counted]
            return class_loss_units(told, shares=self.shares, usual=self.losses, min_labels=min_labels)
        tables = self._tables(counted)
        if watch is AT_SHARES:
            return class_units(tables, shares=self.shares, recalls=self.recalls, min_labels=min_labels)
        return error_units(tables, min_labels=min_labels)

    def measure_rows(
        self, labels: Floats, scores: Floats, days: ArrayLike, *, prior: float, level: float
    ) -> dict[str, MetricEstimate]:
        """Estimate accuracy and macro F1 of rows."""
        codes, n_days = as_codes(days)
        tables = confusion_by(labels, scores, codes, n_classes=len(self.names), n_groups=n_days)
        return {
            "accuracy": accuracy_of(tables, level=level, unit="clusters"),
            "macro_f1": macro_f1_of(tables, level=level, unit="clusters"),
        }

    def measure_probabilities(
        self, labels: Floats, probabilities: Floats, days: ArrayLike, *, level: float
    ) -> dict[str, MetricEstimate]:
        """Estimate log-loss, and AUC of each class against the rest weighted by its share."""
        return probability_metrics(labels, probabilities, days, level=level)

    def confusion_of(self, days: Sequence[Summary]) -> Confusion | None:
        """The counts of these days together."""
        table = self._tables(only(ClassCounts, days)).sum(axis=0)
        return Confusion(self.names, tuple(tuple(row) for row in table.tolist()))

    # --- sentences ---
    def label_sentence(self, over: Callable[[str], Estimate | None], *, usual: float, unit: str) -> str:
        """The share of the reference's largest class, then and now."""
        share = over(self.label_metric)
        if share is None or share.value is None or not self.names:
            return ""
        return (
            f"{percent(share.value)} of labels are {self.names[self._largest]} over the last {share.n_days} ripe days, "
            f"{percent(usual)} in the reference."
        )

    def worse_sentence(self, over: Callable[[str], Estimate | None], before: Callable[[str], Estimate | None]) -> str:
        """The classes whose recall fell beyond the doubt of all of them together, the farthest first."""
        fell = []
        for key, name in zip(self._keys, self.names, strict=True):
            now, then = over(key), before(key)
            if now is None or then is None or now.value is None or then.value is None:
                continue
            if surely_lower(_measured(now), _measured(then), of=len(self.names), level=_LEVEL):
                fell.append(
                    (now.value - then.value, f"{name} (recall {percent(now.value)}, {percent(then.value)} before)")
                )
        if not fell:
            return ""
        return f"Told right less often than in the reference: {'; '.join(said for _, said in sorted(fell))}."

    @property
    def choices(self) -> tuple[Charted, ...]:
        """What is charted, and the recall of every class."""
        of_class = (
            Charted(key, f"Recall of {name}", higher=True) for key, name in zip(self._keys, self.names, strict=True)
        )
        return (*self.charted, *of_class)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}

    @property
    def _keys(self) -> tuple[str, ...]:
        return tuple(f"{_RECALL}{name}" for name in self.names)

    @property
    def _largest(self) -> int:
        """Number of the class that most labels of the reference are; of the first without a reference."""
        return self.shares.index(max(self.shares)) if self.shares else 0

    def _tables(self, days: Sequence[ClassCounts]) -> Ints:
        k = len(self.names)
        tables = [day.table for day in days]
        if any(table.shape != (k, k) for table in tables):
            raise InvalidInput(f"A day was not counted with these {k} classes.", hint="Profile these hours again.")
        return np.stack(tables) if tables else np.zeros((0, k, k), dtype=np.int64)


def _measured(one: Estimate) -> MetricEstimate:
    value, low, high = (np.nan if of is None else of for of in (one.value, one.low, one.high))
    return MetricEstimate(value, low, high, one.n, one.n_days, one.method)
