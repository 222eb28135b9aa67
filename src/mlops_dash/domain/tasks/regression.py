"""A model that answers with a number in the unit of its label: its metrics, losses, summaries and words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.format import with_unit
from mlops_dash.domain.monitoring.readings import Estimate
from mlops_dash.domain.tasks.kept_rows import KeptRows
from mlops_dash.domain.tasks.summaries import Summary, only
from mlops_dash.domain.tasks.task import Charted, Metric, ModelTask, Standards, Watch
from mlops_dash.stats.arrays import ArrayLike, Floats, Ints
from mlops_dash.stats.moments import Moments
from mlops_dash.stats.performance import MetricEstimate, regression_metrics
from mlops_dash.stats.regression import ErrorSummary, errors_by, regression_from_summaries
from mlops_dash.stats.sequential import HarmUnit, loss_units

# A regression has no base rate: its mean absolute error is the loss, in the unit of the label.
ABSOLUTE_ERROR = Watch("mae", "MAE", higher=False, harm=True, decimals=2)


@dataclass(frozen=True)
class NumberSummary(Summary):
    """Labelled rows of a regression: their errors, in the unit of the label."""

    errors: ErrorSummary

    @property
    def n(self) -> int:
        """Labelled rows."""
        return self.errors.n

    def __add__(self, other: Summary) -> NumberSummary:
        """Both together."""
        if not isinstance(other, NumberSummary):
            return NotImplemented
        return NumberSummary(self.errors + other.errors)

    def numbers(self) -> tuple[float, ...]:
        """The moments of |error|, error and label."""
        of = (self.errors.absolute, self.errors.signed, self.errors.label)
        return tuple(number for one in of for number in (one.n, one.mean, one.m2, one.m3))

    def counts(self) -> Ints:
        """None."""
        return np.zeros(0, dtype=np.int64)


class Regression(ModelTask):
    """A number."""

    name = "regression"
    cost_shares = ""
    title = "Regression"
    metrics = (
        Metric("mae", "MAE", Direction.LOWER, 2, in_label_unit=True),
        Metric("rmse", "RMSE", Direction.LOWER, 2, in_label_unit=True),
        Metric("bias", "Bias", Direction.ZERO, 2, in_label_unit=True),
    )
    paired = ("mae", "rmse")
    of_reference = ("mae", "rmse", "bias")
    watches = (ABSOLUTE_ERROR,)
    charted = (
        Charted("mae", "MAE", decimals=2),
        Charted("rmse", "RMSE, days pooled", decimals=2),
        Charted("bias", "Bias, prediction − label", decimals=2),
        Charted("label_mean", "Mean label", decimals=2),
    )
    label_metric = "label_mean"
    # No limit in the unit of an unknown label can be a default: the first version waits for a written one.
    standards = Standards("mae", "rmse", 0.0, floor_metric="", floor=0.0, watched="mae")
    kept_rows = KeptRows("regression", ("mae", "mse", "rmse"), decides=False)
    policy_name = "default-regression"
    has_base_rate = False
    ab_losses = ("mae",)
    row_loss = "absolute error"

    def score_column(self, classes: Sequence[Any], positive_label: str) -> int | None:
        """None: a number has no column of a class."""
        return None

    def why_no_label(self, value: float) -> str:
        """Any number is a label."""
        return ""

    def scale_of(
        self, scores: Floats, labels: Floats, probabilities: Floats | None = None, *, clip: float
    ) -> dict[str, Any]:
        """Nothing is fixed; `edges` is empty, as references have always stored it."""
        return {"edges": []}

    def empty(self, scale: Mapping[str, Any]) -> NumberSummary:
        """No rows."""
        return NumberSummary(ErrorSummary.empty())

    def count(
        self, scale: Mapping[str, Any], labels: Floats, scores: Floats, groups: Ints, *, n_groups: int, clip: float,
        probabilities: Floats | None = None,
    ) -> tuple[NumberSummary, ...]:  # fmt: skip
        """Sum the errors."""
        return tuple(NumberSummary(errors) for errors in errors_by(labels, scores, groups, n_groups=n_groups))

    def restore(self, scale: Mapping[str, Any], numbers: Sequence[float], counts: Ints) -> NumberSummary:
        """The summary whose numbers these are."""
        parts = (numbers[:4], numbers[4:8], numbers[8:12])
        return NumberSummary(ErrorSummary(*(Moments(int(n), mean, m2, m3) for n, mean, m2, m3 in parts)))

    def measure(self, days: Sequence[Summary], *, prior: float, level: float) -> dict[str, MetricEstimate]:
        """Estimate MAE, RMSE, bias and the mean label."""
        return regression_from_summaries([day.errors for day in only(NumberSummary, days)], level=level)

    def units(self, watch: Watch, days: Sequence[Summary], *, prior: float, min_labels: int) -> tuple[HarmUnit, ...]:
        """As many days as give enough labels."""
        return loss_units([day.errors.absolute for day in only(NumberSummary, days)], min_labels=min_labels)

    def measure_rows(
        self, labels: Floats, scores: Floats, days: ArrayLike, *, prior: float, level: float
    ) -> dict[str, MetricEstimate]:
        """Estimate MAE, RMSE and bias of rows."""
        return regression_metrics(labels, scores, level=level, clusters=days)

    def row_losses(self, labels: Floats, scores: Floats) -> Floats:
        """|answer - label|, in the unit of the label."""
        return np.asarray(np.abs(scores - labels), dtype=np.float64)

    def label_sentence(self, over: Callable[[str], Estimate | None], *, usual: float, unit: str) -> str:
        """The mean label beside the reference's, and which way the errors lean."""
        mean, bias = over(self.label_metric), over("bias")
        if mean is None or mean.value is None:
            return ""
        sentence = (
            f"Mean label {with_unit(mean.value, 1, unit)} over the last {mean.n_days} ripe days, "
            f"{with_unit(usual, 1, unit)} in the reference."
        )
        if bias is None or bias.value is None:
            return sentence
        way = "too high" if bias.value >= 0 else "too low"
        return f"{sentence} Predictions are {with_unit(abs(bias.value), 2, unit)} {way} on average."
