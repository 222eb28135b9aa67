"""What the pictures beside the runs table are made of: curves, importances of parameters, a Pareto front."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.frame import Floats

EPOCH_NAMES: Final = ("epoch", "epochs", "trainer/epoch", "train/epoch")
FEW_CURVES: Final = 6
MOST_CURVES: Final = 100


class Picture(StrEnum):
    """What stands beside the table."""

    CURVES = "curves"
    PARALLEL = "parallel"
    SCATTER = "scatter"
    CONTOUR = "contour"
    BOX = "box"
    IMPORTANCE = "importance"
    PARETO = "pareto"
    DIFFERENCES = "differences"


class Axis(StrEnum):
    """The x of curves."""

    STEP = "step"
    TIME = "time"
    EPOCH = "epoch"


class Band(StrEnum):
    """What the band around the mean of repeats shows."""

    RANGE = "range"  # smallest to largest
    SD = "sd"  # one standard deviation to both sides


@dataclass(frozen=True)
class CurveGaps:
    """Whose histories the curves lack.

    Attributes:
        unread: Ids of runs whose histories are still to be read.
        metrics: Of which metrics.
        of: How many runs the curves are of.
        why: Why they could not be read; "" when there was only no time.
    """

    unread: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    of: int = 0
    why: str = ""


@dataclass(frozen=True, eq=False)
class Curve:
    """One line: a run, or the mean of repeats with their band."""

    label: str
    run_ids: tuple[str, ...]
    x: Floats  # steps, epochs, or seconds since the run began
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    n_bad: int = 0  # points that are NaN or infinite


@dataclass(frozen=True)
class ParameterImportance:
    """How much worse a forest predicts when one parameter is shuffled.

    Attributes:
        name: The parameter.
        value: Rise of the squared error of runs the trees did not see, as a share of the metric's variance.
        low: Lower end of the middle 80 % over the parts of the forest.
        high: Upper end.
        beyond: More than any of the random columns that the forest was given as well.
    """

    name: str
    value: float
    low: float
    high: float
    beyond: bool


@dataclass(frozen=True)
class Importance:
    """Which parameters matter for a metric, by permutation in a random forest on the runs themselves.

    Attributes:
        metric: What is predicted.
        found: By importance, the largest first; empty when it cannot be said.
        chance: The largest importance of a random column.
        r2: Share of the metric's variance that the forest explains in runs it did not see; NaN when there is no forest.
        n: Runs that were used.
        n_configurations: Different configurations among them: the forest never sees a repeat of what it predicts.
        n_bad: Runs left out because their metric is missing, NaN or infinite.
        n_more: Runs with a value beyond those used (an even sample was taken).
        left_out: Parameters beyond the most that are looked at.
        why_not: Why nothing can be said; empty when something can.
        from_zero: Whether the metric's distance from 0 is predicted, because that is what should be small.
    """

    metric: str
    found: tuple[ParameterImportance, ...]
    chance: float
    r2: float
    n: int
    n_configurations: int
    n_bad: int
    n_more: int
    left_out: int
    why_not: str = ""
    from_zero: bool = False


@dataclass(frozen=True, eq=False)
class Front:
    """Runs, or configurations, by two or three metrics; those of the front are not beaten in all of them at once.

    Attributes:
        metrics: Their names.
        asked: Those of them of which nobody knows which way is better: without a direction there is no front.
        ways: Which way is better, by metric; None where nobody knows.
        values: Shape (points, metrics); only points with a finite value of every metric.
        on: Whether the point is on the front, shape (points,).
        labels: Of each point.
        ids: Run ids of each point.
        n_bad: Matching runs without a finite value of every metric.
        grouped: Whether a point is a configuration, its values means of its repeats.
    """

    metrics: tuple[str, ...]
    asked: tuple[str, ...]
    ways: tuple[Direction | None, ...]
    values: Floats
    on: tuple[bool, ...]
    labels: tuple[str, ...]
    ids: tuple[tuple[str, ...], ...]
    n_bad: int
    grouped: bool
