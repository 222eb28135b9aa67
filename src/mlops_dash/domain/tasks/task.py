"""What does everything that depends on a model's task have to provide? The base class of tasks, and its small words.

A task only measures, counts and words; it judges nothing and reads no database. What a third one must bring is listed
in `mlops_dash.domain.tasks`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy.typing as npt

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.monitoring.readings import Estimate
from mlops_dash.domain.tasks.kept_rows import KeptRows
from mlops_dash.domain.tasks.summaries import Summary
from mlops_dash.domain.tasks.worth import Confusion, Reliability
from mlops_dash.stats.arrays import ArrayLike, Bools, Floats, Ints
from mlops_dash.stats.cells import Cells
from mlops_dash.stats.label_free import LabelFree
from mlops_dash.stats.performance import MetricEstimate
from mlops_dash.stats.sequential import HarmUnit


@dataclass(frozen=True)
class Metric:
    """How a metric is named, rounded and compared. Lower-is-better is declared, never guessed from the name.

    Attributes:
        key: Name in evidence, policies and JSON.
        label: Name on the page.
        direction: Which way is better.
        decimals: How many decimals its value is shown with.
        unit: Behind every number; "" = none.
        in_label_unit: Whether its unit is that of the labels, which the model's monitoring policy says.
        at_base_rate: Whether it is stated at the base rate of a reference.
    """

    key: str
    label: str
    direction: Direction
    decimals: int = 3
    unit: str = ""
    in_label_unit: bool = False
    at_base_rate: bool = False

    def unit_of(self, label_unit: str) -> str:
        """The unit behind its numbers, for a model whose labels have this unit.

        >>> Metric("mae", "MAE", Direction.LOWER, in_label_unit=True).unit_of("min")
        'min'
        >>> Metric("auc", "ROC AUC", Direction.HIGHER).unit_of("min")
        ''
        """
        return label_unit if self.in_label_unit else self.unit

    def named(self, label_unit: str) -> str:
        """Its label with the unit of its numbers: `MAE (min)`."""
        unit = self.unit_of(label_unit)
        return f"{self.label} ({unit})" if unit else self.label


@dataclass(frozen=True)
class Watch:
    """One loss that is followed unit by unit.

    Attributes:
        key: Name in readings and JSON.
        label: Name on the page.
        higher: Whether the shown value (1 - loss) is better when higher; else the loss itself is shown.
        harm: Whether its alarm means harm; else it means that labels shifted.
        decimals: How many decimals its value is shown with.
        in_points: Whether harm is tolerated in points of the loss; else as a share of the reference's loss.
        alone: What it says, in a sentence, that of all losses that mean harm this one alone is in alarm; "" = nothing.
    """

    key: str
    label: str
    higher: bool
    harm: bool
    decimals: int = 3
    in_points: bool = False
    alone: str = ""

    def shown(self, loss: float) -> float:
        """The value that people read."""
        return 1.0 - loss if self.higher else loss


@dataclass(frozen=True)
class Charted:
    """A metric of windows as Monitoring offers it.

    Attributes:
        key: Name in readings and links.
        label: Name on the page.
        higher: Whether it is better when higher.
        decimals: How many decimals its value is shown with.
        is_share: Whether a sentence says it in percent.
    """

    key: str
    label: str
    higher: bool = False
    decimals: int = 3
    is_share: bool = False


@dataclass(frozen=True)
class Standards:
    """By what a version is promoted and watched while nobody has written a policy; "" as floor metric = no floor."""

    primary: str
    guardrail: str
    guardrail_margin: float
    floor_metric: str
    floor: float
    watched: str


class ModelTask(ABC):
    """What a model predicts, and all that follows from it."""

    # --- words and standards ---
    name: ClassVar[str]  # as stored and as typed
    title: ClassVar[str]  # as people read it
    metrics: ClassVar[tuple[Metric, ...]]
    paired: ClassVar[tuple[str, ...]]  # metrics that two versions are compared by, and policies choose from
    of_probabilities: ClassVar[tuple[Metric, ...]] = ()  # further ones, where every class's probability is known
    of_reference: ClassVar[tuple[str, ...]]  # metrics that are kept as evidence of a reference
    watches: ClassVar[tuple[Watch, ...]]  # the first one is spoken of while none is in alarm; see `followed`
    charted: ClassVar[tuple[Charted, ...]]
    label_metric: ClassVar[str]  # of `charted`: what is said of the labels themselves
    standards: ClassVar[Standards]
    kept_rows: ClassVar[KeptRows]  # what evaluation rows of such a model's runs can tell
    policy_name: ClassVar[str]  # what the ids of its default policies begin with
    has_base_rate: ClassVar[bool]  # whether losses follow a share of labels, which a reference then gives
    has_reliability: ClassVar[bool] = False  # whether an answer is one probability that can be held against what came
    cost_shares: ClassVar[str] = ", at the reference's shares of the classes"  # where money is told
    ab_losses: ClassVar[tuple[str, ...]]  # metrics of its answers that an A/B test may rest on, the usual one first
    own_metrics: ClassVar[str] = ""  # what the keys of metrics begin with that each model has of its own
    row_loss: ClassVar[str]  # what `row_losses` is called in a sentence
    slice_caution: ClassVar[str] = ""  # what to keep in mind where the loss of one part of the rows is compared
    in_words: ClassVar[bool] = False  # whether answers and labels are words outside the log

    # --- what is known of one model ---
    def of(self, facts: Mapping[str, Any]) -> ModelTask:
        """This task with what a model, a reference or a reading says of its classes; itself where it has none."""
        return self

    @property
    def facts(self) -> dict[str, Any]:
        """What `of` needs, as JSON holds it; empty for a task that is the same for every model."""
        return {}

    def why_incomplete(self) -> str:
        """Why a model of this task cannot be added as it is described; "" when it can."""
        return ""

    # --- answers and labels ---
    def why_not_sent(self, value: Any) -> str:
        """Why an answer or label as it was sent names nothing that is known; "" by default: numbers are looked at next.

        Args:
            value: As it came: a word for a task `in_words`.
        """
        return ""

    def number_of(self, value: Any) -> Any:
        """An answer or label as it was sent, as the number that the log keeps; itself by default."""
        return value

    def word_of(self, number: float) -> float | str:
        """A number of the log as people read it; itself by default."""
        return number

    def why_not_scores(self, sent: Any) -> str:
        """Why the probabilities of all classes, as they came with a row, cannot be kept; "" when they can.

        Args:
            sent: An object of class and probability, where it is as it should be.
        """
        return "this model answers with one score, not with the probabilities of several classes"

    def scores_in_order(self, sent: Mapping[str, float]) -> list[float]:
        """Such probabilities in the order of the model's classes."""
        return list(sent.values())

    def split(self, answers: Floats) -> tuple[Floats, Floats | None]:
        """Answers of a model as scores, float[n], and the probabilities of all classes, float[n, k], if they are those.

        Args:
            answers: float[n], or float[n, k] of a task that takes the probabilities of all classes for an answer.
        """
        return answers, None

    def words_of(self, scores: Floats) -> npt.NDArray[Any]:
        """Answers as their drift is counted: numbers into cells by default, words of a task `in_words`."""
        return scores

    @abstractmethod
    def score_column(self, classes: Sequence[Any], positive_label: str) -> int | None:
        """Which column of a two-dimensional answer is the score; None = such an answer has no score.

        Args:
            classes: The classes that the model knows, in the order of the columns.
            positive_label: The class whose probability is the score.

        Raises:
            BrokenModel: the model does not know that class.
        """

    @abstractmethod
    def why_no_label(self, value: float) -> str:
        """Why a finite number cannot be a label of such a model; "" when it can."""

    def why_no_score(self, value: float) -> str:
        """Why a finite number cannot be a score of such a model; "" when it can, as any number by default."""
        return ""

    # --- counting: what rows of an hour or a day are reduced to ---
    @abstractmethod
    def scale_of(
        self, scores: Floats, labels: Floats, probabilities: Floats | None = None, *, clip: float
    ) -> dict[str, Any]:
        """What is fixed by the rows of the reference so that days add up, as JSON holds it.

        Args:
            scores: One a row.
            labels: One a row, NaN where it is not known.
            probabilities: float[n, k] of all classes, NaN where a row tells none; None where no row does.
            clip: Largest log-loss of a row.
        """

    def prior_of(self, labels: Floats) -> float:
        """What the labels of a reference are said to be in one number: their mean by default."""
        return float(labels.mean())

    @abstractmethod
    def empty(self, scale: Mapping[str, Any]) -> Summary:
        """No rows: the neutral element of adding."""

    @abstractmethod
    def count(
        self, scale: Mapping[str, Any], labels: Floats, scores: Floats, groups: Ints, *, n_groups: int, clip: float,
        probabilities: Floats | None = None,
    ) -> tuple[Summary, ...]:  # fmt: skip
        """Count labelled rows into one summary a group (an hour, a day).

        Args:
            scale: From `scale_of` the reference.
            labels: One a row, complete.
            scores: One a row, complete.
            groups: Group of each row, 0..n_groups-1.
            n_groups: How many groups, empty ones included.
            clip: Largest log-loss of a row.
            probabilities: float[n, k] of all classes, NaN where a row tells none; None where no row does.

        Raises:
            InvalidInput: a label or score is none of such a model.
        """

    @abstractmethod
    def restore(self, scale: Mapping[str, Any], numbers: Sequence[float], counts: Ints) -> Summary:
        """The summary whose `numbers` and `counts` these are."""

    # --- measuring ---
    @abstractmethod
    def measure(self, days: Sequence[Summary], *, prior: float, level: float) -> dict[str, MetricEstimate]:
        """Estimate the charted metrics that need no units over these days; days without labels do not count.

        Args:
            days: One summary a day.
            prior: `prior_of` the reference.
            level: Coverage, e.g. 0.95.
        """

    @abstractmethod
    def units(self, watch: Watch, days: Sequence[Summary], *, prior: float, min_labels: int) -> tuple[HarmUnit, ...]:
        """Reduce days to the units of one of its watches; `first` and `last` are places in `days`."""

    @abstractmethod
    def measure_rows(
        self, labels: Floats, scores: Floats, days: ArrayLike, *, prior: float, level: float
    ) -> dict[str, MetricEstimate]:
        """Estimate its paired metrics on rows, with days as clusters."""

    def measure_probabilities(
        self, labels: Floats, probabilities: Floats, days: ArrayLike, *, level: float
    ) -> dict[str, MetricEstimate]:
        """Estimate its metrics of the probabilities of all classes, float[n, k]; none by default."""
        return {}

    def group_rates(self, labels: Floats, scores: Floats) -> tuple[tuple[str, Floats, Bools], ...]:
        """Shares that groups are compared by: words, 1 or 0 a row, and which rows count; none by default."""
        return ()

    @abstractmethod
    def row_losses(self, labels: Floats, scores: Floats) -> Floats:
        """How badly each row was answered, float[n]: a loss whose mean says how good the answers are."""

    @property
    def comparable(self) -> tuple[str, ...]:
        """Metrics that two versions may be compared by, those of probabilities last."""
        return (*self.paired, *(one.key for one in self.of_probabilities))

    # --- sentences ---
    @abstractmethod
    def label_sentence(self, over: Callable[[str], Estimate | None], *, usual: float, unit: str) -> str:
        """What the labels themselves did; "" without ripe labels.

        Args:
            over: The estimate of a charted metric over the last ripe days.
            usual: `prior_of` the reference.
            unit: Of the labels.
        """

    def worse_sentence(self, over: Callable[[str], Estimate | None], before: Callable[[str], Estimate | None]) -> str:
        """Which part of the answers got worse for sure; "" by default.

        Args:
            over: The estimate of a metric over the last ripe days.
            before: The same of the reference.
        """
        return ""

    def confusion_of(self, days: Sequence[Summary]) -> Confusion | None:
        """How often which class was taken for which over these days; None for a task without classes."""
        return None

    def reliability_of(self, scale: Mapping[str, Any], days: Sequence[Summary], *, level: float) -> Reliability | None:
        """Whether things happened as often as their probability said; None for a task without probabilities."""
        return None

    def label_free(
        self, scale: Mapping[str, Any], past: Sequence[Summary], cells: Cells, *, prior: float, clip: float
    ) -> LabelFree | None:
        """What estimates metrics from answers alone, fitted on a labelled reference; None where nothing does."""
        return None

    # --- what follows from the above ---
    @property
    def choices(self) -> tuple[Charted, ...]:
        """What Monitoring offers of one model: what is charted of every one, by default."""
        return self.charted

    @property
    def followed(self) -> tuple[Watch, ...]:
        """Those of its watches that one model can be followed by: all of them, by default."""
        return self.watches

    @property
    def not_followed(self) -> str:
        """Which loss one model is not followed by, and why, in a sentence; "" when it is followed by all."""
        return ""

    @property
    def harm_watches(self) -> tuple[Watch, ...]:
        """The watches whose alarm means harm."""
        return tuple(watch for watch in self.followed if watch.harm)

    @property
    def shift_watches(self) -> tuple[Watch, ...]:
        """The watches whose alarm means that labels shifted."""
        return tuple(watch for watch in self.followed if not watch.harm)

    def alpha_of(self, watch: Watch, alpha: float) -> float:
        """The error that one watch may spend: watches of harm share it, so that the promise holds for all together."""
        return alpha / len(self.harm_watches) if watch.harm else alpha

    @property
    def of_labels(self) -> Charted:
        """What is charted of the labels themselves."""
        return next(metric for metric in self.charted if metric.key == self.label_metric)
